"""What a node asks for, read from its fields alone: no package `onnx` is needed here."""

import math
from typing import NamedTuple

from . import _activations

SLOTS = {
    "RNN": ("X", "W", "R", "B", "sequence_lens", "initial_h"),
    "LSTM": ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"),
    "GRU": ("X", "W", "R", "B", "sequence_lens", "initial_h"),
}
RESULTS = {"RNN": ("Y", "Y_h"), "LSTM": ("Y", "Y_h", "Y_c"), "GRU": ("Y", "Y_h")}
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}

_DEFAULTS = {"RNN": ("Tanh",), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh")}
# AttributeProto.type and the field that it fills
_TYPES = {"FLOAT": (1, "f"), "INT": (2, "i"), "STRING": (3, "s"), "TENSOR": (4, "t"), "FLOATS": (6, "floats"),
          "INTS": (7, "ints"), "STRINGS": (8, "strings")}  # fmt: skip
_COMMON = {"activations": "STRINGS", "activation_alpha": "FLOATS", "activation_beta": "FLOATS", "clip": "FLOAT",
           "direction": "STRING", "hidden_size": "INT", "layout": "INT"}  # fmt: skip
_ATTRIBUTES = {"RNN": _COMMON, "LSTM": {**_COMMON, "input_forget": "INT"},
               "GRU": {**_COMMON, "linear_before_reset": "INT"}}  # fmt: skip


class Operator(NamedTuple):
    """A node, read and checked."""

    op: str
    inputs: tuple  # a slot's name for each name of node.input, None for an empty one
    outputs: tuple  # likewise of node.output
    reverse: tuple  # for each direction, whether it runs from the end
    activations: tuple  # for each direction, its functions in the specification's order
    clip: float | None
    coupled: bool
    after: bool
    layout: int
    hidden_size: int | None


def read_node(node):
    """The Operator that `node` describes; ValueError or TypeError for what it is not."""
    op, domain = getattr(node, "op_type", None), getattr(node, "domain", "")
    if op not in SLOTS or domain not in ("", "ai.onnx"):
        got = f"{domain}.{op}" if domain else op if op is not None else type(node).__name__
        raise ValueError(f"node: expected an operator {', '.join(SLOTS)}, got {got}")
    given = read_attributes(node, _ATTRIBUTES[op])
    direction = given.get("direction", "forward")
    if direction not in DIRECTIONS:
        raise ValueError(f"direction: expected one of {', '.join(DIRECTIONS)}, got {direction!r}")
    flags = {name: given.get(name, 0) for name in ("layout", "input_forget", "linear_before_reset")}
    for name, value in flags.items():
        if value not in (0, 1):
            raise ValueError(f"{name}: expected 0 or 1, got {value!r}")
    clip = given.get("clip")
    if clip is not None and not 0 < clip < math.inf:
        raise ValueError(f"clip: expected a finite number above 0, got {clip!r}")
    size = given.get("hidden_size")
    if size is not None and size < 1:
        raise ValueError(f"hidden_size: expected at least 1, got {size!r}")
    reverse = DIRECTIONS[direction]
    return Operator(
        op, _named("input", node.input, SLOTS[op], required=3), _named("output", node.output, RESULTS[op]), reverse,
        _functions(op, len(reverse), given), clip, bool(flags["input_forget"]), bool(flags["linear_before_reset"]),
        flags["layout"], size,
    )  # fmt: skip


def read_attributes(node, known):
    """{name: value} of a node's attributes, each of the type that `known` has for its name."""
    found = {}
    for attribute in node.attribute:
        name = attribute.name
        if name not in known:
            raise ValueError(f"{node.op_type}: expected no attribute but {', '.join(known) or 'none'}, got {name!r}")
        number, field = _TYPES[known[name]]
        # Type 0 is a producer that left it out; only what has the field can say then.
        if getattr(attribute, "type", 0) not in (0, number) or getattr(attribute, "ref_attr_name", ""):
            raise TypeError(f"{name}: expected an attribute with a {known[name]} of its own, got another type or a "
                            "reference")
        value = getattr(attribute, field)
        found[name] = [_text(one) for one in value] if field == "strings" else _text(value)
    return found


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _named(kind, names, slots, required=0):
    """The slot of each name, None where the name is empty."""
    names = list(names)
    if len(names) > len(slots):
        raise ValueError(f"node.{kind}: expected at most {len(slots)} names, {', '.join(slots)}, got {len(names)}")
    for k in range(required):
        if k >= len(names) or not names[k]:
            raise ValueError(f"node.{kind}: expected a name for {slots[k]}, got none")
    return tuple(slot if name else None for slot, name in zip(slots, names))


def _functions(op, directions, given):
    """For each direction its activations."""
    defaults = _DEFAULTS[op]
    names = given.get("activations") or defaults * directions
    if op == "RNN" and directions == 1 and len(names) == 2 and names[0].lower() == names[1].lower():
        names = names[:1]  # the specification's default has two for every direction
    if len(names) != len(defaults) * directions:
        raise ValueError(f"activations: expected {len(defaults) * directions} names, got {len(names)}")
    chosen = _activations.choose(names, given.get("activation_alpha", ()), given.get("activation_beta", ()))
    return tuple(tuple(chosen[d * len(defaults) : (d + 1) * len(defaults)]) for d in range(directions))
