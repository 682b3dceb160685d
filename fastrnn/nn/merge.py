"""The two directions of a layer, joined into what the next one reads, and taken apart again; time-major views."""
import numpy as np

from .axes import empty


def width(merge, directions, n):
    """How many features come out of `directions` outputs of n features each."""
    return n * directions if merge == "concat" else n


def side_by_side(forth, back, layout):
    """Both, features of the forward direction first, contiguous in `layout`."""
    out = empty((*forth.shape[:2], 2 * forth.shape[2]), layout, forth.dtype)
    return np.concatenate((forth, back), axis=2, out=out)


def merged(merge, forth, back, layout):
    """What the two outputs become: a new array, contiguous in `layout`, or for "sum" and "ave" `forth` itself."""
    if merge == "concat":
        return side_by_side(forth, back, layout)
    if merge == "mul":
        return forth * back         # gradients need both
    forth += back
    if merge == "ave":
        forth *= 0.5
    return forth


def split(merge, dy, factors):
    """The gradients of the two outputs from that of their merge; for "mul", `factors` are the outputs."""
    if dy is None:
        return None, None
    if merge == "concat":
        n = dy.shape[2] // 2
        return dy[:, :, :n], dy[:, :, n:]
    if merge == "mul":
        forth, back = factors
        return dy * back, dy * forth
    if merge == "ave":
        dy = dy * dy.dtype.type(0.5)
    return dy, dy
