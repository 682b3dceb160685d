"""The LSTM cell (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    z  = W_x x + b_x + W_a a + b_a                       (m, 4 n_a), gates i f g o
    i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o)     g = tanh(z_g)
    c' = f c + i g
    a' = o tanh(c')

`prev`, `now` and `d` as in rnn.py.
"""

import numpy as np

from .activations import sigmoid


def lstm_step(weights, x, prev):
    z = x @ weights.W_x.T + weights.b_x + prev["a"] @ weights.W_a.T + weights.b_a
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
    c = f * prev["c"] + i * g
    return {"a": o * np.tanh(c), "c": c, "i": i, "f": f, "g": g, "o": o}


def lstm_step_grad(weights, x, prev, now, d):
    i, f, g, o = now["i"], now["f"], now["g"], now["o"]
    tanh_c = np.tanh(now["c"])
    do = d["a"] * tanh_c
    dc = d["c"] + d["a"] * o * (1 - tanh_c * tanh_c)
    dz_i = dc * g * i * (1 - i)
    dz_f = dc * prev["c"] * f * (1 - f)
    dz_g = dc * i * (1 - g * g)
    dz_o = do * o * (1 - o)
    dz = np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=1)
    db = dz.sum(axis=0)
    return {
        "x": dz @ weights.W_x,
        "a": dz @ weights.W_a,
        "c": dc * f,
        "W_x": dz.T @ x,
        "W_a": dz.T @ prev["a"],
        "b_x": db,
        "b_a": db,
    }
