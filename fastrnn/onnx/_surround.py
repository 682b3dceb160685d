"""The operators that exporters write around recurrent ones, which only move data and sizes: no arithmetic."""

from functools import partial

import numpy as np

from ._node import read_attributes

_CONSTANTS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}


def read(node, tensor):
    """`node` as a function of its inputs; `tensor` turns a TensorProto into an array."""
    function, known = _TABLE[node.op_type]
    given = read_attributes(node, known)
    if node.op_type == "Constant":
        if len(given) != 1:
            raise ValueError(f"Constant: expected one of {', '.join(known)}, got {len(given)} of them")
        ((name, value),) = given.items()
        given = {"value": tensor(value) if name == "value" else np.array(value, _CONSTANTS[name])}
    if node.op_type == "Concat" and "axis" not in given:
        raise ValueError("Concat: expected the attribute axis, got none")
    return partial(function, **given)


def _constant(value):
    return value


def _expand(x, shape):
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(map(int, shape))))


def _gather(x, indices, axis=0):
    return np.take(x, indices, axis)


def _identity(x):
    return x


def _shape(x, start=0, end=None):
    return np.array(x.shape[start:end], np.int64)


def _slice(x, starts, ends, axes=None, steps=None):
    cut = [slice(None)] * x.ndim
    axes, steps = range(len(starts)) if axes is None else axes, [1] * len(starts) if steps is None else steps
    for axis, start, end, step in zip(axes, starts, ends, steps):
        cut[axis] = slice(int(start), int(end), int(step))
    return x[tuple(cut)]


def _concat(*parts, axis):
    return np.concatenate(parts, axis)


def _transpose(x, perm=None):
    return x.transpose(perm)


def _reshape(x, shape, allowzero=0):
    return x.reshape([x.shape[k] if size == 0 and not allowzero else int(size) for k, size in enumerate(shape)])


def _squeeze(x, axes=None):
    return x.squeeze(None if axes is None else tuple(map(int, axes)))


def _unsqueeze(x, axes):
    return np.expand_dims(x, tuple(map(int, axes)))


# Each with the attributes that it may have. Some were attributes once and are inputs now: axes since opset 13, those of
# Slice since 10.
_TABLE = {
    "Concat": (_concat, {"axis": "INT"}),
    "Constant": (_constant, {"value": "TENSOR", "value_float": "FLOAT", "value_floats": "FLOATS", "value_int": "INT",
                             "value_ints": "INTS"}),
    "Expand": (_expand, {}),
    "Gather": (_gather, {"axis": "INT"}),
    "Identity": (_identity, {}),
    "Reshape": (_reshape, {"allowzero": "INT"}),
    "Shape": (_shape, {"start": "INT", "end": "INT"}),
    "Slice": (_slice, {"starts": "INTS", "ends": "INTS", "axes": "INTS"}),
    "Squeeze": (_squeeze, {"axes": "INTS"}),
    "Transpose": (_transpose, {"perm": "INTS"}),
    "Unsqueeze": (_unsqueeze, {"axes": "INTS"}),
}  # fmt: skip
NAMES = tuple(_TABLE)
