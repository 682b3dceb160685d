# cython: language_level=3, binding=True, embedsignature=False
"""The native backend: takes pointers out of arrays, releases the GIL, calls C, raises.

Same names, parameters and results as `fastrnn.reference`, which is the specification.  Shapes and dtypes have been
checked in `fastrnn.ops`; what is checked again here is only what would make C read or write where it must not.
"""

import threading

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
)
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from fastrnn._capi cimport *

CELLS = ("rnn_tanh", "rnn_relu", "lstm", "gru_after", "gru_before", "slstm")
TAPE_NAMES = {
    "rnn_tanh": ("a0", "a"),
    "rnn_relu": ("a0", "a"),
    "lstm": ("a0", "a", "c0", "c", "i", "f", "g", "o"),
    "gru_after": ("a0", "a", "r", "z", "n", "hn"),
    "gru_before": ("a0", "a", "r", "z", "n"),
    "slstm": ("a0", "a", "c0", "c", "i", "f", "g", "o", "s"),
}
cdef dict _GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru_after": 3, "gru_before": 3, "slstm": 4}
cdef dict _BLOCKS = {"lstm": 1, "slstm": 3}  # of n_a values in a row of cell states
cdef dict _QUANTITIES = {
    "a0": FR_A0, "a": FR_A, "c0": FR_C0, "c": FR_C, "i": FR_GATE, "f": FR_GATE + 1, "g": FR_GATE + 2,
    "o": FR_GATE + 3, "r": FR_GATE, "z": FR_GATE + 1, "n": FR_GATE + 2, "hn": FR_GATE + 3,
    "s": FR_GATE + 4,
}
# In the order of fr_extras.
cdef tuple _EXTRAS = ("peephole", "projection", "gain_x", "shift_x", "gain_a", "shift_a", "gain_c", "shift_c")
cdef tuple _FUNCTIONS = ("exp", "sigmoid", "tanh", "log_sigmoid")

cdef int _isa = 0
for _i in range(fr_isa_count()):
    if fr_isa_usable(_i):
        _isa = _i


def isas():
    """The instruction sets of this build that can run here, weakest first."""
    return tuple([fr_isa_name(i).decode() for i in range(fr_isa_count()) if fr_isa_usable(i)])


def isa():
    """The instruction set that new weights are packed for."""
    return fr_isa_name(_isa).decode()


def use_isa(name):
    """Pack new weights for another instruction set.  Existing ones keep theirs."""
    global _isa
    usable = isas()
    if name not in usable:
        raise ValueError(f"isa: expected one of {', '.join(usable)}, got {name!r}")
    for i in range(fr_isa_count()):
        if fr_isa_name(i).decode() == name:
            _isa = i


def cpu_features():
    """What the processor and the operating system offer together."""
    cdef unsigned bits = fr_cpu_features()
    return tuple([name for k, name in enumerate(("avx2", "avx512", "neon")) if bits >> k & 1])


cdef int _interrupted() noexcept nogil:
    with gil:
        return PyErr_CheckSignals()


# Signals act in the main thread alone; any other would only wait for the GIL.
cdef fr_interrupt _question() except? NULL:
    if threading.get_ident() == threading.main_thread().ident:
        return _interrupted
    return NULL


cdef int _propagate() except -1:
    return -1


cdef int _check(fr_status status) except -1:
    if status == FR_INTERRUPTED:
        _propagate()  # what the signal handler raised: KeyboardInterrupt
    if status == FR_NO_MEMORY:
        raise MemoryError("fastrnn: not enough memory for this call")
    if status != FR_OK:
        raise ValueError("fastrnn: the C library refused these arguments")
    return 0


# The buffers of one call.  They are held while C runs, so that no array is resized or freed under it.
cdef struct Held:
    Py_buffer views[32]
    int count


cdef void _release(Held *held):
    while held.count:
        held.count -= 1
        PyBuffer_Release(&held.views[held.count])


