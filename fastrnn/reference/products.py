"""What all cells do with their sums: the two products of a step, normalised if the weights say so, and the bound.

    W_x x + b_x,  W_a a + b_a        or        LN(W_x x) + b_x,  LN(W_a a) + b_a        (m, G n_a)

A side is "x" or "a"; `rows` are those rows of its weights (gates) that take part, and LN goes over them alone.
"""

import numpy as np

from .norm import layer_norm, layer_norm_grad

ALL = slice(None)


def product(weights, side, v, rows=ALL):
    u = v @ weights.W[side][rows].T
    if weights.norm:
        u = layer_norm(u, weights.norm["gain_" + side][rows], weights.norm["shift_" + side][rows])
    return u + weights.b[side][rows]


def product_grad(weights, side, v, d, rows=ALL):
    """The gradient of v from d, that of `product`; and a dict of those of parameters, zero in the other rows."""
    W = weights.W[side][rows]
    found = {"b_" + side: d.sum(axis=0)}
    if weights.norm:
        gain = weights.norm["gain_" + side][rows]
        d, found["gain_" + side], found["shift_" + side] = layer_norm_grad(v @ W.T, gain, d)
    found["W_" + side] = d.T @ v
    return d @ W, {name: _among(value, rows, len(weights.b[side])) for name, value in found.items()}


def _among(value, rows, count):
    if rows is ALL:
        return value
    full = np.zeros((count, *value.shape[1:]), value.dtype)
    full[rows] = value
    return full


def bounded(weights, z):
    """z within [-clip, clip]. NaN stays NaN."""
    return z if weights.clip is None else np.clip(z, -weights.clip, weights.clip)


def bounded_grad(weights, z, d):
    """The gradient of z from d, that of `bounded`: none where it was bounded."""
    return d if weights.clip is None else np.where(np.abs(z) > weights.clip, d.dtype.type(0), d)


def keep_sums(weights, now, sums):
    """Put the sums z of all gates, a list in their order, among what the step made: the bound needs them again."""
    if weights.clip is not None:
        now["sums"] = np.concatenate(sums, axis=1)
    return now


def kept_sums(weights, now):
    """The sums that `keep_sums` kept, by gate; without a bound nobody looks at them."""
    return [None] * weights.gates if weights.clip is None else np.split(now["sums"], weights.gates, axis=1)
