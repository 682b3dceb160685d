"""What chance decides in one training forward: the masks of dropout, DropConnect and zoneout."""
import math
from typing import Any, NamedTuple

import numpy as np

_BOUNDS = 512       # so many elements in a row have bounds of their own


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
        wide = block.n_a if block.cell == "lstm" else 0
        keep = hits(rng, (T * m * (block.n_h + wide),), options.zoneout)
        keep_a, keep_c = np.split(keep, [T * m * block.n_h])
        zoneout = keep_a.reshape(T, m, block.n_h), keep_c.reshape(T, m, wide) if wide else None
    return Noise(below, weights, recurrent, zoneout)


def hits(rng, shape, p):
    """Booleans, each True with probability p rounded to 24 bits.

    Eight come from one 64-bit draw: with a float each, the masks of zoneout would take longer than a small cell's
    steps. What 8 bits leave of p is the chance that a bound, shared by every 512th element, is one higher.
    """
    if p > 0.5:
        found = hits(rng, shape, 1 - p)
        return np.logical_not(found, out=found)
    size = math.prod(shape)
    whole, rest = divmod(round(p * 2**24), 2**16)
    words = -(-size // _BOUNDS) * _BOUNDS // 8
    bits = rng.integers(0, 2**64 - 1, _BOUNDS // 4 + words, np.uint64, endpoint=True).astype("<u8", copy=False)
    bounds = (bits[words:].view("<u2") < rest).view(np.uint8) + np.uint8(whole)
    octets = bits[:words].view(np.uint8).reshape(-1, _BOUNDS)
    found = np.less(octets, bounds, out=octets.view(bool))
    return found.reshape(-1)[:size].reshape(shape)


def _factors(rng, shape, p, dtype):
    """Zeros with probability p, else 1 / (1 - p): the mean is 1."""
    return hits(rng, shape, 1 - p) * dtype.type(1 / (1 - p))


def thin(x, kept, dropout):
    """x where `kept`, scaled by 1 / (1 - dropout), and zeros elsewhere: a new array."""
    out = x * kept
    out *= x.dtype.type(1 / (1 - dropout))
    return out
