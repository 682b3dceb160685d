"""Masks that are drawn: the definition, written out; the same on every backend; refusals."""

import numpy as np
import pytest

import fastrnn
from fastrnn import ops

WORDS = 2**64 - 1


def word(key, k):
    """Word k of a key: SplitMix64, in Python's integers."""
    z = key + (k + 1) * 0x9E3779B97F4A7C15 & WORDS
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & WORDS
    z = (z ^ z >> 27) * 0x94D049BB133111EB & WORDS
    return z ^ z >> 31


def defined(key, n, p):
    """What `chance` draws, one flag after the other."""
    share = round(min(p, 1 - p) * 2**24)
    pairs = [word(key, k // 4) >> 16 * (k % 4) & 0xFFFF for k in range(512)]
    octets = [word(key, 128 + k // 8) >> 8 * (k % 8) & 0xFF for k in range(n)]
    found = [octet < (share >> 16) + (pairs[k % 512] < (share & 0xFFFF)) for k, octet in enumerate(octets)]
    return [not each for each in found] if p > 0.5 else found


def test_words_are_those_of_splitmix64():
    """The first numbers of the published generator from the seed 1234567."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert [word(1234567, k) for k in range(5)] == published


@pytest.mark.parametrize("p", [0, 1e-4, 0.1, 0.5, 0.6, 0.9999, 1])
def test_flags_are_those_of_the_definition(engine, p):
    for key, n in ((0, 1), (1234567, 511), (2**64 - 1, 512), (2**63, 1537)):
        found = ops.chance(key, (n,), p)
        assert found.dtype == bool and found.tolist() == defined(key, n, p)
        assert (found.view(np.uint8) < 2).all()


def test_shapes(engine):
    assert ops.chance(3, (), 0.5).shape == () and ops.chance(3, (0, 4), 0.5).shape == (0, 4)
    whole = ops.chance(3, (7, 5, 3), 0.25)
    assert whole.flags.c_contiguous and (whole.reshape(-1) == ops.chance(np.uint64(3), 105, 0.25)).all()


def test_keys_differ_and_shares_are_met():
    n = 400_000
    one, other = (ops.chance(key, n, 0.3) for key in (5, 6))
    for flags in (one, other):
        assert abs(flags.mean() - 0.3) < 5 * (0.21 / n) ** 0.5
    for lag in (0, 1, 8, 512):
        both = (one[: n - lag] & other[lag:]).mean()
        assert abs(both - 0.09) < 5 * (0.09 * 0.91 / n) ** 0.5
        if lag:
            assert abs((one[: n - lag] & one[lag:]).mean() - 0.09) < 5 * (0.09 * 0.91 / n) ** 0.5


@pytest.mark.parametrize("error, name, arguments", [
    (TypeError, "key", (1.5, 3, 0.5)), (ValueError, "key", (-1, 3, 0.5)), (ValueError, "key", (2**64, 3, 0.5)),
    (TypeError, "p", (0, 3, "half")), (ValueError, "p", (0, 3, 1.01)), (ValueError, "p", (0, 3, float("nan"))),
])  # fmt: skip
def test_refusals(error, name, arguments):
    with pytest.raises(error, match=f"^{name}: expected .*got"):
        ops.chance(*arguments)


def test_a_seed_means_the_same_masks_on_both_backends():
    found = []
    for name in ("native", "numpy") if fastrnn.config()["extension"] else ("numpy",):
        with fastrnn.backend(name):
            layer = fastrnn.LSTM(3, 20, zoneout=0.2, seed=4)
            tape = layer.forward(np.ones((9, 2, 3), np.float32))[2]
            found.append(tape.levels[0][0].noise[0].zoneout)
    for one in found:
        assert all((one[k] == found[0][k]).all() for k in range(2))
