"""Layers: parameters and calls into ops."""
from .gru import GRU
from .layer import load
from .linear import Linear
from .losses import logistic, softmax_cross_entropy, squared_error
from .lstm import LSTM
from .rnn import RNN

__all__ = ["GRU", "LSTM", "Linear", "RNN", "load", "logistic", "softmax_cross_entropy", "squared_error"]
