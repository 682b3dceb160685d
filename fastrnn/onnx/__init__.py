"""ONNX's recurrent operators: RNN, LSTM and GRU of opset 7 to 22, as nodes and in models.

`run_node` computes one node. `prepare` takes a model made of such nodes and of the few operators that only move data
around them, and returns an object with `run`. Both work in float32 and float64. Default activations (for RNN also
Relu) run on the active backend like everything else here; the other activations of the specification in NumPy.

The specification: https://onnx.ai/onnx/operators/ (pages RNN, LSTM, GRU). Where it is silent, onnxruntime decides: a
sequence of length 0 ends in zero states, whatever it started from, and alpha and beta go to those activations that
have one, in order. Gates are translated here: ONNX has i o f c and z r h, peepholes i o f.

    import fastrnn.onnx, onnx
    model = fastrnn.onnx.prepare(onnx.load("model.onnx"))
    outputs = model.run([x])
"""

from ._compute import compute
from ._model import Model
from ._node import read_node
from ._slots import by_slot

__all__ = ["Model", "prepare", "run_node", "supports_device"]


def run_node(node, inputs, device="CPU"):
    """Compute one RNN, LSTM or GRU node.

    node: a NodeProto, or anything with its fields op_type, domain, input, output and attribute · inputs: one array for
    each non-empty name of node.input; or one for each name, with None for the empty ones; or a dict by slot name (X, W,
    R, B, sequence_lens, initial_h, initial_c, P). All float32 or all float64, shapes as the operator has them.
    Returns a tuple, one array for each non-empty name of node.output.
    Raises ValueError or TypeError naming the attribute or input that does not fit, or that is not done here.

    >>> from types import SimpleNamespace as Node
    >>> import numpy as np
    >>> size = Node(name="hidden_size", i=5)
    >>> node = Node(op_type="GRU", domain="", input=["x", "w", "r"], output=["", "y_h"], attribute=[size])
    >>> (y_h,) = run_node(node, [np.ones((7, 2, 3)), np.ones((1, 15, 3)), np.ones((1, 15, 5))])
    >>> y_h.shape
    (1, 2, 5)
    """
    _check_device(device)
    operator = read_node(node)
    results = compute(operator, by_slot(operator, inputs))
    return tuple(results[slot] for slot in operator.outputs if slot is not None)


def prepare(model, device="CPU"):
    """Read a model once, to run it often: packed weights are kept.

    model: a ModelProto whose nodes are RNN, LSTM, GRU, or one of Concat, Constant, Expand, Gather, Identity, Reshape,
    Shape, Slice, Squeeze, Transpose, Unsqueeze. Returns a `Model`. Needs the package `onnx`.
    Raises ValueError naming every other operator that the model has, or what is invalid in it.
    """
    _check_device(device)
    return Model(model)


def supports_device(device):
    """Whether `device` is the CPU, the only one here.

    >>> supports_device("CPU"), supports_device("CUDA")
    (True, False)
    """
    return isinstance(device, str) and device.partition(":")[0].upper() == "CPU"


def _check_device(device):
    if not supports_device(device):
        raise ValueError(f"device: expected 'CPU', got {device!r}")
