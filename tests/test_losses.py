"""Losses: their values by the definition, their gradients by central differences."""

import numpy as np
import pytest

from fastrnn.nn import Embedding, logistic, softmax_cross_entropy, squared_error


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def differences(loss, array, h=1e-6):
    found = np.empty(array.shape)
    for index in np.ndindex(*array.shape):
        up, down = array.copy(), array.copy()
        up[index] += h
        down[index] -= h
        found[index] = (loss(up) - loss(down)) / (2 * h)
    return found


LOGITS = numbers(0, 3, 2, 4)
CLASSES = np.random.default_rng(1).integers(0, 4, (3, 2))
MASK = np.array([[True, False], [True, True], [False, True]])
SHARES = np.exp(numbers(2, 3, 2, 4)) / np.exp(numbers(2, 3, 2, 4)).sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("target, options", [
    (CLASSES, {}), (CLASSES, {"mask": MASK}), (CLASSES, {"ignore_index": 2}), (CLASSES, {"ignore_index": 2, "mask": MASK}),
    (np.where(MASK, CLASSES, -1), {"ignore_index": -1}), (np.eye(4)[CLASSES], {}), (SHARES, {"mask": MASK}),
    (3 * SHARES, {}),
])
def test_softmax(target, options, reduction):
    def loss(logits):
        return softmax_cross_entropy(logits, target, reduction=reduction, **options)[0]

    value, gradient = softmax_cross_entropy(LOGITS, target, reduction=reduction, **options)
    log_p = LOGITS - np.log(np.exp(LOGITS).sum(axis=-1, keepdims=True))
    counted = options.get("mask", np.ones((3, 2), bool))
    if target.ndim == 2:
        counted = counted & (target != options.get("ignore_index"))
        each = -np.take_along_axis(log_p, np.where(counted, target, 0)[..., None], -1)[..., 0]
    else:
        each = -(target * log_p).sum(axis=-1)
    expected = each[counted].sum() / (counted.sum() if reduction == "mean" else 1)
    assert isinstance(value, float) and value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, differences(loss, LOGITS), rtol=1e-6, atol=1e-8)
    assert not gradient[~counted].any()


@pytest.mark.parametrize("integers", [np.uint8, np.uint64, np.int8])
@pytest.mark.parametrize("classes", [4, 300])
def test_targets_of_any_integer_type(integers, classes):
    logits, target = numbers(3, 3, 2, classes), CLASSES.astype(integers)
    for options in ({"mask": MASK}, {"ignore_index": 2}):
        value, gradient = softmax_cross_entropy(logits, target, **options)
        value2, gradient2 = softmax_cross_entropy(logits, CLASSES, **options)
        assert value == value2 and np.array_equal(gradient, gradient2)


def test_softmax_along_the_first_axis():
    value, gradient = softmax_cross_entropy(LOGITS, CLASSES)
    value2, gradient2 = softmax_cross_entropy(np.moveaxis(LOGITS, -1, 0), CLASSES, axis=0)
    assert value2 == value and np.array_equal(np.moveaxis(gradient2, 0, -1), gradient)


def test_index_and_one_hot_targets_agree(dtype):
    logits = LOGITS.astype(dtype)
    a, b = softmax_cross_entropy(logits, CLASSES), softmax_cross_entropy(logits, np.eye(4, dtype=dtype)[CLASSES])
    assert a[1].dtype == b[1].dtype == dtype
    assert a[0] == pytest.approx(b[0], rel=8 * float(np.finfo(dtype).eps))
    np.testing.assert_allclose(a[1], b[1], atol=4 * np.finfo(dtype).eps)


def test_softmax_is_safe_for_any_logits(dtype):
    logits = np.array([[1e4, 0], [-1e4, 0], [3e38, -3e38]], dtype)
    with np.errstate(over="ignore"):        # 3e38 - -3e38 leaves float32 on its way to exp, where it is 0 anyway
        value, gradient = softmax_cross_entropy(logits, np.array([0, 1, 0]))
    assert value == 0 and not gradient.any()
    value, gradient = softmax_cross_entropy(logits[:2], np.array([1, 0]), reduction="sum")
    assert value == 2e4 and np.array_equal(gradient, [[1, -1], [-1, 1]])


