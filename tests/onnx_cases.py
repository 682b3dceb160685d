"""Nodes for tests: as plain objects, drawn at random with every option, and the published ones."""

import json
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from onnx_equations import DEFAULTS, TAKES, evaluate

SLOTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
OUTPUTS = {"RNN": ("Y", "Y_h"), "GRU": ("Y", "Y_h"), "LSTM": ("Y", "Y_h", "Y_c")}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_FIELDS = {float: ("f", "floats"), int: ("i", "ints"), str: ("s", "strings")}
PUBLISHED = Path(__file__).parent / "vectors" / "onnx"


def node(op, inputs, outputs=None, **attributes):
    """A node as an object with the fields of a NodeProto; names of inputs are those of their slots."""
    slots = SLOTS if op == "LSTM" else SLOTS[:6]
    names = [slot if slot in inputs else "" for slot in slots]
    while names and not names[-1]:
        names.pop()
    outputs = OUTPUTS[op] if outputs is None else outputs
    return SimpleNamespace(op_type=op, domain="", name="", input=names, output=list(outputs),
                           attribute=[attribute(*one) for one in attributes.items()])  # fmt: skip


def attribute(name, value):
    many = isinstance(value, (list, tuple))
    field = _FIELDS[type(value[0] if many else value)][many]
    return SimpleNamespace(name=name, **{field: value})


@lru_cache(None)
def published():
    """{name: (op, attributes, inputs, outputs, tolerance)}"""
    cases = json.loads((PUBLISHED / "ort_published.json").read_text())["cases"]
    found = {}
    with np.load(PUBLISHED / "ort_published.npz") as arrays:
        for name, case in cases.items():
            inputs, outputs = ({one["name"]: arrays[f"{name}/{side}/{one['name']}"] for one in case[kind]}
                               for side, kind in (("in", "inputs"), ("out", "outputs")))  # fmt: skip
            found[name] = case["op"], case["attributes"], inputs, outputs, case["atol"]
    return found


@lru_cache(None)
def drawn(op, seed, dtype, default_activations):
    """(attributes, inputs, truth): every option drawn at random.

    Weights are large enough for gates and clip to matter, smaller where unbounded activations would multiply up.
    """
    rng = np.random.default_rng([seed, len(op), GATES[op], default_activations])

    def maybe():
        return bool(rng.integers(2))

    T, m, n_x, n = (int(rng.integers(1, most)) for most in (7, 5, 5, 6))
    if default_activations and seed % 8 == 0:
        n = 17  # more than the kernels' group of 16 units
    direction = ("forward", "reverse", "bidirectional")[rng.integers(3)]
    D, G = 1 + (direction == "bidirectional"), GATES[op]
    attributes = {"direction": direction, "layout": int(rng.integers(2)), "hidden_size": n}
    if maybe():
        attributes["clip"] = float(rng.uniform(0.1, 1.5))
    if op == "LSTM":
        attributes["input_forget"] = int(rng.integers(2))
    if op == "GRU":
        attributes["linear_before_reset"] = int(rng.integers(2))
    if default_activations:
        if op == "RNN" and maybe():
            attributes["activations"] = [("Tanh", "Relu")[k] for k in rng.integers(2, size=D)]
    else:
        names = [list(TAKES)[k] for k in rng.integers(len(TAKES), size=len(DEFAULTS[op]) * D)]
        attributes["activations"] = [name.upper() if maybe() else name for name in names]
        must = "ScaledTanh" in names  # it has no defaults
        for k, key in enumerate(("activation_alpha", "activation_beta")):
            takers = sum(TAKES[name][k] for name in names)
            if takers and (must or maybe()):
                attributes[key] = rng.uniform(-0.9, 0.9, takers).tolist()
    inputs = {"X": (T, m, n_x), "W": (D, G * n, n_x), "R": (D, G * n, n)}
    optional = {"B": (D, 2 * G * n), "initial_h": (D, m, n)}
    if op == "LSTM":
        optional |= {"initial_c": (D, m, n), "P": (D, 3 * n)}
    inputs |= {name: shape for name, shape in optional.items() if maybe()}
    size = 0.7 if default_activations else 0.4
    inputs = {name: (size * rng.standard_normal(shape)).astype(dtype) for name, shape in inputs.items()}
    if maybe():
        inputs["sequence_lens"] = rng.integers(0, T + 1, m).astype(np.int32)
        for row, length in enumerate(inputs["sequence_lens"]):
            inputs["X"][length:, row] = np.nan  # nothing past an end is read
    if attributes["layout"] == 1:
        for name in {"X", "initial_h", "initial_c"} & set(inputs):
            inputs[name] = np.ascontiguousarray(inputs[name].swapaxes(0, 1))
    return attributes, inputs, evaluate(op, attributes, inputs)
