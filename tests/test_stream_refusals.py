"""Streams refuse what does not fit, say why, and stay as they were."""

import re

import numpy as np
import pytest
from test_stream import layer_of, native, numbers

import fastrnn
from fastrnn import _backend, ops

X = np.zeros((4, 5), np.float32)
REFUSED = [
    ((X[:3],), ValueError, "x: expected shape (capacity, n_x) with capacity = 4, n_x = 5, got (3, 5)"),
    ((X[:, :4],), ValueError, "x: expected shape (capacity, n_x) with capacity = 4, n_x = 5, got (4, 4)"),
    ((X[None],), ValueError, "x: expected shape (capacity, n_x) with capacity = 4, n_x = 5, got (1, 4, 5)"),
    ((X, [0, 1]), ValueError, "x: expected shape (len(ids), n_x) with len(ids) = 2, n_x = 5, got (4, 5)"),
    ((X.astype(np.float64),), TypeError, "x: expected float32 like the weights, got float64; convert it with .astype(np.float32)"),
    ((X.astype(int),), TypeError, "x: expected float32 like the weights, got int64; convert it with .astype(np.float32)"),
    ((np.ma.masked_array(X),), TypeError, "x: expected an array without a mask"),
    ((None,), TypeError, "x: expected an array of float32 like the weights, got NoneType"),
    ((X[:2], [1, 1]), ValueError, "ids: expected each at most once, got 1 2 times"),
    ((X[:3], np.array([3, 0, 3])), ValueError, "ids: expected each at most once, got 3 2 times"),
    ((X[:2], [1, 4]), ValueError, "ids: expected integers from 0 up to capacity = 4, got 4"),
    ((X[:2], np.array([-1, 0])), ValueError, "ids: expected integers from 0 up to capacity = 4, got -1"),
    ((X[:2], [1.0, 2.0]), TypeError, "ids: expected integers, got float64"),
    ((X[:2], [True, False]), TypeError, "ids: expected integers, got bool"),
    ((X[:2], [1, 2**70]), TypeError, "ids: expected integers, got object"),
    ((X[:2], [1, -1]), ValueError, "ids: expected integers from 0 up to capacity = 4, got -1"),
    ((X[:2], [1, 2, 3]), ValueError, "x: expected shape (len(ids), n_x) with len(ids) = 3, n_x = 5, got (2, 5)"),
    ((X[:4], np.ones(4, bool)), TypeError, "ids: expected integers, got bool"),
    ((X[:2], [[0, 1]]), ValueError, "ids: expected shape (rows,), got (1, 2)"),
    ((X[:1], 0), ValueError, "ids: expected shape (rows,), got ()"),
    ((X[:2], [[0], [1, 2]]), TypeError, "ids: expected integers, got list"),
    ((X, None, np.zeros((4, 18), np.float32)), ValueError, "out: expected shape (capacity, n_a) with capacity = 4, n_a = 19, got (4, 18)"),
    ((X, None, np.zeros((4, 19))), TypeError, "out: expected an array of float32 like the weights, got float64"),
    ((X, None, [[0.0] * 19] * 4), TypeError, "out: expected an array of float32 like the weights, got list"),
    ((X, None, np.zeros((19, 4), np.float32).T), ValueError, "out: expected a contiguous native array that can be written to"),
    ((X, None, np.zeros((4, 19), ">f4")), ValueError, "out: expected a contiguous native array that can be written to"),
    ((X[:2], np.ma.masked_array([0, 1], [0, 1])), TypeError, "ids: expected an array without a mask"),
    ((X, None, np.ma.zeros((4, 19), np.float32)), TypeError, "out: expected an array without a mask"),
    ((np.zeros((4, 5), "m8[s]"),), TypeError, "x: expected an array of float32 like the weights, got timedelta64"),
    ((X, None, np.broadcast_to(np.float32(0), (4, 19))), ValueError, "out: expected a contiguous native array that can be"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "error", "text"), REFUSED, ids=range(len(REFUSED)))
def test_refused_steps_change_nothing(engine, arguments, error, text):
    live = layer_of("LSTM").stream(4)
    live.step(numbers(4, 5))
    before = live.state
    with pytest.raises(error, match="^" + re.escape(text)):
        live.step(*arguments)
    assert b"".join(map(np.ndarray.tobytes, live.state)) == b"".join(map(np.ndarray.tobytes, before))


