"""Checks of what optimisers, clipping and schedules are given."""
import math
from collections.abc import Mapping

import numpy as np


def number(name, value, low=0.0, high=math.inf, *, open_low=False, open_high=True):
    """`value` as a float within the bounds; NaN is never within."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected a number, got {value!r}") from None
    above = number > low if open_low else number >= low
    below = number < high if open_high else number <= high
    if not (above and below):
        raise ValueError(f"{name}: expected a number in {'(' if open_low else '['}{low:g}, {high:g}"
                         f"{')' if open_high else ']'}, got {value!r}")
    return number


def count(name, value):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}")
    return int(value)


def dictionary(name, value):
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected a dict from names to arrays, got {type(value).__name__}")
    return value


def floats(name, value):
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name}: expected an array, got {type(value).__name__}")
    if value.dtype.newbyteorder("=") not in (np.float32, np.float64):
        raise TypeError(f"{name}: expected float32 or float64, got {value.dtype.name}")
    return value