cdef Py_buffer *_view(Held *held, object array, int flags) except NULL:
    cdef Py_buffer *view = &held.views[held.count]
    PyObject_GetBuffer(array, view, flags | PyBUF_FORMAT)
    held.count += 1
    if view.format == NULL:
        raise ValueError("fastrnn: expected an array that names its type")
    return view


cdef Py_buffer *_hold(Held *held, object array, int flags, int itemsize) except NULL:
    cdef Py_buffer *view = _view(held, array, flags)
    if view.itemsize != itemsize or view.format[0] != (c"f" if itemsize == 4 else c"d"):
        raise ValueError(f"fastrnn: expected {'float32' if itemsize == 4 else 'float64'} elements")
    return view


cdef fr_array _steps(Held *held, object array, Py_ssize_t T, Py_ssize_t m, Py_ssize_t n, int itemsize, int flags):
    """A (T, m, n) array with any strides, or None."""
    cdef fr_array result
    cdef Py_buffer *view
    result.data = NULL
    result.t = result.m = result.n = 0
    if array is None:
        return result
    view = _hold(held, array, PyBUF_STRIDES | flags, itemsize)
    if view.ndim != 3 or view.shape[0] != T or view.shape[1] != m or view.shape[2] != n:
        raise ValueError(f"fastrnn: expected an array of shape {(T, m, n)}")
    result.data = view.buf
    result.t = view.strides[0] // itemsize
    result.m = view.strides[1] // itemsize
    result.n = view.strides[2] // itemsize
    return result


cdef const unsigned char *_flags(Held *held, object array, Py_ssize_t size) except? NULL:
    """Contiguous bytes, or None."""
    cdef Py_buffer *view
    if array is None:
        return NULL
    view = _view(held, array, PyBUF_C_CONTIGUOUS)
    if view.itemsize != 1 or view.len != size:
        raise ValueError(f"zoneout: expected {size} bytes")
    return <const unsigned char *>view.buf


cdef int _run(Held *held, fr_run *result, object run, Py_ssize_t T, Py_ssize_t m, Weights w) except -1:
    """How the sequences run: lengths (m,) of intp, reset (T, m) of bytes with any strides, masks, each or None."""
    cdef Py_buffer *view
    cdef int lstm = w.cell == "lstm"
    result.lengths = NULL
    result.reset = NULL
    result.reset_t = result.reset_m = 0
    result.reverse = 0
    result.drop = NULL
    result.keep_a = result.keep_c = NULL
    result.zoneout = 0
    if run is None:
        return 0
    result.reverse = bool(run.reverse)
    if run.lengths is not None:
        view = _view(held, run.lengths, PyBUF_C_CONTIGUOUS)
        if view.itemsize != sizeof(Py_ssize_t) or view.len != m * view.itemsize or view.format[0] not in b"lqn":
            raise ValueError(f"lengths: expected {m} integers of type intp")
        result.lengths = <const Py_ssize_t *>view.buf
    if run.reset is not None:
        view = _view(held, run.reset, PyBUF_STRIDES)
        if view.itemsize != 1 or view.ndim != 2 or view.shape[0] != T or view.shape[1] != m:
            raise ValueError(f"reset: expected bytes of shape {(T, m)}")
        result.reset = <const unsigned char *>view.buf
        result.reset_t, result.reset_m = view.strides[0], view.strides[1]
    if (run.keep_a is None) != (run.keep_c is None) and lstm or run.keep_c is not None and not lstm:
        raise ValueError("zoneout: expected masks of all states or none")
    result.zoneout = run.zoneout
    result.drop = _block(held, run.drop, m * w.n_h, w.itemsize, 0)
    result.keep_a = _flags(held, run.keep_a, T * m * w.n_h)
    result.keep_c = _flags(held, run.keep_c, T * m * w.n_a)
    return 0


