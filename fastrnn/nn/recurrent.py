"""What the recurrent layers share: stacking, directions, and the way of a call through ops."""
import numpy as np

from .. import ops
from .axes import check_lengths, check_reset, laid, turned, with_m, without_m
from .blocks import Block
from .layer import Layer, count, floats, fraction, pick_dtype, pick_layout, plain, uniform
from .level import CheckpointedLevel, Level, total
from .merge import width
from .noise import NONE, Noise, draw
from .options import Options, check_options
from .packs import Packs
from .states import checked, given, some
from .stream import Stream
from .tape import Once, tape_of


class Tape(Once):
    """The levels of a pass, from below, each with what its forward kept."""

    __slots__ = ("T", "m", "single", "levels")
    _kept = ("levels",)

    def __init__(self, layer, T, m, single, levels):
        self.layer, self.free, self.T, self.m, self.single, self.levels = layer, True, T, m, single, levels

    def back(self, dy, ends, dcells, need_dx):
        """Descend the levels, with the gradients of the last state of each in `ends`.

        Returns dx or None, the gradients of the first states, and those of the parameters by name.
        """
        starts, grads = [], {}
        for k in reversed(range(len(self.levels))):
            level, kept = self.levels[k]
            dy, start, found = level.backward(kept, dy, ends[k], dcells, need_dx or k > 0)
            grads.update(found)
            starts.insert(0, start)
            dcells = None
        return dy, starts, grads


