"""The gated recurrent unit layer."""
import numpy as np

from .recurrent import _Recurrent


class GRU(_Recurrent):
    """A gated recurrent unit layer, as torch.nn.GRU.

        r = sigmoid(W_ir x_t + b_ir + W_hr h_(t-1) + b_hr),  z likewise
        n = tanh(W_in x_t + b_in + r * (W_hn h_(t-1) + b_hn))      reset_after=True
        n = tanh(W_in x_t + b_in + W_hn (r * h_(t-1)) + b_hn)      reset_after=False
        h_t = (1 - z) * n + z * h_(t-1)

    x (T, m, input_size), state (num_layers * D, m, hidden_size) with D directions, y (T, m, D * hidden_size), all of
    `dtype`; `layout` "mtn" (also batch_first=True) and "nmt" order the axes of x and y otherwise, and x without m is
    one sequence.  Weights start as U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)) drawn from `seed`; `dropout` acts
    between layers and only in `forward`, whose tape refers to x: x must not be changed before `backward`.
    Cho et al. (2014), reset_after=False; the other form is cuDNN's.

    >>> import numpy as np
    >>> layer = GRU(3, 5, bidirectional=True, seed=0)
    >>> y, state = layer(np.ones((7, 2, 3), np.float32))
    >>> y.shape, state.shape
    ((7, 2, 10), (2, 2, 5))
    """

    _cells, _pair = ("gru_after", "gru_before"), False
    _second = "reset_after=False"

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, *, reset_after=True, layout=None, dtype=np.float32, seed=None):
        super().__init__("gru_after" if reset_after else "gru_before", input_size, hidden_size, num_layers, bias,
                         batch_first, dropout, bidirectional, layout, dtype, seed)
