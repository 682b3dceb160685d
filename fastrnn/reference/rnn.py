"""The simple recurrent cell (Elman 1990), with tanh or ReLU.

    z  = W_x x + b_x + W_a s + b_a        (m, n_a)
    a' = tanh(z)  or  max(z, 0)           of z bounded to [-clip, clip]

`prev` and `now` are dicts in the tape's names: what a step starts from, what it makes. prev["seen"] is s, what the
recurrent product sees of prev["a"]: all of it, unless a mask is on it. `d` holds the gradients of what the step made.
A step's gradients come back by the names of what they belong to.
"""

import numpy as np

from .activations import relu
from .products import bounded, bounded_grad, keep_sums, kept_sums, product, product_grad


def rnn_tanh_step(weights, x, prev):
    return _step(weights, x, prev, np.tanh)


def rnn_tanh_step_grad(weights, x, prev, now, d):
    return _grad(weights, x, prev, now, d["a"] * (1 - now["a"] * now["a"]))


def rnn_relu_step(weights, x, prev):
    return _step(weights, x, prev, relu)


def rnn_relu_step_grad(weights, x, prev, now, d):
    # a' <= 0 exactly where z <= 0, so z need not be kept; at z = 0 the slope is taken as 0.
    return _grad(weights, x, prev, now, np.where(now["a"] <= 0, d["a"].dtype.type(0), d["a"]))


def _step(weights, x, prev, function):
    z = product(weights, "x", x) + product(weights, "a", prev["seen"])
    return keep_sums(weights, {"a": function(bounded(weights, z))}, [z])


def _grad(weights, x, prev, now, dz):
    (z,) = kept_sums(weights, now)
    dz = bounded_grad(weights, z, dz)
    dx, of_x = product_grad(weights, "x", x, dz)
    dseen, of_a = product_grad(weights, "a", prev["seen"], dz)
    return {"x": dx, "seen": dseen, **of_x, **of_a}
