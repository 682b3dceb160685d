"""What chance decides in one training forward: the masks of dropout, DropConnect and zoneout."""
from typing import Any, NamedTuple

import numpy as np

from .. import ops


class Noise(NamedTuple):
    """The masks of one block for one pass over T steps of m sequences; None for what is not asked for.

    below (T, m, n_x) bool, True where the block's input is kept · weights, DropConnect's factors of weight_hh ·
    recurrent (m, n_h), the factors of the operand of weight_hh · zoneout, as ops.forward takes it: a pair of masks in
    training, a probability in evaluation.
    """

    below: Any = None
    weights: Any = None
    recurrent: Any = None
    zoneout: Any = None

    def part(self, at):
        """The same for the steps at an index of the first axis, or of the first two."""
        zoneout = self.zoneout
        if self.below is None and not isinstance(zoneout, tuple):
            return self
        if isinstance(zoneout, tuple):
            zoneout = tuple(None if keep is None else keep[at] for keep in zoneout)
        return self._replace(below=None if self.below is None else self.below[at], zoneout=zoneout)


NONE = Noise()


def draw(rng, block, dropout, options, T, m, dtype):
    """The Noise for one block from the generator; `dropout` is that of the block's input."""
    weights = recurrent = zoneout = None
    below = hits(rng, (T, m, block.n_x), 1 - dropout) if dropout else None
    if options.weight_dropout:
        weights = _factors(rng, block.shapes["W_a"], options.weight_dropout, dtype)
    if options.recurrent_dropout:
        recurrent = _factors(rng, (m, block.n_h), options.recurrent_dropout, dtype)
    if options.zoneout:
        keep_a = hits(rng, (T, m, block.n_h), options.zoneout)
        zoneout = keep_a, hits(rng, (T, m, block.n_a), options.zoneout) if block.cell == "lstm" else None
    return Noise(below, weights, recurrent, zoneout)


def hits(rng, shape, p):
    """Booleans, each True with probability p; of the generator they take one number."""
    return ops.chance(rng.integers(0, 2**64 - 1, dtype=np.uint64, endpoint=True), shape, p)


def _factors(rng, shape, p, dtype):
    """Zeros with probability p, else 1 / (1 - p): the mean is 1."""
    return hits(rng, shape, 1 - p) * dtype.type(1 / (1 - p))


def thin(x, kept, dropout):
    """x where `kept`, scaled by 1 / (1 - dropout), and zeros elsewhere: a new array."""
    out = x * kept
    out *= x.dtype.type(1 / (1 - dropout))
    return out
