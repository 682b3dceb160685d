"""Recurrences that are linear in the state: h_t = keep_t h_(t-1) + add_t, all operands (T, m, n).

    linear     keep = in_0                  add = in_1
    min_gru    keep = 1 - z                 add = z in_1              z = sigmoid(in_0)
    min_lstm   keep = f / (f + i)           add = i / (f + i) in_2    f = sigmoid(in_0), i = sigmoid(in_1)

With g_t = dh_t + keep_(t+1) g_(t+1): dkeep_t = g_t h_(t-1), dadd_t = g_t. minGRU and minLSTM: Feng et al., "Were RNNs
all we needed?" (2024).
"""

import numpy as np

from .activations import sigmoid


def _shares(p, q):
    """f / (f + i) and i / (f + i) for f = sigmoid(p), i = sigmoid(q), from 1 / f = 1 + exp(-p), scaled to be finite."""
    least = np.minimum(np.minimum(p, q), 0)
    one = np.exp(least)
    not_f, not_i = one + np.exp(least - p), one + np.exp(least - q)
    return not_i / (not_f + not_i), not_f / (not_f + not_i)


def _open(kind, inputs):
    """keep, and what add is without its last operand."""
    if kind == "linear":
        return inputs[0], 1
    if kind == "min_gru":
        z = sigmoid(inputs[0])
        return 1 - z, z
    return _shares(inputs[0], inputs[1])


def scan(kind, inputs, h0, h, hT, threads):
    """Fill h (T, m, n) with h_t = keep_t h_(t-1) + add_t, and hT (m, n) with the last state.

    kind and inputs, all (T, m, n): "linear" (keep, add); "min_gru" (z, v), keep = 1 - sigmoid(z),
    add = sigmoid(z) v; "min_lstm" (f, i, v), keep = f' / (f' + i'), add = i' / (f' + i') v, with f' = sigmoid(f),
    i' = sigmoid(i).  h0 (m, n), or None for zeros.
    """
    now = np.zeros(h.shape[1:], h.dtype) if h0 is None else h0
    with np.errstate(all="ignore"):
        for t in range(len(h)):
            keep, take = _open(kind, [x[t] for x in inputs])
            now = keep * now + take * inputs[-1][t]
            h[t] = now
    if hT is not None:
        hT[...] = now


def scan_backward(kind, inputs, h0, h, dh, dhT, dinputs, dh0, threads):
    """From h of scan, dh (T, m, n) and dhT (m, n) (None is zeros) fill dinputs, like inputs, and dh0 (m, n)."""
    zeros = np.zeros(h.shape[1:], h.dtype)
    carry = zeros if dhT is None else dhT
    with np.errstate(all="ignore"):
        for t in reversed(range(len(h))):
            x = [each[t] for each in inputs]
            before = h[t - 1] if t else zeros if h0 is None else h0
            keep, take = _open(kind, x)
            g = carry if dh is None else dh[t] + carry
            if kind == "linear":
                found = (g * before, g)
            elif kind == "min_gru":
                found = (g * (x[1] - before) * take * keep, g * take)
            else:
                d = g * (before - x[2]) * take * keep
                found = (d * sigmoid(-x[0]), -d * sigmoid(-x[1]), g * take)
            for dx, value in zip(dinputs, found):
                dx[t] = value
            carry = keep * g
    dh0[...] = carry
