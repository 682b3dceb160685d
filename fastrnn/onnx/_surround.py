"""The operators that stand between recurrent ones and only move data: no arithmetic."""

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


def _identity(x):
    return x


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


# Each with the attributes that it may have; axes were one before opset 13, and are an input since.
_TABLE = {
    "Concat": (_concat, {"axis": "INT"}),
    "Constant": (_constant, {"value": "TENSOR", "value_float": "FLOAT", "value_floats": "FLOATS", "value_int": "INT",
                             "value_ints": "INTS"}),
    "Identity": (_identity, {}),
    "Reshape": (_reshape, {"allowzero": "INT"}),
    "Squeeze": (_squeeze, {"axes": "INTS"}),
    "Transpose": (_transpose, {"perm": "INTS"}),
    "Unsqueeze": (_unsqueeze, {"axes": "INTS"}),
}  # fmt: skip
NAMES = tuple(_TABLE)
