"""The affine layer, and its gradients."""

import numpy as np
import pytest

from fastrnn.nn import Linear


def numbers(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("layout, shape", [("tmn", (3,)), ("tmn", (5, 3)), ("mtn", (2, 5, 3)), ("nmt", (3, 2, 5)),
                                           ("nmt", (3, 5)), ("tmn", (0, 2, 3)), ("nmt", (3, 0, 2))])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients(layout, shape, bias, dtype):
    layer = Linear(3, 4, bias, layout=layout, dtype=dtype, seed=0)
    W, b = layer.parameters()["weight"], layer.parameters().get("bias", np.zeros(4, dtype))
    assert W.shape == (4, 3) and b.shape == (4,)
    x = numbers(1, *shape, dtype=dtype)
    axis = 0 if layout == "nmt" else -1
    y, tape = layer.forward(x)
    rows = np.moveaxis(x, axis, -1).reshape(-1, 3).astype(np.float64)
    expected = np.moveaxis((rows @ W.T.astype(np.float64) + b).reshape(*np.moveaxis(x, axis, -1).shape[:-1], 4), -1, axis)
    eps = np.finfo(dtype).eps
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=8 * eps, atol=8 * eps)
    assert np.array_equal(layer(x), y)
    dy = numbers(2, *y.shape, dtype=dtype)
    dx, grads = layer.backward(dy, tape)
    drows = np.moveaxis(dy, axis, -1).reshape(-1, 4).astype(np.float64)
    bound = 40 * eps
    np.testing.assert_allclose(np.moveaxis(dx, axis, -1).reshape(-1, 3), drows @ W, rtol=bound, atol=bound)
    np.testing.assert_allclose(grads["weight"], drows.T @ rows, rtol=bound, atol=bound)
    assert list(grads) == list(layer.parameters())
    if bias:
        np.testing.assert_allclose(grads["bias"], drows.sum(axis=0), rtol=bound, atol=bound)


def test_strides_and_read_only_inputs():
    layer = Linear(3, 4, dtype=np.float64, seed=0)
    x = numbers(1, 6, 4, 3)[::-2, :, ::-1]
    x.flags.writeable = False
    y, tape = layer.forward(x)
    assert np.array_equal(y, layer(np.ascontiguousarray(x)))
    dx, _ = layer.backward(y[:, ::-1], tape, need_dx=True)
    assert dx.shape == x.shape


def test_a_tape_outlives_a_write():
    layer, x = Linear(3, 4, dtype=np.float64, seed=0), np.random.default_rng(0).standard_normal((2, 3))
    y, tape = layer.forward(x)
    wanted = layer.backward(y, tape)[0]
    tape = layer.forward(x)[1]
    layer.update({"weight": np.zeros((4, 3))})
    assert np.array_equal(layer.backward(y, tape)[0], wanted)


def test_a_tape_is_used_once():
    layer, other = Linear(3, 4, seed=0), Linear(3, 4, seed=0)
    y, tape = layer.forward(np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match="^tape: "):
        other.backward(y, tape)
    with pytest.raises(ValueError, match="^dy: "):
        layer.backward(y[:1], tape)
    assert layer.backward(y, tape, need_dx=False)[0] is None
    with pytest.raises(ValueError, match="^tape: .*used"):
        layer.backward(y, tape)


@pytest.mark.parametrize("x, error", [
    (np.ones((2, 4), np.float32), ValueError), (np.float32(1), ValueError), (np.ones((2, 3)), TypeError),
    (np.ones((2, 3), int), TypeError), (np.ma.ones((2, 3), np.float32), TypeError), ([[1.0], [1.0, 2.0]], TypeError),
])
def test_wrong_inputs(x, error):
    with pytest.raises(error, match="^x: "):
        Linear(3, 4)(x)


def test_the_other_byte_order_and_lists():
    layer, x = Linear(3, 4, dtype=np.float64, seed=0), numbers(1, 5, 3)
    y, tape = layer.forward(x)
    swapped, swapped_tape = layer.forward(x.astype(x.dtype.newbyteorder()))
    assert np.array_equal(swapped, y) and np.array_equal(layer(x.tolist()), y) and swapped.dtype.isnative
    dx, grads = layer.backward(y, tape)
    swapped_dx, swapped_grads = layer.backward(y.astype(y.dtype.newbyteorder()), swapped_tape)
    assert np.array_equal(dx, swapped_dx) and all(np.array_equal(g, swapped_grads[name]) for name, g in grads.items())


def test_initial_distribution():
    layer = Linear(100, 50, seed=0)
    values = layer.parameters()["weight"]
    assert np.abs(values).max() <= 0.1 and values.std() == pytest.approx(0.1 / np.sqrt(3), rel=0.03)
