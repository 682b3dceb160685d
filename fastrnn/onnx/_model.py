"""A model: its nodes in order, its initialisers, and weights that stay packed from run to run."""

from collections.abc import Mapping

from .. import ops
from ..nn.layer import plain
from . import _surround
from ._compute import compute, pack_all
from ._node import SLOTS, read_node
from ._slots import by_slot

# The versions of the three operators that are done here; opset 7 has the first, 22 the last.
_VERSIONS = (7, 14, 22)
_WEIGHTS = ("W", "R", "B", "P")


class Model:
    """What `prepare` returns. `inputs` and `outputs` are the names that `run` takes and returns."""

    def __init__(self, model):
        onnx = _package()
        if not isinstance(model, onnx.ModelProto):
            raise TypeError(f"model: expected an onnx.ModelProto (onnx.load reads a file), got {type(model).__name__}")
        graph = model.graph
        _check_operators(onnx, model)
        if graph.sparse_initializer:
            raise ValueError(f"model: expected dense initialisers, got the sparse {graph.sparse_initializer[0].values.name}")
        self._tensor = onnx.numpy_helper.to_array
        self._initial = {tensor.name: self._tensor(tensor) for tensor in graph.initializer}
        for array in self._initial.values():
            array.flags.writeable = False  # an output may be one of them, and weights are packed only once
        self._all_inputs = tuple(value.name for value in graph.input)
        self.inputs = tuple(name for name in self._all_inputs if name not in self._initial)
        self.outputs = tuple(value.name for value in graph.output)
        self._nodes = [_Recurrent(node) if node.op_type in SLOTS else _Moving(node, self._tensor) for node in graph.node]
        self._check_order()

    def run(self, inputs):
        """Compute the model's outputs.

        inputs: arrays for `inputs`, the graph's inputs without those that have an initialiser, or for all of the
        graph's inputs, in order; or a dict by name, where those with an initialiser may be left out.
        Returns a tuple of arrays, one for each of `outputs`.
        Raises ValueError or TypeError naming the input that does not fit; a note says in which node.
        """
        values = {**self._initial, **{name: plain(name, value) for name, value in self._given(inputs).items()}}
        for node in self._nodes:
            try:
                values.update(node.run(values, self._initial))
            except (TypeError, ValueError) as error:
                error.add_note(f"in the node {node.name!r} ({node.op_type})")
                raise
        return tuple(values[name] for name in self.outputs)

    def _check_order(self):
        """Raise if something is read before it is there."""
        there = {*self._initial, *self._all_inputs}
        for node in self._nodes:
            for name in filter(None, node.inputs):
                if name not in there:
                    raise ValueError(f"model: expected every value to be computed before it is read, got {name!r} in the "
                                     f"node {node.name!r} ({node.op_type})")
            there.update(filter(None, node.outputs))
        for name in self.outputs:
            if name not in there:
                raise ValueError(f"model: expected outputs that its nodes compute, got {name!r}")

    def _given(self, inputs):
        if isinstance(inputs, Mapping):
            missing = [name for name in self.inputs if name not in inputs]
            unknown = [str(name) for name in inputs if name not in self._all_inputs]
            if missing or unknown:
                raise ValueError(f"inputs: expected arrays for {', '.join(self.inputs) or 'none'}, got none for "
                                 f"{', '.join(missing) or 'none'} and unknown names {', '.join(unknown) or 'none'}")
            return inputs
        if not isinstance(inputs, (list, tuple)):
            raise TypeError(f"inputs: expected a list of arrays or a dict by name, got {type(inputs).__name__}")
        for names in (self.inputs, self._all_inputs):
            if len(names) == len(inputs):
                return dict(zip(names, inputs))
        raise ValueError(f"inputs: expected {len(self.inputs)} arrays, for {', '.join(self.inputs)}, got {len(inputs)}")


class _Recurrent:
    """An RNN, LSTM or GRU node, with the weights that it was last packed for."""

    def __init__(self, node):
        self.name, self.op_type = node.name, node.op_type
        self.inputs, self.outputs = list(node.input), list(node.output)
        self._operator = read_node(node)
        self._constant = {slot: name for slot, name in zip(self._operator.inputs, self.inputs) if slot in _WEIGHTS}
        self._packed = None

    def run(self, values, initial):
        operator = self._operator
        arrays = by_slot(operator, [values[name] for name in self.inputs if name])
        weights = None
        # Kept only where nobody can write: an initialiser of this model that no input stands in for.
        if all(name in initial and values[name] is initial[name] for name in self._constant.values()):
            packed = self._packed
            if packed is None or packed[0] is not ops.active():
                packed = self._packed = ops.active(), pack_all(operator, arrays)
            weights = packed[1]
        results = compute(operator, arrays, weights)
        return {name: results[slot] for name, slot in zip(self.outputs, operator.outputs) if slot is not None}


class _Moving:
    """A node that only moves data."""

    def __init__(self, node, tensor):
        self.name, self.op_type = node.name, node.op_type
        self.inputs, self.outputs = list(node.input), list(node.output)
        self._function = _surround.read(node, tensor)

    def run(self, values, initial):
        return {self.outputs[0]: self._function(*(values[name] if name else None for name in self.inputs))}


def _package():
    try:
        import onnx
        import onnx.defs
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError("fastrnn.onnx.prepare reads models with the package onnx: pip install onnx") from error
    return onnx


def _check_operators(onnx, model):
    opsets = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not opsets:
        raise ValueError("model: expected an opset_import of ONNX's own operators, got none")
    known = (*SLOTS, *_surround.NAMES)
    others = {f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
              for node in model.graph.node if node.domain not in ("", "ai.onnx") or node.op_type not in known}  # fmt: skip
    if others:
        raise ValueError(f"model: expected the operators {', '.join(known)}, got also {', '.join(sorted(others))}")
    for op in sorted({node.op_type for node in model.graph.node} & set(SLOTS)):
        version = onnx.defs.get_schema(op, opsets[0], "").since_version
        if version not in _VERSIONS:
            raise ValueError(f"model: expected {op} of opset 7 to 22, got that of opset {version}")
