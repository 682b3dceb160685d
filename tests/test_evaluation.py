"""A layer's call takes a quicker way where its arguments fit as they are (fastrnn/_evaluation.pxi):
the same results, and the same errors."""

import numpy as np
import pytest

import fastrnn

LAYERS = (
    lambda **given: fastrnn.RNN(3, 5, seed=0, **given),
    lambda **given: fastrnn.LSTM(3, 5, seed=0, **given),
    lambda **given: fastrnn.LSTM(3, 20, seed=0, proj_size=4, peephole=True, **given),
    lambda **given: fastrnn.GRU(3, 17, seed=0, **given),
    lambda **given: fastrnn.GRU(3, 5, seed=0, reset_after=False, clip=1.0, **given),
)
SHAPES = {"tmn": lambda T, m, n: (T, m, n), "mtn": lambda T, m, n: (m, T, n), "nmt": lambda T, m, n: (n, m, T)}


def numbers(shape, dtype):
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


def arrays(result):
    y, state = result
    return [y, *(state if isinstance(state, tuple) else (state,))]


def long_way(layer, x):
    """The plain call without what `prepare` made for the levels."""
    for level in layer._standing():
        level.plain = None
    try:
        return layer._run(x, None, None, None, False, False, None)[:2]
    finally:
        for level in layer._standing():
            level.prepare()


def assert_same(found, expected):
    for ours, theirs in zip(arrays(found), arrays(expected), strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.flags.c_contiguous
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("layout", SHAPES)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("make", LAYERS)
def test_the_plain_call_has_the_bits_of_the_long_way(make, bidirectional, layout, isa, dtype, threads):
    layer = make(bidirectional=bidirectional, layout=layout, dtype=dtype)
    for T, m in ((7, 1), (40, 1), (1, 3), (5, 9), (0, 2), (3, 0)):
        x = numbers(SHAPES[layout](T, m, 3), dtype)
        expected = long_way(layer, x)
        assert_same(layer(x), expected)
        assert_same(layer(np.asfortranarray(x)), expected)
        wide = np.full((2 * x.shape[0], 3 * x.shape[1], 2 * x.shape[2]), np.nan, dtype)
        wide[::2, ::3, ::2] = x
        assert_same(layer(wide[::2, ::3, ::2]), expected)
        assert_same(layer(x[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]), expected)
        read_only = x.copy()
        read_only.flags.writeable = False
        assert_same(layer(read_only), expected)
        assert_same(layer(x.astype(x.dtype.newbyteorder())), expected)
        packed = np.zeros(x.shape, np.dtype([("byte", "u1"), ("x", x.dtype)]))
        packed["x"] = x
        assert_same(layer(packed["x"]), expected)
        assert_same(layer(x.tolist()) if dtype == np.float64 and x.size else layer(x), expected)


@pytest.mark.parametrize("wrong, error, words", [
    (lambda x: x.astype(np.float16), TypeError, "x: expected float32"),
    (lambda x: x.astype(np.float64), TypeError, "x: expected float32"),
    (lambda x: x.astype(np.int32), TypeError, "x: expected float32"),
    (lambda x: x[..., :2], ValueError, "x: expected shape"),
    (lambda x: x[None], ValueError, "x: expected shape"),
    (lambda x: np.ma.masked_array(x), TypeError, "x: expected an array without a mask"),
    (lambda x: x.astype("M8[s]"), TypeError, "x: expected"),
    (lambda x: None, TypeError, "x: expected an array of floats, got one of object"),
    (lambda x: "abc", TypeError, "x: expected an array of floats, got one of <U3"),
    (lambda x: x[:, 0, :2], ValueError, r"x: expected shape .*or without m for one sequence, got \(4, 2\)"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_as_before(wrong, error, words, engine):
    layer, x = fastrnn.LSTM(3, 5, seed=0), numbers((4, 2, 3), np.float32)
    for _ in range(2):  # the first call makes the quick way
        with pytest.raises(error, match=words):
            layer(wrong(x))
        layer(x)


def test_it_follows_written_weights_and_the_backend(engine):
    layer, x = fastrnn.LSTM(3, 5, seed=0, bidirectional=True), numbers((4, 2, 3), np.float32)
    first = layer(x)
    layer.update({"bias_ih_l0": np.full(20, 0.5)})
    assert not np.array_equal(layer(x)[0], first[0])
    assert_same(layer(x), long_way(layer, x))
    with fastrnn.backend("numpy"):
        np.testing.assert_allclose(layer(x)[0], long_way(layer, x)[0], rtol=0, atol=0)


def test_what_an_empty_object_gives():
    core = pytest.importorskip("fastrnn._core")
    assert core.Evaluation.__new__(core.Evaluation)(np.zeros((1, 1, 3), np.float32)) is None
