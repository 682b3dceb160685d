"""The functions of the Sequence Models course (deeplearning.ai), drop-in: same names, same numbers, faster.

Arrays are the course's, (n_x, m, T_x) and (n_a, m, T_x).  Everything here is translation: names, axes and
orders of gates to those of `fastrnn.ops`, and back.
"""

from .gru import gru_backward, gru_cell_backward, gru_cell_forward, gru_forward
from .lstm import lstm_backward, lstm_cell_backward, lstm_cell_forward, lstm_forward
from .output import sequence_loss
from .rnn import rnn_backward, rnn_cell_backward, rnn_cell_forward, rnn_forward

__all__ = [
    "gru_backward",
    "gru_cell_backward",
    "gru_cell_forward",
    "gru_forward",
    "lstm_backward",
    "lstm_cell_backward",
    "lstm_cell_forward",
    "lstm_forward",
    "rnn_backward",
    "rnn_cell_backward",
    "rnn_cell_forward",
    "rnn_forward",
    "sequence_loss",
]
