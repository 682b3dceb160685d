"""Each cell alone, through `fastrnn.ops` with weights packed beforehand; and the elementwise functions.

The answer is that of the NumPy backend, within rounding, before anything is timed.
"""

import numpy as np
import pytest

import fastrnn
from bench.course import SHAPES
from fastrnn import ops

CELLS = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru_after": 3, "gru_before": 3}
each_cell = pytest.mark.parametrize("cell", CELLS)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x{}a{}m{}T{}".format(*s))
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def make(cell, shape, dtype):
    """What ops.pack takes after the cell's name; x; a gradient of y."""
    n_x, n_a, m, T = shape
    rng = np.random.default_rng(0)
    rows = CELLS[cell] * n_a

    def normal(*size, scale=1.0):
        return (scale * rng.standard_normal(size)).astype(dtype)

    weights = (normal(rows, n_x, scale=n_x**-0.5), normal(rows, n_a, scale=0.5 * n_a**-0.5), normal(rows), normal(rows))
    return weights, normal(T, m, n_x), normal(T, m, n_a)


def assert_same(actual, expected):
    eps = np.finfo(expected.dtype).eps
    limit = 2000 * eps * max(1, np.max(np.abs(expected)))
    assert actual.shape == expected.shape and np.max(np.abs(actual - expected)) <= limit


def by_numpy(run):
    with fastrnn.backend("numpy"):
        return run()


@each_dtype
@each_shape
@each_cell
def test_pack(benchmark, cell, shape, dtype):
    arrays, x, _ = make(cell, shape, dtype)
    weights = ops.pack(cell, *arrays)
    assert_same(ops.forward(weights, x[:2]).y, by_numpy(lambda: ops.forward(ops.pack(cell, *arrays), x[:2]).y))
    benchmark(lambda: ops.pack(cell, *arrays))


@pytest.mark.parametrize("layout", ["tmn", "nmt"])
@each_dtype
@each_shape
@each_cell
def test_forward(benchmark, cell, shape, dtype, layout):
    arrays, x, _ = make(cell, shape, dtype)
    x = np.ascontiguousarray(x.transpose(2, 1, 0)) if layout == "nmt" else x
    weights = ops.pack(cell, *arrays)
    expected = by_numpy(lambda: ops.forward(ops.pack(cell, *arrays), x, layout=layout).y)
    assert_same(ops.forward(weights, x, layout=layout).y, expected)
    benchmark(lambda: ops.forward(weights, x, layout=layout))


@each_dtype
@each_shape
@each_cell
def test_backward(benchmark, cell, shape, dtype):
    arrays, x, dy = make(cell, shape, dtype)

    def gradients():
        return ops.backward(ops.forward(ops.pack(cell, *arrays), x, training=True).tape, dy)

    (dx, dstate, *rest), (dx_expected, dstate_expected, *rest_expected) = gradients(), by_numpy(gradients)
    for actual, expected in zip((dx, *dstate, *rest), (dx_expected, *dstate_expected, *rest_expected), strict=True):
        assert_same(actual, expected)
    tape = ops.forward(ops.pack(cell, *arrays), x, training=True).tape
    benchmark(lambda: ops.backward(tape, dy))


@each_dtype
@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh"])
def test_activations(benchmark, name, dtype):
    x = np.linspace(-10, 10, 100_000).astype(dtype)
    actual, expected = ops.activate(name, x), by_numpy(lambda: ops.activate(name, x))
    assert np.max(np.abs(actual - expected) / np.abs(expected)) <= 8 * np.finfo(dtype).eps
    benchmark(lambda: ops.activate(name, x))
