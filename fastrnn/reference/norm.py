"""Layer normalisation (Ba, Kiros and Hinton 2016) of each row of v (m, n), with a gain and a shift (n,).

    u = (v - mean(v)) / sqrt(var(v) + eps)        mean and biased variance over the n values of a row
    result = u gain + shift
"""

import numpy as np

EPS = 1e-5


def _normalised(v):
    """u, and 1 / sqrt(var + eps), (m, 1)."""
    centred = v - v.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt((centred * centred).mean(axis=1, keepdims=True) + v.dtype.type(EPS))
    return centred * scale, scale


def layer_norm(v, gain, shift):
    u, _ = _normalised(v)
    return u * gain + shift


def layer_norm_grad(v, gain, d):
    """The gradients of v, gain and shift from d, that of the result: dv = (du - mean(du) - u mean(u du)) scale."""
    u, scale = _normalised(v)
    du = d * gain
    inner = (u * du).mean(axis=1, keepdims=True)
    dv = (du - du.mean(axis=1, keepdims=True) - u * inner) * scale
    return dv, (d * u).sum(axis=0), d.sum(axis=0)
