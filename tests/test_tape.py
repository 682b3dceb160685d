"""Tapes: one backward each, whoever asks for a second."""

import numpy as np
import pytest
from conftest import ISAS

import fastrnn
from fastrnn.nn import Embedding, Linear, LinearRecurrence, minGRU

X = np.random.default_rng(0).standard_normal((33, 2, 4))
IDS = np.array([[3, 0], [1, 3]])
LAYERS = {
    "lstm": (fastrnn.LSTM(4, 4, dtype=float, seed=0), (X,), {}),
    "checkpoints": (fastrnn.GRU(4, 4, 2, dtype=float, seed=0), (X,), {"checkpoint": 16}),
    "one sequence": (fastrnn.RNN(4, 4, dtype=float, seed=0), (X[:, 0],), {}),
    "ensemble": (fastrnn.Ensemble([fastrnn.GRU(4, 4, dtype=float, seed=k) for k in range(2)]), (X,), {}),
    "directions": (fastrnn.Ensemble([fastrnn.GRU(4, 4, dtype=float, seed=k, bidirectional=True) for k in range(2)]), (X,), {}),
    "linear": (Linear(4, 4, dtype=float, seed=0), (X,), {}),
    "embedding": (Embedding(4, 4, dtype=float, seed=0), (IDS,), {}),
    "recurrence": (LinearRecurrence(4, dtype=float), (X, X), {}),
    "min_gru": (minGRU(4, 4, dtype=float, seed=0), (X,), {}),
}
each = pytest.mark.parametrize("name", LAYERS)


def flat(nest):
    parts = nest.values() if isinstance(nest, dict) else nest
    return [nest] if isinstance(nest, np.ndarray) else [array for part in parts if part is not None for array in flat(part)]


def passed(name):
    layer, inputs, options = LAYERS[name]
    y, *_, tape = layer.forward(*inputs, **options)
    return layer, y, tape


@each
def test_a_refused_backward_leaves_the_tape_and_a_second_one_is_refused(engine, name):
    layer, y, tape = passed(name)
    wanted = flat(layer.backward(y, passed(name)[2]))
    for wrong in (y[:-1], y.astype(np.float32)):
        with pytest.raises((ValueError, TypeError), match="^d[yh]"):
            layer.backward(wrong, tape)
    assert all(np.array_equal(a, b) for a, b in zip(flat(layer.backward(y, tape)), wanted, strict=True))
    with pytest.raises(ValueError, match="^tape: expected one that was not used yet"):
        layer.backward(y, tape)


@pytest.mark.skipif(not ISAS, reason="the C extension is not built: `make test` builds it")
@each
def test_a_second_thread_is_refused_while_the_first_is_inside(name):
    layer, y, tape = passed(name)
    each = getattr(tape, "together", tape) or tape.tapes[0]     # an ensemble's is of all its layers, or one for each
    with pytest.raises(KeyboardInterrupt), each:
        with pytest.raises(ValueError, match="^tape: expected one that was not used yet"):
            layer.backward(y, tape)
        raise KeyboardInterrupt
    layer.backward(y, tape)


@each
def test_another_layers_tape_is_refused(name):
    layer, y, tape = passed(name)
    with pytest.raises(ValueError, match="^tape: expected what forward of this .* returned, got list"):
        layer.backward(y, [tape])
    other = passed("linear" if name != "linear" else "lstm")[2]
    with pytest.raises(ValueError, match=f"^tape: expected what forward of this .* returned, got {type(other).__name__}"):
        layer.backward(y, other)
