"""The GRU cell (Cho et al. 2014), reset after the recurrent product or before it.

    r = sigmoid(W_xr x + b_xr + W_ar a + b_ar)
    z = sigmoid(W_xz x + b_xz + W_az a + b_az)
    after:   hn = W_an a + b_an        n = tanh(W_xn x + b_xn + r hn)
    before:                            n = tanh(W_xn x + b_xn + W_an (r a) + b_an)
    a' = (1 - z) n + z a

Rows of the weights are the gates r z n. `prev`, `now` and `d` as in rnn.py. "after" is the form of
cuDNN and PyTorch: one product a step. "before" is the form of the paper.
"""

import numpy as np

from .activations import sigmoid


def gru_after_step(weights, x, prev):
    p_r, p_z, p_n = np.split(x @ weights.W_x.T + weights.b_x, 3, axis=1)
    q_r, q_z, hn = np.split(prev["a"] @ weights.W_a.T + weights.b_a, 3, axis=1)
    r = sigmoid(p_r + q_r)
    z = sigmoid(p_z + q_z)
    n = np.tanh(p_n + r * hn)
    return {"a": (1 - z) * n + z * prev["a"], "r": r, "z": z, "n": n, "hn": hn}


def gru_after_step_grad(weights, x, prev, now, d):
    r, z, n, hn = now["r"], now["z"], now["n"], now["hn"]
    dp_n = d["a"] * (1 - z) * (1 - n * n)
    dp_z = d["a"] * (prev["a"] - n) * z * (1 - z)
    dp_r = dp_n * hn * r * (1 - r)
    dp = np.concatenate([dp_r, dp_z, dp_n], axis=1)
    dq = np.concatenate([dp_r, dp_z, dp_n * r], axis=1)
    return {
        "x": dp @ weights.W_x,
        "a": d["a"] * z + dq @ weights.W_a,
        "W_x": dp.T @ x,
        "W_a": dq.T @ prev["a"],
        "b_x": dp.sum(axis=0),
        "b_a": dq.sum(axis=0),
    }


def gru_before_step(weights, x, prev):
    a, k = prev["a"], 2 * weights.n_a
    p_r, p_z, p_n = np.split(x @ weights.W_x.T + weights.b_x + weights.b_a, 3, axis=1)
    q_r, q_z = np.split(a @ weights.W_a[:k].T, 2, axis=1)
    r = sigmoid(p_r + q_r)
    z = sigmoid(p_z + q_z)
    n = np.tanh(p_n + (r * a) @ weights.W_a[k:].T)
    return {"a": (1 - z) * n + z * a, "r": r, "z": z, "n": n}


def gru_before_step_grad(weights, x, prev, now, d):
    a, k = prev["a"], 2 * weights.n_a
    r, z, n = now["r"], now["z"], now["n"]
    dp_n = d["a"] * (1 - z) * (1 - n * n)
    dra = dp_n @ weights.W_a[k:]  # the gradient of r a
    dp_z = d["a"] * (a - n) * z * (1 - z)
    dp_r = dra * a * r * (1 - r)
    dp_rz = np.concatenate([dp_r, dp_z], axis=1)
    dp = np.concatenate([dp_rz, dp_n], axis=1)
    db = dp.sum(axis=0)
    return {
        "x": dp @ weights.W_x,
        "a": d["a"] * z + dra * r + dp_rz @ weights.W_a[:k],
        "W_x": dp.T @ x,
        "W_a": np.concatenate([dp_rz.T @ a, dp_n.T @ (r * a)]),
        "b_x": db,
        "b_a": db,
    }
