"""What the tests of recurrent layers share: layers of every kind, their inputs and states, and central differences."""

import numpy as np
import pytest
from cases import sensible

from fastrnn.nn import GRU, LSTM, RNN, sLSTM

N_X, N_A, M, T = 3, 4, 3, 6
KINDS = {
    "tanh": (RNN, {}),
    "relu": (RNN, {"nonlinearity": "relu"}),
    "lstm": (LSTM, {}),
    "slstm": (sLSTM, {}),
    "gru": (GRU, {}),
    "gru_before": (GRU, {"reset_after": False}),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_layout = pytest.mark.parametrize("layout", ["tmn", "mtn", "nmt"])
FROM_TMN = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}     # each is its own inverse

# Options that a layer of any kind has, and those that only an LSTM has.
COMMON = {
    "clip": 0.8, "layer_norm": True, "zoneout": 0.3, "recurrent_dropout": 0.4, "weight_dropout": 0.5, "merge": "mul",
}  # fmt: skip
LSTM_ONLY = {"proj_size": 2, "peephole": True, "input_forget": True}


def make(kind, dtype=np.float64, seed=0, **options):
    """A layer whose every parameter is random: gains of 1 and shifts of 0 would hide mistakes."""
    cls, extra = KINDS[kind]
    layer = cls(N_X, N_A, dtype=dtype, seed=seed, **extra, **options)
    norms = [name for name in layer.parameters() if "_norm_" in name]
    layer.update({name: layer.parameters()[name] + 0.3 * numbers(99 + k, *layer.parameters()[name].shape, dtype=dtype)
                  for k, name in enumerate(norms)})  # fmt: skip
    return layer


def numbers(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def inputs(layout="tmn", dtype=np.float64, steps=T, m=M):
    return np.ascontiguousarray(numbers(1, steps, m, N_X, dtype=dtype).transpose(FROM_TMN[layout]))


def parts(state):
    return list(state) if isinstance(state, tuple) else [state]


def whole(layer, arrays):
    return tuple(arrays) if layer._pair else arrays[0]


def initial(layer, m=M, seed=7):
    """A state of random numbers, in the layer's shape."""
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = [layer.proj_size or N_A, layer._blocks[0].n_c][: 1 + layer._pair]
    found = [numbers(seed + k, count, m, n, dtype=layer.dtype) for k, n in enumerate(widths)]
    if isinstance(layer, sLSTM):
        found[1][..., N_A : 2 * N_A] = sensible(found[1][..., N_A : 2 * N_A])
    return whole(layer, found)


def rows(state, at):
    """Some rows of a state."""
    return tuple(part[:, at] for part in state) if isinstance(state, tuple) else state[:, at]


def differences(f, array, indices, h=1e-6):
    """Central differences of f() with respect to some elements of an array that f reads."""
    found = []
    for index in indices:
        before = array[index]
        array[index] = before + h
        up = f()
        array[index] = before - h
        down = f()
        array[index] = before
        found.append((up - down) / (2 * h))
    return np.array(found)


def same(one, other):
    """Whether two nests of tuples, lists, dicts and arrays have the same bits."""
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(same, one, other))
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()
