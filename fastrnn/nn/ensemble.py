"""Layers of one shape side by side, called like one."""
from collections.abc import Iterable

import numpy as np

from .. import ops
from .axes import SHAPE, check_lengths, check_reset, laid, turned
from .layer import check_mapping, plain
from .level import Level
from .recurrent import Tape, _Recurrent
from .states import check_pair, checked


class EnsembleTape:
    """What Ensemble.forward keeps for one backward: the tape of each layer, or one of all together, as a layer has it."""

    __slots__ = ("ensemble", "tapes", "together")

    def __init__(self, ensemble, tapes=None, together=None):
        self.ensemble, self.tapes, self.together = ensemble, tapes, together


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
        if not isinstance(layers, Iterable):
            raise TypeError(f"layers: expected a list of layers, got {type(layers).__name__}")
        self.layers = tuple(layers)
        if not self.layers:
            raise ValueError("layers: expected at least one, got none")
        for layer in self.layers:
            if not isinstance(layer, _Recurrent):
                raise TypeError(f"layers: expected RNN, LSTM, GRU or sLSTM, got {type(layer).__name__}")
            if _form(layer) != _form(self.layers[0]):
                raise ValueError(f"layers: expected all of the shape of {self.layers[0]!r}, got {layer!r}")
        self._noisy = any(layer._noisy for layer in self.layers)
        self._levels = None     # or (backend, the arrays that the layers had, levels of these)

    def __getstate__(self):
        return {**self.__dict__, "_levels": None}       # as a layer's packed weights

    def __len__(self):
        return len(self.layers)

    def __call__(self, x, state=None, lengths=None, reset=None, return_cells=False):
        """Run all layers for evaluation; see the call of one."""
        x, state = self._x(x), self._states("state", state)
        if not return_cells and self._fit_together(False):
            return self._together(x, state, lengths, reset, False)[:2]
        return _stacked(self._each("__call__", self._xs(x), _split(state, len(self)), lengths=lengths, reset=reset,
                                   return_cells=return_cells))

    def forward(self, x, state=None, lengths=None, reset=None, checkpoint=None):
        """Run all layers for training: as the call, and returns (y, state, tape); leave x as it is until backward."""
        x, state = self._x(x), self._states("state", state)
        if checkpoint is None and self._fit_together(True):
            y, state, tape = self._together(x, state, lengths, reset, True)
            return y, state, EnsembleTape(self, together=tape)
        results = self._each("forward", self._xs(x), _split(state, len(self)), lengths=lengths, reset=reset,
                             checkpoint=checkpoint)
        y, state = _stacked([result[:2] for result in results])
        return y, state, EnsembleTape(self, [result[2] for result in results])

    def backward(self, dy, tape, dstate=None, dcells=None, *, need_dx=True):
        """Backpropagate through one forward; returns dx (None without need_dx), dstate and a dict of gradients."""
        if not isinstance(tape, EnsembleTape) or tape.ensemble is not self:
            raise ValueError(f"tape: expected what forward of this ensemble returned, got {type(tape).__name__}"
                             + (" of another one" if isinstance(tape, EnsembleTape) else ""))
        dy, dstate, dcells = self._apart("dy", dy), self._states("dstate", dstate), self._apart("dcells", dcells)
        if tape.together:
            with tape.together:
                return self._back(tape.together, dy, dstate, dcells, need_dx)
        dys, dcs = (_split(d, len(self)) for d in (dy, dcells))
        return _stacked(self._each("backward", dys, tape.tapes, _split(dstate, len(self)), dcs, need_dx=need_dx))

    def parameters(self):
        """Return the parameters: a dict from PyTorch's names to read-only arrays with the axis K in front."""
        found = _stack([layer.parameters() for layer in self.layers])
        for array in found.values():
            array.flags.writeable = False
        return found

    def update(self, mapping):
        """Replace the parameters that `mapping` names, arrays with the axis K in front, in all layers or in none."""
        check_mapping(mapping)
        parts = [self._apart(name, plain(name, value)) for name, value in mapping.items()]
        each = [dict(zip(mapping, values)) for values in zip(*parts)]
        # The parts have one type and one shape: what the first layer takes all take.
        for layer, own in zip(self.layers, each):
            layer.update(own)

    def _each(self, what, *own, **shared):
        """Run the layers one after the other: method `what` of each, with its own part of `own`."""
        return [getattr(layer, what)(*args, **shared) for layer, *args in zip(self.layers, *own)]

    def _fit_together(self, training):
        """Whether the layers can run together: in one direction, and no chance in it."""
        return not (self.layers[0].bidirectional or training and self._noisy)

    def _climbed(self):
        """The levels of such a pass; each holds the blocks that the layers have there."""
        backend, levels, arrays = ops.active(), self._levels, [layer._arrays for layer in self.layers]
        if levels is None or levels[0] is not backend or any([a is not b for a, b in zip(levels[1], arrays)]):
            first = self.layers[0]
            layouts = [first.layout, *["tmn"] * (first.num_layers - 1), first.layout]
            made = [Level([layer._blocks[k] for layer in self.layers], [layer._weights(k) for layer in self.layers],
                          [layer._evaluation[k] for layer in self.layers], layouts[k:k + 2], None, 0.0)
                    for k in range(first.num_layers)]
            for level in made:
                level.prepare()
            levels = self._levels = backend, arrays, made
        return levels[2]

    def _together(self, x, state, lengths, reset, training):
        """Return y, the last state and the tape or None, as a layer's `_run`, with K in front."""
        first = self.layers[0]
        x = turned(x, first.layout)
        T, m = x.shape[-3:-1]
        if lengths is not None:
            lengths = check_lengths(lengths, T, m, False)
        if reset is not None:
            reset = check_reset(reset, T, m, first.layout, False)
        starts = self._climbing("state", state, m)
        ends, tape = [], Tape(self, T, m, False, []) if training else None
        for level, start in zip(self._climbed(), starts):
            x, end, _, kept = level.forward(x, start, lengths, reset, training, False)
            ends.append(end)
            if training:
                tape.levels.append((level, kept))
        return turned(x, first.layout), self._given(ends), tape

    def _back(self, tape, dy, dstate, dcells, need_dx):
        first = self.layers[0]
        first._check_dcells(dcells)
        block = first._blocks[-1]
        for name, d, n in (("dy", dy, block.n_h), ("dcells", dcells, block.n_c)):
            if d is not None:
                expected = len(self), *laid((tape.T, tape.m, n), first.layout)
                if d.shape != expected:
                    raise ValueError(f"{name}: expected the shape of y, {expected}, got {d.shape}")
        dy, dcells = (None if d is None else turned(d, first.layout) for d in (dy, dcells))
        dx, starts, grads = tape.back(dy, self._climbing("dstate", dstate, tape.m), dcells, need_dx)
        grads = {name: grads[name] for name in first._shapes}
        return None if dx is None else turned(dx, first.layout), self._given(starts), grads

    def _climbing(self, name, state, m):
        """`state` of all layers as that of each level: a tuple of arrays (K, m, n), or None."""
        first = self.layers[0]
        if state is None:
            return [None] * first.num_layers
        parts = state if first._pair else (state,)
        one = tuple([part[0] for part in parts])        # the others are shaped so, too
        checked(name, one if first._pair else one[0], first._blocks, m, False, first._pair, first.dtype)
        return [tuple(part[:, k] for part in parts) for k in range(first.num_layers)]

    def _given(self, states):
        """The reverse of that."""
        parts = [part[0][:, None] if len(part) == 1 else np.stack(part, 1) for part in zip(*states)]
        return tuple(parts) if self.layers[0]._pair else parts[0]

    def _x(self, x):
        x, layout, n = plain("x", x), self.layers[0].layout, self.layers[0].input_size
        if x.ndim not in (3, 4) or x.ndim == 4 and len(x) != len(self) or x.shape[-3 if layout == "nmt" else -1] != n:
            raise ValueError(f"x: expected shape {SHAPE[layout]} with n = {n} for all layers, or K = {len(self)} such side by "
                             f"side, got {x.shape}")
        return x

    def _xs(self, x):
        return [x] * len(self) if x.ndim == 3 else x

    def _apart(self, name, value):
        """`value` as an array that has a part for each layer, which checks what these are; or None."""
        if value is None:
            return None
        value = plain(name, value)
        if value.ndim == 0 or len(value) != len(self):
            raise ValueError(f"{name}: expected an axis of K = {len(self)} in front, got {value.shape}")
        return value

    def _states(self, name, state):
        if state is None or not self.layers[0]._pair:
            return self._apart(name, state)
        check_pair(name, state)
        return tuple(self._apart(f"{name} {part}", value) for part, value in zip("hc", state))

    def __repr__(self):
        return f"Ensemble([{', '.join(map(repr, self.layers))}])"


def _form(layer):
    """What layers of an ensemble share: their arrays then stack, and mean the same."""
    return type(layer), layer.cell, layer.layout, layer.dtype, layer._shapes, layer.merge if layer.bidirectional else None


def _split(value, count):
    """What each of `count` layers gets of an array, or of a pair of arrays."""
    if value is None:
        return [None] * count
    return list(zip(*value)) if isinstance(value, tuple) else value


def _stacked(results):
    """The results of all layers, tuples of the same form, as one tuple of it."""
    return tuple(_stack(parts) for parts in zip(*results))


def _stack(parts):
    if isinstance(parts[0], tuple):
        return _stacked(parts)
    if isinstance(parts[0], dict):
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return None if parts[0] is None else np.stack(parts)
