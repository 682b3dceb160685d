"""The specification: every cell, forward and backward, in plain NumPy.

The native extension obeys this package: same names, same parameters, same results within
rounding. It is written to be read, one page a cell with the gradient beside the forward step, and
has no fast path. Nothing is checked here; `fastrnn.ops` does that, once, above both backends.
"""

from .activations import activate
from .chance import chance
from .linear import Linear, add_rows, linear_backward, linear_forward, take_rows
from .losses import loss
from .scan import scan, scan_backward
from .sequence import CELLS, TAPE_NAMES, Evaluation, Tape, Training, Weights, backward, backward_many, forward, forward_many
from .stream import Stream

__all__ = [
    "CELLS", "Evaluation", "Linear", "Stream", "TAPE_NAMES", "Tape", "Training", "Weights", "activate", "add_rows", "backward",
    "backward_many", "chance", "forward", "forward_many", "linear_backward", "linear_forward", "loss", "scan", "scan_backward",
    "take_rows",
]  # fmt: skip
