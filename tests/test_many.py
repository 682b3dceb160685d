"""Independent calls side by side: the results that each has alone."""

import numpy as np
import pytest

import fastrnn
from fastrnn import ops


def _calls(dtype, layers=5):
    rng = np.random.default_rng(layers)
    for k in range(layers):
        weights = ops.pack("lstm", *(rng.standard_normal(shape).astype(dtype) for shape in ((28, 3), (28, 7))))
        yield dict(weights=weights, x=rng.standard_normal((9 + k, 1 + k % 3, 3)).astype(dtype), reverse=k % 2 == 1)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_each_call_has_the_bits_it_has_alone(engine, dtype, threads):
    calls = list(_calls(dtype))
    with fastrnn.num_threads(threads):
        together = ops.forward_many([dict(call, training=True) for call in calls])
        back = ops.backward_many([dict(tape=result.tape, dy=result.y) for result in together])
        for call, result, gradients in zip(calls, together, back):
            alone = ops.forward(**call, training=True)
            assert np.array_equal(result.y, alone.y)
            for ours, theirs in zip(result.state, alone.state):
                assert np.array_equal(ours, theirs)
            expected = ops.backward(alone.tape, alone.y)
            for ours, theirs in zip(gradients[2:6], expected[2:6]):
                assert np.array_equal(ours, theirs)
            assert np.array_equal(gradients.dx, expected.dx)


def test_a_call_that_does_not_fit_is_refused_before_any_runs(dtype):
    calls = list(_calls(dtype, 2))
    calls[1]["x"] = calls[1]["x"][..., :2]
    with pytest.raises(ValueError, match=r"^x: expected shape"):
        ops.forward_many(calls)


def test_weights_of_two_backends_are_refused(dtype):
    (one,) = _calls(dtype, 1)
    with fastrnn.backend("numpy"):
        (other,) = _calls(dtype, 1)
    if fastrnn.get_backend() == "native":
        with pytest.raises(ValueError, match="^calls: expected weights or tapes of one backend, got 2"):
            ops.forward_many([one, other])
