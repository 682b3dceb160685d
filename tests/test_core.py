"""The extension by itself: what ops never passes must still not crash it."""

import numpy as np
import pytest

from fastrnn import _backend, ops

pytestmark = pytest.mark.skipif(_backend._core is None, reason="the C extension is not built: `make test` builds it")
core = _backend._core


@pytest.fixture
def weights(isa):
    return ops.pack("lstm", np.ones((8, 3)), np.ones((8, 2)))


def test_empty_objects_are_refused(weights):
    empty = core.Weights.__new__(core.Weights)
    for use in (lambda: empty.lanes, lambda: empty.nbytes, lambda: core.Tape(empty, np.ones((1, 1, 3)), {}),
                lambda: core.forward(empty, np.ones((1, 1, 3)), *[None] * 6, False, 1, None),
                lambda: core.forward(None, np.ones((1, 1, 3)), *[None] * 6, False, 1, None)):  # fmt: skip
        with pytest.raises(ValueError, match="weights: expected packed weights"):
            use()
    tape = core.Tape.__new__(core.Tape)
    for use in (lambda: tape.nbytes, lambda: tape.read("a", np.ones((1, 1, 2))),
                lambda: core.backward(tape, *[None] * 11, 1, {}, False)):  # fmt: skip
        with pytest.raises(ValueError, match="tape: expected a filled tape"):
            use()


def test_gradients_need_room(weights):
    tape = ops.forward(weights, np.ones((2, 1, 3)), training=True).tape
    with pytest.raises(ValueError, match="dW_x: expected an array to fill"):
        core.backward(tape, *[None] * 11, 1, {}, False)


def test_weights_are_packed_once(weights):
    with pytest.raises(RuntimeError, match="packed once"):
        weights.__init__("lstm", np.ones((8, 3)), np.ones((8, 2)), None, None, None)
    assert ops.forward(weights, np.ones((2, 1, 3))).y.shape == (2, 1, 2)


def test_other_elements_of_the_same_size_are_refused(weights):
    with pytest.raises(ValueError, match="expected float64 elements"):
        core.Weights("lstm", np.ones((8, 3), np.int64), np.ones((8, 2), np.int64), None, None, None)
    with pytest.raises(ValueError, match="expected float64 elements"):
        core.forward(weights, np.ones((1, 1, 3), np.int64), *[None] * 6, False, 1, None)


@pytest.mark.parametrize("ids", [
    np.array([1, 0, 2, 0], np.int32)[:2], np.array([0.0]), np.arange(4)[::2], [0, 1]], ids=repr)
def test_a_stream_clears_what_it_can_read(weights, ids):
    stream = ops.stream(weights, 3)
    stream.step(np.ones((3, 3)))
    before = ops.states(stream)
    with pytest.raises((TypeError, ValueError)):
        stream.clear(ids)
    assert all(np.array_equal(now, old) for now, old in zip(ops.states(stream), before))
