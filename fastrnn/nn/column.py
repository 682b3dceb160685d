"""Blocks on top of each other, run through time in one direction; arrays are time-major views here."""
from .. import ops
from .axes import turned
from .noise import thin


class Column:
    """Blocks, their packed weights and noise for one pass, and, once it ran for training, their tapes.

    layouts: in which order of axes the output of each block, and the gradient of the first one's input, is laid out in
    memory.  dropout: of what goes from block to block.
    """

    __slots__ = ("blocks", "weights", "noise", "layouts", "dropout", "reverse", "tapes")

    def __init__(self, blocks, weights, noise, layouts, dropout, tapes=None):
        self.blocks, self.weights, self.noise, self.layouts, self.dropout = blocks, weights, noise, layouts, dropout
        self.reverse, self.tapes = blocks[0].reverse, tapes

    def part(self, at):
        """The same column for the steps at that index."""
        noise = [each.part(at) for each in self.noise]
        return Column(self.blocks, self.weights, noise, self.layouts, self.dropout)

    def forward(self, x, states, lengths, reset, training, cells=False):
        """Return y, the last states of all blocks, and the cells of the topmost, if asked for."""
        tapes, ends, top = [], [], len(self.blocks) - 1
        for j, weights in enumerate(self.weights):
            noise, layout = self.noise[j], self.layouts[j + 1]
            if j and noise.below is not None:
                x = thin(x, noise.below, self.dropout)
            y, end, c, tape = ops.forward(
                weights, turned(x, layout), states[j], layout=layout, training=training, cells=cells and j == top,
                lengths=lengths, reset=reset if reset is None or layout == "tmn" else reset.T, reverse=self.reverse,
                drop=noise.recurrent, zoneout=noise.zoneout,
            )  # fmt: skip
            x = turned(y, layout)
            ends.append(end)
            tapes.append(tape)
        self.tapes = tapes if training else None
        return x, ends, None if c is None else turned(c, layout)

    def call(self, x, states, lengths, reset, training, cells=False):
        """The arguments of ops.forward for a column of one block; `took` takes what it returns."""
        noise, layout = self.noise[0], self.layouts[1]
        return dict(
            weights=self.weights[0], x=turned(x, layout), state=states[0], layout=layout, training=training, cells=cells,
            lengths=lengths, reset=reset if reset is None or layout == "tmn" else reset.T, reverse=self.reverse,
            drop=noise.recurrent, zoneout=noise.zoneout,
        )  # fmt: skip

    def took(self, result):
        """What `forward` returns."""
        layout = self.layouts[1]
        self.tapes = None if result.tape is None else [result.tape]
        return turned(result.y, layout), [result.state], None if result.cells is None else turned(result.cells, layout)

    def backward(self, dy, dstates, dcells, need_dx, sums=None):
        """Return dx, the gradients of the first states, and ops' Gradients of each block, added to those in `sums`."""
        starts, found = [None] * len(self.blocks), [None] * len(self.blocks)
        for j in reversed(range(len(self.blocks))):
            layout = self.layouts[j]
            g = ops.backward(
                self.tapes[j], None if dy is None else turned(dy, layout), dstates[j],
                None if dcells is None else turned(dcells, layout), layout=layout, need_dx=need_dx or j > 0,
                accumulate=None if sums is None else sums[j],
            )  # fmt: skip
            starts[j], found[j] = g.dstate, g
            dy, dcells = None if g.dx is None else turned(g.dx, layout), None
            if j and self.noise[j].below is not None:
                dy = thin(dy, self.noise[j].below, self.dropout)
        return dy, starts, found


def forward(columns, x, states, lengths, reset, training, cells):
    """What `forward` of each column returns: one after the other, or two directions of one layer side by side."""
    if len(columns) == 2 and all(type(column) is Column for column in columns):
        calls = [column.call(x, start, lengths, reset, training, cells) for column, start in zip(columns, states)]
        return [column.took(result) for column, result in zip(columns, ops.forward_many(calls))]
    return [column.forward(x, start, lengths, reset, training, cells) for column, start in zip(columns, states)]
