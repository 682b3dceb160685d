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

    def forward(self, x, states, lengths, reset, training, cells=False, out=None):
        """Return y (`out`, if that is given), the last states of all blocks, and the cells of the topmost, if asked for."""
        tapes, ends, top = [], [], len(self.blocks) - 1
        for j in range(len(self.blocks)):
            if j and self.noise[j].below is not None:
                x = thin(x, self.noise[j].below, self.dropout)
            noise, layout = self.noise[j], self.layouts[j + 1]
            result = ops.forward(
                self.weights[j], turned(x, layout), states[j], layout=layout, training=training, cells=cells and j == top,
                lengths=lengths, reset=reset if reset is None or layout == "tmn" else reset.T, reverse=self.reverse,
                drop=noise.recurrent, zoneout=noise.zoneout, out=None if out is None or j < top else turned(out, layout),
            )  # fmt: skip
            x = turned(result.y, layout)
            ends.append(result.state)
            tapes.append(result.tape)
        self.tapes = tapes if training else None
        return x, ends, None if result.cells is None else turned(result.cells, self.layouts[-1])

    def backward(self, dy, dstates, dcells, need_dx, sums=None, out=None):
        """Return dx (`out`, if that is given), the gradients of the first states, and ops' Gradients of each block, added
        to those in `sums`."""
        starts, found = [None] * len(self.blocks), [None] * len(self.blocks)
        for j in reversed(range(len(self.blocks))):
            layout = self.layouts[j]
            g = ops.backward(
                self.tapes[j], None if dy is None else turned(dy, layout), dstates[j],
                None if dcells is None else turned(dcells, layout), layout=layout, need_dx=need_dx or j > 0,
                accumulate=None if sums is None else sums[j], out=None if out is None or j else turned(out, layout),
            )  # fmt: skip
            starts[j], found[j] = g.dstate, g
            dy, dcells = None if g.dx is None else turned(g.dx, layout), None
            if j and self.noise[j].below is not None:
                dy = thin(dy, self.noise[j].below, self.dropout)
        return dy, starts, found
