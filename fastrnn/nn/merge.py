"""The two directions of a layer, joined into what the next one reads, and taken apart again; time-major views."""
import numpy as np

from .axes import empty


def width(merge, directions, n):
    """How many features come out of `directions` outputs of n features each."""
    return n * directions if merge == "concat" else n


def side_by_side(both, layout):
    """Features of the forward direction first, contiguous in `layout`."""
    forth, back = both
    out = empty((*forth.shape[:2], 2 * forth.shape[2]), layout, forth.dtype)
    return np.concatenate((forth, back), axis=2, out=out)


def merged(merge, both, layout):
    """What the two outputs become: a new array, contiguous in `layout`."""
    if merge == "concat":
        return side_by_side(both, layout)
    forth, back = both
    if merge == "mul":
        return forth * back         # gradients need both
    out = forth + back
    if merge == "ave":
        out *= 0.5
    return out


def halves(view):
    """The features of each direction, which stand side by side: a view with an axis for the two in front; None of None."""
    if view is None:
        return None
    T, m, n = view.shape
    return view.reshape(T, m, 2, n // 2).transpose(2, 0, 1, 3)


def split(merge, dy, factors):
    """The gradients of the two outputs from that of their merge: with an axis for the two in front, side by side as they
    came, or one array if both are the same.

    factors: for "mul", the outputs.
    """
    if dy is None or merge in ("concat", "sum"):
        return dy
    if merge == "mul":
        forth, back = factors
        return np.stack((dy * back, dy * forth))
    return dy * dy.dtype.type(0.5)
