"""Arrays as a layer's callers lay them out, and as time-major views (T, m, n), in which layers think."""
import numpy as np

from .layer import plain

TO_TMN = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}     # each is its own inverse
SHAPE = {"tmn": "(T, m, n)", "mtn": "(m, T, n)", "nmt": "(n, m, T)"}


def turned(x, layout):
    """A view from `layout` to time-major, or back; an axis in front of the three stays there."""
    if layout == "tmn":
        return x
    return x.transpose(TO_TMN[layout] if x.ndim == 3 else (0, *(1 + axis for axis in TO_TMN[layout])))


def laid(sizes, layout, single=False):
    """The shape in `layout` of an array of those time-major sizes; without m, if it is of a single sequence."""
    return tuple([sizes[axis] for axis in TO_TMN[layout] if axis != 1 or not single])


def empty(shape, layout, dtype):
    """A new array that is contiguous in `layout`, as a time-major view of that shape."""
    return turned(np.empty(laid(shape, layout), dtype), layout)


def with_m(name, x, layout, n=None):
    """x with an axis for m, and whether it had none; of n_x = n features, if that is given.  ops looks at its type."""
    x = plain(name, x)
    if x.dtype.kind in "OSU":
        raise TypeError(f"{name}: expected an array of floats, got one of {x.dtype}")
    if x.ndim not in (2, 3) or n is not None and x.shape[0 if layout == "nmt" else -1] != n:
        expected = SHAPE[layout] if n is None else f"{SHAPE[layout].replace('n', 'n_x')} with n_x = {n}"
        raise ValueError(f"{name}: expected shape {expected}, or without m for one sequence, got {x.shape}")
    if x.ndim == 3:
        return x, False
    return (x[None] if layout == "mtn" else x[:, None]), True


def without_m(y, layout):
    return y[0] if layout == "mtn" else y[:, 0]


def check_lengths(lengths, T, m, single):
    """`lengths` as a new array (m,) of integers from 0 to T; for a single sequence also from one integer."""
    array = plain("lengths", lengths)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"lengths: expected integers, got {array.dtype}")
    if single and array.ndim == 0:
        array = array[None]
    if array.shape != (m,):
        raise ValueError(f"lengths: expected shape (m,) with m = {m}, got {array.shape}")
    wrong = array[(array < 0) | (array > T)]
    if wrong.size:
        raise ValueError(f"lengths: expected integers from 0 to T = {T}, got {wrong[0]}")
    return array.astype(np.intp)


def check_reset(reset, T, m, layout, single):
    """`reset`, shaped as x without its features, as a time-major view (T, m) of booleans."""
    array = plain("reset", reset)
    if array.dtype != np.bool_:
        raise TypeError(f"reset: expected booleans, got {array.dtype}; use .astype(bool)")
    expected = (T,) if single else (T, m) if layout == "tmn" else (m, T)
    if array.shape != expected:
        raise ValueError(f"reset: expected the shape of x without features, {expected}, got {array.shape}")
    return array[:, None] if single else array if layout == "tmn" else array.T
