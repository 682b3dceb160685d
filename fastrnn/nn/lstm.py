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

    Options, all but proj_size by keyword; masks are drawn from the layer's generator, to 24 bits of probability:

        proj_size          h_t = W_hr (sigmoid(z_o) tanh(c_t)), weight_hr_l0 (proj_size, hidden_size): the width of h, y
        peephole           z_i += p_i c_(t-1), z_f += p_f c_(t-1), z_o += p_o c_t; weight_peephole_l0 (3, hidden_size)
        input_forget       the forget gate is 1 - sigmoid(z_i); its rows of the weights have no effect
        clip               bounds every pre-activation to [-clip, clip] before its activation
        layer_norm         z = LN(W_ih x_t) + b_ih + LN(W_hh h_(t-1)) + b_hh, h_t = sigmoid(z_o) tanh(LN(c_t)); LN(v) =
                           (v - mean) / sqrt(variance + 1e-5) * gain + shift over all gates of a step (with input_forget
                           all but f, which has no effect), or units of c;
                           parameters weight_norm_ih_l0 (gain), bias_norm_ih_l0 (shift), _hh_, _c_ (Ba et al. 2016)
        zoneout            probability that a unit keeps its old h, and its old c, in a step of `forward`; evaluation
                           takes the expectation (Krueger et al. 2017)
        recurrent_dropout  of what W_hh multiplies, one mask for all steps, in `forward` (Gal and Ghahramani 2016)
        weight_dropout     of the elements of W_hh, one mask a `forward` (Merity et al. 2018)
        merge              of two directions: "concat", "sum", "mul", "ave"; but for "concat", y has D = 1

    Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000).  Raises ValueError or TypeError naming what does not fit.

    >>> import numpy as np
    >>> layer = LSTM(3, 5, seed=0)
    >>> y, (h, c) = layer(np.ones((7, 2, 3), np.float32))
    >>> y.shape, h.shape, c.shape
    ((7, 2, 5), (1, 2, 5), (1, 2, 5))
    """

    _cells, _pair = ("lstm",), True

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, proj_size=0, *, peephole=False, input_forget=False,
                 forget_bias=None, layout=None, dtype=np.float32, seed=None, clip=None,
                 layer_norm=False, zoneout=0.0, recurrent_dropout=0.0, weight_dropout=0.0, merge="concat"):
        if forget_bias is not None:
            if not bias:
                raise ValueError(f"forget_bias: expected None with bias=False, got {forget_bias!r}")
            if isinstance(forget_bias, bool) or not isinstance(forget_bias, (int, float, np.integer, np.floating)):
                raise TypeError(f"forget_bias: expected a number or None, got {type(forget_bias).__name__}")
            if not abs(forget_bias) <= float(np.finfo(pick_dtype(dtype)).max):      # NaN is not either
                raise ValueError(f"forget_bias: expected a number that is finite in dtype, got {forget_bias!r}")
        self._forget_bias = forget_bias
        super().__init__("lstm", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         layout, dtype, seed, proj_size=proj_size, peephole=peephole, input_forget=input_forget,
                         clip=clip, layer_norm=layer_norm, zoneout=zoneout,
                         recurrent_dropout=recurrent_dropout, weight_dropout=weight_dropout, merge=merge)

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
