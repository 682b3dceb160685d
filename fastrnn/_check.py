"""Checks of arguments, and the one style of message: `x: expected …, got …`."""

import math
import operator
from numbers import Real

import numpy as np

FLOAT32 = np.dtype("float32")
FLOAT64 = np.dtype("float64")
# By value, because NumPy makes other objects that equal these, and `is` is the quick test.
_NATIVE = {FLOAT32: FLOAT32, FLOAT64: FLOAT64}


def unmasked(name, value):
    """Raise if `value` is a masked array."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected an array without a mask, which would be ignored; use .filled(value)")


def as_array(name, value):
    """`value` as an array of whatever type and shape; no masked arrays."""
    unmasked(name, value)
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        # ragged lists, and foreign tensors that refuse to become arrays
        raise TypeError(f"{name}: expected an array, got {type(value).__name__} ({error})") from error


def integer(name, value):
    """`value` as an int; no booleans."""
    try:
        return operator.index(None if isinstance(value, (bool, np.bool_)) else value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}") from None


def bound(name, value, dtype):
    """`value`, a finite number above 0 and so in arrays of `dtype`, as a float."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number above 0, got {type(value).__name__}")
    if not 0 < value < math.inf:
        raise ValueError(f"{name}: expected a finite number above 0, got {value!r}")
    least, most = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    if not least <= value <= most:
        raise ValueError(f"{name}: expected from {least:.3g} to {most:.3g} for {dtype.name}, got {value!r}")
    return float(value)


def floats(name, value, dtype=None):
    """`value` as a float32 or float64 array (of `dtype`, if given), native-endian and aligned.

    The array itself when it is one already, else a copy; no values are ever converted.  No masked arrays.
    """
    if type(value) is np.ndarray and value.dtype is dtype and value.flags.aligned:
        return value
    array = as_array(name, value)
    found = array.dtype.newbyteorder("=")
    native = _NATIVE.get(found)
    if native is None or dtype is not None and native != dtype:
        wanted = "float32 or float64" if dtype is None else f"{dtype.name} like the weights"
        if found.kind not in "biufc":
            got = found.name if isinstance(value, np.ndarray) and found.kind != "O" else type(value).__name__
            raise TypeError(f"{name}: expected an array of {wanted}, got {got}")
        use = "float32" if dtype is None else dtype.name
        raise TypeError(f"{name}: expected {wanted}, got {found.name}; convert it with .astype(np.{use})")
    if array.flags.aligned and array.dtype.isnative:
        return array
    return array.astype(native)


def shape(name, array, axes, known):
    """Raise unless `array` has one axis for each name in `axes`, of the size in `known` where that tells it."""
    sizes = array.shape
    if len(sizes) != len(axes):
        raise shape_error(name, array, axes, known)
    for axis, size in zip(axes, sizes):
        if known.get(axis, size) != size:
            raise shape_error(name, array, axes, known)


def shape_error(name, array, axes, known):
    """The error for an array that should have had one axis for each name in `axes`, of the sizes in `known`."""
    sizes = ", ".join(f"{axis} = {known[axis]}" for axis in axes if axis in known)
    comma = "," if len(axes) == 1 else ""
    return ValueError(
        f"{name}: expected shape ({', '.join(axes)}{comma}){' with ' if sizes else ''}{sizes}, got {array.shape}"
    )


def one_of(name, value, choices):
    """Raise unless `value` is one of the strings `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
