"""Masks: booleans that are drawn."""

import operator
from numbers import Real

import numpy as np

from .. import _backend


def chance(key, shape, p):
    """A new array of booleans, each True with probability p, rounded to 24 bits.

    key: an integer from 0 to 2**64 - 1, from a generator of the caller's; it decides all of them, the same on every
    backend. Raises ValueError or TypeError naming the argument that does not fit.

    >>> chance(2026, (2, 4), 0.5)
    array([[ True, False,  True,  True],
           [ True,  True,  True,  True]])
    """
    try:
        key = operator.index(key)
    except TypeError:
        raise TypeError(f"key: expected an integer, got {type(key).__name__}") from None
    if not 0 <= key < 2**64:
        raise ValueError(f"key: expected an integer from 0 to 2**64 - 1, got {key}")
    if not isinstance(p, Real):
        raise TypeError(f"p: expected a number from 0 to 1, got {type(p).__name__}")
    if not 0 <= p <= 1:
        raise ValueError(f"p: expected a number from 0 to 1, got {p!r}")
    flip = p > 0.5  # so that a bound, one more than p's first 8 bits, never needs a ninth
    out = np.empty(shape, np.bool_)
    _backend.active().chance(key, round((1 - p if flip else p) * 2**24), flip, out.view(np.uint8))
    return out
