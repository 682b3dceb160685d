"""What layers need beside sequences: elementwise functions, and products that leave the processors alone."""

import numpy as np

from .. import _backend, _check

_ACTIVATIONS = ("exp", "sigmoid", "tanh")
# Multiply-adds up to which OpenBLAS, the BLAS of NumPy's wheels, keeps a product to the calling thread.
_QUIET_PRODUCT = 2**18


def product(a, b):
    """a @ b for two matrices, in blocks that NumPy's BLAS computes on this thread alone.

    After a product on many threads OpenBLAS's threads spin for a tenth of a second, and the kernels' own threads, which
    come next, would share the processors with them. A product whose blocks would be slivers is left whole.
    """
    (rows, inner), columns = a.shape, b.shape[1]
    longer, shorter = max(rows, columns), min(rows, columns)
    block = _QUIET_PRODUCT // max(1, inner * shorter)
    if block < 8 or block >= longer:
        return a @ b
    out = np.empty((rows, columns), np.result_type(a, b))
    for start in range(0, longer, block):
        part = slice(start, start + block)
        if rows > columns:
            np.matmul(a[part], b, out=out[part])
        else:
            np.matmul(a, b[:, part], out=out[:, part])
    return out


def activate(name, x, out=None):
    """The elementwise function `name` ("exp", "sigmoid", "tanh") of x, a float32 or float64 array of any shape.

    Returns a new array of x's shape and dtype; or fills `out`, a C-contiguous array like it, which may be x itself,
    and returns that: a large new array costs more than its exponentials. NaN gives NaN, infinities give the limits.

    >>> import numpy as np
    >>> activate("sigmoid", np.array([0.0, np.inf]))
    array([0.5, 1. ])
    """
    _check.one_of("name", name, _ACTIVATIONS)
    x = _check.floats("x", x)
    if out is None:
        out = np.empty(x.shape, x.dtype)
    elif (_check.floats("out", out).shape, out.dtype) != (x.shape, x.dtype) or not out.flags.c_contiguous:
        raise ValueError(f"out: expected a C-contiguous {x.dtype} array of shape {x.shape}, got {out.dtype} {out.shape}")
    _backend.active().activate(name, np.ascontiguousarray(x).reshape(-1), out.reshape(-1))
    return out
