"""Clipping of gradients, by value and by their common norm."""
import math

import numpy as np

from .arguments import dictionary, floats, number


def clip_by_value(gradients, limit):
    """Return a new dict with every number of `gradients` brought into [−limit, limit]; NaN stays NaN.

    gradients: a dict from names to arrays of float32 or float64 of any shape, which the new ones keep · limit: above 0.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> clip_by_value({"w": np.array([3.0, -4.0, 0.5])}, 1.0)
    {'w': array([ 1. , -1. ,  0.5])}
    """
    limit = number("limit", limit, open_low=True, open_high=False)
    return {name: _like(g, np.clip(floats(f"gradients[{name!r}]", g), -limit, limit))
            for name, g in dictionary("gradients", gradients).items()}


def clip_by_norm(gradients, max_norm):
    """Scale all of `gradients` together, so that their common norm is at most `max_norm`.

    Returns a new dict of arrays of the same dtypes, and the norm before it (a float): the root of the sum of all
    squares, computed in float64.  g = g · min(1, max_norm / norm).  A norm that is NaN or infinite is returned as it is
    and the gradients unscaled, so that the caller can leave out such a step.
    Raises ValueError or TypeError naming the argument that does not fit; `max_norm` is above 0.
    Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.

    >>> clip_by_norm({"w": np.array([3.0, 4.0])}, 1.0)
    ({'w': array([0.6, 0.8])}, 5.0)
    """
    max_norm = number("max_norm", max_norm, open_low=True, open_high=False)
    for name, g in dictionary("gradients", gradients).items():
        floats(f"gradients[{name!r}]", g)
    # Divided by the largest number first: squares of float64 can overflow, their root need not.
    largest = max((float(np.max(np.abs(g), initial=0.0)) for g in gradients.values()), key=_nan_last, default=0.0)
    norm = largest
    if 0 < largest < math.inf:
        parts = (np.square(np.divide(g, largest, dtype=np.float64)) for g in gradients.values())
        norm = largest * math.sqrt(math.fsum(float(np.sum(part)) for part in parts))
    factor = max_norm / norm if max_norm < norm < math.inf else 1.0
    return {name: _like(g, g * factor) for name, g in gradients.items()}, norm


def _like(g, result):
    """`result` as an array of g's type: for arrays without axes NumPy gives scalars, and before NumPy 2 float64 ones."""
    return np.asarray(result, g.dtype.newbyteorder("="))


def _nan_last(value):
    return (math.isnan(value), value)
