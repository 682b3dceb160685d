"""The LSTM with exponential gates and a normaliser."""
import numpy as np

from .recurrent import _Recurrent


class sLSTM(_Recurrent):
    """An LSTM with exponential input gates, the sLSTM of Beck et al., "xLSTM: extended long short-term memory" (2024).

        z = W_ih x_t + b_ih + W_hh h_(t-1) + b_hh                        (gates i, f, g, o)
        C_t = sigmoid(z_f) C_(t-1) + exp(z_i) tanh(z_g)
        N_t = sigmoid(z_f) N_(t-1) + exp(z_i)
        h_t = sigmoid(z_o) C_t / N_t

    What a step remembers is weighed by exp(z_i), so that a later step can outweigh all before it.  Of the paper's two
    forget gates this is the sigmoid.  C and N may be too large for a float: they are kept as c = C exp(-m) and n =
    N exp(-m), with m_t = max(log sigmoid(z_f) + m_(t-1), z_i), and m_t = z_i where n_(t-1) = 0.

    x (T, m, input_size); state (h, c), h (num_layers * D, m, hidden_size) with D directions, c (num_layers * D, m,
    3 * hidden_size): c, n and m of every unit side by side, n >= 0, and zeros are a state that remembers nothing; y (T,
    m, D * hidden_size), all of `dtype`.  Cells of each step (return_cells, dcells) have 3 * hidden_size for a direction
    too.  `layout`, initial weights, `seed`, `dropout`, `recurrent_dropout`, `weight_dropout` and `merge` are as in
    LSTM; clip, layer_norm and zoneout are refused.  Raises ValueError or TypeError naming what does not fit.

    >>> import numpy as np
    >>> layer = sLSTM(3, 5, seed=0)
    >>> y, (h, c) = layer(np.ones((7, 2, 3), np.float32))
    >>> y.shape, h.shape, c.shape
    ((7, 2, 5), (1, 2, 5), (1, 2, 15))
    """

    _cells, _pair = ("slstm",), True

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, *, layout=None, dtype=np.float32, seed=None, clip=None, layer_norm=False,
                 zoneout=0.0, recurrent_dropout=0.0, weight_dropout=0.0, merge="concat"):
        super().__init__("slstm", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         layout, dtype, seed, clip=clip, layer_norm=layer_norm, zoneout=zoneout,
                         recurrent_dropout=recurrent_dropout, weight_dropout=weight_dropout, merge=merge)
