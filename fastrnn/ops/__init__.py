"""The array interface: a sequence forward, and back; checks, layouts and memory above either backend.

Layouts name the axes of x from the slowest to the fastest: "tmn" (T, m, n), "mtn" (m, T, n), "nmt" (n, m, T).
Backends see time-major views of all three, so that no layout costs a copy. States are (m, n_a) in every layout,
hidden states (m, n_h) where a projection makes them narrower.
"""

from .._backend import active
from .._check import as_array, bound
from .again import Again
from .chance import chance
from .elementwise import activate
from .group import Group, training
from .positions import add_rows, linear, linear_backward, loss, pack_linear, take_rows
from .run import Run
from .scan import scan, scan_backward
from .sequence import Gradients, Result, backward, backward_many, forward, forward_many
from .streams import advance, clear, set_states, states, stream
from .tapes import read, tape, tape_names
from .weights import Extras, pack

# `active`, `as_array` and `bound` are for layers, which know ops and not what is below it.
__all__ = [
    "Again", "Extras", "Gradients", "Group", "Result", "Run", "activate", "active", "add_rows", "advance", "as_array",
    "backward", "backward_many", "bound", "chance", "clear", "forward", "forward_many", "linear", "linear_backward", "loss",
    "pack", "pack_linear", "read", "scan", "scan_backward", "set_states", "states", "stream", "take_rows", "tape",
    "tape_names", "training",
]  # fmt: skip
