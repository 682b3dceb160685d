# What is the same at every position of a sequence (affine maps, losses, rows of a table), and recurrences without
# products.  Part of _core.pyx, whose helpers it uses.

_ACTIVATIONS = ("none", "softmax", "sigmoid")
_LOSSES = ("softmax", "logistic", "squared")
_SCANS = ("linear", "min_gru", "min_lstm")


cdef Py_ssize_t *_indices(Held *held, object array, Py_ssize_t size) except? NULL:
    """A contiguous array of `size` integers as wide as a pointer, or None."""
    cdef Py_buffer *view = &held.views[held.count]
    if array is None:
        return NULL
    PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
    held.count += 1
    if view.itemsize != sizeof(Py_ssize_t) or view.format == NULL or view.format[0] not in b"lqn":
        raise ValueError("fastrnn: expected integers as wide as a pointer")
    if view.len != size * <Py_ssize_t>sizeof(Py_ssize_t):
        raise ValueError(f"fastrnn: expected {size} integers, got {view.len // sizeof(Py_ssize_t)}")
    return <Py_ssize_t *>view.buf


cdef class Linear:
    """Linear(W, b)
--

    An affine map's parameters, packed for the instruction set in force: W (n_y, n_x), b (n_y,) or None for zeros.
    """
    cdef fr_weights *packed
    cdef readonly str dtype
    cdef readonly Py_ssize_t n_x, n_y
    cdef int itemsize

    def __init__(self, W, b):
        cdef Held held
        cdef void *weight
        cdef void *bias
        if self.packed != NULL:
            raise RuntimeError("fastrnn: weights are packed once")
        self.n_y, self.n_x = W.shape
        self.itemsize = W.itemsize
        self.dtype = "float32" if self.itemsize == 4 else "float64"
        held.count = 0
        try:
            weight = _block(&held, W, self.n_y * self.n_x, self.itemsize, 0)
            bias = _block(&held, b, self.n_y, self.itemsize, 0)
            _check(fr_linear_new(_isa, 8 * self.itemsize, self.n_x, self.n_y, weight, bias, &self.packed))
        finally:
            _release(&held)

    def __dealloc__(self):
        fr_weights_free(self.packed)

    @property
    def lanes(self):
        """Numbers in a vector of the kernels that these weights run on: proof of the instruction set."""
        return fr_weights_lanes(_affine(self))

    @property
    def nbytes(self):
        """Bytes of the packed copies."""
        return fr_weights_bytes(_affine(self))


cdef fr_weights *_affine(Linear weights) except NULL:
    if weights is None or weights.packed == NULL:
        raise ValueError("weights: expected packed weights, got an empty object")
    return weights.packed


def linear_forward(weights, x, y, activation, threads):
    """Fill y (T, m, n_y) with W x + b of x (T, m, n_x), through "softmax", "sigmoid" or "none"."""
    cdef Linear w = weights
    cdef Held held
    cdef fr_linear_args args
    cdef fr_status status
    args.weights = _affine(w)
    args.T, args.m = x.shape[0], x.shape[1]
    args.activation = <fr_activation><int>_ACTIVATIONS.index(activation)
    args.threads = min(threads, 64)
    args.interrupt = _question()
    held.count = 0
    try:
        args.x = _steps(&held, x, args.T, args.m, w.n_x, w.itemsize, 0)
        args.y = _steps(&held, y, args.T, args.m, w.n_y, w.itemsize, PyBUF_WRITABLE)
        if args.x.data == NULL or args.y.data == NULL:
            raise ValueError("fastrnn: expected arrays, got None")
        with nogil:
            status = fr_linear_forward(&args)
    finally:
        _release(&held)
    _check(status)


def linear_backward(weights, x, dy, dx, dW, db, threads):
    """From x and dy of a forward without activation fill dx, dW, db; dx and db may be None."""
    cdef Linear w = weights
    cdef Held held
    cdef fr_linear_args args
    cdef fr_status status
    _check(fr_weights_transpose(_affine(w)))
    args.weights = w.packed
    args.T, args.m = x.shape[0], x.shape[1]
    args.threads = min(threads, 64)
    args.interrupt = _question()
    held.count = 0
    try:
        args.x = _steps(&held, x, args.T, args.m, w.n_x, w.itemsize, 0)
        args.y = _steps(&held, dy, args.T, args.m, w.n_y, w.itemsize, 0)
        args.dx = _steps(&held, dx, args.T, args.m, w.n_x, w.itemsize, PyBUF_WRITABLE)
        args.dW = _block(&held, dW, w.n_x * w.n_y, w.itemsize, PyBUF_WRITABLE)
        args.db = _block(&held, db, w.n_y, w.itemsize, PyBUF_WRITABLE)
        if args.x.data == NULL or args.y.data == NULL or args.dW == NULL:
            raise ValueError("fastrnn: expected arrays, got None")
        with nogil:
            status = fr_linear_backward(&args)
    finally:
        _release(&held)
    _check(status)


