# A layer's passes in training on the native backend, where its arguments fit as they are; included by _core.pyx.

cdef tuple _PARAMETERS = ("W_x", "W_a", "b_x", "b_a", *_EXTRAS)


cdef class Training(Evaluation):
    """Training(weights, runs, order, empty, dtype, threads, names)
--

    As Evaluation, which it is when called; and `forward` with tapes, and `backward`.

    names: for each of the weights what gradients of its parameters are to be called, by what ops calls these.
    """
    cdef tuple names, shapes
    cdef int place[4 + FR_EXTRA_ARRAYS]  # among _PARAMETERS
    cdef Py_ssize_t bytes[4 + FR_EXTRA_ARRAYS]

    def __init__(self, weights, runs, order, empty, dtype, threads, names):
        cdef Weights w = weights[0]
        cdef Py_ssize_t rows, n
        cdef int e
        Evaluation.__init__(self, weights, runs, order, empty, dtype, threads)
        rows = w.gates * w.n_a
        shapes = {"W_x": (rows, w.n_x), "W_a": (rows, w.n_h), "b_x": (rows,), "b_a": (rows,), **_shapes(w)}
        # C sums those of biases that a layer doesn't have, too.
        roles = [*names[0], *[role for role in shapes if role not in names[0]]]
        for e in range(len(roles)):
            self.place[e], self.bytes[e] = _PARAMETERS.index(roles[e]), w.itemsize
            for n in shapes[roles[e]]:
                self.bytes[e] *= n
        self.shapes = tuple([shapes[role] for role in roles])
        self.names = tuple([tuple([each.get(role) for role in roles]) for each in names])  # last, as in Evaluation

    def forward(self, x, state=None, lengths=None, reset=None, masks=None, out=None, keep=True):
        """y, which is `out` if that is given, the last states, and the tapes, or None without `keep`; or None where an
        argument has another form than C reads."""
        tapes = [] if keep else None
        found = self._forward(x, state, lengths, reset, masks, tapes, out)
        return None if found is None else (*found, tapes)

    def backward(self, tapes, dy, need_dx, dstate=None, out=None, sums=None):
        """Go back in tapes of such weights, from dy with the features of all side by side, and the last states' gradients.

        Returns a list of the dx of each, or None without `need_dx`; the gradients of the first states, (a,) or (a, c), each
        (count, m, n); those of parameters, by name.  Or None where an argument has another form than C reads here.
        Of one of weights also: out, an array for its dx; sums, what was returned by name for all parameters, to be added to.
        """
        cdef Held held
        cdef fr_backward_args args[2]
        cdef fr_backward_args *call
        cdef fr_array gradient
        cdef fr_interrupt question = _question()
        cdef Tape tape
        cdef Py_ssize_t T, m
        cdef Py_ssize_t sizes[3]
        cdef void *into[4 + FR_EXTRA_ARRAYS]
        cdef int e, k, most
        cdef fr_status status
        if self.names is None or len(tapes) != self.count:
            return None
        tape = tapes[0]
        T, m = tape.T, tape.m
        for k in range(self.count):
            tape = tapes[k]
            _kept(tape)
            if tape.weights is not self.weights[k] or tape.T != T or tape.m != m:
                return None
        held.count = 0
        try:
            if not self._reads(&held, dy, self.count * self.n_h, sizes, &gradient, 0) or sizes[0] != T or sizes[1] != m:
                return None
            args[0].daT = args[0].dcT = NULL
            if dstate is not None and not self._states(&held, dstate, m, &args[0].daT, &args[0].dcT):
                return None
            most = min(<int>self.threads(), 64)
            dx, grads = [] if need_dx else None, {}
            for e in range(4 + FR_EXTRA_ARRAYS):
                into[e] = NULL
            for k in range(self.count):
                call, tape = &args[k], tapes[k]
                call.tape, call.threads, call.interrupt, call.accumulate = tape.kept, most, question, sums is not None
                _run(&held, &call.run, tape.run, T, m, tape.weights)
                call.x = _steps(&held, tape.x, T, m, self.n_x, self.itemsize, 0)
                call.dy = gradient
                call.dy.data = _part(gradient.data, k * self.n_h * gradient.n * self.itemsize)
                call.dcells.data = call.dx.data = NULL
                if need_dx:
                    dx.append(self._result(&held, out, T, m, self.n_x, &call.dx))
                    if dx[k] is None:
                        return None
                names = self.names[k]
                for e in range(len(self.shapes)):
                    if sums is None:
                        array = self.empty(self.shapes[e], self.dtype)
                        into[self.place[e]] = _fresh(&held, array, self.bytes[e])
                    else:
                        array = sums[names[e]]
                        if not self._adds(&held, array, self.bytes[e], &into[self.place[e]]):
                            return None
                    if names[e] is not None:
                        grads[names[e]] = array
                call.dW_x, call.dW_a, call.db_x, call.db_a = into[0], into[1], into[2], into[3]
                for e in range(FR_EXTRA_ARRAYS):
                    call.extras[e] = into[4 + e]
            a = self._new_states(&held, m, self.n_h, &args[0].da0)
            c = self._new_states(&held, m, self.n_c, &args[0].dc0)
            if self.count == 2:
                args[1].da0 = _part(args[0].da0, m * self.n_h * self.itemsize)
                args[1].dc0 = _part(args[0].dc0, m * self.n_c * self.itemsize)
                args[1].daT = _part(<void *>args[0].daT, m * self.n_h * self.itemsize)
                args[1].dcT = _part(<void *>args[0].dcT, m * self.n_c * self.itemsize)
            with nogil:
                status = fr_backward_many(args, self.count, most)
            _check(status)
            return dx, ((a, c) if self.n_c else (a,)), grads
        finally:
            _release(&held)

    # Whether `array` is such as C adds to; if so where it begins.
    cdef bint _adds(self, Held *held, object array, Py_ssize_t bytes, void **data):
        try:
            data[0] = _block(held, array, bytes // self.itemsize, self.itemsize, PyBUF_WRITABLE)
            return True
        except (ValueError, BufferError):
            return False
