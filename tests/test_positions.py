"""Affine maps, softmax and losses at every position: the backends against long floats, bits, refusals."""

import numpy as np
import pytest
from cases import Guarded, assert_sum

import fastrnn
from fastrnn import _backend, ops
from fastrnn.nn import Linear, logistic, softmax_cross_entropy, squared_error

LAYOUTS = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}
SIZES = [(1, 1, 1, 1), (3, 5, 2, 7), (17, 33, 3, 20), (64, 27, 5, 40), (7, 200, 1, 2), (31, 16, 40, 2), (4, 3, 0, 2),
         (4, 3, 2, 0)]     # n_x, n_y, m, T


def numbers(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def run(sizes, layout, dtype):
    """All that an affine map gives, time-major."""
    n_x, n_y, m, T = sizes
    axes = LAYOUTS[layout]
    W, b = numbers(0, n_y, n_x, dtype=dtype), numbers(1, n_y, dtype=dtype)
    x = np.ascontiguousarray(numbers(2, T, m, n_x, dtype=dtype).transpose(axes))
    dy = np.ascontiguousarray(numbers(3, T, m, n_y, dtype=dtype).transpose(axes))
    weights = ops.pack_linear(W, b)
    found = [ops.linear(weights, x, layout=layout, activation=kind).transpose(axes) for kind in ("none", "softmax", "sigmoid")]
    dx, dW, db = ops.linear_backward(weights, x, dy, layout=layout)
    return [*found, dx.transpose(axes), dW, db]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_affine_maps(engine, dtype, threads, sizes):
    n_x, n_y, m, T = sizes
    W, b = numbers(0, n_y, n_x, dtype=dtype).astype(np.longdouble), numbers(1, n_y, dtype=dtype).astype(np.longdouble)
    x, dy = (numbers(k, T, m, n, dtype=dtype).astype(np.longdouble) for k, n in ((2, n_x), (3, n_y)))
    z = x @ W.T + b
    expected = [z, softmax(z), 1 / (1 + np.exp(-z)), dy @ W, np.einsum("tmy,tmx->yx", dy, x), dy.sum(axis=(0, 1))]
    first = run(sizes, "tmn", dtype)
    for a, e in zip(first, expected, strict=True):
        assert_sum(a, e, 8 + 2 * (n_x + n_y + m * T))
    for layout in ("mtn", "nmt"):
        for a, e in zip(run(sizes, layout, dtype), first, strict=True):
            assert_sum(a, e, 8 + n_x + n_y + m * T)


@pytest.mark.parametrize("sizes", [(17, 33, 3, 20), (64, 70, 32, 70), (100, 300, 1, 5), (33, 20, 300, 3)], ids=str)
def test_bits_of_affine_maps(isa, dtype, sizes):
    with fastrnn.num_threads(1):
        whole = run(sizes, "tmn", dtype)
    for count in (1, 2, 3):
        with fastrnn.num_threads(count):
            for layout in LAYOUTS:
                for k, (a, b) in enumerate(zip(run(sizes, layout, dtype), whole, strict=True)):
                    assert np.array_equal(a, b), (count, layout, k)


def test_a_position_alone_or_among_others(isa, dtype):
    weights, x = ops.pack_linear(numbers(0, 19, 37, dtype=dtype)), numbers(1, 50, 37, dtype=dtype)
    whole = ops.linear(weights, x, activation="softmax")
    for rows in (slice(0, 1), slice(7, 20), [3, 49, 3]):
        assert np.array_equal(ops.linear(weights, x[rows], activation="softmax"), whole[rows])


@pytest.mark.parametrize("n", [1, 3, 15, 16, 17, 33, 200])
def test_softmax_of_a_row(engine, dtype, n):
    z = 30 * numbers(n, 5, n, dtype=dtype)
    one = ops.pack_linear(np.eye(n, dtype=dtype))
    found = ops.linear(one, z, activation="softmax")
    expected = softmax(z.astype(np.longdouble))
    # z - max z is rounded before its exponential is taken.
    terms = 16 + np.ptp(z, axis=-1, keepdims=True)
    assert np.all(np.abs(found - expected) <= terms * np.finfo(dtype).eps * expected + np.finfo(dtype).tiny)


def test_softmax_at_the_limits(engine, dtype):
    """NaN in a row is NaN in all of it, and of that row alone; what stands at minus infinity has no share."""
    weights = ops.pack_linear(np.eye(3, dtype=dtype)[:, :1], np.array([0, 1, 2], dtype))
    with np.errstate(all="ignore"):
        y = ops.linear(weights, np.array([[np.nan], [0]], dtype), activation="softmax")
    assert np.isnan(y[0]).all() and y[1].sum() == pytest.approx(1)
    value, gradient = softmax_cross_entropy(np.array([[-np.inf, 0, 0]], dtype), np.array([[0, 1, 0]], dtype))
    assert value == pytest.approx(np.log(2)) and np.array_equal(gradient, np.array([[0, -0.5, 0.5]], dtype))


@pytest.mark.parametrize("n", [1, 2, 16, 17, 100])
@pytest.mark.parametrize("axis", [-1, 0])
def test_cross_entropy(engine, dtype, threads, n, axis):
    logits, rng = 4 * numbers(n, 21, 9, n, dtype=dtype), np.random.default_rng(1)
    classes, mask = rng.integers(0, n, (21, 9)), rng.random((21, 9)) < 0.8
    shares = rng.random((21, 9, n)).astype(dtype)
    z = logits.astype(np.longdouble)
    log_p = z - z.max(axis=-1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=-1, keepdims=True))
    masked = np.where(mask[..., None], logits, dtype.type(np.nan))
    for given, target in ((classes, np.eye(n)[classes]), (shares, shares.astype(np.longdouble))):
        if given is shares:
            given = np.ascontiguousarray(np.moveaxis(given, -1, axis))
        value, gradient = softmax_cross_entropy(np.ascontiguousarray(np.moveaxis(masked, -1, axis)), given, mask=mask, axis=axis)
        expected = np.where(mask[..., None], np.exp(log_p) * target.sum(axis=-1, keepdims=True) - target, 0) / mask.sum()
        loss = -(target * log_p).sum(axis=-1)[mask].mean()
        eps = float(np.finfo(dtype).eps)
        assert value == pytest.approx(float(loss), rel=(16 + n) * eps, abs=16 * eps)
        assert np.max(np.abs(np.moveaxis(gradient, axis, -1) - expected)) <= (16 + n) * n * eps / mask.sum()


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1100])
def test_elementwise_losses(engine, dtype, threads, size):
    x, t = 5 * numbers(0, size, dtype=dtype), np.random.default_rng(1).random(size).astype(dtype)
    mask = np.arange(size) % 5 != 3
    z, y, n = x.astype(np.longdouble), t.astype(np.longdouble), mask.sum()
    eps = float(np.finfo(dtype).eps)
    value, gradient = logistic(x, t, mask=mask)
    loss = np.logaddexp(0, z) - y * z
    assert value == pytest.approx(float(loss[mask].mean()), rel=100 * eps)
    assert np.max(np.abs(gradient - np.where(mask, 1 / (1 + np.exp(-z)) - y, 0) / n)) <= 8 * eps / n
    value, gradient = squared_error(x, t, mask=mask)
    assert value == pytest.approx(float(((z - y) ** 2)[mask].mean()), rel=100 * eps)
    assert np.max(np.abs(gradient - np.where(mask, 2 * (z - y), 0) / n)) <= 100 * eps / n


