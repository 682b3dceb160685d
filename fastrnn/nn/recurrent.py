"""What the recurrent layers share: stacking, directions, layouts, states and packed weights."""
import numpy as np

from .. import ops
from .layer import Layer, count, fraction, pick_dtype, pick_layout, plain, uniform
from .stream import Stream

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru_after": 3, "gru_before": 3}
_TIME = {"tmn": 0, "mtn": 1, "nmt": 2}              # where each layout has time ...
_FEATURE = {"tmn": 2, "mtn": 2, "nmt": 0}           # ... and the features
_TO_TMN = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}    # each is its own inverse
_BACKWARDS = {name: tuple(slice(None, None, -1 if axis == time else None) for axis in range(3))
              for name, time in _TIME.items()}
_SHAPE = {"tmn": "(T, m, n)", "mtn": "(m, T, n)", "nmt": "(n, m, T)"}


class Tape:
    """What a training forward keeps for one backward."""

    __slots__ = ("layer", "parts", "masks", "single")

    def __init__(self, layer, single):
        self.layer, self.single = layer, single
        self.parts = []         # the tapes of ops, in the order of the states
        self.masks = []         # the dropout mask below each layer but the first, (T, m, n)


class _Recurrent(Layer):
    """num_layers layers of one cell in one or two directions; see RNN, LSTM and GRU.

    A subclass has `_cells`, the plain one first; `_second`, how its constructor asks for the other; and `_pair`,
    whether its state is one.
    """

    def __init__(self, cell, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                 layout, dtype, seed):
        self._setup(cell=cell, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers, bias=bias,
                    dropout=dropout, bidirectional=bidirectional, layout=pick_layout(layout, batch_first), dtype=dtype)
        values, self._rng = uniform(self._shapes, self.hidden_size ** -0.5, self.dtype, seed)
        self._first_values(values)
        self.update(values)

    def _first_values(self, values):
        """A subclass may change the drawn parameters here."""

    def _setup(self, *, cell, input_size, hidden_size, num_layers, bias, dropout, bidirectional, layout, dtype):
        if cell not in self._cells:
            raise ValueError(f"cell: expected one of {', '.join(self._cells)}, got {cell!r}")
        self.cell = cell
        self.input_size = count("input_size", input_size)
        self.hidden_size = count("hidden_size", hidden_size)
        self.num_layers = count("num_layers", num_layers)
        self.bias, self.bidirectional = bool(bias), bool(bidirectional)
        self.dropout = fraction("dropout", dropout)
        self.layout = pick_layout(layout)
        self._directions = 2 if self.bidirectional else 1
        self._blocks = []       # per layer and direction: names of W_x, W_a, b_x, b_a
        shapes = {}
        rows = GATES[cell] * self.hidden_size
        for k in range(self.num_layers):
            columns = self.hidden_size * self._directions if k else self.input_size
            for suffix in ("", "_reverse")[:self._directions]:
                names = [f"{what}_l{k}{suffix}" for what in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
                sizes = [(rows, columns), (rows, self.hidden_size), (rows,), (rows,)]
                self._blocks.append(names if self.bias else names[:2])
                shapes.update(zip(self._blocks[-1], sizes))
        self._packs = [None] * len(self._blocks)        # (backend, packed weights) or None when out of date
        dtype = pick_dtype(dtype)
        self._declare(dict(cell=cell, input_size=self.input_size, hidden_size=self.hidden_size,
                           num_layers=self.num_layers, bias=self.bias, dropout=self.dropout,
                           bidirectional=self.bidirectional, layout=self.layout, dtype=dtype.name), shapes, dtype)

    # ---- packed weights -------------------------------------------------------------------------

    def _written(self, names):
        for j, block in enumerate(self._blocks):
            if any(name in names for name in block):
                self._packs[j] = None

    def _weights(self, j):
        """The weights of block j, packed for the backend in force; packed again only after a write or a switch."""
        backend = ops.active()
        pack = self._packs[j]
        if pack is None or pack[0] is not backend:
            pack = backend, ops.pack(self.cell, *(self._arrays[name] for name in self._blocks[j]))
            self._packs[j] = pack
        return pack[1]

    def __getstate__(self):
        # Packed weights belong to this process and this machine; a copy packs its own.
        return {**self.__dict__, "_packs": [None] * len(self._blocks)}

    # ---- inputs and states ----------------------------------------------------------------------

    def _sequences(self, name, x):
        """x with an axis for m, and whether it had none."""
        x = plain(name, x)
        if x.ndim == 3:
            return x, False
        if x.ndim != 2:
            raise ValueError(f"{name}: expected shape {_SHAPE[self.layout]}, or without m for one sequence, "
                             f"got {x.shape}")
        return (x[None] if self.layout == "mtn" else x[:, None]), True

    def _states(self, name, state, m, single):
        """`state` as one tuple (a,) or (a, c) of (m, n_a) arrays for each block, or None; ops checks the dtype."""
        if state is None:
            return [None] * len(self._blocks)
        if self._pair and (not isinstance(state, (tuple, list)) or len(state) != 2):
            raise TypeError(f"{name}: expected a pair (h, c), got {type(state).__name__}")
        shape = (len(self._blocks), self.hidden_size) if single else (len(self._blocks), m, self.hidden_size)
        checked = []
        for part in state if self._pair else (state,):
            label = f"{name} {'hc'[len(checked)]}" if self._pair else name
            part = plain(label, part)
            if part.shape != shape:
                raise ValueError(f"{label}: expected shape (num_layers * directions, {'' if single else 'm, '}n_a) = "
                                 f"{shape}, got {part.shape}")
            checked.append(part[:, None] if single else part)
        return list(zip(*checked))

    def _joined(self, states, single):
        """The reverse of _states."""
        if len(states) == 1:
            parts = [part[None] for part in states[0]]
        else:
            parts = [np.stack(part) for part in zip(*states)]
        if single:
            parts = [part[:, 0] for part in parts]
        return tuple(parts) if self._pair else parts[0]

    def _without_m(self, y):
        return y[0] if self.layout == "mtn" else y[:, 0]

    # ---- forward and backward -------------------------------------------------------------------

    def __call__(self, x, state=None, *, return_cells=False):
        """Run the layer for evaluation: no dropout, nothing kept.

        x (T, m, n_x) in the layer's layout, or without m; state (num_layers * D, m, n_a), for an LSTM the pair
        (h, c); zeros if None.  Returns y (T, m, D * n_a) and the last state, and with return_cells (LSTM) also c
        of the last layer at each step, shaped as y.
        """
        if len(self._blocks) == 1 and not return_cells and getattr(x, "ndim", 0) == 3:
            # One layer, one direction, as most calls are: straight to ops, which is most of what a short call costs.
            if state is not None:
                (state,) = self._states("state", state, x.shape[0 if self.layout == "mtn" else 1], False)
            result = ops.forward(self._weights(0), x, state, layout=self.layout)
            return result.y, self._joined((result.state,), False)
        if return_cells and not self._pair:
            raise ValueError(f"return_cells: expected False for {type(self).__name__}, which has no cell state, "
                             "got True")
        y, states, cells, single = self._run(x, state, None, return_cells)
        if return_cells:
            return y, self._joined(states, single), cells
        return y, self._joined(states, single)

    def forward(self, x, state=None):
        """Run the layer for training, with dropout: as the call, and returns (y, state, tape).

        The tape refers to x, instead of copying it: x must not be changed before backward.
        """
        tape = Tape(self, False)
        y, states, _, tape.single = self._run(x, state, tape, False)
        return y, self._joined(states, tape.single), tape

    def _run(self, x, state, tape, cells):
        x, single = self._sequences("x", x)
        states = self._states("state", state, x.shape[0 if self.layout == "mtn" else 1], single)
        layout, ends, training = self.layout, [], tape is not None
        for k in range(self.num_layers):
            last = k == self.num_layers - 1
            if k and training and self.dropout:
                tape.masks.append(self._mask(x.shape))
                x = x * tape.masks[-1]
            # Between the layers time is outermost; only the first reads and the last writes the user's layout.
            wanted = self.layout if last else "tmn"
            if wanted != layout:
                x, layout = x.transpose(_TO_TMN[self.layout]), wanted
            results = []
            for d in range(self._directions):
                j = k * self._directions + d
                result = ops.forward(self._weights(j), x[_BACKWARDS[layout]] if d else x, states[j],
                                     layout=layout, training=training, cells=cells and last)
                results.append(result)
                ends.append(result.state)
                if training:
                    tape.parts.append(result.tape)
            x = self._merge([result.y for result in results], layout)
        c = self._merge([result.cells for result in results], layout) if cells else None
        if single:
            x, c = self._without_m(x), None if c is None else self._without_m(c)
        return x, ends, c, single

    def _merge(self, ys, layout):
        if len(ys) == 1:
            return ys[0]
        return np.concatenate((ys[0], ys[1][_BACKWARDS[layout]]), axis=_FEATURE[layout])

    def _split(self, dy, d, layout):
        """The part of dy that belongs to direction d, in the order in which that direction ran."""
        if dy is None or self._directions == 1:
            return dy
        half = slice(d * self.hidden_size, (d + 1) * self.hidden_size)
        dy = dy[half] if layout == "nmt" else dy[..., half]
        return dy[_BACKWARDS[layout]] if d else dy

    def _mask(self, shape):
        kept = self._rng.random(shape, dtype=self.dtype) >= self.dropout
        return kept * self.dtype.type(1 / (1 - self.dropout))

    def backward(self, dy, tape, dstate=None, dcells=None, *, need_dx=True):
        """Backpropagate through one forward; its tape can be used once (a refused call does not count).

        dy is shaped as y, dstate as the state, dcells (LSTM: gradient of each c of the last layer) as y; each may
        be None.  Returns dx (None without need_dx), dstate and a dict of gradients with the keys of parameters().
        """
        if not isinstance(tape, Tape) or tape.layer is not self:
            raise ValueError(f"tape: expected what forward of this layer returned, got {type(tape).__name__}"
                             + (" of another layer" if isinstance(tape, Tape) else ""))
        if not tape.parts:
            raise ValueError("tape: expected one that was not used yet, got one that backward has used up")
        if dcells is not None and not self._pair:
            raise ValueError(f"dcells: expected None for {type(self).__name__}, which has no cell state")
        dy, dcells = (None if g is None else self._as_y(name, g, tape)
                      for name, g in (("dy", dy), ("dcells", dcells)))
        dstates = self._states("dstate", dstate, tape.parts[0].m, tape.single)
        parts, layout, ends, grads = tape.parts, self.layout, [None] * len(self._blocks), {}
        for k in reversed(range(self.num_layers)):
            wanted = self.layout if k == self.num_layers - 1 else "tmn"
            if wanted != layout:
                dy, layout = dy.transpose(_TO_TMN[self.layout]), wanted
            dx = None
            for d in range(self._directions):
                j = k * self._directions + d
                g = ops.backward(parts[j], self._split(dy, d, layout), dstates[j], self._split(dcells, d, layout),
                                 layout=layout, need_dx=need_dx or k > 0)
                ends[j] = g.dstate
                grads.update(zip(self._blocks[j], (g.dW_x, g.dW_a, g.db_x, g.db_a)))
                if g.dx is not None:
                    dx = g.dx if d == 0 else np.add(dx, g.dx[_BACKWARDS[layout]], out=dx)
            if k and tape.masks:
                mask = tape.masks[k - 1]
                dx *= mask if layout == "tmn" else mask.transpose(_TO_TMN[layout])
            dy, dcells = dx, None
        tape.parts = []         # used up, and only now: ops too may refuse an argument
        if dx is not None:
            if layout != self.layout:
                dx = np.ascontiguousarray(dx.transpose(_TO_TMN[self.layout]))
            dx = self._without_m(dx) if tape.single else dx
        return dx, self._joined(ends, tape.single), {name: grads[name] for name in self._shapes}

    def _as_y(self, name, g, tape):
        """A gradient of y, compared with its shape, with an axis for m; ops checks the dtype."""
        g = plain(name, g)
        sizes = tape.parts[0].T, tape.parts[0].m, self._directions * self.hidden_size
        expected = tuple(sizes[axis] for axis in _TO_TMN[self.layout] if axis != 1 or not tape.single)
        if g.shape != expected:
            raise ValueError(f"{name}: expected the shape of y, {expected}, got {g.shape}")
        return self._sequences(name, g)[0]

    def stream(self, capacity=1):
        """Return `capacity` live states of this layer, all zero, that go on step by step; see Stream.

        The weights are those of now: what is written to the layer later does not reach the stream.  Evaluation: no
        dropout.  A layer of two directions has no stream, as one of them begins at the end.
        """
        if self.bidirectional:
            raise ValueError("stream: expected a layer with one direction, got bidirectional=True")
        weights = [self._weights(k) for k in range(self.num_layers)]
        return Stream(ops.stream(weights, capacity), repr(self))

    def __repr__(self):
        c = self._config
        extra = [self._second] if self.cell != self._cells[0] else []
        extra += [f"{k}={c[k]!r}" for k, plain in (("num_layers", 1), ("bias", True), ("dropout", 0.0),
                  ("bidirectional", False), ("layout", "tmn"), ("dtype", "float32")) if c[k] != plain]
        return f"{type(self).__name__}({', '.join([str(self.input_size), str(self.hidden_size)] + extra)})"
