"""Flags that are set by chance, from a counter: the finaliser of SplitMix64 (Steele, Lea & Flood 2014).

Word k of a key is mix(key + (k + 1) STEP), modulo 2^64. Each flag takes 8 bits: a float for each would take longer than
the steps of a small cell. What 8 bits leave of the share is the chance that a bound, shared by every 512th flag, is one
higher.
"""

import numpy as np

_STEP = 0x9E3779B97F4A7C15
_BOUNDS = 512  # so many flags in a row have bounds of their own


def chance(key, share, flip, out):
    """Fill the bytes `out` with flags, each 1 with a chance of share in 2^24, at most half; with `flip` 0 instead."""
    whole, rest = divmod(share, 2**16)
    n = out.size
    words = _words(key, _BOUNDS // 4 - (-n // _BOUNDS) * (_BOUNDS // 8))
    bounds = (words[: _BOUNDS // 4].view("<u2") < rest) + np.uint8(whole)
    octets = words[_BOUNDS // 4 :].view(np.uint8).reshape(-1, _BOUNDS)
    out.reshape(-1)[...] = ((octets < bounds) != bool(flip)).reshape(-1)[:n]


def _words(key, count):
    """The first words of a key, in memory with the lowest byte first."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP) + np.uint64(key)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return (z ^ z >> np.uint64(31)).astype("<u8", copy=False)