cdef void *_block(Held *held, object array, Py_ssize_t size, int itemsize, int flags) except? NULL:
    """A contiguous array of `size` elements, or None."""
    cdef Py_buffer *view
    if array is None:
        return NULL
    view = _hold(held, array, PyBUF_C_CONTIGUOUS | flags, itemsize)
    if view.len != size * itemsize:
        raise ValueError(f"fastrnn: expected {size} elements, got {view.len // itemsize}")
    return view.buf


cdef int _extras(Held *held, fr_extras *result, extras, Weights w) except -1:
    arrays = {"peephole": extras.peephole, "projection": extras.projection, **(extras.norm or {})}
    for k, name in enumerate(_EXTRAS):
        result.array[k] = _block(held, arrays.get(name), _extra_size(name, w), w.itemsize, 0)
    result.n_h, result.coupled, result.clip = w.n_h, extras.coupled, extras.clip or 0
    return 0


cdef Py_ssize_t _extra_size(str name, Weights w):
    if name in ("peephole", "projection"):
        return (3 if name == "peephole" else w.n_h) * w.n_a
    return w.n_a if name.endswith("_c") else w.gates * w.n_a


# An object made without its constructor holds nothing that C could read.
cdef fr_weights *_packed(Weights weights) except NULL:
    if weights is None or weights.packed == NULL:
        raise ValueError("weights: expected packed weights, got an empty object")
    return weights.packed


cdef fr_tape *_kept(Tape tape) except NULL:
    if tape is None or tape.kept == NULL:
        raise ValueError("tape: expected a filled tape, got an empty object")
    return tape.kept


cdef class Weights:
    """Weights(cell, W_x, W_a, b_x, b_a, extras)
--

    One cell's parameters, packed for the instruction set in force.

    W_x (G n_a, n_x), W_a (G n_a, n_h), b_x, b_a (G n_a,) or None for zeros.  The arrays are copied.
    extras: None or what fastrnn.ops.Extras lists.
    """
    cdef fr_weights *packed
    cdef readonly str cell, dtype
    cdef readonly Py_ssize_t n_x, n_a, n_h, n_c
    cdef readonly object extras
    cdef readonly int gates
    cdef int itemsize

    def __init__(self, cell, W_x, W_a, b_x, b_a, extras):
        cdef Held held
        cdef void *pointers[4]
        cdef fr_extras beyond
        if self.packed != NULL:
            raise RuntimeError("fastrnn: weights are packed once")
        self.cell = cell
        self.gates = _GATES[cell]
        self.n_x = W_x.shape[1]
        self.n_a = self.n_h = W_a.shape[1]
        if extras is not None and extras.projection is not None:
            self.n_a = extras.projection.shape[1]
        self.n_c = _BLOCKS.get(cell, 0) * self.n_a
        self.extras = extras
        self.itemsize = W_x.itemsize
        self.dtype = "float32" if self.itemsize == 4 else "float64"
        rows = self.gates * self.n_a
        held.count = 0
        try:
            pointers[0] = _block(&held, W_x, rows * self.n_x, self.itemsize, 0)
            pointers[1] = _block(&held, W_a, rows * self.n_h, self.itemsize, 0)
            pointers[2] = _block(&held, b_x, rows, self.itemsize, 0)
            pointers[3] = _block(&held, b_a, rows, self.itemsize, 0)
            if extras is not None:
                _extras(&held, &beyond, extras, self)
            _check(fr_weights_new(_isa, 8 * self.itemsize, <fr_cell><int>CELLS.index(cell), self.n_x, self.n_a,
                                  pointers[0], pointers[1], pointers[2], pointers[3],
                                  NULL if extras is None else &beyond, &self.packed))
        finally:
            _release(&held)

    def __dealloc__(self):
        fr_weights_free(self.packed)

    @property
    def lanes(self):
        """Numbers in a vector of the kernels that these weights run on: proof of the instruction set."""
        return fr_weights_lanes(_packed(self))

    @property
    def nbytes(self):
        """Bytes of the packed copies."""
        return fr_weights_bytes(_packed(self))


