"""Losses at every position of a sequence, each with its gradient.

    softmax    loss = -sum_k t_k log p_k = sum t log(sum exp(x - top)) - sum t (x - top)     dx = p sum t - t
               p = softmax(x), top = max x; what has no share (t = 0) costs nothing even at a score of minus infinity
    logistic   loss = log(1 + exp(x)) - t x                                                  dx = sigmoid(x) - t
    squared    loss = (x - t)^2                                                              dx = 2 (x - t)
"""

import numpy as np


def softmax(x):
    """exp(x) / sum exp(x) along the last axis, from x - max x: nothing overflows."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def loss(kind, x, index, target, scale, gradient, parts, threads):
    """Fill gradient (T, m, n) with scale times that of a loss of x, and parts (T, m, 3) with what the loss is made of.

    kind: "softmax", "logistic" or "squared".  index (T, m) holds classes, or None; negative: the position does not
    count.  target (T, m, n), or None for classes alone.  parts: the loss, 0, 0; for "softmax" sum exp(x - max x),
    sum target (x - max x), sum target, of which the loss is parts[2] log parts[0] - parts[1].
    """
    scale = x.dtype.type(scale)
    with np.errstate(all="ignore"):
        dx, values = _KINDS[kind](x, index, target)
        counts = np.True_ if index is None else index[..., None] >= 0
        # where, not a product: what does not count may be NaN.
        gradient[...] = np.where(counts, dx * scale, 0)
        parts[...] = np.where(counts, values, np.array([1, 0, 0], x.dtype))


def _softmax(x, index, target):
    shifted = x - x.max(axis=-1, keepdims=True)
    e = np.exp(shifted)
    norm = e.sum(axis=-1, keepdims=True)
    if target is None:
        target = np.arange(x.shape[-1]) == np.maximum(index, 0)[..., None]
        target = target.astype(x.dtype)
    share = target.sum(axis=-1, keepdims=True)
    picked = np.where(target == 0, 0, target * shifted).sum(axis=-1, keepdims=True)
    return e * (share / norm) - target, np.concatenate([norm, picked, share], axis=-1)


def _logistic(x, index, target):
    e = np.exp(-np.abs(x))
    losses = np.maximum(x, 0) - target * x + np.log1p(e)
    return np.where(x < 0, e, x.dtype.type(1)) / (1 + e) - target, _alone(losses)


def _squared(x, index, target):
    difference = x - target
    return 2 * difference, _alone(difference * difference)


def _alone(losses):
    parts = np.zeros((*losses.shape[:-1], 3), losses.dtype)
    parts[..., 0] = losses.sum(axis=-1)
    return parts


_KINDS = {"softmax": _softmax, "logistic": _logistic, "squared": _squared}
