"""One level of a network, from one input to one output: the directions of a layer side by side; time-major views."""
import numpy as np

from .. import ops
from .axes import turned
from .checkpoint import Checkpointed
from .merge import halves, merged, split
from .noise import thin


class Level:
    """The blocks of one layer, their packed weights and noise. A pass changes none of it: others may run meanwhile.

    layouts: in which order of axes the gradient of the input, and the output, are laid out in memory.  merge: of the two
    directions; None for blocks that have nothing to do with each other, whose arrays have an axis for them in front.
    dropout: of the input.  plain: None, or what `prepare` has made.
    """

    __slots__ = (
        "blocks", "noise", "layouts", "merge", "dropout", "plain", "_group", "_below", "_drop", "_zoneout", "_masks", "_beside",
    )  # fmt: skip

    def __init__(self, blocks, weights, noise, layouts, merge, dropout):
        self.blocks, self.layouts, self.merge, self.dropout = blocks, layouts, merge, dropout
        self._group = ops.Group(weights, [block.reverse for block in blocks])
        self.plain = None
        self._beside = bool(merge) and (merge == "concat" or len(blocks) == 1)
        self._hear(noise)

    def _hear(self, noise):
        self.noise, self._below = noise, noise[0].below
        self._drop = _unless_none([each.recurrent for each in noise])
        self._zoneout = _unless_none([each.zoneout for each in noise])
        self._masks = None

    def under(self, noise):
        """The same level for a pass in training with that noise, none of it in the weights."""
        level = Level.__new__(Level)
        for name in ("blocks", "layouts", "merge", "dropout", "plain", "_group", "_beside"):
            setattr(level, name, getattr(self, name))
        level._hear(noise)
        if level._drop is not None or level._zoneout is not None:
            level._masks = [(each.recurrent, *(each.zoneout or (None, None))) for each in noise]
        return level

    def forward(self, x, state, lengths, reset, training, cells):
        """Return y, the last state, cells or None, and for training what `backward` needs, else None.

        state: a tuple of arrays (directions, m, n), or None for zeros.
        """
        if self._below is not None:
            x = thin(x, self._below, self.dropout)
        layout = self.layouts[1]
        if self.plain is not None and not cells:
            given = turned(x, layout), state, lengths, reset if reset is None or layout == "tmn" else reset.T
            found = self.plain.forward(*given, self._masks) if training else self.plain(*given)
            if found is not None:
                return turned(found[0], layout), found[1], None, (found[2], None) if training else None
        if layout != "tmn":
            x, reset = turned(x, layout), None if reset is None else reset.T
        y, state, c, tapes = ops.forward_many(
            self._group, x, state, layout=layout, training=training, cells=cells, lengths=lengths, reset=reset,
            drop=self._drop, zoneout=self._zoneout, beside=self._beside,
        )  # fmt: skip
        if layout != "tmn":
            y, c = turned(y, layout), None if c is None else turned(c, layout)
        kept = (tapes, y if self.merge == "mul" else None) if training else None
        if not self._beside and self.merge:
            y, c = merged(self.merge, y, layout), None if c is None else merged("concat", c, layout)
        return y, state, c, kept

    def prepare(self):
        """Make `plain`, if nothing here forbids it: a quicker way for arguments that fit as they are, see ops.training.  The
        noise of a level that stands is what is expected of it."""
        if (self._beside or not self.merge) and self.layouts[0] == self.layouts[1]:
            names = [block.names for block in (self.blocks if self.merge else self.blocks[:1])]
            zoneouts = [each.zoneout for each in self.noise]
            self.plain = ops.training(self._group, self.layouts[1], names, zoneouts, apart=not self.merge)

    def backward(self, kept, dy, dstate, dcells, need_dx):
        """Return dx or None, the gradient of the first state, and those of the parameters by name."""
        (tapes, factors), layout = kept, self.layouts[0]
        if self.plain is not None and dy is not None and dcells is None:
            found = self.plain.backward(tapes, turned(dy, layout), need_dx, dstate)
            if found is not None:
                dx = found[0] if found[0] is None or not self.merge else total(found[0])
                return self._below_too(None if dx is None else turned(dx, layout)), *found[1:]
        if self.merge and len(self.blocks) == 2:
            dy = split(self.merge, dy, factors)
        g = ops.backward_many(
            tapes, None if dy is None else turned(dy, layout), dstate, None if dcells is None else turned(dcells, layout),
            layout=layout, need_dx=need_dx,
        )  # fmt: skip
        if not self.merge:
            return None if g.dx is None else turned(g.dx, layout), g.dstate, dict(self.blocks[0].gradients(g))
        found = {}
        for k, (block, noise) in enumerate(zip(self.blocks, self.noise)):
            found.update(block.gradients(g.of(k), noise.weights))
        return self._below_too(None if g.dx is None else total(turned(g.dx, layout))), g.dstate, found

    def _below_too(self, dx):
        """Back through the dropout of the input, whose gradient is then always asked for."""
        return dx if self._below is None else thin(dx, self._below, self.dropout)