def loss(kind, x, index, target, scale, gradient, parts, threads):
    """Fill gradient (T, m, n) with scale times that of a loss of x, and parts (T, m, 3) with what the loss is made of.

    kind: "softmax", "logistic" or "squared".  index (T, m) holds classes, or None; negative: the position does not
    count.  target (T, m, n), or None for classes alone.  parts: the loss, 0, 0; for "softmax" sum exp(x - max x),
    sum target (x - max x), sum target, of which the loss is parts[2] log parts[0] - parts[1].
    """
    cdef Held held
    cdef fr_loss_args args
    cdef fr_status status
    cdef int size = x.itemsize
    args.isa, args.bits = _isa, 8 * size
    args.kind = <fr_loss_kind><int>_LOSSES.index(kind)
    args.T, args.m, args.n = x.shape
    args.scale = scale
    args.threads = min(threads, 64)
    args.interrupt = _question()
    held.count = 0
    try:
        args.x = _steps(&held, x, args.T, args.m, args.n, size, 0)
        args.target = _steps(&held, target, args.T, args.m, args.n, size, 0)
        args.gradient = _steps(&held, gradient, args.T, args.m, args.n, size, PyBUF_WRITABLE)
        args.index = _indices(&held, index, args.T * args.m)
        args.parts = _block(&held, parts, 3 * args.T * args.m, size, PyBUF_WRITABLE)
        if args.gradient.data == NULL or args.parts == NULL:
            raise ValueError("fastrnn: expected arrays, got None")
        with nogil:
            status = fr_loss_backward(&args)
    finally:
        _release(&held)
    _check(status)


cdef int _rows(index, y, table, int add, threads) except -1:
    cdef Held held
    cdef fr_rows_args args
    cdef fr_status status
    cdef int size = y.itemsize
    args.isa, args.bits, args.add = _isa, 8 * size, add
    args.T, args.m, args.n = y.shape
    args.rows = table.shape[0]
    args.threads = min(threads, 64)
    held.count = 0
    try:
        args.y = _steps(&held, y, args.T, args.m, args.n, size, 0 if add else PyBUF_WRITABLE)
        args.table = _block(&held, table, args.rows * args.n, size, PyBUF_WRITABLE if add else 0)
        args.index = _indices(&held, index, args.T * args.m)
        if args.index == NULL:
            raise ValueError("fastrnn: expected indices, got None")
        with nogil:
            status = fr_rows(&args)
    finally:
        _release(&held)
    return _check(status)


def take_rows(index, table, y, threads):
    """Fill y (T, m, n) with the rows of table (rows, n) that index (T, m) names; zeros where it is negative."""
    _rows(index, y, table, 0, threads)


def add_rows(index, dy, dtable, threads):
    """Fill dtable (rows, n) with the sums of dy (T, m, n) over the positions whose index (T, m) names the row."""
    _rows(index, dy, dtable, 1, threads)


cdef int _scan_operands(Held *held, fr_scan_args *args, kind, inputs, h0, h, int flags, int size) except -1:
    """What a scan has in both directions."""
    cdef int k
    args.isa, args.bits, args.kind = _isa, 8 * size, _SCANS.index(kind)
    args.T, args.m, args.n = h.shape
    args.interrupt = _question()
    if len(inputs) != (3 if args.kind == 2 else 2):
        raise ValueError(f"fastrnn: expected {3 if args.kind == 2 else 2} operands, got {len(inputs)}")
    for k in range(3):
        args.operand[k] = _steps(held, inputs[k] if k < len(inputs) else None, args.T, args.m, args.n, size, 0)
        args.din[k] = _steps(held, None, 0, 0, 0, size, 0)
    args.dh = args.din[0]
    args.h = _steps(held, h, args.T, args.m, args.n, size, flags)
    args.h0 = _block(held, h0, args.m * args.n, size, 0)
    return 0


def scan(kind, inputs, h0, h, hT, threads):
    """Fill h (T, m, n) with h_t = keep_t h_(t-1) + add_t, and hT (m, n) with the last state.

    kind and inputs, all (T, m, n): "linear" (keep, add); "min_gru" (z, v), keep = 1 - sigmoid(z),
    add = sigmoid(z) v; "min_lstm" (f, i, v), keep = f' / (f' + i'), add = i' / (f' + i') v, with f' = sigmoid(f),
    i' = sigmoid(i).  h0 (m, n), or None for zeros.
    """
    cdef Held held
    cdef fr_scan_args args
    cdef fr_status status
    cdef int size = h.itemsize
    held.count = 0
    try:
        _scan_operands(&held, &args, kind, inputs, h0, h, PyBUF_WRITABLE, size)
        args.threads = min(threads, 64)
        args.hT = _block(&held, hT, args.m * args.n, size, PyBUF_WRITABLE)
        with nogil:
            status = fr_scan_run(&args)
    finally:
        _release(&held)
    _check(status)


def scan_backward(kind, inputs, h0, h, dh, dhT, dinputs, dh0, threads):
    """From h of scan, dh (T, m, n) and dhT (m, n) (None is zeros) fill dinputs, like inputs, and dh0 (m, n)."""
    cdef Held held
    cdef fr_scan_args args
    cdef fr_status status
    cdef int size = h.itemsize
    cdef int k
    held.count = 0
    try:
        _scan_operands(&held, &args, kind, inputs, h0, h, 0, size)
        args.threads = min(threads, 64)
        args.dh = _steps(&held, dh, args.T, args.m, args.n, size, 0)
        args.hT = _block(&held, dhT, args.m * args.n, size, 0)
        for k in range(len(inputs)):
            args.din[k] = _steps(&held, dinputs[k], args.T, args.m, args.n, size, PyBUF_WRITABLE)
            if args.din[k].data == NULL:
                raise ValueError("fastrnn: expected arrays to fill, got None")
        args.dh0 = _block(&held, dh0, args.m * args.n, size, PyBUF_WRITABLE)
        with nogil:
            status = fr_scan_run(&args)
    finally:
        _release(&held)
    _check(status)
