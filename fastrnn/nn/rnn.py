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

    Options, by keyword; masks are drawn from the layer's generator, to 24 bits of probability:

        clip               bounds every pre-activation to [-clip, clip] before its activation
        layer_norm         h_t = tanh(LN(W_ih x_t) + b_ih + LN(W_hh h_(t-1)) + b_hh), LN(v) = (v - mean) /
                           sqrt(variance + 1e-5) * gain + shift over all units of a step; parameters
                           weight_norm_ih_l0 (gain), bias_norm_ih_l0 (shift), likewise _hh_ (Ba et al. 2016)
        zoneout            probability that a unit keeps its old h in a step of `forward`; evaluation takes the
                           expectation (Krueger et al. 2017)
        recurrent_dropout  of what W_hh multiplies, one mask for all steps, in `forward` (Gal and Ghahramani 2016)
        weight_dropout     of the elements of W_hh, one mask a `forward` (Merity et al. 2018)
        merge              of two directions: "concat", "sum", "mul", "ave"; but for "concat", y has D = 1

    Elman, Finding structure in time (1990).  Raises ValueError or TypeError naming what does not fit.

    >>> import numpy as np
    >>> layer = RNN(3, 5, seed=0)
    >>> y, state = layer(np.ones((7, 2, 3), np.float32))
    >>> y.shape, state.shape
    ((7, 2, 5), (1, 2, 5))
    """

    _cells, _pair = ("rnn_tanh", "rnn_relu"), False
    _second = "nonlinearity='relu'"

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
                 dropout=0.0, bidirectional=False, *, layout=None, dtype=np.float32, seed=None, clip=None,
                 layer_norm=False, zoneout=0.0, recurrent_dropout=0.0, weight_dropout=0.0, merge="concat"):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity: expected 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(f"rnn_{nonlinearity}", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, layout, dtype, seed, clip=clip, layer_norm=layer_norm, zoneout=zoneout,
                         recurrent_dropout=recurrent_dropout, weight_dropout=weight_dropout, merge=merge)
