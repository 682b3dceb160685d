"""Layers: parameters and calls into ops."""
from .embedding import Embedding
from .ensemble import Ensemble
from .gru import GRU
from .layer import load
from .linear import Linear
from .losses import logistic, softmax_cross_entropy, squared_error
from .lstm import LSTM
from .rnn import RNN
from .scan import LinearRecurrence, minGRU, minLSTM
from .slstm import sLSTM
from .stream import Stream

__all__ = [
    "Embedding", "Ensemble", "GRU", "LSTM", "Linear", "LinearRecurrence", "RNN", "Stream", "load", "logistic", "minGRU",
    "minLSTM", "sLSTM", "softmax_cross_entropy", "squared_error",
]  # fmt: skip
