# The plain pass of a layer in evaluation on the native backend; included by _core.pyx.


cdef class Evaluation:
    """Evaluation(weights, reverse, order, empty, dtype, threads)
--

    `weights` side by side over all of one x from zero states, nothing kept: what `forward_many` does without all that can be
    asked for, in one call without a frame of Python.

    weights: one or two of one form; `reverse`: for each whether it runs from the end.  order: the axes of the caller's x and
    y as time-major ones.  `empty(shape, dtype)` makes arrays; others than of its type are not read as they are.  `threads()`
    says how many a call may use.
    """
    cdef readonly tuple weights
    cdef object empty, dtype, threads, array
    cdef fr_forward_args args[2]
    cdef int axis[3]
    cdef int count, itemsize
    cdef Py_ssize_t n_x, n_h, n_c

    def __init__(self, weights, reverse, order, empty, dtype, threads):
        cdef Weights w
        cdef Held nothing
        cdef int k
        nothing.count = 0
        if len(weights) not in (1, 2) or sorted(order) != [0, 1, 2]:
            raise ValueError("fastrnn: expected one or two weights, and an order of three axes")
        self.weights, self.empty, self.dtype, self.threads = tuple(weights), empty, dtype, threads
        self.array = type(empty((0,), dtype))
        w = weights[0]
        for k in range(len(weights)):
            _alike(w, weights[k])
            self.args[k].weights = (<Weights>weights[k]).packed
            _run(&nothing, &self.args[k].run, None, 0, 0, w)
            self.args[k].run.reverse = bool(reverse[k])
        for k in range(3):
            self.axis[k] = order[k]
        self.n_x, self.n_h, self.n_c, self.itemsize = w.n_x, w.n_h, w.n_c, w.itemsize
        self.count = len(weights)  # last: an object without it was not made

    # y, with the features of all side by side, and the last states, (a,) or (a, c), each (count, m, n); or None where x has
    # another form than C reads.
    def __call__(self, x):
        cdef Held held
        cdef Py_buffer *view
        cdef fr_forward_args args[2]
        cdef fr_array source, target
        cdef fr_interrupt question = _question()
        cdef int k, most
        cdef Py_ssize_t T, m, n, hidden, states
        cdef Py_ssize_t sizes[3]
        cdef Py_ssize_t steps[3]
        cdef fr_status status
        if not self.count or type(x) is not self.array:
            return None
        held.count = 0
        try:
            try:
                view = _view(&held, x, PyBUF_STRIDES)
            except (ValueError, BufferError):
                return None  # a type without a buffer: the checks above know its name
            if not self._readable(view):
                return None
            for k in range(3):
                sizes[self.axis[k]], steps[self.axis[k]] = view.shape[k], view.strides[k] // self.itemsize
            T, m, n = sizes[0], sizes[1], self.count * self.n_h
            source.data, source.t, source.m, source.n = view.buf, steps[0], steps[1], steps[2]
            sizes[2] = n
            y = self.empty((sizes[self.axis[0]], sizes[self.axis[1]], sizes[self.axis[2]]), self.dtype)
            a = self.empty((self.count, m, self.n_h), self.dtype)
            c = self.empty((self.count, m, self.n_c), self.dtype) if self.n_c else None
            target.data = _block(&held, y, T * m * n, self.itemsize, PyBUF_WRITABLE)
            steps[self.axis[2]] = 1
            steps[self.axis[1]] = sizes[self.axis[2]]
            steps[self.axis[0]] = sizes[self.axis[1]] * sizes[self.axis[2]]
            target.t, target.m, target.n = steps[0], steps[1], steps[2]
            hidden, states = m * self.n_h * self.itemsize, m * self.n_c * self.itemsize
            most = min(<int>self.threads(), 64)
            for k in range(self.count):
                args[k] = self.args[k]
                args[k].T, args[k].m, args[k].threads, args[k].interrupt = T, m, most, question
                args[k].x, args[k].y = source, target
                args[k].y.data = _part(target.data, k * self.n_h * target.n * self.itemsize)
            args[0].aT = _block(&held, a, self.count * m * self.n_h, self.itemsize, PyBUF_WRITABLE)
            args[0].cT = _block(&held, c, self.count * m * self.n_c, self.itemsize, PyBUF_WRITABLE)
            if self.count == 2:
                args[1].aT, args[1].cT = _part(args[0].aT, hidden), _part(args[0].cT, states)
            with nogil:
                status = fr_forward_many(args, self.count, most)
            _check(status)
            return y, ((a, c) if self.n_c else (a,))
        finally:
            _release(&held)

    cdef bint _readable(self, Py_buffer *view) noexcept:
        cdef int k
        if view.ndim != 3 or view.itemsize != self.itemsize or view.format[0] != (c"f" if self.itemsize == 4 else c"d"):
            return False
        for k in range(3):
            if self.axis[k] == 2 and view.shape[k] != self.n_x:
                return False
            if view.strides[k] % self.itemsize:
                return False
        return True
