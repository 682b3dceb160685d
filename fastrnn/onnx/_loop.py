"""The three operators in NumPy, step by step, for activations that the backends don't have.

Parameters come in this library's orders: gates i f g o and r z n, peepholes i f o. The equations are those of the
specification (https://onnx.ai/onnx/operators/, pages RNN, LSTM, GRU): f, g, h are its names for the activations, and
`clip` bounds the argument of each activation but h's, which is a state.
"""

from typing import Any, NamedTuple

import numpy as np


class LoopWeights(NamedTuple):
    """One direction's parameters, for `forward`."""

    cell: str  # "rnn", "lstm", "gru_after", "gru_before"
    W_x: np.ndarray
    W_a: np.ndarray
    b_x: Any
    b_a: Any
    peephole: Any
    coupled: bool
    clip: float | None
    activations: tuple

    def bound(self, z):
        return z if self.clip is None else np.clip(z, -self.clip, self.clip)


def forward(weights, x, states, lengths, reverse):
    """Run x (T, m, n_x) from `states`, a list of (m, n_a) arrays; returns y (T, m, n_a) and the last states.

    Row k has lengths[k] steps; nothing past its end is read, and y is 0 there.
    """
    T, m, _ = x.shape
    states = [state.copy() for state in states]
    y = np.zeros((T, m, weights.W_a.shape[1]), x.dtype)
    step = _STEPS[weights.cell]
    for t in reversed(range(T)) if reverse else range(T):
        rows = np.flatnonzero(t < lengths)  # going backwards, a row joins at its own end
        after = step(weights, x[t, rows], *(state[rows] for state in states))
        for state, new in zip(states, after):
            state[rows] = new
        y[t, rows] = after[0]
    return y, states


def _sides(weights, x, a):
    """The input side and the recurrent side of all gates, biases included."""
    zero = x.dtype.type(0)
    b_x = zero if weights.b_x is None else weights.b_x
    b_a = zero if weights.b_a is None else weights.b_a
    return x @ weights.W_x.T + b_x, a @ weights.W_a.T + b_a


def _rnn_step(weights, x, a):
    (f,) = weights.activations
    from_x, from_a = _sides(weights, x, a)
    return (f(weights.bound(from_x + from_a)),)


def _lstm_step(weights, x, a, c):
    f, g, h = weights.activations
    from_x, from_a = _sides(weights, x, a)
    z_i, z_f, z_g, z_o = np.split(from_x + from_a, 4, axis=1)
    p_i, p_f, p_o = (x.dtype.type(0),) * 3 if weights.peephole is None else weights.peephole
    i = f(weights.bound(z_i + p_i * c))
    forget = 1 - i if weights.coupled else f(weights.bound(z_f + p_f * c))
    c = forget * c + i * g(weights.bound(z_g))
    o = f(weights.bound(z_o + p_o * c))
    return o * h(c), c


def _gru_after_step(weights, x, a):
    f, g = weights.activations
    from_x, from_a = _sides(weights, x, a)
    (x_r, x_z, x_n), (a_r, a_z, a_n) = np.split(from_x, 3, axis=1), np.split(from_a, 3, axis=1)
    r, z = f(weights.bound(x_r + a_r)), f(weights.bound(x_z + a_z))
    n = g(weights.bound(x_n + r * a_n))
    return ((1 - z) * n + z * a,)


def _gru_before_step(weights, x, a):
    f, g = weights.activations
    from_x, from_a = _sides(weights, x, a)
    (x_r, x_z, x_n), (a_r, a_z, _) = np.split(from_x, 3, axis=1), np.split(from_a, 3, axis=1)
    r, z = f(weights.bound(x_r + a_r)), f(weights.bound(x_z + a_z))
    a_n = _sides(weights, x, r * a)[1][:, 2 * r.shape[1] :]
    n = g(weights.bound(x_n + a_n))
    return ((1 - z) * n + z * a,)


_STEPS = {"rnn": _rnn_step, "lstm": _lstm_step, "gru_after": _gru_after_step, "gru_before": _gru_before_step}
