"""A cell over time: weights, tape, and the one loop forward and the one back that all cells share.

Shapes: x (T, m, n_x), y and a (T, m, n_h), c (T, m, n_c), states (m, n_h) and (m, n_c); n_h is n_a but for a
projection, and n_c is n_a for an LSTM, three blocks of n_a for an sLSTM, 0 for what has no cell state.
All arrays are of the weights' dtype, and any of them may have any strides. Callers allocate what is filled
here. What all cells do alike with ends of rows, resets, direction and masks stands in run.py.
"""

import numpy as np

from .gru import gru_after_step, gru_after_step_grad, gru_before_step, gru_before_step_grad
from .lstm import lstm_step, lstm_step_grad
from .rnn import rnn_relu_step, rnn_relu_step_grad, rnn_tanh_step, rnn_tanh_step_grad
from .run import PLAIN, finish, finish_grad, start, start_grad, taking_part, times, zones
from .slstm import slstm_step, slstm_step_grad

CELLS = ("rnn_tanh", "rnn_relu", "lstm", "gru_after", "gru_before", "slstm")
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru_after": 3, "gru_before": 3, "slstm": 4}
BLOCKS = {"lstm": 1, "slstm": 3}  # of n_a values in a row of cell states

TAPE_NAMES = {
    "rnn_tanh": ("a0", "a"),
    "rnn_relu": ("a0", "a"),
    "lstm": ("a0", "a", "c0", "c", "i", "f", "g", "o"),
    "gru_after": ("a0", "a", "r", "z", "n", "hn"),
    "gru_before": ("a0", "a", "r", "z", "n"),
    "slstm": ("a0", "a", "c0", "c", "i", "f", "g", "o", "s"),
}

_INITIAL = ("a0", "c0")

_STEPS = {
    "rnn_tanh": (rnn_tanh_step, rnn_tanh_step_grad),
    "rnn_relu": (rnn_relu_step, rnn_relu_step_grad),
    "lstm": (lstm_step, lstm_step_grad),
    "gru_after": (gru_after_step, gru_after_step_grad),
    "gru_before": (gru_before_step, gru_before_step_grad),
    "slstm": (slstm_step, slstm_step_grad),
}


class Weights:
    """One cell's parameters: W_x (G n_a, n_x), W_a (G n_a, n_h), b_x and b_a (G n_a,) or None for zeros.

    They are copied: what the caller does to the arrays afterwards changes nothing.
    extras: None, or a tuple with the fields of fastrnn.ops.Extras, which is referred to.
    """

    def __init__(self, cell, W_x, W_a, b_x, b_a, extras):
        self.cell = cell
        self.gates = GATES[cell]
        self.n_x = W_x.shape[1]
        self.n_a = W_a.shape[0] // self.gates
        self.n_h = W_a.shape[1]
        self.n_c = BLOCKS.get(cell, 0) * self.n_a
        self.dtype = W_x.dtype.name
        self.W = {"x": W_x.copy(), "a": W_a.copy()}
        self.b = {side: np.zeros_like(W_x[:, 0]) if b is None else b.copy() for side, b in (("x", b_x), ("a", b_a))}
        self.extras = extras
        none = None, False, None, None, None
        self.peephole, self.coupled, self.clip, self.projection, self.norm = extras or none


