"""The output layer of the course's networks, and the loss over a sequence."""

import numpy as np

from .. import ops
from ._arguments import Arguments, one_of

OUTPUTS = ("softmax", "sigmoid")


def predict(a, W, b, output):
    """softmax or sigmoid of W a + b in every column: a (n_a, m, …) → (n_y, m, …), in one call for all steps."""
    return ops.linear(ops.pack_linear(W, b.reshape(-1)), a, layout="nmt", activation=output)


def sequence_loss(y_hat, y, kind="softmax"):
    """The loss of a sequence of predictions, summed over time, and its gradient before the output's activation.

    y_hat: predictions of the forward functions, (n_y, m, T_x), or (n_y, m) of one step · y: targets of
    that shape, one-hot columns or a distribution for "softmax", numbers from 0 to 1 for "logistic".
    kind: "softmax" for output="softmax", "logistic" for output="sigmoid".
    Returns (loss, dz): loss a float, summed over t and outputs, the mean over m; dz (n_y, m, T_x), the
    gradient of the loss with respect to z where y_hat = softmax(z) or sigmoid(z): dWya is dz times a
    summed over m and t, and da_t = Wyaᵀ dz_t.  Raises ValueError or TypeError naming the argument.

        softmax:   loss = -1/m Σ y log ŷ                             dz = (ŷ Σ_k y_k - y) / m
        logistic:  loss = -1/m Σ (y log ŷ + (1-y) log(1-ŷ))          dz = (ŷ - y) / m

    Source: Sequence Models (deeplearning.ai), week 1: the loss of a recurrent network.

    >>> import numpy as np
    >>> y_hat = np.full((4, 2, 3), 0.25)
    >>> y = np.zeros((4, 2, 3)); y[1] = 1
    >>> loss, dz = sequence_loss(y_hat, y)
    >>> round(loss, 4), dz[:2, 0, 0]
    (4.1589, array([ 0.125, -0.375]))
    """
    one_of("kind", kind, ("softmax", "logistic"))
    given = Arguments()
    dims = ("n_y", "m") if np.ndim(y_hat) == 2 else ("n_y", "m", "T_x")
    given.add("y_hat", y_hat, *dims)
    given.add("y", y, *dims)
    ready = given.settle()
    y_hat, y = ready["y_hat"], ready["y"]
    m = max(y.shape[1], 1)      # of no sequences the loss is 0, not 0/0
    total = _log_terms(y, y_hat)
    if kind == "softmax":
        dz = y_hat * y.sum(axis=0) - y
    else:
        total += _log_terms(1 - y, 1 - y_hat)
        dz = y_hat - y
    return -total / m, dz / m


def _log_terms(y, y_hat):
    """Σ y log ŷ in float64, where y = 0 counts nothing even if ŷ is 0 too."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.sum(np.where(y == 0, 0, y * np.log(y_hat)), dtype=np.float64))
