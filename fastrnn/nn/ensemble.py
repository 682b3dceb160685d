"""Layers of one shape side by side, called like one."""
from collections.abc import Mapping

import numpy as np

from .. import ops
from .layer import plain
from .recurrent import _Recurrent


class EnsembleTape:
    """What Ensemble.forward keeps for one backward: the tape of each layer."""

    __slots__ = ("ensemble", "tapes")

    def __init__(self, ensemble, tapes):
        self.ensemble, self.tapes = ensemble, tapes


class Ensemble:
    """K recurrent layers of one shape, each with weights of its own, called like one: with an axis K in front.

    x (K, T, m, n_x) in the layers' layout, or (T, m, n_x) for all of them; y, the states, parameters and all gradients
    have the axis K, lengths and reset are those of every layer.  dx has it for a shared x, too, whose gradient is the
    sum over it.  Results are those of K separate calls, bit for bit.  The layers are referred to, not copied.
    Raises ValueError or TypeError naming what does not fit.

    >>> import numpy as np
    >>> from fastrnn import GRU
    >>> ensemble = Ensemble([GRU(3, 5, seed=seed) for seed in range(4)])
    >>> y, state = ensemble(np.ones((7, 2, 3), np.float32))
    >>> y.shape, state.shape, ensemble.parameters()["weight_hh_l0"].shape
    ((4, 7, 2, 5), (4, 1, 2, 5), (4, 15, 5))
    """

    def __init__(self, layers):
        self.layers = tuple(layers)
        if not self.layers:
            raise ValueError("layers: expected at least one, got none")
        for layer in self.layers:
            if not isinstance(layer, _Recurrent):
                raise TypeError(f"layers: expected RNN, LSTM, GRU or sLSTM, got {type(layer).__name__}")
            if _form(layer) != _form(self.layers[0]):
                raise ValueError(f"layers: expected all of the shape of {self.layers[0]!r}, got {layer!r}")

    def __len__(self):
        return len(self.layers)

    def __call__(self, x, state=None, lengths=None, reset=None, return_cells=False):
        """Run all layers for evaluation; see the call of one."""
        xs, states = self._xs(x), self._states("state", state)
        if not return_cells and self._are_short(xs, lengths, reset):
            return _stacked(self._together(xs, states, False))
        return _stacked(self._each("__call__", xs, states, lengths=lengths, reset=reset, return_cells=return_cells))

    def forward(self, x, state=None, lengths=None, reset=None, checkpoint=None):
        """Run all layers for training: as the call, and returns (y, state, tape); leave x as it is until backward."""
        xs, states = self._xs(x), self._states("state", state)
        if checkpoint is None and self._are_short(xs, lengths, reset):
            results = self._together(xs, states, True)
        else:
            results = self._each("forward", xs, states, lengths=lengths, reset=reset, checkpoint=checkpoint)
        y, state = _stacked([result[:2] for result in results])
        return y, state, EnsembleTape(self, [result[2] for result in results])

    def backward(self, dy, tape, dstate=None, dcells=None, *, need_dx=True):
        """Backpropagate through one forward; returns dx (None without need_dx), dstate and a dict of gradients."""
        if not isinstance(tape, EnsembleTape) or tape.ensemble is not self:
            raise ValueError(f"tape: expected what forward of this ensemble returned, got {type(tape).__name__}"
                             + (" of another one" if isinstance(tape, EnsembleTape) else ""))
        return _stacked(self._each("backward", self._apart("dy", dy), tape.tapes, self._states("dstate", dstate),
                                   self._apart("dcells", dcells), need_dx=need_dx))

    def parameters(self):
        """Return the parameters: a dict from PyTorch's names to read-only arrays with the axis K in front."""
        found = _stack([layer.parameters() for layer in self.layers])
        for array in found.values():
            array.flags.writeable = False
        return found

    def update(self, mapping):
        """Replace the parameters that `mapping` names, arrays with the axis K in front, in all layers or in none."""
        if not isinstance(mapping, Mapping):
            raise TypeError(f"mapping: expected a dict from names to arrays, got {type(mapping).__name__}")
        each = [dict(zip(mapping, values)) for values in zip(*(self._apart(*item) for item in mapping.items()))]
        # The parts have one type and one shape: what the first layer takes all take.
        for layer, own in zip(self.layers, each):
            layer.update(own)

    def _each(self, what, *own, **shared):
        """Run the layers one after the other: method `what` of each, with its own part of `own`."""
        return [getattr(layer, what)(*args, **shared) for layer, *args in zip(self.layers, *own)]

    def _are_short(self, xs, lengths, reset):
        return all(layer._is_short(x, lengths, reset) for layer, x in zip(self.layers, xs))

    def _together(self, xs, states, training):
        """What the layers return for a plain pass, which they make side by side."""
        calls = [layer._short_call(x, state, training) for layer, x, state in zip(self.layers, xs, states)]
        return [layer._short_end(result) for layer, result in zip(self.layers, ops.forward_many(calls))]

    def _xs(self, x):
        x = plain("x", x)
        if x.ndim == 3:
            return [x] * len(self)
        if x.ndim != 4 or len(x) != len(self):
            raise ValueError(f"x: expected four axes with K = {len(self)} in front, or three for all layers, "
                             f"got {x.shape}")
        return x

    def _apart(self, name, value):
        """The parts of `value` along its first axis, one for each layer, which checks the others."""
        if value is None:
            return [None] * len(self)
        value = plain(name, value)
        if value.ndim == 0 or len(value) != len(self):
            raise ValueError(f"{name}: expected an axis of K = {len(self)} in front, got {value.shape}")
        return value

    def _states(self, name, state):
        if state is None or not self.layers[0]._pair:
            return self._apart(name, state)
        if not isinstance(state, (tuple, list)) or len(state) != 2:
            raise TypeError(f"{name}: expected a pair (h, c), got {type(state).__name__}")
        return list(zip(*(self._apart(f"{name} {part}", value) for part, value in zip("hc", state))))

    def __repr__(self):
        return f"Ensemble([{', '.join(map(repr, self.layers))}])"


def _form(layer):
    """What layers of an ensemble share: their arrays then stack, and mean the same."""
    return type(layer), layer.cell, layer.layout, layer.dtype, layer._shapes


def _stacked(results):
    """The results of all layers, tuples of the same form, as one tuple of it."""
    return tuple(_stack(parts) for parts in zip(*results))


def _stack(parts):
    if isinstance(parts[0], tuple):
        return _stacked(parts)
    if isinstance(parts[0], dict):
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return None if parts[0] is None else np.stack(parts)
