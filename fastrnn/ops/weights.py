"""Packing one cell's parameters, and what may be added to a cell."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import _backend, _check
from .arguments import GATES

_NORM = ("gain_x", "shift_x", "gain_a", "shift_a")
_NORM_LSTM = (*_NORM, "gain_c", "shift_c")


class Extras(NamedTuple):
    """What `pack` was asked to add to a cell: arrays of its own, or None; see `pack`."""

    peephole: Any
    coupled: bool
    clip: Any
    projection: Any
    norm: Any

    def shapes(self):
        """The shapes of the parameters among these, by the names that their gradients have."""
        arrays = {"peephole": self.peephole, "projection": self.projection, **(self.norm or {})}
        return {name: array.shape for name, array in arrays.items() if array is not None}


def pack(cell, W_x, W_a, b_x=None, b_a=None, *, peephole=None, coupled=False, clip=None, projection=None, norm=None):
    """Copy one cell's parameters into the form that the active backend computes with.

    cell: "rnn_tanh", "rnn_relu", "lstm" (gates i f g o), "gru_after" or "gru_before" (r z n), "slstm" (i f g o), G = 1, 1,
    4, 3, 3, 4 gates.
    W_x (G n_a, n_x) · W_a (G n_a, n_h) · b_x, b_a (G n_a,) or None for zeros; all float32 or all float64. n_h, the
    width of the hidden state, is n_a but for a projection.
    peephole (3, n_a), lstm: the gates i f see the old cell, o the new one, each through a row of this.
    coupled, lstm: f = 1 - i; rows f of W, b, peephole and norm are ignored, and their gradients zero.
    clip: a number above 0; what a sigmoid, tanh or max is taken of is bounded to [-clip, clip] first.
    projection (n_h, n_a), lstm: a' = projection (o tanh(c')).
    norm: {"gain_x", "shift_x", "gain_a", "shift_a": (G n_a,)}, for an lstm also {"gain_c", "shift_c": (n_a,)}: layer
    normalisation (Ba et al. 2016) of W_x x and of W_a a over all gates, before biases, and of c' before its tanh.
    Returns weights for `forward`; later changes to the arrays do not reach them.
    Raises ValueError or TypeError naming the argument that does not fit.

    With W_x x + b_x + W_a a + b_a split into gates (fastrnn/reference has a page for each cell, and its source):
    rnn_tanh, rnn_relu   a' = tanh(that), max(that, 0)
    lstm                 c' = sigmoid(f) c + sigmoid(i) tanh(g), a' = sigmoid(o) tanh(c')
    gru_after            n = tanh(W_xn x + b_xn + sigmoid(r) (W_an a + b_an)), a' = (1 - sigmoid(z)) n + sigmoid(z) a
    gru_before           n = tanh(W_xn x + b_xn + W_an (sigmoid(r) a) + b_an), a' likewise
    slstm                m' = max(log sigmoid(f) + m, i), in units of exp(m'): c' = sigmoid(f) c + exp(i) tanh(g),
                         n' = sigmoid(f) n + exp(i), a' = sigmoid(o) c' / n'; it takes none of the arguments by keyword

    >>> import numpy as np
    >>> weights = pack("rnn_tanh", np.ones((2, 3)), np.zeros((2, 2)))
    >>> weights.n_x, weights.n_a, weights.dtype
    (3, 2, 'float64')
    """
    _check.one_of("cell", cell, tuple(GATES))
    cell = str(cell)  # a string of NumPy's is one, too
    gates = GATES[cell]
    rows = f"{gates} n_a" if gates > 1 else "n_a"
    W_a = _check.floats("W_a", W_a)
    if projection is not None:
        projection = _projection(cell, projection, W_a.dtype)
        n_h, n_a = projection.shape
        _check.shape("W_a", W_a, (rows, "n_h"), {rows: gates * n_a, "n_h": n_h})
    else:
        n_a = W_a.shape[-1] if W_a.ndim else 0
        if n_a < 1:
            raise ValueError(f"W_a: expected shape ({rows}, n_a) with n_a >= 1, got {W_a.shape}")
        _check.shape("W_a", W_a, (rows, "n_a"), {rows: gates * n_a, "n_a": n_a})
    W_x = _check.floats("W_x", W_x, W_a.dtype)
    _check.shape("W_x", W_x, (rows, "n_x"), {rows: gates * n_a})
    if W_x.shape[1] < 1:
        raise ValueError(f"W_x: expected shape ({rows}, n_x) with n_x >= 1, got {W_x.shape}")
    biases = []
    for name, b in (("b_x", b_x), ("b_a", b_a)):
        if b is not None:
            b = _check.floats(name, b, W_a.dtype)
            _check.shape(name, b, (rows,), {rows: gates * n_a})
            b = np.ascontiguousarray(b)
        biases.append(b)
    extras = None
    if peephole is not None or coupled or clip is not None or projection is not None or norm is not None:
        if peephole is not None:
            _only_lstm("peephole", cell, "None", "an array")
            peephole = _copy("peephole", peephole, W_a.dtype, ("3", "n_a"), {"n_a": n_a})
            if len(peephole) != 3:
                raise _check.shape_error("peephole", peephole, ("3", "n_a"), {"n_a": n_a})
        if coupled:
            _only_lstm("coupled", cell, "False", repr(coupled))
        if clip is not None:
            _not_slstm("clip", cell, clip)
            clip = _check.bound("clip", clip, W_a.dtype)
        if norm is not None:
            _not_slstm("norm", cell, "a dict")
            norm = _norms(norm, cell, W_a.dtype, rows, {rows: gates * n_a, "n_a": n_a})
        extras = Extras(peephole, bool(coupled), clip, projection, norm)
    return _backend.active().Weights(cell, np.ascontiguousarray(W_x), np.ascontiguousarray(W_a), *biases, extras)


def _only_lstm(name, cell, wanted, got):
    if cell != "lstm":
        raise ValueError(f"{name}: expected {wanted}, as only an lstm has it, got {got} for a {cell}")


def _not_slstm(name, cell, got):
    if cell == "slstm":
        raise ValueError(f"{name}: expected None for an slstm, got {got}")


def _copy(name, value, dtype, axes, known):
    """A contiguous copy of an array of that shape: backends refer to what is in Extras."""
    array = _check.floats(name, value, dtype)
    _check.shape(name, array, axes, known)
    return array.copy(order="C")


def _projection(cell, value, dtype):
    _only_lstm("projection", cell, "None", "an array")
    array = _copy("projection", value, dtype, ("n_h", "n_a"), {})
    if 0 in array.shape:
        raise ValueError(f"projection: expected shape (n_h, n_a) with n_h >= 1, n_a >= 1, got {array.shape}")
    return array


def _norms(norm, cell, dtype, rows, known):
    names = _NORM_LSTM if cell == "lstm" else _NORM
    if not isinstance(norm, Mapping):
        raise TypeError(f"norm: expected a dict with the keys {', '.join(names)}, got {type(norm).__name__}")
    if set(norm) != set(names):
        raise ValueError(f"norm: expected the keys {', '.join(names)}, got {', '.join(map(str, norm)) or 'none'}")
    axis = {name: "n_a" if name.endswith("_c") else rows for name in names}
    return {name: _copy(f"norm[{name!r}]", norm[name], dtype, (axis[name],), known) for name in names}