def test_small_losses_keep_their_digits(engine, dtype):
    value, _ = logistic(np.array([20, -25], dtype), np.array([1, 0], dtype), reduction="sum")
    assert value == pytest.approx(np.log1p(np.exp(-20.0)) + np.log1p(np.exp(-25.0)), rel=16 * float(np.finfo(dtype).eps))


def test_bits_of_losses(isa, dtype):
    x, target = numbers(0, 70, 33, 45, dtype=dtype), np.random.default_rng(1).integers(0, 45, (70, 33))
    found = []
    for count in (1, 2, 3):
        with fastrnn.num_threads(count):
            first = np.ascontiguousarray(x.transpose(2, 1, 0))     # time innermost
            found += [softmax_cross_entropy(x, target),
                      softmax_cross_entropy(first.transpose(0, 2, 1), target, axis=0)]
            found[-1] = found[-1][0], np.moveaxis(found[-1][1], 0, -1)
    assert all(each[0] == found[0][0] and np.array_equal(each[1], found[0][1]) for each in found)
    found = []
    for count in (1, 2, 3):
        with fastrnn.num_threads(count):
            found += [logistic(x[..., :1], x[..., 1:2] ** 2), squared_error(x, 2 * x)]
    for k in (0, 1):
        assert all(each[0] == found[k][0] and np.array_equal(each[1], found[k][1]) for each in found[k::2])


# ---- memory ----