cdef class Tape:
    """Tape(weights, x, values)
--

    What a training forward kept: x itself, and states and activated gates in the kernels' own layout.

    `values` maps each name of TAPE_NAMES to (T, m, n_a), the initial states "a0" and "c0" to (m, n_a).
    """
    cdef fr_tape *kept
    cdef readonly Weights weights
    cdef readonly Py_ssize_t T, m
    cdef object x, run

    def __init__(self, weights, x, values):
        cdef Held held
        cdef void *data
        self._make(weights, x, NULL)
        for name in TAPE_NAMES[weights.cell]:
            held.count = 0
            try:
                data = _block(&held, values[name], self._size(name), self.weights.itemsize, 0)
                _check(fr_tape_write(self.kept, _QUANTITIES[name], data))
            finally:
                _release(&held)

    cdef int _make(self, Weights weights, x, const fr_run *run) except -1:
        if self.kept != NULL:
            raise RuntimeError("fastrnn: a tape is made once")
        _check(fr_weights_transpose(_packed(weights)))
        self.weights = weights
        self.x = x
        self.T, self.m = x.shape[0], x.shape[1]
        return _check(fr_tape_new(weights.packed, run, self.T, self.m, &self.kept))

    cdef Py_ssize_t _size(self, str name):
        n = self.weights.n_h if name in ("a0", "a") else self.weights.n_c if name in ("c0", "c") else self.weights.n_a
        return (1 if name in ("a0", "c0") else self.T) * self.m * n

    def __dealloc__(self):
        fr_tape_free(self.kept)

    @property
    def nbytes(self):
        """Bytes that the tape keeps, x not counted."""
        return fr_tape_bytes(_kept(self))

    def read(self, name, out):
        """Copy the stored quantity `name` into `out`, which is contiguous.  What lies past an end is left alone."""
        cdef Held held
        cdef void *data
        cdef fr_run run
        held.count = 0
        try:
            _kept(self)
            _run(&held, &run, self.run, self.T, self.m, self.weights)
            data = _block(&held, out, self._size(name), self.weights.itemsize, PyBUF_WRITABLE)
            _check(fr_tape_read(_kept(self), &run, _QUANTITIES[name], data))
        finally:
            _release(&held)


def forward(weights, x, a0, c0, y, aT, cT, cells, training, threads, run):
    """Run `weights` over x from the states a0, c0 (None is zeros); fill y, aT, cT, cells unless None.

    Returns the tape if `training`, else None.
    """
    cdef Held held
    cdef fr_forward_args args
    cdef fr_status status
    held.count = 0
    try:
        tape = _fill_forward(&held, &args, weights, x, a0, c0, y, aT, cT, cells, training, threads, run)
        with nogil:
            status = fr_forward(&args)
    finally:
        _release(&held)
    _check(status)
    return tape


cdef Tape _fill_forward(Held *held, fr_forward_args *args, Weights w, x, a0, c0, y, aT, cT, cells, training, threads, run):
    cdef Tape tape = None
    cdef int size
    cdef Py_ssize_t states, hidden
    args.weights = _packed(w)
    size = w.itemsize
    args.T, args.m = x.shape[0], x.shape[1]
    args.tape = NULL
    args.threads = min(threads, 64)
    args.interrupt = _question()
    states, hidden = args.m * w.n_c, args.m * w.n_h
    _run(held, &args.run, run, args.T, args.m, w)
    if training:
        tape = Tape.__new__(Tape)
        tape._make(w, x, &args.run)
        tape.run = run
        args.tape = tape.kept
    args.x = _steps(held, x, args.T, args.m, w.n_x, size, 0)
    args.y = _steps(held, y, args.T, args.m, w.n_h, size, PyBUF_WRITABLE)
    args.cells = _steps(held, cells, args.T, args.m, w.n_c, size, PyBUF_WRITABLE)
    args.a0 = _block(held, a0, hidden, size, 0)
    args.c0 = _block(held, c0, states, size, 0)
    args.aT = _block(held, aT, hidden, size, PyBUF_WRITABLE)
    args.cT = _block(held, cT, states, size, PyBUF_WRITABLE)
    return tape


