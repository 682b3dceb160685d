"""The sLSTM cell (Beck et al., "xLSTM: extended long short-term memory", 2024): an LSTM whose input gate is an exponential.

    z  = W_x x + b_x + W_a s + b_a                      (m, 4 n_a), gates i f g o
    u  = log sigmoid(z_f) + m                           the forget gate is the paper's sigmoid, not its exponential
    m' = max(u, z_i)                                    but z_i where n = 0
    i  = exp(z_i - m')      f = exp(u - m')             one of them is 1, the other at most that
    g, o = tanh(z_g), sigmoid(z_o)
    c' = f c + i g
    n' = f n + i
    a' = o c' / n'

A row of cell states holds three blocks of n_a values, c n m. They stand for exp(m) c and exp(m) n, a weighted sum of all g
and that of the weights; m only keeps the numbers small. n >= 0 is expected, and n = 0 means that there is nothing to
remember, as in a state of zeros: then m says nothing, and m' = z_i keeps n' = 1 whatever z_i is. (There f may be above 1; its
exponent is bounded to MOST, and only the gradient of such a state sees it.) Hence n' > 0: from one step on n >= 1, and from
a given n > 0 on it never falls below the smaller of that and 1.

The gradient is that of the equations, m and its maximum included. For whoever looks at a' alone, m' might as well be a
constant: a' does not change when c, n and m say the same in another scale, and what comes back to m' is then dc' c' + dn' n'.
`prev`, `now`, `d` and s as in rnn.py.
"""

import numpy as np

from .activations import log_sigmoid, sigmoid
from .products import product, product_grad

MOST = 60  # exp(60) = 1e26: far above what anyone needs, and far below the largest float32


def slstm_step(weights, x, prev):
    c, n, m = np.split(prev["c"], 3, axis=1)
    z_i, z_f, z_g, z_o = np.split(product(weights, "x", x) + product(weights, "a", prev["seen"]), 4, axis=1)
    u = log_sigmoid(z_f) + m
    ahead = u - z_i
    fresh = (n == 0) | (ahead < 0)
    less = np.exp(np.where(n == 0, np.minimum(ahead, MOST), -np.abs(ahead)))
    i, f = np.where(fresh, x.dtype.type(1), less), np.where(fresh, less, x.dtype.type(1))
    g, o = np.tanh(z_g), sigmoid(z_o)
    c, n, m = f * c + i * g, f * n + i, np.where(fresh, z_i, u)
    return {"a": o * (c / n), "c": np.concatenate([c, n, m], axis=1), "i": i, "f": f, "g": g, "o": o, "s": sigmoid(-z_f)}


def slstm_step_grad(weights, x, prev, now, d):
    i, f, g, o = now["i"], now["f"], now["g"], now["o"]
    c, n, _ = np.split(prev["c"], 3, axis=1)
    c_new, n_new, _ = np.split(now["c"], 3, axis=1)
    dc, dn, dm = np.split(d["c"], 3, axis=1)
    h = c_new / n_new
    dh = d["a"] * o / n_new
    dc, dn = dc + dh, dn - dh * h
    # What exp(u - m') and exp(z_i - m') send back; the one that is the maximum gets dm' less what the other one took.
    old, new = f * (dc * c + dn * n), i * (dc * g + dn)
    fresh = i == 1
    dz_i, du = np.where(fresh, dm - old, new), np.where(fresh, old, dm - new)
    dz = [dz_i, du * now["s"], dc * i * (1 - g * g), d["a"] * h * o * (1 - o)]
    dz = np.concatenate(dz, axis=1)
    dx, of_x = product_grad(weights, "x", x, dz)
    dseen, of_a = product_grad(weights, "a", prev["seen"], dz)
    return {"x": dx, "seen": dseen, "c": np.concatenate([dc * f, dn * f, du], axis=1), **of_x, **of_a}