@pytest.mark.parametrize("gap, step", [(0, 1), (3, 1), (2, 2)])
def test_nothing_is_written_outside(isa, dtype, threads, gap, step):
    backend, m, T, n_x, n_y = _backend._core, 5, 6, 13, 21
    x, dy = numbers(1, T, m, n_x, dtype=dtype), numbers(2, T, m, n_y, dtype=dtype)
    weights = backend.Linear(numbers(3, n_y, n_x, dtype=dtype), None)
    y, dx, gradient, taken = (Guarded((T, m, n), dtype, gap, step) for n in (n_y, n_x, n_y, n_x))
    dW, db, parts, table = (Guarded(shape, dtype) for shape in ((n_y, n_x), (n_y,), (T, m, 3), (n_y, n_x)))
    index = np.random.default_rng(0).integers(-1, n_y, (T, m))
    backend.linear_forward(weights, x, y.array, "softmax", threads)
    backend.linear_backward(weights, x, dy, dx.array, dW.array, db.array, threads)
    backend.loss("softmax", dy, index, None, 1.0, gradient.array, parts.array, threads)
    backend.take_rows(index, dW.array, taken.array, threads)
    backend.add_rows(index, x, table.array, threads)
    assert all(each.intact() for each in (y, dx, gradient, taken, dW, db, parts, table))
    h, d = Guarded((T, m, n_y), dtype, gap, step), [Guarded((T, m, n_y), dtype, gap, step) for _ in range(3)]
    last, dh0 = Guarded((m, n_y), dtype), Guarded((m, n_y), dtype)
    backend.scan("min_lstm", [dy, dy, dy], None, h.array, last.array, threads)
    backend.scan_backward("min_lstm", [dy, dy, dy], None, h.array, dy, None, [each.array for each in d], dh0.array, threads)
    assert all(each.intact() for each in (h, last, dh0, *d))


def test_the_extension_refuses_what_would_crash_it(isa):
    core, x = _backend._core, np.ones((2, 1, 3))
    empty = core.Linear.__new__(core.Linear)
    weights = core.Linear(np.ones((4, 3)), None)
    big = np.full((2, 1), 3)
    for call in (lambda: core.linear_forward(empty, x, x, "none", 1), lambda: core.linear_forward(weights, x, x, "none", 1),
                 lambda: core.linear_forward(weights, x, None, "none", 1), lambda: empty.nbytes,
                 lambda: core.linear_backward(weights, x, np.ones((2, 1, 4)), None, None, None, 1),
                 lambda: core.loss("softmax", x, big, None, 1, x.copy(), x.copy(), 1),
                 lambda: core.loss("softmax", x, None, None, 1, x.copy(), x.copy(), 1),
                 lambda: core.loss("squared", x, None, None, 1, x.copy(), x.copy(), 1),
                 lambda: core.take_rows(big, np.ones((3, 3)), x.copy(), 1),
                 lambda: core.take_rows(big.astype(np.int32), np.ones((9, 3)), x.copy(), 1),
                 lambda: core.add_rows(None, x, np.ones((3, 3)), 1),
                 lambda: core.scan("linear", [x], None, x.copy(), None, 1),
                 lambda: core.scan_backward("linear", [x, x], None, x, x, None, [None, None], np.ones((1, 3)), 1)):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(RuntimeError, match="packed once"):
        weights.__init__(np.ones((4, 3)), None)


@pytest.mark.parametrize("call, error, name", [
    (lambda w: ops.pack_linear(np.ones(3)), ValueError, "W"),
    (lambda w: ops.pack_linear(np.ones((2, 3), int)), TypeError, "W"),
    (lambda w: ops.pack_linear(np.ones((2, 3)), np.ones(3)), ValueError, "b"),
    (lambda w: ops.linear(w, np.ones((5, 2))), ValueError, "x"),
    (lambda w: ops.linear(w, np.ones((5, 3), np.float32)), TypeError, "x"),
    (lambda w: ops.linear(w, np.ones((5, 3)), activation="relu"), ValueError, "activation"),
    (lambda w: ops.linear(w, np.ones((5, 3)), layout="nm"), ValueError, "layout"),
    (lambda w: ops.linear("w", np.ones((5, 3))), TypeError, "weights"),
    (lambda w: ops.linear_backward(w, np.ones((5, 3)), np.ones((4, 2))), ValueError, "dy"),
])
def test_wrong_arguments(call, error, name):
    with pytest.raises(error, match=f"^{name}: "):
        call(ops.pack_linear(np.ones((2, 3))))


def test_weights_stay_with_their_backend_and_follow_writes(engine):
    layer, x = Linear(3, 4, dtype=np.float64, seed=0), numbers(0, 5, 3)
    y = layer(x)
    with fastrnn.backend("numpy"):
        np.testing.assert_allclose(layer(x), y, rtol=1e-14)
    layer.update({"bias": layer.parameters()["bias"] + 1})
    np.testing.assert_allclose(layer(x), y + 1, rtol=1e-14)