class _Recurrent(Layer):
    """num_layers layers of one cell in one or two directions; see RNN, LSTM, GRU and sLSTM.

    A pass climbs levels: a layer each, whose directions run side by side and are merged before the next.
    A subclass has `_cells`, the plain one first; `_second`, how its constructor asks for the other; and `_pair`,
    whether its state is one.
    """

    def __init__(self, cell, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                 layout, dtype, seed, **options):
        self._setup(cell=cell, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers, bias=bias,
                    dropout=dropout, bidirectional=bidirectional, layout=pick_layout(layout, batch_first), dtype=dtype,
                    **options)
        norms = {name: first for block in self._blocks for name, first in block.norms().items()}
        drawn = {name: shape for name, shape in self._shapes.items() if name not in norms}
        values, self._rng = uniform(drawn, self.hidden_size ** -0.5, self.dtype, seed)
        values |= {name: np.full(self._shapes[name], first, self.dtype) for name, first in norms.items()}
        self._first_values(values)
        self.update(values)

    def _first_values(self, values):
        """A subclass may change the drawn parameters here."""

    def _setup(self, *, cell, input_size, hidden_size, num_layers, bias, dropout, bidirectional, layout, dtype,
               **options):
        if cell not in self._cells:
            raise ValueError(f"cell: expected one of {', '.join(self._cells)}, got {cell!r}")
        dtype = pick_dtype(dtype)
        self.cell = cell
        self.input_size = count("input_size", input_size)
        self.hidden_size = count("hidden_size", hidden_size)
        self.num_layers = count("num_layers", num_layers)
        self.bias, self.bidirectional = bool(bias), bool(bidirectional)
        self.dropout = fraction("dropout", dropout)
        self.layout = pick_layout(layout)
        self._options = check_options(cell, self.hidden_size, dtype, options)
        self.__dict__.update(self._options._asdict())       # attributes, as the arguments before
        self._directions = 2 if self.bidirectional else 1
        inner = width(self._options.merge, self._directions, self._options.proj_size or self.hidden_size)
        self._blocks = [
            Block(cell, k, bool(d), inner if k else self.input_size, self.hidden_size, self.bias, self._options)
            for k in range(self.num_layers) for d in range(self._directions)]
        self._packs = Packs(self._blocks)
        self._levels = None     # or (backend, arrays, what was made of these): the levels of a pass without chance
        expected = Noise(zoneout=self._options.zoneout) if self._options.zoneout else NONE
        self._evaluation = [expected] * len(self._blocks)
        self._noisy = bool(self.dropout or self._options.zoneout or self._options.recurrent_dropout
                           or self._options.weight_dropout)
        shapes = {block.names[role]: shape for block in self._blocks for role, shape in block.shapes.items()}
        self._declare(dict(cell=cell, input_size=self.input_size, hidden_size=self.hidden_size,
                           num_layers=self.num_layers, bias=self.bias, dropout=self.dropout,
                           bidirectional=self.bidirectional, layout=self.layout, dtype=dtype.name,
                           **self._options.changed()), shapes, dtype)

    # ---- packed weights -------------------------------------------------------------------------

    def _written(self, names):
        self._packs.forget(names)
        self._levels = None

    def _weights(self, j, factors=None):
        return self._packs.weights(self._arrays, j, factors)

    def __getstate__(self):
        # What is packed belongs to this process and this machine; a copy packs its own.
        return {**self.__dict__, "_packs": Packs(self._blocks), "_levels": None}

    # ---- forward and backward -------------------------------------------------------------------

    def __call__(self, x, state=None, lengths=None, reset=None, return_cells=False):
        """Run the layer for evaluation: no dropout, zoneout at its expectation, nothing kept.

        x (T, m, n_x) in the layer's layout, or without m; state (num_layers * D, m, n_a), for an LSTM the pair
        (h, c); zeros if None.  lengths (m,), integers from 0 to T in any order: what lies past a sequence's end is not
        read, y there is 0, and its last state is that at its end.  reset, booleans shaped as x without features: True
        at t starts a segment at t, so that forward begins t from a zero state, and the reverse direction t - 1.
        Returns y (T, m, D * n_a) and the last state, and with return_cells (LSTM) also c of the last layer at each
        step, laid out as y; two directions stand side by side in it, whatever `merge` is.
        """
        if self.num_layers == 1 and not return_cells:
            plain, given = self._standing()[0].plain, state if state is None or self._pair else (state,)
            if plain is not None and (found := plain(x, given, lengths, reset)) is not None:
                return found if self._pair else (found[0], found[1][0])
        if return_cells and not self._pair:
            raise ValueError(f"return_cells: expected False for {type(self).__name__}, which has no cell state, "
                             "got True")
        y, state, cells, _ = self._run(x, state, lengths, reset, bool(return_cells), False, None)
        return (y, state, cells) if return_cells else (y, state)

    def forward(self, x, state=None, lengths=None, reset=None, checkpoint=None):
        """Run the layer for training, with dropout and zoneout: as the call, and returns (y, state, tape).

        The tape refers to x and reset, instead of copying them: x must not be changed before backward, nor reset.
        checkpoint: an integer k; the tape then keeps the states of every k-th step only, and backward runs the steps
        between again, all but the last 2 k to 3 k, which the tape keeps whole.  k is rounded up to a multiple of 16, in
        which sums of gradients go: results have the same bits (on the NumPy backend the same within rounding, where
        lengths meet two directions).  With two directions the tape also keeps what goes from layer to layer.
        """
        if self.num_layers == 1 and checkpoint is None and not self._noisy:
            level, given = self._standing()[0], state if state is None or self._pair else (state,)
            if level.plain is not None and (found := level.plain.forward(x, given, lengths, reset)) is not None:
                y, state, tapes = found
                tape = Tape(self, tapes[0].T, tapes[0].m, False, [(level, (tapes, None))])
                return y, state if self._pair else state[0], tape
        if checkpoint is not None:
            checkpoint = count("checkpoint", checkpoint)
        y, state, _, tape = self._run(x, state, lengths, reset, False, True, checkpoint)
        return y, state, tape

    def _run(self, x, state, lengths, reset, cells, training, checkpoint):
        """Return y, the last state, the cells and the tape, the last two or None."""
        layout = self.layout
        x, single = with_m("x", x, layout, self.input_size)
        if layout != "tmn":
            x = turned(x, layout)
        T, m, _ = x.shape
        if lengths is not None:
            lengths = check_lengths(lengths, T, m, single)
        if reset is not None:
            reset = check_reset(reset, T, m, layout, single)
        if state is not None:
            state = checked("state", state, self._blocks, m, single, self._pair, self.dtype)
        ends, at, start, top = [], 0, None, self.num_layers - 1
        tape = Tape(self, T, m, single, []) if training else None
        levels = self._climbed(T, m, training, checkpoint)
        for k, level in enumerate(levels):
            if state is not None:
                start, at = some(state, at, at + len(level.blocks)), at + len(level.blocks)
            x, end, c, kept = level.forward(x, start, lengths, reset, training, cells and k == top)
            ends.append(end)
            if training:
                tape.levels.append((level, kept))
        if layout != "tmn" or single:
            x, c = self._given(x, single), None if c is None else self._given(c, single)
        return x, given(ends, single, self._pair), c, tape

    def _standing(self):
        """The levels of a pass without chance, from below, made again only after a write or a switch of backend."""
        backend, arrays, levels = ops.active(), self._arrays, self._levels
        if levels is None or levels[0] is not backend or levels[1] is not arrays:
            made = self._made(self._evaluation, None)
            for level in made:
                level.prepare()
            levels = self._levels = backend, arrays, made
        return levels[2]

    def _climbed(self, T, m, training, checkpoint):
        """The levels of a pass, from below, with what chance decides for them."""
        if checkpoint is None and not (training and self._noisy):
            return self._standing()
        noise = self._draws(T, m) if training else self._evaluation
        if checkpoint is None and not self._options.weight_dropout:
            D = self._directions
            return [level.under(noise[k * D:(k + 1) * D]) for k, level in enumerate(self._standing())]
        return self._made(noise, checkpoint)

    def _made(self, noise, checkpoint):
        blocks, D, L, rest = self._blocks, self._directions, self.num_layers, (self._options.merge, self.dropout)
        # Between the layers time is outermost; only the first reads and the last writes the user's layout.
        layouts = [self.layout, *["tmn"] * (L - 1), self.layout]
        if checkpoint is None:
            weights = [self._weights(j, noise[j].weights) for j in range(D * L)]
            return [Level(blocks[j:j + D], weights[j:j + D], noise[j:j + D], layouts[j // D:j // D + 2], *rest)
                    for j in range(0, D * L, D)]
        runs = [self._packs.again(self._arrays, j, (layouts[j // D + 1], layouts[j // D]), noise[j].weights) for j in range(D * L)]
        each = L if D == 1 else D       # all layers in one direction are one level
        return [CheckpointedLevel(blocks[j:j + each], runs[j:j + each], noise[j:j + each], *rest, checkpoint)
                for j in range(0, D * L, each)]

    def _draws(self, T, m):
        """The noise of each block in training, drawn from the layer's generator in the order of the blocks."""
        options, noise = self._options, []
        if not self._noisy:
            return self._evaluation
        for block in self._blocks:
            # Both directions of a layer read one input.
            dropout = self.dropout if block.k and not block.reverse else 0.0
            noise.append(draw(self._rng, block, dropout, options, T, m, self.dtype))
        return noise

    def backward(self, dy, tape, dstate=None, dcells=None, *, need_dx=True):
        """Backpropagate through one forward; its tape can be used once (a refused call does not count).

        dy is shaped as y, dstate as the state, dcells (LSTM) as what return_cells gives: gradients of each c of the
        last layer; each may be None.  Returns dx (None without need_dx), dstate and a dict of gradients with the keys
        of parameters().
        """
        with tape_of(self, tape, Tape):
            self._check_dcells(dcells)
            return self._back(dy, tape, dstate, dcells, need_dx)

    def _back(self, dy, tape, dstate, dcells, need_dx):
        level, kept = tape.levels[0]
        if dcells is None and level.plain is not None and self.num_layers == 1 and not tape.single:
            found = level.plain.backward(kept[0], dy, need_dx, dstate if dstate is None or self._pair else (dstate,))
            if found is not None:
                dx, start, grads = found
                return None if dx is None else total(dx), start if self._pair else start[0], grads
        n_h, D, merge = self._blocks[0].n_h, self._directions, self._options.merge
        if dy is not None:
            dy = self._as_y("dy", dy, tape, width(merge, D, n_h))
        if dcells is not None:
            dcells = self._as_y("dcells", dcells, tape, D * self._blocks[0].n_c)
        dstate = checked("dstate", dstate, self._blocks, tape.m, tape.single, self._pair, self.dtype)
        ends, at = [], 0
        for level, _ in tape.levels:
            ends.append(some(dstate, at, at + len(level.blocks)))
            at += len(level.blocks)
        dx, starts, grads = tape.back(dy, ends, dcells, need_dx)
        grads = {name: grads[name] for name in self._shapes}
        return None if dx is None else self._given(dx, tape.single), given(starts, tape.single, self._pair), grads

    def _check_dcells(self, dcells):
        if dcells is not None and not self._pair:
            raise ValueError(f"dcells: expected None for {type(self).__name__}, which has no cell state, got an array")

    def _as_y(self, name, g, tape, n):
        """A gradient of y or of cells as a time-major view."""
        g, expected = plain(name, g), laid((tape.T, tape.m, n), self.layout, tape.single)
        if g.shape != expected:
            raise ValueError(f"{name}: expected the shape of y, {expected}, got {g.shape}")
        return turned(with_m(name, floats(name, g, self.dtype), self.layout)[0], self.layout)

    def _given(self, view, single):
        """A time-major view as the caller lays arrays out."""
        array = turned(view, self.layout)
        return without_m(array, self.layout) if single else array

    def __repr__(self):
        c = {**Options._field_defaults, **self._config}
        extra = [self._second] if self.cell != self._cells[0] else []
        extra += [f"{k}={c[k]!r}" for k, plain in (("num_layers", 1), ("bias", True), ("dropout", 0.0),
                  ("bidirectional", False), *Options._field_defaults.items(), ("layout", "tmn"), ("dtype", "float32"))
                  if c[k] != plain]
        return f"{type(self).__name__}({', '.join([str(self.input_size), str(self.hidden_size)] + extra)})"

    def stream(self, capacity=1):
        """Return `capacity` live states of this layer, all zero, that go on step by step; see Stream.

        The weights are those of now: what is written to the layer later does not reach the stream.  Evaluation: no
        dropout.  A layer of two directions has no stream, as one of them begins at the end.
        """
        if self.bidirectional:
            raise ValueError("stream: expected a layer with one direction, got bidirectional=True")
        weights = [self._weights(k) for k in range(self.num_layers)]
        return Stream(ops.stream(weights, capacity, zoneout=self.zoneout or None), repr(self))
