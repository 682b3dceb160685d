"""How a run over a sequence may differ from the plain one: the checks of what `forward` is asked for."""

from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from .. import _check
from .arguments import permutation


class Run(NamedTuple):
    """What `forward` was asked beyond the plain run, as backends take it: time-major, None for what was not asked.

    lengths (m,) intp · reset (T, m) bool, any strides · drop (m, n_h) · keep_a (T, m, n_h), keep_c (T, m, n_a) bool
    zoneout: the probability of the expected run, 0.0 with masks or without zoneout.
    """

    lengths: Any
    reset: Any
    reverse: bool
    drop: Any
    keep_a: Any
    keep_c: Any
    zoneout: float


PLAIN_REVERSED = Run(None, None, True, None, None, None, 0.0)


def check_run(weights, dtype, T, m, layout, lengths, reset, reverse, drop, zoneout):
    """A Run of checked arguments, or None where they ask for nothing."""
    if lengths is None and reset is None and drop is None and zoneout is None:
        return PLAIN_REVERSED if reverse else None
    n_h = weights.n_h
    if lengths is not None:
        lengths = _lengths(lengths, T, m)
    if reset is not None:
        axes = [("T", "m", "n")[k] for k in permutation(layout)]
        reset = _mask("reset", reset, [axis for axis in axes if axis != "n"], {"T": T, "m": m})
        reset = reset if layout == "tmn" else reset.T
    if drop is not None:
        drop = _check.floats("drop", drop, dtype)
        _check.shape("drop", drop, ("m", "n_h"), {"m": m, "n_h": n_h})
        drop = np.ascontiguousarray(drop)
    keep_a = keep_c = None
    p = 0.0
    if weights.cell == "slstm" and isinstance(zoneout, (tuple, list)):
        # c, n and m stand for two sums in a common scale: old and new ones don't mix.
        raise ValueError("zoneout: expected None for an slstm, got a pair")
    if isinstance(zoneout, (tuple, list)):
        keep_a, keep_c = _masks(weights, zoneout, T, m)
    elif zoneout is not None:
        p = _probability(zoneout)
        if p and weights.cell == "slstm":
            raise ValueError(f"zoneout: expected None for an slstm, got {zoneout!r}")
    if lengths is None and reset is None and not reverse and drop is None and keep_a is None and p == 0:
        return None
    return Run(lengths, reset, bool(reverse), drop, keep_a, keep_c, p)


def _lengths(value, T, m):
    """A copy: the tape keeps it, and it is small."""
    array = _array("lengths", value)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"lengths: expected integers, got {array.dtype.name}")
    _check.shape("lengths", array, ("m",), {"m": m})
    wrong = array[(array < 0) | (array > T)]
    if wrong.size:
        raise ValueError(f"lengths: expected integers from 0 to T = {T}, got {wrong[0]}")
    return array.astype(np.intp)


def _array(name, value):
    try:
        return np.asarray(value)
    except ValueError as error:  # ragged lists
        raise TypeError(f"{name}: expected an array, got {type(value).__name__} ({error})") from error


def _mask(name, value, axes, known):
    array = _array(name, value)
    if array.dtype != np.bool_:
        raise TypeError(f"{name}: expected booleans, got {array.dtype.name}; convert it with .astype(bool)")
    _check.shape(name, array, axes, known)
    return array


def _masks(weights, pair, T, m):
    """The pair (keep_a, keep_c) of zoneout, time-major in every layout."""
    lstm = weights.n_c > 0
    if len(pair) != 2:
        raise ValueError(f"zoneout: expected a number or a pair (keep_a, keep_c), got {len(pair)} of them")
    keep_a, keep_c = pair
    if lstm != (keep_c is not None):
        wanted = "booleans, as an lstm has cell states" if lstm else "None, as only an lstm has cell states"
        got = "None" if lstm else f"an array for a {weights.cell}"
        raise ValueError(f"zoneout[1]: expected {wanted}, got {got}")
    sizes = {"T": T, "m": m, "n_h": weights.n_h, "n_a": weights.n_a}
    keep_a = np.ascontiguousarray(_mask("zoneout[0]", keep_a, ("T", "m", "n_h"), sizes))
    if lstm:
        keep_c = np.ascontiguousarray(_mask("zoneout[1]", keep_c, ("T", "m", "n_a"), sizes))
    return keep_a, keep_c


def _probability(zoneout):
    if isinstance(zoneout, (bool, np.bool_)) or not isinstance(zoneout, Real):
        raise TypeError(f"zoneout: expected a number or a pair (keep_a, keep_c), got {type(zoneout).__name__}")
    if not 0 <= zoneout <= 1:
        raise ValueError(f"zoneout: expected a number from 0 to 1, got {zoneout!r}")
    return float(zoneout)
