# A layer's pass in evaluation on the native backend, where its arguments fit as they are; included by _core.pyx.


# Weights that go apart or beside each other with room for their arguments here, and for their buffers in Held.
cdef enum:
    MOST = 16
    BESIDE = 2


cdef class Evaluation:
    """Evaluation(weights, runs, order, empty, dtype, threads, apart)
--

    `weights` side by side over all of one x, nothing kept: what `forward_many` does, in one call without a frame of Python,
    of arguments that C reads as they are.  Of any others, right or wrong, nothing is done, and None says so: all checks, and
    their words, stand on the other way.

    weights: of one form, one or two, or one to 16 that are apart; `runs`: how each runs, without arrays, or None.  order: the axes of the caller's x and y
    as time-major ones, its own inverse.  `empty(shape, dtype)` makes arrays; others than of its type are not read as they
    are.  `threads()` says how many a call may use.  apart: y has an axis of the weights in front, as x may have, instead of
    the features of all side by side.
    """
    cdef readonly tuple weights, runs
    cdef object empty, dtype, threads, array, turn
    cdef fr_forward_args args[MOST]
    cdef int axis[3]
    cdef int count, itemsize
    cdef bint apart
    cdef Py_ssize_t n_x, n_h, n_c
    most, beside = MOST, BESIDE

    def __init__(self, weights, runs, order, empty, dtype, threads, apart):
        cdef Weights w
        cdef Held nothing
        cdef int k
        if self.count:
            raise RuntimeError("fastrnn: an evaluation is made once")
        if not 1 <= len(weights) <= (MOST if apart else BESIDE) or len(runs) != len(weights) or sorted(order) != [0, 1, 2]:
            raise ValueError(f"fastrnn: expected 1 to {MOST} weights apart or {BESIDE}, and an order of three axes")
        self.weights, self.runs, self.empty, self.dtype, self.threads = tuple(weights), tuple(runs), empty, dtype, threads
        self.array, self.apart = type(empty((0,), dtype)), apart
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

    def __call__(self, x, state=None, lengths=None, reset=None):
        return self._forward(x, state, lengths, reset, None, None, None)

    # y, with the features of all side by side or apart, and the last states, (a,) or (a, c), each (count, m, n); or None where
    # an argument has another form than C reads.  `state` is as the last ones are, `reset` as x without features.  masks: None,
    # or for each (drop, keep_a, keep_c).  tapes: None, or a list to put those of training into.  out: None, or an array for y.
    cdef object _forward(self, object x, object state, object lengths, object reset, object masks, list tapes, object out):
        cdef Held held
        cdef fr_forward_args args[MOST]
        cdef fr_forward_args *call
        cdef Steps source, target
        cdef fr_interrupt question = _question()
        cdef int k, most
        cdef bint plain = lengths is None and reset is None and masks is None
        cdef Py_ssize_t T, m, hidden, states
        cdef Py_ssize_t sizes[3]
        cdef const void *first[2]
        cdef void *last[2]
        cdef fr_status status
        cdef Tape tape
        held.count = 0
        try:
            if not self._reads(&held, x, self.n_x, False, sizes, &source, 0):
                return None
            T, m = sizes[0], sizes[1]
            runs = self.runs if plain else self._asked(lengths, reset, masks)
            if runs is None:
                return None
            first[0] = first[1] = NULL
            if state is not None and not self._states(&held, state, m, first):
                return None
            for k in range(self.count):
                args[k] = self.args[k]
                if not plain and not self._runs(&held, args, k, runs[k], T, m, masks is not None):
                    return None
            y = self._result(&held, out, T, m, self.n_h, True, &target)
            if y is None:
                return None
            a = self._new_states(&held, m, self.n_h, &last[0])
            c = self._new_states(&held, m, self.n_c, &last[1])
            hidden, states = m * self.n_h * self.itemsize, m * self.n_c * self.itemsize
            most = min(<int>self.threads(), 64)
            for k in range(self.count):
                call = &args[k]
                call.T, call.m, call.threads, call.interrupt = T, m, most, question
                call.x, call.y = _at(&source, k), _at(&target, k)
                call.a0, call.c0 = _part(<void *>first[0], k * hidden), _part(<void *>first[1], k * states)
                call.aT, call.cT = _part(last[0], k * hidden), _part(last[1], k * states)
            if tapes is not None:
                steps = self._time_major(x)
                for k in range(self.count):
                    tape = Tape.__new__(Tape)
                    tape._make(self.weights[k], steps[k] if steps.ndim > 3 else steps, T, m, &args[k].run)
                    tape.run, args[k].tape = runs[k], tape.kept
                    tapes.append(tape)
            with nogil:
                status = fr_forward_many(args, self.count, most)
            if status == FR_BAD_ARGUMENT:
                return None  # a length that is none
            _check(status)
            return y, ((a, c) if self.n_c else (a,))
        finally:
            _release(&held)

    # A view of x with time in front; an axis of the weights stays before it.
    cdef object _time_major(self, object x):
        if self.turn is None:
            return x
        return x.transpose(self.turn if x.ndim == 3 else (0, *[1 + axis for axis in self.turn]))

    # How each runs that has been asked for more than `runs` says, or None.  Tapes keep lengths, so they get their own.
    cdef list _asked(self, object lengths, object reset, object masks):
        cdef int k
        if lengths is not None:
            if type(lengths) is not self.array:
                return None
            lengths = lengths.copy()
        if reset is not None:
            if type(reset) is not self.array:
                return None
            reset = reset if self.turn is None else reset.T
        asked = []
        for k in range(self.count):
            drop, keep_a, keep_c = masks[k] if masks is not None else (None, None, None)
            expected = 0.0 if masks is not None else self.args[k].run.zoneout  # masks stand for what is expected of them
            asked.append((lengths, reset, self.args[k].run.reverse, drop, keep_a, keep_c, expected))
        return asked

    # Whether C reads how the k-th call runs; if so that.  Without masks of its own it has the first one's arrays.
    cdef bint _runs(self, Held *held, fr_forward_args *args, int k, object run, Py_ssize_t T, Py_ssize_t m, bint masks):
        if k and not masks:
            args[k].run = args[0].run
            args[k].run.reverse, args[k].run.zoneout = self.args[k].run.reverse, self.args[k].run.zoneout
            return True
        try:
            _run(held, &args[k].run, run, T, m, self.weights[0])
            return True
        except (ValueError, BufferError):
            return False

    # Whether `state`, (a,) or (a, c), is such as C reads; if so where its arrays (count, m, n) begin.
    cdef bint _states(self, Held *held, object state, Py_ssize_t m, const void **begin):
        cdef Py_buffer *view
        cdef int k, parts = 2 if self.n_c else 1
        if type(state) not in (tuple, list) or len(state) != parts:
            return False
        for k in range(parts):
            if type(state[k]) is not self.array:
                return False
            try:
                view = _hold(held, state[k], PyBUF_C_CONTIGUOUS, self.itemsize)
            except (ValueError, BufferError):
                return False
            if view.ndim != 3 or view.shape[0] != self.count or view.shape[1] != m:
                return False
            if view.shape[2] != (self.n_c if k else self.n_h):
                return False
            begin[k] = view.buf
        return True

    # Whether x, (T, m, n) in the caller's order, is such as C reads, or with PyBUF_WRITABLE writes; if so its time-major sizes
    # and steps.  each: every call has a part of it, with n features; else it is that of all, and may have a part for each only
    # if calls are apart.
    cdef bint _reads(self, Held *held, object x, Py_ssize_t n, bint each, Py_ssize_t *sizes, Steps *steps, int flags):
        cdef Py_buffer *view
        cdef Py_ssize_t step[3]
        cdef int k, lead
        if not self.count or type(x) is not self.array:
            return False
        try:
            view = _view(held, x, PyBUF_STRIDES | flags)
        except (ValueError, BufferError):
            return False  # a type without a buffer: the checks above know its name
        if view.itemsize != self.itemsize or view.format[0] != (c"f" if self.itemsize == 4 else c"d"):
            return False
        lead = view.ndim - 3
        if lead != 0 and not (lead == 1 and self.apart and view.shape[0] == self.count) or each and lead != self.apart:
            return False
        for k in range(3):
            if view.strides[lead + k] % self.itemsize:
                return False
            sizes[self.axis[k]], step[self.axis[k]] = view.shape[lead + k], view.strides[lead + k] // self.itemsize
        steps.first.data, steps.first.t, steps.first.m, steps.first.n = view.buf, step[0], step[1], step[2]
        steps.apart = view.strides[0] if lead else n * step[2] * self.itemsize if each else 0
        return sizes[2] == (n if lead or not each else self.count * n)

    # `out`, or a new array where that is None, for results (T, m, n) in the caller's order, of each call apart or side by side;
    # None where C can't write to it.  each: as in _reads.
    cdef object _result(self, Held *held, object out, Py_ssize_t T, Py_ssize_t m, Py_ssize_t n, bint each, Steps *steps):
        cdef Py_ssize_t sizes[3]
        if out is not None:
            if not self._reads(held, out, n, each, sizes, steps, PyBUF_WRITABLE) or sizes[0] != T or sizes[1] != m:
                return None
            return out
        sizes[0], sizes[1], sizes[2] = T, m, n if self.apart or not each else self.count * n
        shape = (sizes[self.axis[0]], sizes[self.axis[1]], sizes[self.axis[2]])
        made = self.empty((self.count, *shape) if self.apart else shape, self.dtype)
        steps.first.data = _fresh(held, made, (self.count if self.apart else 1) * T * m * sizes[2] * self.itemsize)
        _lay(&steps.first, self.axis, sizes)
        steps.apart = (T * m if self.apart else steps.first.n) * n * self.itemsize
        return made

    # A new array (count, m, n), or None where n is 0.
    cdef object _new_states(self, Held *held, Py_ssize_t m, Py_ssize_t n, void **data):
        data[0] = NULL
        if not n:
            return None
        made = self.empty((self.count, m, n), self.dtype)
        data[0] = _fresh(held, made, self.count * m * n * self.itemsize)
        return made


# The steps of a contiguous array of those time-major sizes, whose axes are `axis` of it.
cdef void _lay(fr_array *array, int *axis, Py_ssize_t *sizes) noexcept:
    cdef Py_ssize_t steps[3]
    steps[axis[2]] = 1
    steps[axis[1]] = sizes[axis[2]]
    steps[axis[0]] = sizes[axis[1]] * sizes[axis[2]]
    array.t, array.m, array.n = steps[0], steps[1], steps[2]


# Where an array begins that was made for a call, of which only the size is asked: a name for its type would cost as much
# as its memory.
cdef void *_fresh(Held *held, object array, Py_ssize_t bytes) except? NULL:
    cdef Py_buffer *view = &held.views[held.count]
    PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
    held.count += 1
    if view.len != bytes:
        raise ValueError(f"fastrnn: expected an array of {bytes} bytes, got {view.len}")
    return view.buf