def test_what_is_masked_may_be_nan():
    logits, mask = LOGITS.copy(), MASK
    logits[~mask] = np.nan
    value, gradient = softmax_cross_entropy(logits, CLASSES, mask=mask)
    assert value == softmax_cross_entropy(LOGITS, CLASSES, mask=mask)[0] and np.isfinite(gradient).all()
    value, gradient = squared_error(logits[..., 0], LOGITS[..., 1], mask=mask)
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_nothing_counts():
    for value, gradient in [softmax_cross_entropy(LOGITS, CLASSES, mask=np.zeros((3, 2), bool)),
                            softmax_cross_entropy(LOGITS[:0], CLASSES[:0]), squared_error(LOGITS[:0], LOGITS[:0])]:
        assert value == 0 and not gradient.any()


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_logistic(mask, reduction):
    z, target = LOGITS[..., 0], np.array([[0, 1], [0.3, 1], [0, 0.9]])
    value, gradient = logistic(z, target, mask=mask, reduction=reduction)
    p = 1 / (1 + np.exp(-z))
    counted = np.ones((3, 2), bool) if mask is None else mask
    each = -(target * np.log(p) + (1 - target) * np.log(1 - p))[counted]
    assert value == pytest.approx(each.sum() if reduction == "sum" else each.mean(), rel=1e-12)
    expected = differences(lambda z: logistic(z, target, mask=mask, reduction=reduction)[0], z)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


def test_logistic_is_safe_for_any_logits(dtype):
    z = np.array([1e4, -1e4, 1e4, -1e4], dtype)
    value, gradient = logistic(z, np.array([1, 0, 0, 1], dtype), reduction="sum")
    assert value == 2e4 and np.array_equal(gradient, [0, 0, 1, -1]) and gradient.dtype == dtype


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_squared_error(mask, reduction):
    y, target = LOGITS[..., 0], LOGITS[..., 1]
    value, gradient = squared_error(y, target, mask=mask, reduction=reduction)
    each = ((y - target) ** 2)[np.ones((3, 2), bool) if mask is None else mask]
    assert value == pytest.approx(each.sum() if reduction == "sum" else each.mean(), rel=1e-12)
    expected = differences(lambda y: squared_error(y, target, mask=mask, reduction=reduction)[0], y)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


def test_inputs_are_left_alone():
    logits, target = LOGITS.copy(), SHARES.copy()
    softmax_cross_entropy(logits, target)
    logistic(logits, target)
    squared_error(logits, target)
    assert np.array_equal(logits, LOGITS) and np.array_equal(target, SHARES)


@pytest.mark.parametrize("call, error, name", [
    (lambda: softmax_cross_entropy(LOGITS.astype(int), CLASSES), TypeError, "logits"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES[:2]), ValueError, "target"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES + 4), ValueError, "target"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES - 4), ValueError, "target"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES > 1), TypeError, "target"),
    (lambda: softmax_cross_entropy(LOGITS, SHARES[..., :3]), ValueError, "target"),
    (lambda: softmax_cross_entropy(LOGITS, SHARES[0]), ValueError, "target"),
    (lambda: softmax_cross_entropy(np.float32(1), 0), ValueError, "logits"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES, axis=LOGITS.ndim), ValueError, "axis"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES, axis=-1 - LOGITS.ndim), ValueError, "axis"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES, axis=1.0), TypeError, "axis"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES, ignore_index=1.5), TypeError, "ignore_index"),
    (lambda: softmax_cross_entropy(LOGITS, SHARES, ignore_index=0), ValueError, "ignore_index"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES, mask=MASK[:2]), ValueError, "mask"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES, mask=MASK.astype(float)), TypeError, "mask"),
    (lambda: softmax_cross_entropy(LOGITS, CLASSES, reduction="none"), ValueError, "reduction"),
    (lambda: softmax_cross_entropy(np.ma.array(LOGITS), CLASSES), TypeError, "logits"),
    (lambda: softmax_cross_entropy(LOGITS, np.ma.array(CLASSES)), TypeError, "target"),
    (lambda: logistic(LOGITS, CLASSES), TypeError, "target"),
    (lambda: logistic(LOGITS, np.ma.array(SHARES)), TypeError, "target"),
    (lambda: squared_error(LOGITS, SHARES[:1]), ValueError, "target"),
])
def test_wrong_inputs(call, error, name):
    with pytest.raises(error, match=f"^{name}: expected "):
        call()


def crooked(array):
    """The same values, a byte away from where they should begin."""
    bytes_of = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    bytes_of[...] = array
    return bytes_of


def test_arrays_may_be_misaligned(engine):
    scores, index, one_hot = np.arange(6.0).reshape(2, 3), np.array([0, 1]), np.eye(3)[:2]
    for call, given in (
        (softmax_cross_entropy, (scores, index)), (softmax_cross_entropy, (scores, one_hot)),
        (squared_error, (scores, one_hot)), (logistic, (scores, one_hot)),
    ):  # fmt: skip
        wanted, gradient = call(*given)
        found, ours = call(*map(crooked, given))
        assert found == wanted and np.array_equal(ours, gradient)
    table = Embedding(4, 2, seed=0)
    assert np.array_equal(table(crooked(index[None])), table(index[None]))
