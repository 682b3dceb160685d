"""The simple recurrent cell (Elman 1990), with tanh or ReLU.

    z  = W_x x + b_x + W_a a + b_a        (m, n_a)
    a' = tanh(z)  or  max(z, 0)

`prev` and `now` are dicts in the tape's names: what a step starts from, what it makes. `d` holds the
gradients of what it made. A step's gradients come back by the names of what they belong to.
"""

import numpy as np

from .activations import relu


def _sum(weights, x, prev):
    return x @ weights.W_x.T + weights.b_x + prev["a"] @ weights.W_a.T + weights.b_a


def rnn_tanh_step(weights, x, prev):
    return {"a": np.tanh(_sum(weights, x, prev))}


def rnn_tanh_step_grad(weights, x, prev, now, d):
    return _grad(weights, x, prev, d["a"] * (1 - now["a"] * now["a"]))


def rnn_relu_step(weights, x, prev):
    return {"a": relu(_sum(weights, x, prev))}


def rnn_relu_step_grad(weights, x, prev, now, d):
    # a' <= 0 exactly where z <= 0, so z need not be kept; at z = 0 the slope is taken as 0.
    return _grad(weights, x, prev, np.where(now["a"] <= 0, d["a"].dtype.type(0), d["a"]))


def _grad(weights, x, prev, dz):
    db = dz.sum(axis=0)
    return {
        "x": dz @ weights.W_x,
        "a": dz @ weights.W_a,
        "W_x": dz.T @ x,
        "W_a": dz.T @ prev["a"],
        "b_x": db,
        "b_a": db,
    }
