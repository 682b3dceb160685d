# A layer's passes in training on the native backend, where its arguments fit as they are; included by _core.pyx.

cdef tuple _PARAMETERS = ("W_x", "W_a", "b_x", "b_a", *_EXTRAS)


cdef class Training(Evaluation):
    """Training(weights, runs, order, empty, dtype, threads, apart, names)
--

    As Evaluation, which it is when called; and `forward` with tapes, and `backward`.

    names: for each of the weights what gradients of its parameters are to be called, by what ops calls these; or, apart, for
    all: gradients then have the axis in front.
    """
    cdef tuple names, shapes
    cdef int place[4 + FR_EXTRA_ARRAYS]  # among _PARAMETERS
    cdef Py_ssize_t bytes[4 + FR_EXTRA_ARRAYS]  # of the gradient of each of these

    def __init__(self, weights, runs, order, empty, dtype, threads, apart, names):
        cdef Weights w = weights[0]
        cdef Py_ssize_t rows, n
        cdef int e
        Evaluation.__init__(self, weights, runs, order, empty, dtype, threads, apart)
        if len(names) != (1 if apart else self.count):
            raise ValueError("fastrnn: expected names for each of the weights, or for all that are apart")
        rows = w.gates * w.n_a
        shapes = {"W_x": (rows, w.n_x), "W_a": (rows, w.n_h), "b_x": (rows,), "b_a": (rows,), **_shapes(w)}
        # C sums those of biases that a layer doesn't have, too.
        roles = [*names[0], *[role for role in shapes if role not in names[0]]]
        for e in range(len(roles)):
            self.place[e] = _PARAMETERS.index(roles[e])
            self.bytes[self.place[e]] = w.itemsize
            for n in shapes[roles[e]]:
                self.bytes[self.place[e]] *= n
        lead = (self.count,) if apart else ()
        self.shapes = tuple([lead + shapes[role] for role in roles])
        self.names = tuple([tuple([each.get(role) for role in roles]) for each in names])  # last, as in Evaluation

    def forward(self, x, state=None, lengths=None, reset=None, masks=None, out=None, keep=True):
        """y, which is `out` if that is given, the last states, and the tapes, or None without `keep`; or None where an
        argument has another form than C reads."""
        tapes = [] if keep else None
        found = self._forward(x, state, lengths, reset, masks, tapes, out)
        return None if found is None else (*found, tapes)

    def backward(self, tapes, dy, need_dx, dstate=None, out=None, sums=None):
        """Go back in tapes of such weights, from dy, which has the form of y, and the last states' gradients.

        Returns a list of the dx of each, or one array of all that are apart, or None without `need_dx`; the gradients of the
        first states, (a,) or (a, c), each (count, m, n); those of parameters, by name.  Or None where an argument has another
        form than C reads here.
        Of one of weights also: out, an array for its dx; sums, what was returned by name for all parameters, to be added to.
        """
        cdef Held held
        cdef fr_backward_args args[MOST]
        cdef fr_backward_args *call
        cdef Steps gradient, inputs
        cdef fr_interrupt question = _question()
        cdef Tape tape
        cdef Py_ssize_t T, m, hidden, states, own
        cdef Py_ssize_t sizes[3]
        cdef const void *last[2]
        cdef void *first[2]
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
            if not self._reads(&held, dy, self.n_h, True, sizes, &gradient, 0) or sizes[0] != T or sizes[1] != m:
                return None
            last[0] = last[1] = NULL
            if dstate is not None and not self._states(&held, dstate, m, last):
                return None
            a = self._new_states(&held, m, self.n_h, &first[0])
            c = self._new_states(&held, m, self.n_c, &first[1])
            hidden, states = m * self.n_h * self.itemsize, m * self.n_c * self.itemsize
            most = min(<int>self.threads(), 64)
            dx, grads = [] if need_dx else None, {}
            for e in range(4 + FR_EXTRA_ARRAYS):
                into[e] = NULL
            for k in range(self.count):
                call, tape = &args[k], tapes[k]
                call.tape, call.threads, call.interrupt, call.accumulate = tape.kept, most, question, sums is not None
                _run(&held, &call.run, tape.run, T, m, tape.weights)
                call.x = _steps(&held, tape.x, T, m, self.n_x, self.itemsize, 0)
                call.dy = _at(&gradient, k)
                call.daT, call.dcT = _part(<void *>last[0], k * hidden), _part(<void *>last[1], k * states)
                call.da0, call.dc0 = _part(first[0], k * hidden), _part(first[1], k * states)
                call.dcells.data = call.dx.data = NULL
                if need_dx and not (self.apart and k):
                    array = self._result(&held, out, T, m, self.n_x, self.apart, &inputs)
                    if array is None:
                        return None
                    dx.append(array)
                if need_dx:
                    call.dx = _at(&inputs, k if self.apart else 0)
                if not (self.apart and k) and not self._gradients(&held, k, sums, into, grads):
                    return None
                own = k if self.apart else 0
                call.dW_x, call.dW_a = _part(into[0], own * self.bytes[0]), _part(into[1], own * self.bytes[1])
                call.db_x, call.db_a = _part(into[2], own * self.bytes[2]), _part(into[3], own * self.bytes[3])
                for e in range(FR_EXTRA_ARRAYS):
                    call.extras[e] = _part(into[4 + e], own * self.bytes[4 + e])
            with nogil:
                status = fr_backward_many(args, self.count, most)
            _check(status)
            return dx[0] if dx and self.apart else dx, ((a, c) if self.n_c else (a,)), grads
        finally:
            _release(&held)

    # Arrays for the gradients of the k-th weights, or of all that are apart: new ones, or those of `sums`.  Whether C can write
    # to them; if so they are in `grads` by name, and where they begin in `into`.
    cdef bint _gradients(self, Held *held, int k, object sums, void **into, dict grads) except -1:
        cdef int e, place
        names = self.names[k]
        for e in range(len(self.shapes)):
            place = self.place[e]
            if sums is None:
                array = self.empty(self.shapes[e], self.dtype)
                into[place] = _fresh(held, array, self.bytes[place] * (self.count if self.apart else 1))
            else:
                array = sums[names[e]]
                if not self._adds(held, array, self.bytes[place], &into[place]):
                    return False
            if names[e] is not None:
                grads[names[e]] = array
        return True

    # Whether `array` is such as C adds to; if so where it begins.
    cdef bint _adds(self, Held *held, object array, Py_ssize_t bytes, void **data):
        try:
            data[0] = _block(held, array, bytes // self.itemsize, self.itemsize, PyBUF_WRITABLE)
            return True
        except (ValueError, BufferError):
            return False
