# A sequence forward and back on the native backend, one call or several side by side; included by _core.pyx.

cdef class _Calls:
    """Room for the arguments of some calls, and for the buffers meanwhile held: those of all, then those of each."""
    cdef Held *held
    cdef void *args
    cdef int count

    cdef int take(self, Py_ssize_t count, size_t size) except -1:
        cdef Py_ssize_t k
        self.held = <Held *>PyMem_Malloc((count + 1) * sizeof(Held))
        self.args = PyMem_Malloc((count + 1) * size)
        if self.held == NULL or self.args == NULL:
            raise MemoryError("fastrnn: not enough memory for these calls")
        for k in range(count + 1):
            self.held[k].count = 0
        self.count = <int>count
        return 0

    def __dealloc__(self):
        cdef int k
        for k in range(self.count + 1 if self.count else 0):
            _release(&self.held[k])
        PyMem_Free(self.held)
        PyMem_Free(self.args)


# What pointers into arrays of several calls are counted by.
cdef int _alike(Weights w, Weights other) except -1:
    _packed(other)
    if w is not other and (w.itemsize != other.itemsize or w.n_x != other.n_x or w.n_a != other.n_a or w.n_h != other.n_h
                           or w.n_c != other.n_c or w.gates != other.gates or _shapes(w) != _shapes(other)):
        raise ValueError("weights: expected those of calls side by side to be of one form")
    return 0


cdef object _shapes(Weights w):
    return w.extras.shapes() if w.extras is not None else {}


cdef inline void *_part(void *data, Py_ssize_t bytes) noexcept:
    return data if data == NULL else <char *>data + bytes


def forward(weights, x, a0, c0, y, aT, cT, cells, training, threads, run):
    """Run `weights` over x from the states a0, c0 (None is zeros); fill y, aT, cT, cells unless None.

    Returns the tape if `training`, else None.
    """
    return forward_many((weights,), x, a0, c0, y, aT, cT, cells, training, threads, (run,))[0]


def forward_many(weights, x, a0, c0, y, aT, cT, cells, training, threads, runs):
    """Run each of `weights`, as `forward` does, side by side as if each were alone, at most `threads` at a time.

    All are of one form. Arrays are those of `forward` with an axis in front for the calls; x may lack it, and is then
    that of each; y and cells may have the features of all calls side by side instead.  Returns a list of tapes, or of
    None.
    """
    cdef Py_ssize_t count = len(weights), T, m, states, hidden, k
    cdef int size, most = min(threads, 64), train = bool(training)
    cdef fr_interrupt question = _question()
    cdef Weights w = weights[0]
    cdef Tape tape
    cdef Py_buffer *view
    cdef Py_ssize_t lead
    cdef _Calls room = _Calls.__new__(_Calls)
    cdef Held *held
    cdef fr_forward_args *args
    cdef fr_forward_args *call
    cdef Steps xs, ys, cs
    cdef void *block[4]
    cdef fr_status status
    _packed(w)
    room.take(count, sizeof(fr_forward_args))
    held, args = room.held, <fr_forward_args *>room.args
    size = w.itemsize
    view = _hold(held, x, PyBUF_STRIDES, size)
    lead = view.ndim - 3
    if lead < 0:
        raise ValueError("fastrnn: expected x with three axes, or four")
    T, m = view.shape[lead], view.shape[lead + 1]
    states, hidden = m * w.n_c, m * w.n_h
    xs = _strided(view, count, T, m, w.n_x, size, 0)
    ys = _all_steps(held, y, count, T, m, w.n_h, size, PyBUF_WRITABLE)
    cs = _all_steps(held, cells, count, T, m, w.n_c, size, PyBUF_WRITABLE)
    block[0] = _block(held, a0, count * hidden, size, 0)
    block[1] = _block(held, c0, count * states, size, 0)
    block[2] = _block(held, aT, count * hidden, size, PyBUF_WRITABLE)
    block[3] = _block(held, cT, count * states, size, PyBUF_WRITABLE)
    tapes = [None] * count
    for k in range(count):
        call = &args[k]
        _alike(w, weights[k])
        call.weights = (<Weights>weights[k]).packed
        call.T, call.m = T, m
        call.tape = NULL
        call.threads = most
        call.interrupt = question
        run = runs[k]
        _run(&held[k + 1], &call.run, run, T, m, w)
        if train:
            tape = Tape.__new__(Tape)
            tape._make(weights[k], x[k] if lead else x, T, m, &call.run)
            tape.run = run
            call.tape = tape.kept
            tapes[k] = tape
        call.x, call.y, call.cells = _at(&xs, k), _at(&ys, k), _at(&cs, k)
        call.a0, call.c0 = _part(block[0], k * hidden * size), _part(block[1], k * states * size)
        call.aT, call.cT = _part(block[2], k * hidden * size), _part(block[3], k * states * size)
    with nogil:
        status = fr_forward_many(args, <int>count, most)
    _check(status)
    return tapes


