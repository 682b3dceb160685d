"""A cell over time: weights, tape, and the one loop forward and the one back that all cells share.

Shapes: x (T, m, n_x), y (T, m, n_a), states (m, n_a). All arrays are of the weights' dtype, and any of
them may have any strides. Callers allocate what is filled here.
"""

import numpy as np

from .gru import gru_after_step, gru_after_step_grad, gru_before_step, gru_before_step_grad
from .lstm import lstm_step, lstm_step_grad
from .rnn import rnn_relu_step, rnn_relu_step_grad, rnn_tanh_step, rnn_tanh_step_grad

CELLS = ("rnn_tanh", "rnn_relu", "lstm", "gru_after", "gru_before")
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru_after": 3, "gru_before": 3}

TAPE_NAMES = {
    "rnn_tanh": ("a0", "a"),
    "rnn_relu": ("a0", "a"),
    "lstm": ("a0", "a", "c0", "c", "i", "f", "g", "o"),
    "gru_after": ("a0", "a", "r", "z", "n", "hn"),
    "gru_before": ("a0", "a", "r", "z", "n"),
}

_INITIAL = ("a0", "c0")

_STEPS = {
    "rnn_tanh": (rnn_tanh_step, rnn_tanh_step_grad),
    "rnn_relu": (rnn_relu_step, rnn_relu_step_grad),
    "lstm": (lstm_step, lstm_step_grad),
    "gru_after": (gru_after_step, gru_after_step_grad),
    "gru_before": (gru_before_step, gru_before_step_grad),
}


class Weights:
    """One cell's parameters: W_x (G n_a, n_x), W_a (G n_a, n_h), b_x and b_a (G n_a,) or None for zeros.

    extras: None or what fastrnn.ops.Extras lists, referred to. The others are copied: what the caller does to the arrays afterwards changes nothing.
    """

    def __init__(self, cell, W_x, W_a, b_x, b_a, extras):
        if extras is not None:
            raise NotImplementedError("extras")
        self.extras = extras
        self.cell = cell
        self.gates = GATES[cell]
        self.n_x = W_x.shape[1]
        self.n_a = W_a.shape[0] // self.gates
        self.n_h = W_a.shape[1]
        self.dtype = W_x.dtype.name
        self.W_x = W_x.copy()
        self.W_a = W_a.copy()
        self.b_x = np.zeros_like(W_x[:, 0]) if b_x is None else b_x.copy()
        self.b_a = np.zeros_like(W_x[:, 0]) if b_a is None else b_a.copy()


class Tape:
    """What a training forward kept: x itself, and copies of the values that TAPE_NAMES lists.

    `values` maps each name to (T, m, n_a); the initial states "a0" and "c0" are (m, n_a).
    """

    def __init__(self, weights, x, values):
        self.weights = weights
        self.T, self.m = x.shape[:2]
        self._x = x
        self._values = {name: np.array(values[name]) for name in TAPE_NAMES[weights.cell]}

    def read(self, name, out):
        """Copy the stored quantity `name` into `out`."""
        out[...] = self._values[name]

    def _step(self, t):
        """What step t made, by name; t = -1 gives the initial states."""
        if t < 0:
            return {name[0]: self._values[name] for name in _INITIAL if name in self._values}
        return {name: value[t] for name, value in self._values.items() if name not in _INITIAL}


def forward(weights, x, a0, c0, y, aT, cT, cells, training, threads, run):
    """Run `weights` over x from the states a0, c0 (None is zeros); fill y, aT, cT, cells unless None.

    Returns the tape if `training`, else None. `threads` has no meaning here.
    """
    if run is not None:
        raise NotImplementedError("run")
    T, m = x.shape[:2]
    zeros = np.zeros((m, weights.n_a), weights.dtype)
    now = {"a": zeros if a0 is None else a0}
    if weights.cell == "lstm":
        now["c"] = zeros if c0 is None else c0
    values = {name + "0": state for name, state in now.items()}
    if training:
        for name in TAPE_NAMES[weights.cell]:
            if name not in _INITIAL:
                values[name] = np.empty((T, m, weights.n_a), weights.dtype)
    step, _ = _STEPS[weights.cell]
    with np.errstate(all="ignore"):
        for t in range(T):
            now = step(weights, x[t], now)
            if y is not None:
                y[t] = now["a"]
            if cells is not None:
                cells[t] = now["c"]
            if training:
                for name in now:
                    values[name][t] = now[name]
    aT[...] = now["a"]
    if cT is not None:
        cT[...] = now["c"]
    return Tape(weights, x, values) if training else None


def backward(tape, dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x, db_a, threads, extras, accumulate):
    """Go back through time: from dy, daT, dcT, dcells (None is zeros) fill all gradients.

    dx may be None, dc0 is None but for an LSTM. What is filled is overwritten, not added to.
    """
    if extras or accumulate:
        raise NotImplementedError("accumulate")
    weights, x = tape.weights, tape._x
    zeros = np.zeros((tape.m, weights.n_a), weights.dtype)
    d = {"a": zeros if daT is None else daT}
    if weights.cell == "lstm":
        d["c"] = zeros if dcT is None else dcT
    parameters = {"W_x": dW_x, "W_a": dW_a, "b_x": db_x, "b_a": db_a}
    for total in parameters.values():
        total[...] = 0
    _, step_grad = _STEPS[weights.cell]
    with np.errstate(all="ignore"):
        for t in reversed(range(tape.T)):
            if dy is not None:
                d["a"] = d["a"] + dy[t]
            if dcells is not None:
                d["c"] = d["c"] + dcells[t]
            grad = step_grad(weights, x[t], tape._step(t - 1), tape._step(t), d)
            d = {name: grad[name] for name in d}
            if dx is not None:
                dx[t] = grad["x"]
            for name, total in parameters.items():
                total += grad[name]
    da0[...] = d["a"]
    if dc0 is not None:
        dc0[...] = d["c"]