def test_other_refusals(engine):
    layer = layer_of("LSTM", num_layers=2)
    live = layer.stream(4)
    good = live.state
    cases = [
        (lambda: layer.stream(-1), ValueError, "capacity: expected an integer from 0 up to 2**48, got -1"),
        (lambda: layer.stream(True), TypeError, "capacity: expected an integer, got bool"),
        (lambda: layer.stream(1.0), TypeError, "capacity: expected an integer, got float"),
        (lambda: layer.stream(2**70), ValueError, "capacity: expected an integer from 0"),
        (lambda: layer.stream(2**44), MemoryError, ""),
        (lambda: live.reset([4]), ValueError, "ids: expected integers from 0 up to capacity = 4, got 4"),
        (lambda: live.reset([1, 1]), ValueError, "ids: expected each at most once"),
        (lambda: live.reset(np.ma.masked_array([0, 1], [0, 1])), TypeError, "ids: expected an array without a mask"),
        (lambda: live.run(X), ValueError, "x: expected shape (T, capacity, n_x) with capacity = 4, n_x = 5, got (4, 5)"),
        (lambda: live.run(np.zeros((2, 4, 5))), TypeError, "x: expected float32 like the weights, got float64"),
        (lambda: setattr(live, "state", good[0]), TypeError, "state: expected a pair (h, c), got ndarray"),
        (lambda: setattr(live, "state", good[:1]), TypeError, "state: expected a pair (h, c), got tuple of 1"),
        (lambda: setattr(live, "state", (good[0], good[1][:1])), ValueError,
         "state c: expected shape (layers, capacity, n_a) with layers = 2, capacity = 4, n_a = 19, got (1, 4, 19)"),
        (lambda: setattr(live, "state", (good[0].astype(float), good[1])), TypeError, "state h: expected float32 like"),
        (lambda: ops.set_states(live._live, good[:1]), ValueError, "states: expected a tuple (a, c), got 1 of them"),
        (lambda: ops.states(layer), TypeError, "stream: expected a stream made by fastrnn.ops, got LSTM"),
        (lambda: ops.stream([]), ValueError, "weights: expected at least one layer, got none"),
        (lambda: ops.stream([layer]), TypeError, "weights: expected weights made by fastrnn.ops.pack, got LSTM"),
        (lambda: ops.stream([layer._weights(1), layer._weights(0)]), ValueError,
         "weights[1]: expected n_x = 19, the width of the layer below, got 5"),
        (lambda: ops.stream([layer._weights(0), layer_of("GRU", num_layers=2)._weights(1)]), ValueError,
         "weights[1]: expected cell = lstm like the others, got gru_after"),
        (lambda: ops.stream(layer._weights(0), zoneout=2), ValueError, "zoneout: expected a number from 0 to 1, got 2"),
        (lambda: ops.stream(layer._weights(0), zoneout=(1, 2)), TypeError, "zoneout: expected a number or None"),
        (lambda: fastrnn.LSTM(5, 19, bidirectional=True).stream(), ValueError, "stream: expected a layer with one direction"),
    ]  # fmt: skip
    for call, error, text in cases:
        with pytest.raises(error, match="^" + re.escape(text)):
            call()
    assert b"".join(map(np.ndarray.tobytes, live.state)) == b"".join(map(np.ndarray.tobytes, good))


@native
def test_weights_of_two_backends_do_not_mix():
    lower, upper = layer_of("GRU", num_layers=2), layer_of("GRU", num_layers=2)
    with fastrnn.backend("numpy"):
        foreign = upper._weights(1)
    with fastrnn.backend("native"), pytest.raises(ValueError, match=r"^weights\[1\]: expected weights of the backend"):
        ops.stream([lower._weights(0), foreign])


@native
def test_an_empty_object_is_refused():
    empty = _backend._core.Stream.__new__(_backend._core.Stream)
    room = np.zeros((1, 1, 1), np.float32)
    for call in (lambda: empty.step(X), lambda: empty.clear(None), lambda: empty.read(room, room), lambda: empty.nbytes,
                 lambda: empty.write(None, None), lambda: empty.take(room, room)):  # fmt: skip
        with pytest.raises(ValueError, match="^stream: expected a stream, got an empty object"):
            call()
    with pytest.raises(RuntimeError, match="made once"):
        layer_of("GRU").stream()._live.__init__((), 1, None, None, None, None)
