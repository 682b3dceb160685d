# cython: language_level=3, binding=True, embedsignature=False
"""The native backend: takes pointers out of arrays, releases the GIL, calls C, raises.

Same names, parameters and results as `fastrnn.reference`, which is the specification.  Shapes and dtypes have been
checked in `fastrnn.ops`; what is checked again here is only what would make C read or write where it must not.
"""

import os
import threading

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
)
from cpython.mem cimport PyMem_Free, PyMem_Malloc
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


cdef unsigned long _main_thread = 0


def _remember_main_thread():
    global _main_thread
    _main_thread = threading.main_thread().ident


_remember_main_thread()
os.register_at_fork(after_in_child=_remember_main_thread)


# Signals act in the main thread alone; any other would only wait for the GIL.
cdef fr_interrupt _question() noexcept:
    if PyThread_get_thread_ident() == _main_thread:
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
    # The most that a call has, 16 backward, apart: x, masks, lengths and reset of each, and 18 of all.
    Py_buffer views[16 * 6 + 18]
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


# The arrays (T, m, n) of several calls.
cdef struct Steps:
    fr_array first
    Py_ssize_t apart  # bytes from one to the next


cdef fr_array _at(Steps *all, Py_ssize_t k) noexcept:
    cdef fr_array result = all.first
    if result.data != NULL:
        result.data = <char *>result.data + k * all.apart
    return result


cdef Steps _all_steps(Held *held, object array, Py_ssize_t count, Py_ssize_t T, Py_ssize_t m, Py_ssize_t n, int itemsize,
                      int flags):
    """A (count, T, m, n) array with any strides; or one (T, m, n) of all calls, not to be written if there are several; or
    one (T, m, count n) with the features of all side by side; or None."""
    cdef Steps none
    none.first.data = NULL
    none.first.t = none.first.m = none.first.n = none.apart = 0
    if array is None:
        return none
    return _strided(_hold(held, array, PyBUF_STRIDES | flags, itemsize), count, T, m, n, itemsize, flags)


cdef Steps _strided(Py_buffer *view, Py_ssize_t count, Py_ssize_t T, Py_ssize_t m, Py_ssize_t n, int itemsize, int flags):
    cdef Steps result
    cdef int lead = view.ndim - 3
    result.apart = 0
    if lead == 1 and view.shape[0] == count and view.shape[3] == n:
        result.apart = view.strides[0]
    elif lead == 0 and view.shape[2] == count * n:
        result.apart = n * view.strides[2]
    elif lead != 0 or view.shape[2] != n or flags & PyBUF_WRITABLE:
        lead = -1
    if lead < 0 or view.shape[lead] != T or view.shape[lead + 1] != m:
        raise ValueError(f"fastrnn: expected an array of shape {(T, m, n)} for each call")
    result.first.data = view.buf
    result.first.t = view.strides[lead] // itemsize
    result.first.m = view.strides[lead + 1] // itemsize
    result.first.n = view.strides[lead + 2] // itemsize
    return result


cdef fr_array _steps(Held *held, object array, Py_ssize_t T, Py_ssize_t m, Py_ssize_t n, int itemsize, int flags):
    """A (T, m, n) array with any strides, or None."""
    return _all_steps(held, array, 1, T, m, n, itemsize, flags).first


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
    """How the sequences run: lengths (m,) of intp, reset (T, m) of booleans with any strides, masks, each or None."""
    cdef Py_buffer *view
    result.lengths = NULL
    result.reset = NULL
    result.reset_t = result.reset_m = 0
    result.reverse = 0
    result.drop = NULL
    result.keep_a = result.keep_c = NULL
    result.zoneout = 0
    if run is None:
        return 0
    lengths, reset, reverse, drop, keep_a, keep_c, zoneout = run
    result.reverse = bool(reverse)
    if lengths is not None:
        view = _view(held, lengths, PyBUF_C_CONTIGUOUS)
        if view.ndim != 1 or view.itemsize != sizeof(Py_ssize_t) or view.shape[0] != m or view.format[0] not in b"lqn":
            raise ValueError(f"lengths: expected {m} integers of type intp")
        result.lengths = <const Py_ssize_t *>view.buf
    if reset is not None:
        view = _view(held, reset, PyBUF_STRIDES)
        if view.format[0] != c"?" or view.ndim != 2 or view.shape[0] != T or view.shape[1] != m:
            raise ValueError(f"reset: expected booleans of shape {(T, m)}")
        result.reset = <const unsigned char *>view.buf
        result.reset_t, result.reset_m = view.strides[0], view.strides[1]
    if keep_c is not None and w.cell != "lstm" or (keep_a is None) != (keep_c is None) and w.cell == "lstm":
        raise ValueError("zoneout: expected masks of all states or none")
    result.zoneout = zoneout
    result.drop = _block(held, drop, m * w.n_h, w.itemsize, 0)
    result.keep_a = _flags(held, keep_a, T * m * w.n_h)
    result.keep_c = _flags(held, keep_c, T * m * w.n_a)
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
    cdef readonly object x
    cdef object run

    def __init__(self, weights, x, values):
        cdef Held held
        cdef void *data
        self._make(weights, x, x.shape[0], x.shape[1], NULL)
        for name in TAPE_NAMES[weights.cell]:
            held.count = 0
            try:
                data = _block(&held, values[name], self._size(name), self.weights.itemsize, 0)
                _check(fr_tape_write(self.kept, _QUANTITIES[name], data))
            finally:
                _release(&held)

    cdef int _make(self, Weights weights, x, Py_ssize_t T, Py_ssize_t m, const fr_run *run) except -1:
        if self.kept != NULL:
            raise RuntimeError("fastrnn: a tape is made once")
        _check(fr_weights_transpose(_packed(weights)))
        self.weights = weights
        self.x = x
        self.T, self.m = T, m
        return _check(fr_tape_new(weights.packed, run, T, m, &self.kept))

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


def chance(key, share, flip, out):
    """Fill the bytes `out` with flags, each 1 with a chance of share in 2^24, at most half; with `flip` 0 instead."""
    cdef Held held
    cdef unsigned long long start = key
    cdef unsigned least = share
    cdef int other = bool(flip)
    cdef Py_buffer *view
    held.count = 0
    try:
        view = _view(&held, out, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
        if view.itemsize != 1:
            raise ValueError("out: expected bytes")
        with nogil:
            fr_chance(_isa, start, least, other, <unsigned char *>view.buf, view.len)
    finally:
        _release(&held)


include "_sequence.pxi"
include "_evaluation.pxi"
include "_training.pxi"
include "_positions.pxi"
include "_stream.pxi"
