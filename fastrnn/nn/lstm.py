"""The long short-term memory layer."""
import numpy as np

from .layer import pick_dtype
from .recurrent import _Recurrent


class LSTM(_Recurrent):
    """A long short-term memory layer, as torch.nn.LSTM.

        z = W_ih x_t + b_ih + W_hh h_(t-1) + b_hh            (gates i, f, g, o)
        c_t = sigmoid(z_f) c_(t-1) + sigmoid(z_i) tanh(z_g)
        h_t = sigmoid(z_o) tanh(c_t)

    x (T, m, input_size), state (h, c), each (num_layers * D, m, hidden_size) with D directions, y (T, m,
    D * hidden_size), all of `dtype`; `layout` "mtn" (also batch_first=True) and "nmt" order the axes of x and y
    otherwise, and x without m is one sequence.  Weights start as U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)) drawn
    from `seed`; `forget_bias`, if given, is the first value of the forget rows of bias_ih, with those of bias_hh at 0.
    `dropout` acts between layers and only in `forward`, whose tape refers to x: x must not be changed before
    `backward`.
    Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000).

    >>> import numpy as np
    >>> layer = LSTM(3, 5, seed=0)
    >>> y, (h, c) = layer(np.ones((7, 2, 3), np.float32))
    >>> y.shape, h.shape, c.shape
    ((7, 2, 5), (1, 2, 5), (1, 2, 5))
    """

    _cells, _pair = ("lstm",), True

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, *, forget_bias=None, layout=None, dtype=np.float32, seed=None):
        if forget_bias is not None:
            if not bias:
                raise ValueError(f"forget_bias: expected None with bias=False, got {forget_bias!r}")
            if isinstance(forget_bias, bool) or not isinstance(forget_bias, (int, float, np.integer, np.floating)):
                raise TypeError(f"forget_bias: expected a number or None, got {type(forget_bias).__name__}")
            if not abs(forget_bias) <= float(np.finfo(pick_dtype(dtype)).max):      # NaN is not either
                raise ValueError(f"forget_bias: expected a number that is finite in dtype, got {forget_bias!r}")
        self._forget_bias = forget_bias
        super().__init__("lstm", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         layout, dtype, seed)

    def _first_values(self, values):
        if self._forget_bias is None:
            return
        forget = slice(self.hidden_size, 2 * self.hidden_size)
        for name, value in values.items():
            if name.startswith("bias_ih"):
                value[forget] = self._forget_bias
            elif name.startswith("bias_hh"):
                # Otherwise the sum of the two, which is what acts, would be off by a random number.
                value[forget] = 0
