"""Weights for calls side by side, and the quicker way of such calls through a backend."""

import numpy as np

from .. import _backend
from .arguments import DTYPES, permutation
from .run import PLAIN_REVERSED, check_run


class Group:
    """Weights of one form and backend, for calls side by side: group(weights, reverse).

    reverse: for each whether it runs from the end, or None for none. Raises ValueError or TypeError if they do not fit
    together.
    """

    __slots__ = ("weights", "reverse", "backend", "dtype", "runs", "n_x", "n_h", "n_c")

    def __init__(self, weights, reverse=None):
        self.weights = tuple(weights)
        self.backend = one_backend("weights", self.weights)
        forms = {form(w) for w in self.weights}
        if len(forms) != 1:
            raise ValueError(f"weights: expected those of one form, got {len(forms)}")
        self.reverse = (False,) * len(self.weights) if reverse is None else tuple(map(bool, reverse))
        if len(self.reverse) != len(self.weights):
            raise ValueError(f"reverse: expected {len(self.weights)} of them, got {len(self.reverse)}")
        first = self.weights[0]
        self.dtype, self.n_x, self.n_h, self.n_c = DTYPES[first.dtype], first.n_x, first.n_h, first.n_c
        # of calls that ask for nothing else
        self.runs = tuple(PLAIN_REVERSED if each else None for each in self.reverse)


def training(group, layout, names, zoneouts=None, apart=False):
    """A quicker `forward_many`, with beside=True unless `apart`, and `backward_many`; None for more weights than it takes.

    Where it can't read an argument as it is, it does nothing and gives None. Called with (x, state, lengths, reset) it
    returns y and the states, `zoneouts`, a number or None for each, being those of the calls; forward(x, state, lengths,
    reset, masks) also tapes, masks being None or for each (drop, keep_a, keep_c), and then no other zoneout;
    backward(tapes, dy, need_dx, dstate) a list of dx (or None), apart one array of all, the states' gradients, and a dict of
    the parameters', called as in `names`, which has a dict for each of the weights, or one for all that are apart.
    """
    first, count = group.weights[0], len(group.weights)
    if count > (group.backend.Training.most if apart else group.backend.Training.beside):
        return None
    own = np.empty, group.dtype, _backend.get_num_threads, apart, names
    runs = [
        check_run(first, group.dtype, 0, 0, layout, None, None, reverse, None, zoneout)
        for reverse, zoneout in zip(group.reverse, zoneouts or [None] * count)
    ]
    return group.backend.Training(group.weights, runs, permutation(layout), *own)


def form(weights):
    shapes = tuple(sorted(weights.extras.shapes().items())) if weights.extras else ()
    return weights.cell, weights.dtype, weights.n_x, weights.n_a, weights.n_h, shapes


def one_backend(name, things):
    backends = {_backend.owner(name, thing) for thing in things}
    if len(backends) != 1:
        raise ValueError(f"{name}: expected those of one backend, got {len(backends)}")
    return backends.pop()
