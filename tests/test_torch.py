"""Layers beside PyTorch's: stored answers, which need no torch, and fresh draws where it is installed."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from torch_cases import CASES, M, N_A, N_X, P, T, by_torch, draw

import fastrnn

_by_name = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@lru_cache(None)
def stored():
    with np.load(Path(__file__).parent / "vectors" / "torch.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def ours(case, drawn, dtype):
    """What fastrnn computes, under the names of `by_torch`."""
    parameters, x, states, lengths, dy, ends = drawn
    kind = {"lstm": fastrnn.LSTM, "gru": fastrnn.GRU}.get(case.cell, fastrnn.RNN)
    options = {"num_layers": case.layers, "bidirectional": case.bidirectional, "batch_first": case.batch_first}
    options |= {"nonlinearity": case.cell.partition("_")[2]} if kind is fastrnn.RNN else {}
    options |= {"proj_size": P} if case.projection else {}
    layer = kind(N_X, N_A, dtype=dtype, **options)
    layer.load_state_dict(parameters)
    x, dy, *both = (np.asarray(array, dtype) for array in (x, dy, *states, *ends))
    states, ends = both[: len(states)], both[len(states) :]
    first, last = (tuple(states), tuple(ends)) if case.lstm else (states[0], ends[0])
    options = {} if lengths is None else {"lengths": lengths}
    y, state = layer(x, first, **options)
    trained, end, tape = layer.forward(x, first, **options)
    np.testing.assert_array_equal(trained, y)
    dx, dfirst, grads = layer.backward(dy, tape, last)
    found = {"y": y, "dx": dx, **{f"d_{name}": value for name, value in grads.items()}}
    for names, values in ((("h", "c"), state), (("dh0", "dc0"), dfirst)):
        found |= zip(names, values if case.lstm else (values,))
    return found


def compare(mine, theirs, dtype):
    """float64: 1e-12 for results, 1e-10 for gradients; float32: 4 K eps, K roundings of the longest way to a number.

    A step sums n_x + n_a products a gate and rounds in some ten more places, T steps and two layers follow each other,
    back again too; a gradient of a weight sums T m of those. Errors are measured against the largest of the array.
    """
    assert set(mine) == set(theirs)
    for name, wanted in theirs.items():
        scale = max(1.0, np.abs(wanted).max())
        if dtype == np.float64:
            tolerance = 1e-10 if name.startswith("d") else 1e-12
        else:
            steps = 2 * T * (N_X + 2 * N_A + 10)
            tolerance = 4 * (2 * steps + T * M if name.startswith("d") else steps) * np.finfo(np.float32).eps
        assert mine[name].dtype == dtype
        np.testing.assert_allclose(mine[name], wanted, rtol=0, atol=tolerance * scale, err_msg=name)


@_by_name
def test_stored(case, engine, dtype):
    found, flat, wanted = ours(case, draw(case, CASES.index(case)), dtype), stored()[case.name], {}
    for name in sorted(found):
        wanted[name], flat = flat[: found[name].size].reshape(found[name].shape), flat[found[name].size :]
    assert not flat.size
    compare(found, wanted, dtype)


@_by_name
def test_live(case, dtype):
    pytest.importorskip("torch")
    for seed in (1000, 1001):
        drawn = draw(case, seed)
        compare(ours(case, drawn, dtype), by_torch(case, drawn, dtype.name), dtype)
