# Independent calls of the native backend side by side; included by _core.pyx.

cdef class _Calls:
    """Room for the arguments of `count` calls, `size` bytes each, and for the buffers that they hold meanwhile."""
    cdef Held *held
    cdef void *args
    cdef int count

    def __cinit__(self, count, size):
        self.held = <Held *>PyMem_Calloc(count + 1, sizeof(Held))
        self.args = PyMem_Calloc(count + 1, size)
        if self.held == NULL or self.args == NULL:
            raise MemoryError("fastrnn: not enough memory for these calls")
        self.count = count

    def __dealloc__(self):
        cdef int k
        for k in range(self.count):
            _release(&self.held[k])
        PyMem_Free(self.held)
        PyMem_Free(self.args)


def forward_many(calls, threads):
    """Run `calls`, each the arguments of `forward`, as if each were alone, at most `threads` at a time.

    Returns their tapes, None where one does not train.
    """
    cdef int count = len(calls), most = min(threads, 64)
    cdef _Calls room = _Calls(count, sizeof(fr_forward_args))
    cdef fr_forward_args *args = <fr_forward_args *>room.args
    cdef fr_status status
    cdef int k
    tapes = []
    for k in range(count):
        weights, x, a0, c0, y, aT, cT, cells, training, alone, run = calls[k]
        tapes.append(_fill_forward(&room.held[k], &args[k], weights, x, a0, c0, y, aT, cT, cells, training, alone, run))
    with nogil:
        status = fr_forward_many(args, count, most)
    _check(status)
    return tapes


def backward_many(calls, threads):
    """Go back through time in `calls`, each the arguments of `backward`, as if each were alone, at most `threads` at a time."""
    cdef int count = len(calls), most = min(threads, 64)
    cdef _Calls room = _Calls(count, sizeof(fr_backward_args))
    cdef fr_backward_args *args = <fr_backward_args *>room.args
    cdef fr_status status
    cdef int k
    for k in range(count):
        tape, dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x, db_a, alone, extras, accumulate = calls[k]
        _fill_backward(&room.held[k], &args[k], tape, dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x, db_a,
                       alone, extras, accumulate)
    with nogil:
        status = fr_backward_many(args, count, most)
    _check(status)
