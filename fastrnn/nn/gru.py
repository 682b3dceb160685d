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

    Options, by keyword; masks are drawn from the layer's generator, to 24 bits of probability:

        clip               bounds every pre-activation to [-clip, clip] before its activation
        layer_norm         LN(W_ih x_t) and LN(W_hh h_(t-1)) in the place of the products, before the biases; LN(v) =
                           (v - mean) / sqrt(variance + 1e-5) * gain + shift over all gates of a step (with
                           reset_after=False the rows r, z of W_hh and n apart); parameters weight_norm_ih_l0 (gain),
                           bias_norm_ih_l0 (shift), likewise _hh_ (Ba et al. 2016)
        zoneout            probability that a unit keeps its old h in a step of `forward`; evaluation takes the
                           expectation (Krueger et al. 2017)
        recurrent_dropout  of what W_hh multiplies, one mask for all steps, in `forward` (Gal and Ghahramani 2016)
        weight_dropout     of the elements of W_hh, one mask a `forward` (Merity et al. 2018)
        merge              of two directions: "concat", "sum", "mul", "ave"; but for "concat", y has D = 1

    Cho et al. (2014), reset_after=False; the other form is cuDNN's.  Raises ValueError or TypeError naming what does not fit.

    >>> import numpy as np
    >>> layer = GRU(3, 5, bidirectional=True, seed=0)
    >>> y, state = layer(np.ones((7, 2, 3), np.float32))
    >>> y.shape, state.shape
    ((7, 2, 10), (2, 2, 5))
    """

    _cells, _pair = ("gru_after", "gru_before"), False
    _second = "reset_after=False"

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, *, reset_after=True, layout=None, dtype=np.float32, seed=None, clip=None,
                 layer_norm=False, zoneout=0.0, recurrent_dropout=0.0, weight_dropout=0.0, merge="concat"):
        super().__init__("gru_after" if reset_after else "gru_before", input_size, hidden_size, num_layers, bias,
                         batch_first, dropout, bidirectional, layout, dtype, seed, clip=clip, layer_norm=layer_norm,
                         zoneout=zoneout, recurrent_dropout=recurrent_dropout, weight_dropout=weight_dropout,
                         merge=merge)
