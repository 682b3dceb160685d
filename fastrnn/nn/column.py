"""Blocks on top of each other, run through time in one direction; arrays are time-major views here."""
from .axes import turned
from .noise import thin


class Column:
    """Blocks, what runs each of them (ops.Again), and noise for one pass, and, once it ran for training, their tapes.

    dropout: of what goes from block to block.
    """

    __slots__ = ("blocks", "runs", "noise", "dropout", "reverse", "tapes")

    def __init__(self, blocks, runs, noise, dropout):
        self.blocks, self.runs, self.noise, self.dropout = blocks, runs, noise, dropout
        self.reverse, self.tapes = blocks[0].reverse, None

    def part(self, at):
        """The same column for the steps at that index."""
        return Column(self.blocks, self.runs, [each.part(at) for each in self.noise], self.dropout)

    def forward(self, x, states, lengths, reset, training, out=None):
        """Return y (`out`, if that is given) and the last states of all blocks."""
        tapes, ends, top = [], [], len(self.blocks) - 1
        for j, (run, noise) in enumerate(zip(self.runs, self.noise)):
            if j and noise.below is not None:
                x = thin(x, noise.below, self.dropout)
            layout = run.layouts[0]
            result = run.forward(
                turned(x, layout), states[j], lengths, reset if reset is None or layout == "tmn" else reset.T,
                noise.recurrent, noise.zoneout, None if out is None or j < top else turned(out, layout), training,
            )  # fmt: skip
            x = turned(result.y, layout)
            ends.append(result.state)
            tapes.append(result.tape)
        self.tapes = tapes if training else None
        return x, ends

    def backward(self, dy, dstates, dcells, need_dx, sums=None, out=None):
        """Return dx (`out`, if that is given), the gradients of the first states, and ops' Gradients of each block, added
        to those in `sums`."""
        starts, found = [None] * len(self.blocks), [None] * len(self.blocks)
        for j in reversed(range(len(self.blocks))):
            layout = self.runs[j].layouts[1]
            g = self.runs[j].backward(
                self.tapes[j], None if dy is None else turned(dy, layout), dstates[j],
                None if dcells is None else turned(dcells, layout), need_dx or j > 0, None if sums is None else sums[j],
                None if out is None or j else turned(out, layout),
            )  # fmt: skip
            starts[j], found[j] = g.dstate, g
            dy, dcells = None if g.dx is None else turned(g.dx, layout), None
            if j and self.noise[j].below is not None:
                dy = thin(dy, self.noise[j].below, self.dropout)
        return dy, starts, found
