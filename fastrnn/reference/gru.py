"""The GRU cell (Cho et al. 2014), reset after the recurrent product or before it.

    r = sigmoid(W_xr x + b_xr + W_ar s + b_ar)
    z = sigmoid(W_xz x + b_xz + W_az s + b_az)
    after:   hn = W_an s + b_an        n = tanh(W_xn x + b_xn + r hn)
    before:                            n = tanh(W_xn x + b_xn + W_an (r s) + b_an)
    a' = (1 - z) n + z a

Rows of the weights are the gates r z n. What a function is taken of is bounded to [-clip, clip] first. `prev`, `now`,
`d` and s as in rnn.py. "after" is the form of cuDNN and PyTorch: one product a step. "before" is the form of the paper.
"""

import numpy as np

from .activations import sigmoid
from .products import bounded, bounded_grad, keep_sums, kept_sums, product, product_grad


def gru_after_step(weights, x, prev):
    p_r, p_z, p_n = np.split(product(weights, "x", x), 3, axis=1)
    q_r, q_z, hn = np.split(product(weights, "a", prev["seen"]), 3, axis=1)
    r = sigmoid(bounded(weights, p_r + q_r))
    z = sigmoid(bounded(weights, p_z + q_z))
    p_n = p_n + r * hn
    n = np.tanh(bounded(weights, p_n))
    now = {"a": (1 - z) * n + z * prev["a"], "r": r, "z": z, "n": n, "hn": hn}
    return keep_sums(weights, now, [p_r + q_r, p_z + q_z, p_n])


def gru_after_step_grad(weights, x, prev, now, d):
    r, z, n, hn = now["r"], now["z"], now["n"], now["hn"]
    s_r, s_z, s_n = kept_sums(weights, now)
    dp_n = bounded_grad(weights, s_n, d["a"] * (1 - z) * (1 - n * n))
    dp_z = bounded_grad(weights, s_z, d["a"] * (prev["a"] - n) * z * (1 - z))
    dp_r = bounded_grad(weights, s_r, dp_n * hn * r * (1 - r))
    dx, of_x = product_grad(weights, "x", x, np.concatenate([dp_r, dp_z, dp_n], axis=1))
    dseen, of_a = product_grad(weights, "a", prev["seen"], np.concatenate([dp_r, dp_z, dp_n * r], axis=1))
    return {"x": dx, "a": d["a"] * z, "seen": dseen, **of_x, **of_a}


def _parts(weights):
    """The rows of r and z, which see s, and those of n, which see r s. Each part is normalised by itself."""
    return slice(0, 2 * weights.n_a), slice(2 * weights.n_a, None)


def gru_before_step(weights, x, prev):
    s, (rz, last) = prev["seen"], _parts(weights)
    p_r, p_z, p_n = np.split(product(weights, "x", x), 3, axis=1)
    q_r, q_z = np.split(product(weights, "a", s, rz), 2, axis=1)
    r = sigmoid(bounded(weights, p_r + q_r))
    z = sigmoid(bounded(weights, p_z + q_z))
    p_n = p_n + product(weights, "a", r * s, last)
    n = np.tanh(bounded(weights, p_n))
    now = {"a": (1 - z) * n + z * prev["a"], "r": r, "z": z, "n": n}
    return keep_sums(weights, now, [p_r + q_r, p_z + q_z, p_n])


def gru_before_step_grad(weights, x, prev, now, d):
    s, (rz, last) = prev["seen"], _parts(weights)
    r, z, n = now["r"], now["z"], now["n"]
    s_r, s_z, s_n = kept_sums(weights, now)
    dp_n = bounded_grad(weights, s_n, d["a"] * (1 - z) * (1 - n * n))
    drs, of_n = product_grad(weights, "a", r * s, dp_n, last)
    dp_z = bounded_grad(weights, s_z, d["a"] * (prev["a"] - n) * z * (1 - z))
    dp_r = bounded_grad(weights, s_r, drs * s * r * (1 - r))
    dp_rz = np.concatenate([dp_r, dp_z], axis=1)
    dseen, of_rz = product_grad(weights, "a", s, dp_rz, rz)
    dx, of_x = product_grad(weights, "x", x, np.concatenate([dp_rz, dp_n], axis=1))
    of_a = {name: of_rz[name] + of_n[name] for name in of_n}
    return {"x": dx, "a": d["a"] * z, "seen": dseen + drs * r, **of_x, **of_a}
