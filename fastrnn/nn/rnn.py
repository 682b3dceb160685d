"""The tanh or ReLU recurrent layer."""
import numpy as np

from .recurrent import _Recurrent


class RNN(_Recurrent):
    """A recurrent layer with tanh or ReLU units, as torch.nn.RNN.

        h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)

    x (T, m, input_size), state (num_layers * D, m, hidden_size) with D directions, y (T, m, D * hidden_size), all of
    `dtype`; `layout` "mtn" (also batch_first=True) and "nmt" order the axes of x and y otherwise, and x without m is
    one sequence.  Weights start as U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)) drawn from `seed`; `dropout` acts
    between layers and only in `forward`, whose tape refers to x: x must not be changed before `backward`.
    Elman, Finding structure in time (1990).

    >>> import numpy as np
    >>> layer = RNN(3, 5, seed=0)
    >>> y, state = layer(np.ones((7, 2, 3), np.float32))
    >>> y.shape, state.shape
    ((7, 2, 5), (1, 2, 5))
    """

    _cells, _pair = ("rnn_tanh", "rnn_relu"), False
    _second = "nonlinearity='relu'"

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
                 dropout=0.0, bidirectional=False, *, layout=None, dtype=np.float32, seed=None):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity: expected 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(f"rnn_{nonlinearity}", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, layout, dtype, seed)