class Tape:
    """What a training forward kept: x itself, and copies of values by name, those of TAPE_NAMES and maybe more.

    `values` maps each name to (T, m, n_a), "a" to (T, m, n_h), "c" to (T, m, n_c), at the places that the steps
    have in x; the initial states "a0" and "c0" are (m, n_h) and (m, n_c). "a" and "c" are the states of every row after each step, whether or
    not it took part. What a step makes goes past TAPE_NAMES where its gradient needs more: "sums" with a bound,
    "made_a" and "made_c", the states before zoneout.
    """

    def __init__(self, weights, x, values):
        self.weights = weights
        self.T, self.m = x.shape[:2]
        self.x = x
        self._run = PLAIN
        self._values = {name: np.array(value) for name, value in values.items()}

    def read(self, name, out):
        """Copy the stored quantity `name` into `out`."""
        out[...] = self._values[name]

    def _before(self, t):
        """The states of all rows before step t, by name."""
        t += 1 if self._run.reverse else -1
        names = [name[0] for name in _INITIAL if name in self._values]
        return {name: self._values[name][t] if 0 <= t < self.T else self._values[name + "0"] for name in names}

    def _made(self, t, rows):
        """What step t made, by name."""
        made = {name: value[t, rows] for name, value in self._values.items() if name not in _INITIAL}
        return {**made, **{name: made["made_" + name] for name in ("a", "c") if "made_" + name in made}}


def forward(weights, x, a0, c0, y, aT, cT, cells, training, threads, run):
    """Run `weights` over x from the states a0, c0 (None is zeros); fill y, aT, cT, cells unless None.

    run: None, or a tuple with the fields of fastrnn.ops.Run. Returns the tape if `training`, else None. `threads` has
    no meaning here.
    """
    T, m = x.shape[:2]
    run = run or PLAIN
    state = {"a": np.zeros((m, weights.n_h), weights.dtype) if a0 is None else a0}
    if weights.n_c:
        state["c"] = np.zeros((m, weights.n_c), weights.dtype) if c0 is None else c0
    values = {name + "0": value for name, value in state.items()}
    if training:
        for name in TAPE_NAMES[weights.cell]:
            if name not in _INITIAL:
                width = {"a": weights.n_h, "c": weights.n_c}.get(name, weights.n_a)
                values[name] = np.zeros((T, m, width), weights.dtype)
    outputs = [(out, name) for out, name in ((y, "a"), (cells, "c")) if out is not None]
    if run.lengths is not None:
        for out, _ in outputs:
            out[...] = 0
    step, _ = _STEPS[weights.cell]
    with np.errstate(all="ignore"):
        for t in times(run, T):
            rows = taking_part(run, t)
            prev = start(run, t, rows, state)
            now = step(weights, x[t, rows], prev)
            new = finish(run, t, rows, prev, now, state)
            for out, name in outputs:
                out[t, rows] = new[name]
            state = {name: _replaced(state[name], rows, new[name]) for name in state}
            if training:
                if zones(run):
                    now.update({"made_" + name: now[name] for name in state})
                for name, value in now.items():
                    if name not in values:
                        values[name] = np.zeros((T, m, value.shape[1]), weights.dtype)
                    values[name][t, rows] = value
                for name, value in state.items():
                    values[name][t] = value
    aT[...] = state["a"]
    if cT is not None:
        cT[...] = state["c"]
    if not training:
        return None
    tape = Tape(weights, x, values)
    tape._run = run
    return tape


def _replaced(array, rows, value):
    """The array with other values in some rows, a new one."""
    if isinstance(rows, slice):  # all of them
        return value
    array = array.copy()
    array[rows] = value
    return array