def backward(tape, dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x, db_a, threads, extras, accumulate):
    """Go back through time: from dy, daT, dcT, dcells (None is zeros) fill all gradients.

    dx may be None, dc0 is None but for an LSTM.  What is filled is overwritten; with `accumulate` the gradients of
    parameters are added to.
    """
    cdef Held held
    cdef fr_backward_args args
    cdef fr_status status
    held.count = 0
    try:
        _fill_backward(&held, &args, tape, dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x, db_a, threads, extras,
                       accumulate)
        with nogil:
            status = fr_backward(&args)
    finally:
        _release(&held)
    _check(status)


cdef int _fill_backward(Held *held, fr_backward_args *args, Tape t, dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x,
                        db_a, threads, extras, accumulate) except -1:
    cdef Weights w
    cdef int size
    cdef Py_ssize_t states, hidden, rows
    args.tape = _kept(t)
    args.accumulate = bool(accumulate)
    w = t.weights
    size = w.itemsize
    states, hidden, rows = t.m * w.n_c, t.m * w.n_h, w.gates * w.n_a
    for name, array in (("dW_x", dW_x), ("dW_a", dW_a), ("db_x", db_x), ("db_a", db_a)):
        if array is None:
            raise ValueError(f"{name}: expected an array to fill, got None")
    args.threads = min(threads, 64)
    args.interrupt = _question()
    _run(held, &args.run, t.run, t.T, t.m, w)
    args.x = _steps(held, t.x, t.T, t.m, w.n_x, size, 0)
    args.dy = _steps(held, dy, t.T, t.m, w.n_h, size, 0)
    args.dcells = _steps(held, dcells, t.T, t.m, w.n_c, size, 0)
    args.dx = _steps(held, dx, t.T, t.m, w.n_x, size, PyBUF_WRITABLE)
    args.daT = _block(held, daT, hidden, size, 0)
    args.dcT = _block(held, dcT, states, size, 0)
    args.da0 = _block(held, da0, hidden, size, PyBUF_WRITABLE)
    args.dc0 = _block(held, dc0, states, size, PyBUF_WRITABLE)
    args.dW_x = _block(held, dW_x, rows * w.n_x, size, PyBUF_WRITABLE)
    args.dW_a = _block(held, dW_a, rows * w.n_h, size, PyBUF_WRITABLE)
    args.db_x = _block(held, db_x, rows, size, PyBUF_WRITABLE)
    args.db_a = _block(held, db_a, rows, size, PyBUF_WRITABLE)
    shapes = w.extras.shapes() if w.extras is not None else ()
    for k, name in enumerate(_EXTRAS):
        array = extras[name] if name in shapes else None
        args.extras[k] = _block(held, array, _extra_size(name, w), size, PyBUF_WRITABLE)
    return 0


def activate(name, x, out):
    """Fill out with exp, sigmoid, tanh or log sigmoid of x, elementwise, as the kernels compute them."""
    cdef Held held
    cdef void *source
    cdef void *target
    cdef int function = _FUNCTIONS.index(name), itemsize = x.itemsize
    cdef Py_ssize_t n = x.size
    held.count = 0
    try:
        source = _block(&held, x, n, itemsize, 0)
        target = _block(&held, out, n, itemsize, PyBUF_WRITABLE)
        with nogil:
            fr_activate(_isa, 8 * itemsize, function, source, target, n)
    finally:
        _release(&held)


include "_positions.pxi"
include "_stream.pxi"
include "_many.pxi"
