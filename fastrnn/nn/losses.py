"""Losses that return their value and its gradient in one pass."""
from numbers import Integral

import numpy as np

from .. import ops
from .layer import plain


def _scores(name, x):
    x = plain(name, x)
    if x.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name}: expected float32 or float64, got {x.dtype}")
    return x


def _weight(counted, reduction):
    """What sum and gradient are divided by.  Nothing that counts: a loss of 0 with no gradient, not 0/0."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction: expected 'mean' or 'sum', got {reduction!r}")
    return max(int(counted), 1) if reduction == "mean" else 1


def _mask(mask, shape):
    """mask as booleans of `shape`; numbers would silently be weights in one library and flags in another."""
    mask = plain("mask", mask)
    if mask.dtype != np.bool_:
        raise TypeError(f"mask: expected booleans, got {mask.dtype}")
    if mask.shape != shape:
        raise ValueError(f"mask: expected shape {shape}, got {mask.shape}")
    return mask


def softmax_cross_entropy(logits, target, *, mask=None, ignore_index=None, axis=-1, reduction="mean"):
    """Cross-entropy of softmax(logits) with its gradient with respect to the logits.

    logits: floats with the classes along `axis` (-1; 0 for layout "nmt").  target: integers of that shape without
    `axis`, or a distribution (one-hot or not) of the shape of logits.  Positions where target is `ignore_index`, or
    where the boolean `mask` is False, count neither in the loss nor in the mean, and their gradient is 0.
    reduction: "mean" or "sum" over what counts.  Returns the loss as a float, in nats, and the gradient, of the
    logits' shape and dtype.  Raises ValueError or TypeError naming the argument that does not fit.

        loss = -sum_k target_k log softmax(logits)_k,     dlogits = softmax(logits) - target

    >>> import numpy as np
    >>> loss, gradient = softmax_cross_entropy(np.zeros((1, 4)), np.array([2]))
    >>> round(loss, 4), gradient
    (1.3863, array([[ 0.25,  0.25, -0.75,  0.25]]))
    """
    logits = _scores("logits", logits)
    if not logits.ndim:
        raise ValueError("logits: expected an axis of classes, got shape ()")
    if isinstance(axis, bool) or not isinstance(axis, Integral):
        raise TypeError(f"axis: expected an integer, got {axis!r}")
    if not -logits.ndim <= axis < logits.ndim:
        raise ValueError(f"axis: expected one of {logits.ndim} axes, got {axis}")
    if not (ignore_index is None or isinstance(ignore_index, Integral)):
        raise TypeError(f"ignore_index: expected an integer or None, got {ignore_index!r}")
    logits = np.moveaxis(logits, axis, -1)
    classes, places = logits.shape[-1], logits.shape[:-1]
    if classes < 1:
        raise ValueError(f"logits: expected at least one class, got shape {logits.shape}")
    target = plain("target", target)
    counted = np.ones(places, bool) if mask is None else _mask(mask, places)
    if target.dtype.kind in "iu":
        if target.shape != places:
            raise ValueError(f"target: expected shape {places} for logits of {classes} classes, got {target.shape}")
        if ignore_index is not None:
            counted = counted & (target != ignore_index)
        index = np.where(counted, target, 0)
        if index.size and (index.min() < 0 or index.max() >= classes):
            raise ValueError(f"target: expected classes from 0 to {classes - 1}, "
                             f"got {int(index.min())} to {int(index.max())}")
        index, target = index.astype(np.intp), None     # which has -1, too, for what does not count
    elif target.dtype.kind == "f":
        if target.ndim != logits.ndim:
            raise ValueError(f"target: expected {classes} classes in each of {places}, got shape {target.shape}")
        if ignore_index is not None:
            raise ValueError(f"ignore_index: expected None with a target of distributions, got {ignore_index!r}")
        target = np.moveaxis(target, axis, -1)
        if target.shape != logits.shape:
            raise ValueError(f"target: expected {classes} classes in each of {places}, got shape {target.shape}")
        index, target = np.zeros(places, np.intp), target.astype(logits.dtype, copy=False)
    else:
        raise TypeError(f"target: expected integers or floats, got {target.dtype}")
    weight = _weight(counted.sum(), reduction)
    losses, gradient = ops.loss("softmax", logits, index=np.where(counted, index, -1), target=target, scale=1 / weight)
    # In the order of the axes, so that the sum has the same bits whatever lies innermost.
    return float(np.ascontiguousarray(losses).sum()) / weight, np.moveaxis(gradient, -1, axis)


def logistic(logits, target, *, mask=None, reduction="mean"):
    """Cross-entropy of sigmoid(logits) against targets in [0, 1], elementwise, with its gradient.

    logits, target: floats of one shape; mask: booleans of that shape, False where a number does not count.
    reduction: "mean" or "sum" over what counts.  Returns the loss as a float, in nats, and the gradient with respect
    to the logits, of their shape and dtype.  Safe for logits of any size.
    Raises ValueError or TypeError naming the argument that does not fit.  Whether targets are in [0, 1] is not looked at.

        loss = log(1 + exp(logits)) - target * logits,     dlogits = sigmoid(logits) - target

    >>> import numpy as np
    >>> loss, gradient = logistic(np.array([0.0, 0.0]), np.array([1.0, 0.0]))
    >>> round(loss, 4), gradient
    (0.6931, array([-0.25,  0.25]))
    """
    return _elementwise("logistic", *_pair("logits", logits, target), mask, reduction)


def squared_error(y, target, *, mask=None, reduction="mean"):
    """(y - target)^2, elementwise, with its gradient 2 (y - target).

    y, target: floats of one shape; mask: booleans of that shape, False where a number does not count.
    reduction: "mean" or "sum" over what counts.  Returns the loss as a float and the gradient, of y's shape and dtype.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> squared_error(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    (2.0, array([0., 2.]))
    """
    return _elementwise("squared", *_pair("y", y, target), mask, reduction)


def _pair(name, x, target):
    x, target = _scores(name, x), plain("target", target)
    if target.dtype.kind != "f":
        raise TypeError(f"target: expected floats, got {target.dtype}")
    if target.shape != x.shape:
        raise ValueError(f"target: expected shape {x.shape} as {name} has, got {target.shape}")
    return x, target.astype(x.dtype, copy=False)


# A place that costs nothing and has no gradient, whatever stood there: (x, target).
_FREE = {"logistic": (-1e4, 0), "squared": (0, 0)}


def _elementwise(kind, x, target, mask, reduction):
    counted = x.size
    if mask is not None:
        mask = _mask(mask, x.shape)
        counted = mask.sum()
        x, target = (np.where(mask, array, x.dtype.type(free)) for array, free in zip((x, target), _FREE[kind]))
    weight = _weight(counted, reduction)
    total, gradient = ops.loss(kind, x, target=target, scale=1 / weight)
    return total / weight, gradient