def backward(tape, dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x, db_a, threads, extras, accumulate):
    """Go back through time: from dy, daT, dcT, dcells (None is zeros) fill all gradients.

    dx may be None, dc0 is None without cell states. extras: by name what is to be filled for peephole, projection, norm.
    What is filled is overwritten; with `accumulate` those of parameters are added to.
    """
    weights, x, run = tape.weights, tape.x, tape._run
    d = {"a": np.zeros((tape.m, weights.n_h), weights.dtype) if daT is None else daT}
    if weights.n_c:
        d["c"] = np.zeros((tape.m, weights.n_c), weights.dtype) if dcT is None else dcT
    parameters = {"W_x": dW_x, "W_a": dW_a, "b_x": db_x, "b_a": db_a, **extras}
    if not accumulate:
        for total in parameters.values():
            total[...] = 0
    if dx is not None and run.lengths is not None:
        dx[...] = 0
    inputs = [(array, name) for array, name in ((dy, "a"), (dcells, "c")) if array is not None]
    _, step_grad = _STEPS[weights.cell]
    with np.errstate(all="ignore"):
        for t in reversed(times(run, tape.T)):
            rows = taking_part(run, t)
            after = {name: value[rows] for name, value in d.items()}
            for array, name in inputs:
                after[name] = after[name] + array[t, rows]
            made, past = finish_grad(run, t, rows, after)
            grad = step_grad(weights, x[t, rows], start(run, t, rows, tape._before(t)), tape._made(t, rows), made)
            before = start_grad(run, t, rows, grad, past)
            d = {name: _replaced(d[name], rows, before[name]) for name in d}
            if dx is not None:
                dx[t, rows] = grad["x"]
            for name, total in parameters.items():
                total += grad[name]
    da0[...] = d["a"]
    if dc0 is not None:
        dc0[...] = d["c"]


def forward_many(weights, x, a0, c0, y, aT, cT, cells, training, threads, runs):
    """Run each of `weights`, as `forward` does, one after the other.

    All are of one form. Arrays are those of `forward` with an axis in front for the calls; x may lack it, and is then
    that of each; y and cells may have the features of all calls side by side instead. Returns a list of tapes, or of None.
    """
    n_h, n_c, tapes = weights[0].n_h, weights[0].n_c, []
    for k, (w, run) in enumerate(zip(weights, runs)):
        initial, final = (_part(a0, k), _part(c0, k)), (_part(aT, k), _part(cT, k))
        y_k, cells_k = _steps(y, k, n_h), _steps(cells, k, n_c)
        tapes.append(forward(w, _steps(x, k, w.n_x), *initial, y_k, *final, cells_k, training, threads, run))
    return tapes


def backward_many(tapes, dy, daT, dcT, dcells, dx, da0, dc0, dW_x, dW_a, db_x, db_a, threads, extras, accumulate):
    """Go back through time in each of `tapes`, as `backward` does, one after the other.

    All are of one form and length. Arrays are those of `backward` with an axis in front for the calls; dy and dcells may
    lack it, and are then those of each, or have the features of all side by side.
    """
    for k, tape in enumerate(tapes):
        w, own = tape.weights, {name: array[k] for name, array in extras.items()}
        last = _steps(dy, k, w.n_h), _part(daT, k), _part(dcT, k), _steps(dcells, k, w.n_c)
        first = _steps(dx, k, w.n_x), _part(da0, k), _part(dc0, k)
        backward(tape, *last, *first, dW_x[k], dW_a[k], db_x[k], db_a[k], threads, own, accumulate)


def _part(array, k):
    return None if array is None else array[k]


def _steps(array, k, n):
    """That of call k: of an array with the axis of calls, or with their features side by side, or the one of all."""
    if array is None or array.ndim == 4:
        return _part(array, k)
    return array if array.shape[2] == n else array[:, :, k * n : (k + 1) * n]


class Evaluation:
    """A quicker way through `forward_many` for arguments that can be read as they are: here there is none.

    `weights` run side by side over x as `runs` say; x and y have the axes `order` as time-major ones, or `apart` one in front.
    Called with x and what else may be asked for it returns (y, states), or None where the caller has to take the other way.
    """

    most, beside = 16, 2  # weights, as there

    def __init__(self, weights, runs, order, empty, dtype, threads, apart):
        pass

    def __call__(self, x, state=None, lengths=None, reset=None):
        return None


class Training(Evaluation):
    """Likewise for calls that train: forward gives (y, states, tapes), backward (dx, states, gradients), or None as here."""

    def __init__(self, weights, runs, order, empty, dtype, threads, apart, names):
        pass

    def forward(self, x, state=None, lengths=None, reset=None, masks=None, out=None, keep=True):
        return None

    def backward(self, tapes, dy, need_dx, dstate=None, out=None, sums=None):
        return None
