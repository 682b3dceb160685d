# The plain pass of a layer in evaluation on the native backend; included by _core.pyx.


cdef class Evaluation:
    """Evaluation(weights, runs, order, empty, dtype, threads)
--

    `weights` side by side over all of one x from zero states, nothing kept: what `forward_many` does without all that can be
    asked for, in one call without a frame of Python.

    weights: one or two of one form; `runs`: for each None or what says that it runs from the end, and nothing else.  order:
    the axes of the caller's x and y as time-major ones, its own inverse.  `empty(shape, dtype)` makes arrays; others than
    of its type are not read as they are.  `threads()` says how many a call may use.
    """
    cdef readonly tuple weights, runs
    cdef object empty, dtype, threads, array, turn
    cdef fr_forward_args args[2]
    cdef int axis[3]
    cdef int count, itemsize
    cdef Py_ssize_t n_x, n_h, n_c

    def __init__(self, weights, runs, order, empty, dtype, threads):
        cdef Weights w
        cdef Held nothing
        cdef int k
        if self.count:
            raise RuntimeError("fastrnn: an evaluation is made once")
        if len(weights) not in (1, 2) or len(runs) != len(weights) or sorted(order) != [0, 1, 2]:
            raise ValueError("fastrnn: expected one or two weights, and an order of three axes")
        self.weights, self.runs, self.empty, self.dtype, self.threads = tuple(weights), tuple(runs), empty, dtype, threads
        self.array = type(empty((0,), dtype))
        self.turn = None if tuple(order) == (0, 1, 2) else tuple(order)
        w = weights[0]
        nothing.count = 0
        try:
            for k in range(len(weights)):
                _alike(w, weights[k])
                self.args[k].weights = (<Weights>weights[k]).packed
                _run(&nothing, &self.args[k].run, runs[k], 0, 0, w)
        finally:
            _release(&nothing)
        for k in range(3):
            self.axis[k] = order[k]
        self.n_x, self.n_h, self.n_c, self.itemsize = w.n_x, w.n_h, w.n_c, w.itemsize
        self.count = len(weights)  # last: an object without it was not made

    def __call__(self, x):
        return self._forward(x, None)

    # y, with the features of all side by side, and the last states, (a,) or (a, c), each (count, m, n); or None where x has
    # another form than C reads.  `tapes`: None, or a list to put those of training into.
    cdef object _forward(self, object x, list tapes):
        cdef Held held
        cdef fr_forward_args args[2]
        cdef fr_array source, target
        cdef fr_interrupt question = _question()
        cdef int k, most
        cdef Py_ssize_t T, m, hidden, states
        cdef Py_ssize_t sizes[3]
        cdef fr_status status
        cdef Tape tape
        held.count = 0
        try:
            if not self._reads(&held, x, self.n_x, sizes, &source):
                return None
            T, m = sizes[0], sizes[1]
            y = self._new(&held, T, m, self.count * self.n_h, &target)
            hidden, states = m * self.n_h * self.itemsize, m * self.n_c * self.itemsize
            most = min(<int>self.threads(), 64)
            for k in range(self.count):
                args[k] = self.args[k]
                args[k].T, args[k].m, args[k].threads, args[k].interrupt = T, m, most, question
                args[k].x, args[k].y = source, target
                args[k].y.data = _part(target.data, k * self.n_h * target.n * self.itemsize)
            a = self._new_states(&held, m, self.n_h, &args[0].aT)
            c = self._new_states(&held, m, self.n_c, &args[0].cT)
            if self.count == 2:
                args[1].aT, args[1].cT = _part(args[0].aT, hidden), _part(args[0].cT, states)
            if tapes is not None:
                steps = x if self.turn is None else x.transpose(self.turn)
                for k in range(self.count):
                    tape = Tape.__new__(Tape)
                    tape._make(self.weights[k], steps, T, m, &args[k].run)
                    tape.run, args[k].tape = self.runs[k], tape.kept
                    tapes.append(tape)
            with nogil:
                status = fr_forward_many(args, self.count, most)
            _check(status)
            return y, ((a, c) if self.n_c else (a,))
        finally:
            _release(&held)

    # Whether x, (T, m, n) in the caller's order, is such as C reads; if so its time-major sizes and steps.
    cdef bint _reads(self, Held *held, object x, Py_ssize_t n, Py_ssize_t *sizes, fr_array *array):
        cdef Py_buffer *view
        cdef Py_ssize_t steps[3]
        cdef int k
        if not self.count or type(x) is not self.array:
            return False
        try:
            view = _view(held, x, PyBUF_STRIDES)
        except (ValueError, BufferError):
            return False  # a type without a buffer: the checks above know its name
        if view.ndim != 3 or view.itemsize != self.itemsize or view.format[0] != (c"f" if self.itemsize == 4 else c"d"):
            return False
        for k in range(3):
            if view.strides[k] % self.itemsize:
                return False
            sizes[self.axis[k]], steps[self.axis[k]] = view.shape[k], view.strides[k] // self.itemsize
        array.data, array.t, array.m, array.n = view.buf, steps[0], steps[1], steps[2]
        return sizes[2] == n

    # A new array (T, m, n) in the caller's order.
    cdef object _new(self, Held *held, Py_ssize_t T, Py_ssize_t m, Py_ssize_t n, fr_array *array):
        cdef Py_ssize_t sizes[3]
        cdef Py_ssize_t steps[3]
        sizes[0], sizes[1], sizes[2] = T, m, n
        made = self.empty((sizes[self.axis[0]], sizes[self.axis[1]], sizes[self.axis[2]]), self.dtype)
        steps[self.axis[2]] = 1
        steps[self.axis[1]] = sizes[self.axis[2]]
        steps[self.axis[0]] = sizes[self.axis[1]] * sizes[self.axis[2]]
        array.data, array.t, array.m, array.n = _fresh(held, made, T * m * n * self.itemsize), steps[0], steps[1], steps[2]
        return made

    # A new array (count, m, n), or None where n is 0.
    cdef object _new_states(self, Held *held, Py_ssize_t m, Py_ssize_t n, void **data):
        data[0] = NULL
        if not n:
            return None
        made = self.empty((self.count, m, n), self.dtype)
        data[0] = _fresh(held, made, self.count * m * n * self.itemsize)
        return made


# Where an array begins that was made for a call, of which only the size is asked: a name for its type would cost as much
# as its memory.
cdef void *_fresh(Held *held, object array, Py_ssize_t bytes) except? NULL:
    cdef Py_buffer *view = &held.views[held.count]
    PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
    held.count += 1
    if view.len != bytes:
        raise ValueError(f"fastrnn: expected an array of {bytes} bytes, got {view.len}")
    return view.buf
