"""The layer of vectors for indices, and the rows of tables below it."""

import numpy as np
import pytest
from cases import assert_sum

import fastrnn
from fastrnn import ops
from fastrnn.nn import Embedding

each_layout = pytest.mark.parametrize("layout", ["tmn", "mtn", "nmt"])
FEATURES_LAST = {"tmn": (0, 1, 2), "mtn": (0, 1, 2), "nmt": (1, 2, 0)}


def numbers(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("shape", [(7, 5), (40, 33), (1, 1), (0, 3), (3, 0)], ids=str)
@pytest.mark.parametrize("n", [1, 5, 16, 37])
@each_layout
def test_rows_and_their_sums(engine, dtype, threads, layout, n, shape):
    layer = Embedding(11, n, layout=layout, dtype=dtype, seed=0)
    weight = layer.parameters()["weight"]
    x = np.random.default_rng(1).integers(0, 11, shape)
    y, tape = layer.forward(x)
    assert np.array_equal(y.transpose(FEATURES_LAST[layout]), weight[x]) and np.array_equal(layer(x), y)
    dy = numbers(2, *y.shape, dtype=dtype)
    kept = x.copy()
    x[...] = 0      # the tape has a copy
    dx, grads = layer.backward(dy, tape)
    expected = np.zeros((11, n), np.longdouble)
    np.add.at(expected, kept, dy.transpose(FEATURES_LAST[layout]).astype(np.longdouble))
    assert dx is None and list(grads) == ["weight"] and grads["weight"].dtype == dtype
    assert_sum(grads["weight"], expected, kept.size + 1)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 4)], ids=str)
def test_any_number_of_axes(engine, shape):
    x = np.random.default_rng(1).integers(0, 6, shape)
    for layout in ("tmn", "nmt"):
        layer = Embedding(6, 3, layout=layout, dtype=np.float64, seed=0)
        y, tape = layer.forward(x)
        last = np.moveaxis(y, 0, -1) if layout == "nmt" else y
        assert last.shape == (*shape, 3) and np.array_equal(last, layer.parameters()["weight"][x])
        gradient = layer.backward(np.ones_like(y), tape)[1]["weight"]
        assert np.array_equal(gradient[:, 0], np.bincount(x.reshape(-1), minlength=6))


def test_bits_depend_on_neither_threads_nor_layout(isa, dtype):
    index, dy = np.random.default_rng(0).integers(0, 5, (70, 33)), numbers(1, 70, 33, 100, dtype=dtype)
    found = []
    for count in (1, 2, 3):
        with fastrnn.num_threads(count):
            found += [ops.add_rows(5, index, dy), ops.add_rows(5, index.T, dy.transpose(1, 0, 2), layout="mtn"),
                      ops.add_rows(5, index.T, np.ascontiguousarray(dy.transpose(2, 1, 0)), layout="nmt")]
    assert all(np.array_equal(each, found[0]) for each in found)


def test_gradient_by_central_differences(engine):
    layer, x = Embedding(4, 2, dtype=np.float64, seed=0), np.array([[0, 3], [3, 3]])
    y, tape = layer.forward(x)
    dy = numbers(1, *y.shape)
    gradient, start = layer.backward(dy, tape)[1]["weight"], layer.state_dict()["weight"]
    for index in np.ndindex(4, 2):
        ends = []
        for step in (1e-6, -1e-6):
            weight = start.copy()
            weight[index] += step
            layer.update({"weight": weight})
            ends.append(float((layer(x) * dy).sum()))
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-8)


@pytest.mark.parametrize("index", [2, -3])
def test_padding_starts_as_zeros_and_stays(engine, index):
    layer, x = Embedding(5, 3, index, dtype=np.float64, seed=0), np.array([[2, 1], [2, 2]])
    assert layer.padding_idx == 2 and not layer(x)[0, 0].any() and layer(x)[0, 1].all()
    y, tape = layer.forward(x)
    gradient = layer.backward(np.ones_like(y), tape)[1]["weight"]
    assert not gradient[2].any() and np.array_equal(gradient[1], np.ones(3))


def test_files_and_distribution(tmp_path):
    layer = Embedding(300, 20, 7, layout="mtn", seed=3)
    values = layer.parameters()["weight"]
    assert values.mean() == pytest.approx(0, abs=0.05) and values.std() == pytest.approx(1, abs=0.05)
    layer.save(tmp_path / "table")
    other = fastrnn.load(tmp_path / "table")
    assert repr(other) == repr(layer) and np.array_equal(other.parameters()["weight"], values)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, ">i4"])
def test_any_integers(engine, dtype):
    layer, x = Embedding(9, 3, seed=0), np.array([[8, 0, 1]])
    assert np.array_equal(layer(x.astype(dtype)), layer(x)) and np.array_equal(layer(x.tolist()), layer(x))


@pytest.mark.parametrize("call, error, name", [
    (lambda: Embedding(5, 3)([5]), ValueError, "x"),
    (lambda: Embedding(5, 3)([-1]), ValueError, "x"),
    (lambda: Embedding(5, 3)([1.0]), TypeError, "x"),
    (lambda: Embedding(5, 3)([True]), TypeError, "x"),
    (lambda: Embedding(0, 3), ValueError, "num_embeddings"),
    (lambda: Embedding(5, 3, 5), ValueError, "padding_idx"),
    (lambda: Embedding(5, 3, 1.5), TypeError, "padding_idx"),
    (lambda: Embedding(5, 3).backward(None, None), ValueError, "tape"),
    (lambda: ops.take_rows(np.ones((5, 3)), [5]), ValueError, "index"),
    (lambda: ops.take_rows(np.ones((5, 3)), [0.5]), TypeError, "index"),
    (lambda: ops.take_rows(np.ones(5), [0]), ValueError, "table"), (lambda: ops.take_rows(np.ones((5, 0)), [0]), ValueError, "table"),
    (lambda: ops.take_rows(np.ones((1, 5, 3)), [0]), ValueError, "table"), (lambda: ops.take_rows(None, [0]), TypeError, "table"),
    (lambda: ops.take_rows(np.ones((5, 3)), [0], layout="no"), ValueError, "layout"),
    (lambda: ops.add_rows(5, [1], np.ones((2, 3))), ValueError, "dy"), (lambda: ops.add_rows(5, [1], np.ones((1, 0))), ValueError, "dy"),
    (lambda: ops.add_rows(5.0, [1], np.ones((1, 3))), TypeError, "rows"),
    (lambda: ops.add_rows("5", [1], np.ones((1, 3))), TypeError, "rows"),
])
def test_wrong_arguments(call, error, name):
    with pytest.raises(error, match=f"^{name}: "):
        call()


def test_a_refused_gradient_leaves_the_tape(engine):
    layer = Embedding(5, 3, seed=0)
    y, tape = layer.forward([1, 2])
    with pytest.raises(ValueError, match="^dy: "):
        layer.backward(y[:1], tape)
    with pytest.raises(TypeError, match="^dy: "):
        layer.backward(y.astype(np.float64), tape)
    layer.backward(y, tape)
    with pytest.raises(ValueError, match="^tape: .*used"):
        layer.backward(y, tape)
