"""From an Operator and its arrays to its results: this library's gate orders, weights, and one run per direction."""

import numpy as np

from .. import ops
from ._loop import LoopWeights
from ._loop import forward as loop_forward

# ONNX's gates (i o f c, z r h) in this library's order (i f g o, r z n), and peepholes i o f as i f o.
_ORDER = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
_PEEPHOLES = (0, 2, 1)
_LAYOUTS = ("tmn", "mtn")
# The activations that the backends compute, and the cell that has them.
_FUSED = {("LSTM", "sigmoid", "tanh", "tanh"): "lstm", ("RNN", "tanh"): "rnn_tanh", ("RNN", "relu"): "rnn_relu"}
_GRU_FUSED = ("sigmoid", "tanh")


def compute(operator, arrays, weights=None):
    """{slot: array} of all results. `weights`, if given, are those that `pack_all` made of the same arrays."""
    weights = pack_all(operator, arrays) if weights is None else weights
    by_time = operator.layout == 0
    T, m = arrays["X"].shape[:2] if by_time else arrays["X"].shape[1::-1]
    lengths = arrays.get("sequence_lens")
    empty = np.full(m, T == 0) if lengths is None else lengths == 0
    ys, ends = [], []
    for d, reverse in enumerate(operator.reverse):
        states = [arrays.get(slot) for slot in ("initial_h", "initial_c")[: 2 if operator.op == "LSTM" else 1]]
        states = [state if state is None else state[d] if by_time else state[:, d] for state in states]
        y, end = _run(weights[d], arrays["X"], states, lengths, reverse, _LAYOUTS[operator.layout])
        for state in end:
            state[empty] = 0  # as onnxruntime has it; the recurrence would keep what the row started from
        ys.append(y)
        ends.append(end)
    results = {"Y": _joined(ys, 1 if by_time else 2)}
    for slot, parts in zip(("Y_h", "Y_c"), zip(*ends)):
        results[slot] = _joined(parts, 0 if by_time else 1)
    return results


def pack_all(operator, arrays):
    """Weights of each direction: of `ops`, or of the loop where an activation is none that the backends have."""
    return [_pack(operator, arrays, d) for d in range(len(operator.reverse))]


def _pack(operator, arrays, d):
    op, functions = operator.op, operator.activations[d]
    names = tuple(function.name for function in functions)
    cell = {"RNN": "rnn", "LSTM": "lstm", "GRU": "gru_after" if operator.after else "gru_before"}[op]
    fused = cell if op == "GRU" and names == _GRU_FUSED else _FUSED.get((op, *names))
    W_x, W_a = (_ordered(arrays[slot][d], _ORDER[op]) for slot in "WR")
    b_x = b_a = peephole = None
    if "B" in arrays:
        b_x, b_a = (_ordered(b, _ORDER[op]) for b in np.split(arrays["B"][d], 2))
    if "P" in arrays:
        peephole = arrays["P"][d].reshape(3, -1)[list(_PEEPHOLES)]
    if fused is None:
        return LoopWeights(cell, W_x, W_a, b_x, b_a, peephole, operator.coupled, operator.clip, functions)
    return ops.pack(fused, W_x, W_a, b_x, b_a, peephole=peephole, coupled=operator.coupled, clip=operator.clip)


def _ordered(array, order):
    return np.concatenate([np.split(array, len(order))[k] for k in order])


def _run(weights, x, states, lengths, reverse, layout):
    """y in `layout` and the last states of one direction."""
    if not isinstance(weights, LoopWeights):
        y, end, _, _ = ops.forward(weights, x, tuple(states), layout=layout, lengths=lengths, reverse=reverse)
        return y, end
    x = x if layout == "tmn" else x.transpose(1, 0, 2)
    T, m, _ = x.shape
    states = [np.zeros((m, weights.W_a.shape[1]), x.dtype) if state is None else state for state in states]
    y, end = loop_forward(weights, x, states, np.full(m, T) if lengths is None else lengths, reverse)
    return (y if layout == "tmn" else np.ascontiguousarray(y.transpose(1, 0, 2))), end


def _joined(parts, axis):
    return np.expand_dims(parts[0], axis) if len(parts) == 1 else np.stack(parts, axis)