def backward(tape, dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x, db_a, threads, extras, accumulate):
    """Go back through time: from dy, daT, dcT, dcells (None is zeros) fill all gradients.

    dx may be None, dc0 is None but for an LSTM.  What is filled is overwritten; with `accumulate` the gradients of
    parameters are added to.
    """
    backward_many((tape,), dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x, db_a, threads, extras, accumulate)


def backward_many(tapes, dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x, db_a, threads, extras, accumulate):
    """Go back through time in each of `tapes`, as `backward` does, side by side as if each were alone.

    All are of one form and length. Arrays are those of `backward` with an axis in front for the calls; dy and dcells may
    lack it, and are then those of each, or have the features of all side by side.
    """
    cdef Py_ssize_t count = len(tapes), T, m, states, hidden, rows, k, e
    cdef int size, most = min(threads, 64)
    cdef fr_interrupt question = _question()
    cdef Tape t = tapes[0]
    cdef Weights w
    cdef _Calls room = _Calls.__new__(_Calls)
    cdef Held *held
    cdef fr_backward_args *args
    cdef fr_backward_args *call
    cdef Steps dys, dcs, dxs
    cdef void *block[8]
    cdef Py_ssize_t sizes[8]
    cdef void *beyond[FR_EXTRA_ARRAYS]
    cdef fr_status status
    _kept(t)
    w, T, m = t.weights, t.T, t.m
    room.take(count, sizeof(fr_backward_args))
    held, args = room.held, <fr_backward_args *>room.args
    size = w.itemsize
    states, hidden, rows = m * w.n_c, m * w.n_h, w.gates * w.n_a
    for name, array in (("dW_x", dW_x), ("dW_a", dW_a), ("db_x", db_x), ("db_a", db_a)):
        if array is None:
            raise ValueError(f"{name}: expected an array to fill, got None")
    dys = _all_steps(held, dy, count, T, m, w.n_h, size, 0)
    dcs = _all_steps(held, dcells, count, T, m, w.n_c, size, 0)
    dxs = _all_steps(held, dx, count, T, m, w.n_x, size, PyBUF_WRITABLE)
    sizes[0], sizes[1], sizes[2], sizes[3] = hidden, states, hidden, states
    sizes[4], sizes[5], sizes[6], sizes[7] = rows * w.n_x, rows * w.n_h, rows, rows
    for e, array in enumerate((daT, dcT, da0, dc0, dW_x, dW_a, db_x, db_a)):
        block[e] = _block(held, array, count * sizes[e], size, PyBUF_WRITABLE if e >= 2 else 0)
    shapes = _shapes(w)
    for e, name in enumerate(_EXTRAS):
        array = extras[name] if name in shapes else None
        beyond[e] = _block(held, array, count * _extra_size(name, w), size, PyBUF_WRITABLE)
    for k in range(count):
        call = &args[k]
        t = tapes[k]
        call.tape = _kept(t)
        _alike(w, t.weights)
        if t.T != T or t.m != m:
            raise ValueError("tape: expected those of calls side by side to be of one length and batch")
        call.accumulate = bool(accumulate)
        call.threads = most
        call.interrupt = question
        _run(&held[k + 1], &call.run, t.run, T, m, w)
        call.x = _steps(&held[k + 1], t.x, T, m, w.n_x, size, 0)
        call.dy, call.dcells, call.dx = _at(&dys, k), _at(&dcs, k), _at(&dxs, k)
        call.daT, call.dcT = _part(block[0], k * hidden * size), _part(block[1], k * states * size)
        call.da0, call.dc0 = _part(block[2], k * hidden * size), _part(block[3], k * states * size)
        call.dW_x, call.dW_a = _part(block[4], k * sizes[4] * size), _part(block[5], k * sizes[5] * size)
        call.db_x, call.db_a = _part(block[6], k * rows * size), _part(block[7], k * rows * size)
        for e, name in enumerate(_EXTRAS):
            call.extras[e] = _part(beyond[e], k * _extra_size(name, w) * size)
    with nogil:
        status = fr_backward_many(args, <int>count, most)
    _check(status)
