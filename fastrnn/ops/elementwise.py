"""Elementwise functions, as the cells compute them."""

import numpy as np

from .. import _backend, _check

_ACTIVATIONS = ("exp", "sigmoid", "tanh", "log_sigmoid")


def activate(name, x, out=None):
    """The elementwise function `name` ("exp", "sigmoid", "tanh", "log_sigmoid") of x, a float32 or float64 array of any shape.

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
