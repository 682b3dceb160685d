"""What a recurrent layer may be asked for beside the plain cell: checked once, the same for every block of a layer."""
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from .layer import count, fraction

MERGES = ("concat", "sum", "mul", "ave")


class Options(NamedTuple):
    """The options of RNN, LSTM, GRU and sLSTM with the values that leave a layer plain."""

    proj_size: int = 0
    peephole: bool = False
    input_forget: bool = False
    clip: Any = None
    layer_norm: bool = False
    zoneout: float = 0.0
    recurrent_dropout: float = 0.0
    weight_dropout: float = 0.0
    merge: str = "concat"

    def changed(self):
        """Those that are not plain, by name: what a file and a repr have to say."""
        plain = Options._field_defaults
        return {name: value for name, value in self._asdict().items() if value != plain[name]}


def check_options(cell, hidden_size, dtype, given):
    """The Options in the dict `given`; ValueError or TypeError names one that is wrong, or that only an LSTM has."""
    unknown = [name for name in given if name not in Options._fields]
    if unknown:
        raise TypeError(f"{unknown[0]}: expected one of the options {', '.join(Options._fields)}, got an unknown one")
    options = Options(**given)
    for name in ("proj_size", "peephole", "input_forget"):
        value = getattr(options, name)
        if cell != "lstm" and value:
            raise ValueError(f"{name}: expected {Options._field_defaults[name]}, as only an LSTM has it, got {value!r}")
    for name in ("clip", "layer_norm", "zoneout"):
        value = getattr(options, name)
        if cell == "slstm" and value is not None and (np.ndim(value) or value != Options._field_defaults[name]):
            raise ValueError(f"{name}: expected {Options._field_defaults[name]}, as an sLSTM does not have it, got {value!r}")
    proj_size = count("proj_size", options.proj_size, least=0)
    if proj_size >= hidden_size:
        raise ValueError(f"proj_size: expected less than hidden_size = {hidden_size}, got {proj_size}")
    if not isinstance(options.merge, str) or options.merge not in MERGES:
        raise ValueError(f"merge: expected one of {', '.join(MERGES)}, got {options.merge!r}")
    clip = None if options.clip is None else ops.bound("clip", options.clip, dtype)
    return Options(
        proj_size, bool(options.peephole), bool(options.input_forget), clip, bool(options.layer_norm),
        *(fraction(name, getattr(options, name)) for name in ("zoneout", "recurrent_dropout", "weight_dropout")),
        options.merge,
    )
