"""A column of blocks that keeps its states every k steps, and recomputes what is between on the way back.

The way back begins where the way there ends: the tapes of the last chunks stay."""
from typing import Any, NamedTuple

import numpy as np

from .axes import empty
from .column import Column

_STAY = 2           # chunks whose tapes stay
_BLOCK = 16         # steps whose part of a weight's gradient is one sum: only cuts between them keep the order of sums


class Chunk(NamedTuple):
    """Some steps that run at once.

    at: where they stand in arrays (T, m, …) · lengths: those of the rows in the chunk, or None · inside (steps, m):
    where `at` is within a row's steps, or None for everywhere · fresh (m,): the rows that begin at zero in it, by a
    reset that stands in the chunk before, or None for none.
    """

    at: Any
    lengths: Any
    inside: Any
    fresh: Any

    def place(self, whole):
        """Where a result of the chunk goes at once: its part of `whole`, or None where `put` must bring it there."""
        return whole[self.at] if self.inside is None else None

    def put(self, whole, part):
        """Write the chunk's `part` to where it stands in `whole`, which is zero before, unless it was made there."""
        if self.inside is not None:
            times, rows = (np.broadcast_to(index, self.inside.shape)[self.inside] for index in self.at)
            whole[times, rows] = part[self.inside]

    def entered(self, states):
        """States, or their gradients, as they pass from the chunk before into this one, or back."""
        if self.fresh is None:
            return states
        return [tuple(np.where(self.fresh[:, None], part.dtype.type(0), part) for part in state) for state in states]


def chunks(T, m, every, lengths, reset, reverse):
    """The chunks of `every` steps in the order in which they run; the last one has what is left, too.

    Steps are counted from where each row begins to run, in reverse from its own end: sums of gradients go by these.
    """
    found, row = [], np.arange(m)
    for first in range(0, max(T - every, 0) + 1, every):
        last = first + every if first + 2 * every <= T else T
        own = None if lengths is None else np.clip(lengths - first, 0, last - first)
        at, inside, fresh = slice(first, last), None, None
        if reverse and lengths is None:
            at = slice(T - last, T - first)
        elif reverse:
            step = np.arange(last - first)[:, None]
            at, inside = (np.minimum(np.maximum(lengths - last, 0) + step, T - 1), row), step < own
        if reverse and reset is not None and first:
            ends = T if lengths is None else lengths
            fresh = reset[np.maximum(ends - first, 0), row] & (ends > first)
        found.append(Chunk(at, own, inside, fresh))
    return found


class Checkpointed(Column):
    """Forward and backward of a Column in chunks of `every` steps, rounded up to a multiple of 16."""

    __slots__ = ("every", "kept", "ready")

    def __init__(self, blocks, runs, noise, dropout, every):
        super().__init__(blocks, runs, noise, dropout)
        self.every, self.kept = -(-every // _BLOCK) * _BLOCK, None
        self.ready = {}         # columns that have their tapes, by the number of the chunk

    def forward(self, x, states, lengths, reset):
        """As Column.forward, and keep the states at the start of each chunk, and the tapes of the last ones."""
        T, m, _ = x.shape
        # The caller's states, but those of a chunk are kept until backward.
        states = [None if state is None else tuple([part.copy() for part in state]) for state in states]
        starts, y = [], empty((T, m, self.blocks[-1].n_h), self.runs[-1].layouts[0], x.dtype)
        if lengths is not None and self.reverse:
            y[...] = 0
        found = chunks(T, m, self.every, lengths, reset, self.reverse)
        for k, chunk in enumerate(found):
            stays = k >= len(found) - _STAY
            states = chunk.entered(states)
            starts.append((chunk, states))
            column, states = self._run(chunk, x, states, reset, stays, y)
            if stays:
                self.ready[k] = column
        self.kept = x, reset, starts
        return y, states

    def _run(self, chunk, x, states, reset, training, y=None):
        """The column of a chunk, and the last states of its blocks; its output goes to `y`, if that is given."""
        column = self.part(chunk.at)
        out = None if y is None else chunk.place(y)
        part, states = column.forward(
            x[chunk.at], states, chunk.lengths, None if reset is None else reset[chunk.at], training, out=out)
        if y is not None:
            chunk.put(y, part)
        return column, states

    def backward(self, dy, dstates, dcells, need_dx):
        """As Column.backward."""
        x, reset, starts = self.kept
        dx, sums = None, None
        if need_dx:
            dx = empty(x.shape, self.runs[0].layouts[1], x.dtype)
            if any(chunk.inside is not None for chunk, _ in starts):
                dx[...] = 0
        for k, (chunk, states) in reversed(list(enumerate(starts))):
            # Out of `ready` at once: its tapes go before those of the next come, and a second try after Ctrl-C runs it again.
            column = self.ready.pop(k, None) or self._run(chunk, x, states, reset, True)[0]
            dy_part, dcells_part = (None if d is None else d[chunk.at] for d in (dy, dcells))
            part, dstates, sums = column.backward(
                dy_part, dstates, dcells_part, need_dx, sums, chunk.place(dx) if need_dx else None)
            column = None
            dstates = chunk.entered(dstates)
            if need_dx:
                chunk.put(dx, part)
        return dx, dstates, sums