class CheckpointedLevel:
    """As Level, with checkpoints: all layers in one direction, or one layer in two, one after the other.

    It is for one pass: what backward needs also stands in its columns.
    """

    plain = None

    def __init__(self, blocks, runs, noise, merge, dropout, every):
        self.blocks, self.noise, self.merge, self.dropout = blocks, noise, merge, dropout
        two = blocks[-1].reverse
        self.columns = [Checkpointed(blocks[part], runs[part], noise[part], dropout, every)
                        for part in ((slice(0, 1), slice(1, 2)) if two else (slice(None),))]

    def forward(self, x, state, lengths, reset, training, cells):
        if self.noise[0].below is not None:
            x = thin(x, self.noise[0].below, self.dropout)
        ys, ends = [], []
        for column, starts in zip(self.columns, self._apart(state)):
            y, end = column.forward(x, starts, lengths, reset)
            ys.append(y)
            ends += end
        kept = (ys if self.merge == "mul" else None,)
        y = ys[0] if len(ys) == 1 else merged(self.merge, ys, self.columns[0].runs[-1].layouts[0])
        return y, _together(ends), None, kept

    def backward(self, kept, dy, dstate, dcells, need_dx):
        if len(self.columns) == 2:
            dy = halves(dy) if self.merge == "concat" else split(self.merge, dy, *kept)
            dcells = halves(dcells)
        dxs, starts, found = [], [], {}
        for k, (column, ends) in enumerate(zip(self.columns, self._apart(dstate))):
            own = [d if d is None or d.ndim == 3 else d[k] for d in (dy, dcells)]
            dx, start, gradients = column.backward(own[0], ends, own[1], need_dx)
            dxs.append(dx)
            starts += start
            for block, noise, g in zip(column.blocks, column.noise, gradients):
                found.update(block.gradients(g, noise.weights))
        dx = total(dxs) if need_dx else None
        if self.noise[0].below is not None:
            dx = thin(dx, self.noise[0].below, self.dropout)
        return dx, _together(starts), found

    def _apart(self, state):
        """The states of each column: a list with a tuple for each of its blocks."""
        count, each = len(self.blocks), len(self.columns[0].blocks)
        found = [None] * count if state is None else list(zip(*state))
        return [found[at:at + each] for at in range(0, count, each)]


def _together(states):
    """The reverse of that."""
    return tuple([part[None] for part in states[0]] if len(states) == 1 else [np.stack(part) for part in zip(*states)])


def _unless_none(values):
    return None if all(value is None for value in values) else values


def total(dxs):
    """Of the gradients of one input, in place of the first."""
    return dxs[0] if len(dxs) == 1 else np.add(dxs[0], dxs[1], out=dxs[0])
