"""The inputs of a node, by slot name, checked against each other."""

from collections.abc import Mapping

import numpy as np

from ..nn.layer import plain
from ._node import GATES

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def by_slot(operator, inputs):
    """`inputs`, in any of the three forms of `run_node`, as a checked {slot: array}; no key for what is absent."""
    wanted = [slot for slot in operator.inputs if slot is not None]
    if isinstance(inputs, Mapping):
        found = {slot: value for slot, value in inputs.items() if value is not None}
    elif not isinstance(inputs, (list, tuple)):
        raise TypeError(f"inputs: expected a list of arrays or a dict by slot name, got {type(inputs).__name__}")
    elif len(inputs) == len(operator.inputs):
        found = {slot: value for slot, value in zip(operator.inputs, inputs) if slot is not None and value is not None}
        for slot, value in zip(operator.inputs, inputs):
            if slot is None and value is not None:
                raise ValueError("inputs: expected None for each empty name of node.input, got "
                                 f"{type(value).__name__}")
    elif len(inputs) == len(wanted):
        found = {slot: value for slot, value in zip(wanted, inputs) if value is not None}
    else:
        raise ValueError(f"inputs: expected {len(wanted)} arrays, for {', '.join(wanted)}, got {len(inputs)}")
    if set(found) != set(wanted):
        raise ValueError(f"inputs: expected arrays for {', '.join(wanted)}, got them for "
                         f"{', '.join(map(str, found)) or 'none'}")
    return _checked(operator, found)


def _checked(operator, found):
    arrays = {slot: plain(slot, value) for slot, value in found.items()}
    dtype = arrays["X"].dtype
    for slot, array in arrays.items():
        if slot == "sequence_lens":
            if array.dtype.kind not in "iu":
                raise TypeError(f"{slot}: expected integers, got {array.dtype.name}")
        elif array.dtype not in _FLOATS or array.dtype != dtype:
            wanted = "float32 or float64" if dtype not in _FLOATS else f"{dtype.name} like X"
            use = "float32" if dtype not in _FLOATS else dtype.name
            raise TypeError(f"{slot}: expected {wanted}, got {array.dtype.name}; convert it with .astype(np.{use})")
    D, G = len(operator.reverse), GATES[operator.op]
    R, X = arrays["R"], arrays["X"]
    n_a = R.shape[-1] if R.ndim == 3 else 0
    if n_a < 1 or operator.hidden_size not in (None, n_a):
        raise ValueError(f"R: expected 3 axes, the last of hidden_size{_size(operator.hidden_size)}, got {R.shape}")
    axes = ("seq_length", "batch_size") if operator.layout == 0 else ("batch_size", "seq_length")
    _shape("X", X, (*axes, "input_size"))
    if X.shape[2] < 1:
        raise ValueError(f"X: expected input_size >= 1, got shape {X.shape}")
    m = X.shape[axes.index("batch_size")]
    states = [("num_directions", D), ("batch_size", m), ("hidden_size", n_a)]
    if operator.layout == 1:
        states[:2] = states[1::-1]
    shapes = {
        "W": [("num_directions", D), (f"{G}*hidden_size", G * n_a), ("input_size", X.shape[2])],
        "R": [("num_directions", D), (f"{G}*hidden_size", G * n_a), ("hidden_size", n_a)],
        "B": [("num_directions", D), (f"{2 * G}*hidden_size", 2 * G * n_a)],
        "P": [("num_directions", D), ("3*hidden_size", 3 * n_a)],
        "sequence_lens": [("batch_size", m)],
        "initial_h": states,
        "initial_c": states,
    }
    for slot, array in arrays.items():
        if slot != "X":
            _shape(slot, array, *zip(*shapes[slot]))
    T = X.shape[axes.index("seq_length")]
    lengths = arrays.get("sequence_lens")
    if lengths is not None and m and not (0 <= lengths.min() and lengths.max() <= T):
        raise ValueError(f"sequence_lens: expected values from 0 to {T}, the steps of X, got {lengths.tolist()}")
    return arrays


def _size(value):
    return "" if value is None else f" = {value}"


def _shape(slot, array, axes, sizes=None):
    if array.ndim == len(axes) and sizes in (None, array.shape):
        return
    wanted = "" if sizes is None else f" = ({', '.join(map(str, sizes))}{',' * (len(sizes) == 1)})"
    raise ValueError(f"{slot}: expected shape ({', '.join(axes)}{',' * (len(axes) == 1)}){wanted}, got {array.shape}")
