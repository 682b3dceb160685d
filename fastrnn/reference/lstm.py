"""The LSTM cell (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    z  = W_x x + b_x + W_a s + b_a                       (m, 4 n_a), gates i f g o
    z_i, z_f += p_i c, p_f c                             peepholes (Gers and Schmidhuber 2000), if any
    i, f, g = sigmoid(z_i), sigmoid(z_f), tanh(z_g)      coupled: f = 1 - i, and z has no rows f
    c' = f c + i g
    z_o += p_o c'
    o  = sigmoid(z_o)
    a' = P (o tanh(LN(c')))                              P, a projection (Sak et al. 2014), and LN if asked for

Each z is bounded to [-clip, clip] before its function. `prev`, `now`, `d` and s as in rnn.py.
"""

import numpy as np

from .activations import sigmoid
from .norm import layer_norm, layer_norm_grad
from .products import ALL, bounded, bounded_grad, keep_sums, kept_sums, product, product_grad


def _rows(weights):
    """The rows of the gates in use: with f = 1 - i those of f are not."""
    k = weights.n_a
    return np.r_[:k, 2 * k : 4 * k] if weights.coupled else ALL


def _output(weights, c):
    """tanh(LN(c')), what the output gate lets through."""
    return np.tanh(layer_norm(c, weights.norm["gain_c"], weights.norm["shift_c"]) if weights.norm else c)


def lstm_step(weights, x, prev):
    c, rows, p = prev["c"], _rows(weights), weights.peephole
    z = product(weights, "x", x, rows) + product(weights, "a", prev["seen"], rows)
    if weights.coupled:
        z_i, z_g, z_o = np.split(z, 3, axis=1)
        z_f = np.zeros_like(z_i)
    else:
        z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
    if p is not None:
        z_i, z_f = z_i + p[0] * c, z_f + p[1] * c
    i, g = sigmoid(bounded(weights, z_i)), np.tanh(bounded(weights, z_g))
    f = 1 - i if weights.coupled else sigmoid(bounded(weights, z_f))
    c = f * c + i * g
    if p is not None:
        z_o = z_o + p[2] * c
    o = sigmoid(bounded(weights, z_o))
    a = o * _output(weights, c)
    if weights.projection is not None:
        a = a @ weights.projection.T
    return keep_sums(weights, {"a": a, "c": c, "i": i, "f": f, "g": g, "o": o}, [z_i, z_f, z_g, z_o])


def lstm_step_grad(weights, x, prev, now, d):
    i, f, g, o, c = now["i"], now["f"], now["g"], now["o"], now["c"]
    z_i, z_f, z_g, z_o = kept_sums(weights, now)
    p, da = weights.peephole, d["a"]
    grad = {}
    tanh_c = _output(weights, c)
    if weights.projection is not None:
        grad["projection"] = da.T @ (o * tanh_c)
        da = da @ weights.projection
    dz_o = bounded_grad(weights, z_o, da * tanh_c * o * (1 - o))
    dc = da * o * (1 - tanh_c * tanh_c)
    if weights.norm:
        dc, grad["gain_c"], grad["shift_c"] = layer_norm_grad(c, weights.norm["gain_c"], dc)
    dc = d["c"] + dc
    if p is not None:
        dc = dc + dz_o * p[2]
    di = dc * (g - prev["c"] if weights.coupled else g)
    dz_i = bounded_grad(weights, z_i, di * i * (1 - i))
    dz_g = bounded_grad(weights, z_g, dc * i * (1 - g * g))
    dz_f = np.zeros_like(dz_i) if weights.coupled else bounded_grad(weights, z_f, dc * prev["c"] * f * (1 - f))
    grad["c"] = dc * f
    if p is not None:
        grad["c"] += dz_i * p[0] + dz_f * p[1]
        grad["peephole"] = np.stack([(dz_i * prev["c"]).sum(0), (dz_f * prev["c"]).sum(0), (dz_o * c).sum(0)])
        if weights.coupled:
            grad["peephole"][1] = 0  # whatever c was: 0 times infinity is not 0
    dz = np.concatenate([dz_i, dz_g, dz_o] if weights.coupled else [dz_i, dz_f, dz_g, dz_o], axis=1)
    grad["x"], of_x = product_grad(weights, "x", x, dz, _rows(weights))
    grad["seen"], of_a = product_grad(weights, "a", prev["seen"], dz, _rows(weights))
    return {**grad, **of_x, **of_a}
