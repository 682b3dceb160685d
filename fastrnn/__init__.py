"""fastrnn: recurrent networks at the speed of the CPU, for people who have NumPy and want nothing else."""

__version__ = "0.1.0"

from . import _backend, charlm, models, nn, ops, optim
from ._backend import (
    backend,
    config,
    get_backend,
    get_num_threads,
    num_threads,
    set_backend,
    set_num_threads,
    show_config,
)
from .course import (
    gru_backward,
    gru_cell_backward,
    gru_cell_forward,
    gru_forward,
    lstm_backward,
    lstm_cell_backward,
    lstm_cell_forward,
    lstm_forward,
    rnn_backward,
    rnn_cell_backward,
    rnn_cell_forward,
    rnn_forward,
    sequence_loss,
)
from .nn import GRU, LSTM, RNN, Embedding, Ensemble, Linear, LinearRecurrence, load, minGRU, minLSTM, sLSTM

_backend.facts["version"] = __version__

__all__ = [
    "Embedding",
    "Ensemble",
    "GRU",
    "LSTM",
    "Linear",
    "LinearRecurrence",
    "RNN",
    "backend",
    "charlm",
    "config",
    "get_backend",
    "get_num_threads",
    "gru_backward",
    "gru_cell_backward",
    "gru_cell_forward",
    "gru_forward",
    "load",
    "lstm_backward",
    "lstm_cell_backward",
    "lstm_cell_forward",
    "lstm_forward",
    "minGRU",
    "minLSTM",
    "models",
    "nn",
    "num_threads",
    "ops",
    "optim",
    "rnn_backward",
    "rnn_cell_backward",
    "rnn_cell_forward",
    "rnn_forward",
    "sLSTM",
    "sequence_loss",
    "set_backend",
    "set_num_threads",
    "show_config",
]
