# Streams of the native backend; included by _core.pyx.

# Multiply-adds of a step (some ten microseconds) from which other threads get the GIL meanwhile.
cdef Py_ssize_t _WORTH_RELEASING = 1 << 19

# Ids of a list that a step reads itself.
cdef enum:
    _FEW = 64


cdef class Stream:
    """Stream(weights, capacity, run, normalise, empty, threads)
--

    `capacity` states of each layer of `weights`, a tuple of Weights; all zero at first.

    run: None, or a tuple with the fields of fastrnn.ops.Run, of which zoneout acts.
    `normalise(stream, x, ids, out)` returns arguments of `step` that fit, or raises: it is asked for those that don't fit
    as they are.  `empty(shape)` makes the arrays that `step` returns; others than of its type are not read as they are.
    `threads()` says how many a step may use; it is asked where there is work for more than one.
    """
    cdef fr_stream *live
    cdef readonly tuple weights
    cdef readonly Py_ssize_t capacity, n_x, n_h
    cdef readonly str dtype
    cdef readonly object run
    cdef object normalise, empty, threads, array, whole
    cdef Py_ssize_t work
    cdef int itemsize
    cdef bint busy

    def __init__(self, weights, capacity, run, normalise, empty, threads):
        cdef Weights w, below = None
        cdef bytearray pointers = bytearray(len(weights) * sizeof(void *))
        cdef const fr_weights **packed = <const fr_weights **><char *>pointers
        cdef Held held
        cdef fr_run how
        cdef int k
        if self.live != NULL:
            raise RuntimeError("fastrnn: a stream is made once")
        self.weights, self.capacity, self.run = tuple(weights), capacity, run
        self.normalise, self.empty, self.threads = normalise, empty, threads
        for k in range(len(weights)):
            w = self.weights[k]
            packed[k] = _packed(w)
            if k and (w.n_x != below.n_h or w.n_h != below.n_h or w.n_a != below.n_a or w.cell != below.cell):
                raise ValueError(f"weights[{k}]: expected what fits on the layer below")
            self.work += w.gates * w.n_a * (w.n_x + w.n_h)
            below = w
        self.n_x, self.n_h, self.itemsize, self.dtype = self.weights[0].n_x, w.n_h, w.itemsize, w.dtype
        self.whole, self.array = (self.capacity, self.n_h), type(empty((0, 0)))
        held.count = 0
        try:
            _run(&held, &how, run, 1, self.capacity, w)
            _check(fr_stream_new(packed, len(weights), self.capacity, &how, &self.live))
        finally:
            _release(&held)

    def __dealloc__(self):
        fr_stream_free(self.live)

    @property
    def nbytes(self):
        """Bytes of the states and of the room for a step; the weights are shared."""
        return fr_stream_bytes(self._usable())

    cdef fr_stream *_usable(self) except NULL:
        if self.live == NULL:
            raise ValueError("stream: expected a stream, got an empty object")
        if self.busy:
            raise RuntimeError("stream: another thread is in a call of this stream; give each thread one of its own")
        return self.live

    def step(self, x, ids=None, out=None):
        """step(x, ids=None, out=None)
--

        Take one step of all states, or of those that `ids` lists, each at most once.

        x (capacity, n_x), or (len(ids), n_x), of the weights' dtype; ids integers from 0 up to capacity.
        Returns y (capacity, n_h), or (len(ids), n_h): a new array, or `out`, a C-contiguous one of that shape.
        With out given nothing is allocated.  A refused call changes nothing.
        """
        done = self._step(x, ids, out)
        if done is None:
            x, ids, into = self.normalise(self, x, ids, out)
            done = self._step(x, ids, into)
            if done is None:
                raise ValueError("ids: expected different ones from 0 up to capacity")
        return done if out is None else out

    # What step returns, or None where an argument has another form than C reads.
    cdef object _step(self, object x, object ids, object out):
        cdef Py_buffer views[3]
        cdef Py_ssize_t few[_FEW]
        cdef Py_ssize_t k
        cdef int held = 0
        cdef Py_ssize_t rows = self.capacity
        cdef const Py_ssize_t *chosen = NULL
        cdef fr_stream *live = self._usable()
        cdef fr_status status
        cdef int threads = 1
        cdef char kind = c"f" if self.itemsize == 4 else c"d"
        if type(x) is not self.array or (out is not None and type(out) is not self.array):
            return None  # a masked array, say, which has a buffer too
        if ids is not None and type(ids) is not self.array and type(ids) is not list:
            return None
        try:
            if type(ids) is list:
                rows = len(ids)
                if rows > _FEW:
                    return None
                for k in range(rows):
                    if type(ids[k]) is not int:
                        return None
                    few[k] = ids[k]
                chosen = few
            elif ids is not None:
                PyObject_GetBuffer(ids, &views[held], PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
                held += 1
                if views[0].ndim != 1 or views[0].itemsize != sizeof(Py_ssize_t) or views[0].format[0] not in (c"l", c"q"):
                    return None
                rows, chosen = views[0].shape[0], <const Py_ssize_t *>views[0].buf
            PyObject_GetBuffer(x, &views[held], PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
            held += 1
            if not _is_matrix(&views[held - 1], rows, self.n_x, self.itemsize, kind):
                return None
            if out is None:
                out = self.empty(self.whole if ids is None else (rows, self.n_h))
            PyObject_GetBuffer(out, &views[held], PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE | PyBUF_FORMAT)
            held += 1
            if not _is_matrix(&views[held - 1], rows, self.n_h, self.itemsize, kind):
                return None
            if _spoils(&views[held - 1], &views[held - 2]):
                return None
            if rows * self.work >= _WORTH_RELEASING:
                threads = min(self.threads(), 64)
            self._usable()  # again: memory for `out`, or a question, may have let another thread in
            if rows * self.work < _WORTH_RELEASING:
                status = fr_stream_step(live, chosen, rows, views[held - 2].buf, views[held - 1].buf, 1)
            else:
                self.busy = True
                with nogil:
                    status = fr_stream_step(live, chosen, rows, views[held - 2].buf, views[held - 1].buf, threads)
                self.busy = False
            return out if status == FR_OK else None
        except (TypeError, ValueError, BufferError, OverflowError):
            return None  # not a buffer, or not contiguous: normalise says what is wrong, or copies
        finally:
            while held:
                held -= 1
                PyBuffer_Release(&views[held])

    def clear(self, ids):
        """Set the states `ids` (None: all) to zero."""
        cdef Held held
        cdef Py_ssize_t rows = self.capacity if ids is None else len(ids)
        held.count = 0
        try:
            _check(fr_stream_clear(self._usable(), _indices(&held, ids, rows), rows))
        finally:
            _release(&held)

    def read(self, a, c):
        """Fill a (layers, capacity, n_h) and, unless None, c (layers, capacity, n_a) with all states."""
        self._move(a, c, False)

    def write(self, a, c):
        """Replace all states by such arrays; None is zeros."""
        self._move(a, c, True)

    def take(self, a, c):
        """As `read`; and until `put` this stream refuses every other call."""
        self._move(a, c, False)
        self.busy = True

    def put(self, a, c):
        """End what `take` began: write such arrays, or with a None leave the states as they are."""
        self.busy = False
        if a is not None:
            self._move(a, c, True)

    cdef int _move(self, a, c, bint inwards) except -1:
        cdef Held held
        cdef void *pointers[2]
        cdef int flags = 0 if inwards else PyBUF_WRITABLE
        cdef Py_ssize_t states
        self._usable()
        states = len(self.weights) * self.capacity
        held.count = 0
        try:
            pointers[0] = _block(&held, a, states * self.n_h, self.itemsize, flags)
            pointers[1] = _block(&held, c, states * self.weights[0].n_c, self.itemsize, flags)
            if inwards:
                fr_stream_write(self.live, pointers[0], pointers[1])
            else:
                fr_stream_read(self.live, pointers[0], pointers[1])
        finally:
            _release(&held)
        return 0


cdef inline bint _is_matrix(Py_buffer *view, Py_ssize_t rows, Py_ssize_t columns, int itemsize, char kind) noexcept:
    return (view.ndim == 2 and view.shape[0] == rows and view.shape[1] == columns and view.itemsize == itemsize
            and view.format[0] == kind)


# Whether a row written to `out` may take the place of one of x that is still to be read; where both are the same rows it is
# its own.
cdef inline bint _spoils(Py_buffer *out, Py_buffer *x) noexcept:
    cdef char *written = <char *>out.buf
    cdef char *read = <char *>x.buf
    if written == read and out.len == x.len:
        return False
    return written < read + x.len and read < written + out.len
