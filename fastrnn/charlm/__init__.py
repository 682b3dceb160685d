"""The character-level language model of the Sequence Models course (deeplearning.ai), drop-in and fast.

A name is one call into `fastrnn.ops`, forward and back.  The course has two editions: where they name an
argument differently, both names work.

Source: Sequence Models, week 1, "Character level language model"; its step functions follow A. Karpathy's
min-char-rnn.

>>> from fastrnn.charlm import model
>>> chars = {0: "\\n", 1: "a", 2: "b"}
>>> parameters, name = model(["abba", "baab"], chars, {c: i for i, c in chars.items()}, 1, 4, 1, 3)
Iteration: 0, Loss: 1.103007
<BLANKLINE>
Aabbbb
<BLANKLINE>
<BLANKLINE>
"""

from .names import get_initial_loss, get_sample, model, print_sample, sample, smooth
from .network import (
    clip,
    initialize_parameters,
    optimize,
    rnn_backward,
    rnn_forward,
    rnn_step_backward,
    rnn_step_forward,
    update_parameters,
)

__all__ = [
    "clip",
    "get_initial_loss",
    "get_sample",
    "initialize_parameters",
    "model",
    "optimize",
    "print_sample",
    "rnn_backward",
    "rnn_forward",
    "rnn_step_backward",
    "rnn_step_forward",
    "sample",
    "smooth",
    "update_parameters",
]
