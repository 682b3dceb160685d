"""Keras's weights: the layers that got them against Keras's equations, written out here; and back."""

import numpy as np
import pytest

from fastrnn import GRU, LSTM, RNN
from fastrnn.keras import from_keras, to_keras


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def keras_cell(cell, kernel, recurrent, bias, reset_after, relu, x, h, c):
    """One step of Keras's cells, rows of (m, n): h and c after it."""
    n = h.shape[1]
    if cell == "SimpleRNN":
        z = x @ kernel + bias + h @ recurrent
        return (np.maximum(z, 0) if relu else np.tanh(z)), c
    if cell == "LSTM":
        z = x @ kernel + h @ recurrent + bias
        i, f, o = sigmoid(z[:, :n]), sigmoid(z[:, n : 2 * n]), sigmoid(z[:, 3 * n :])
        c = f * c + i * np.tanh(z[:, 2 * n : 3 * n])
        return o * np.tanh(c), c
    input_bias, recurrent_bias = bias if reset_after else (bias, np.zeros(3 * n))
    from_x = x @ kernel + input_bias
    from_h = h @ recurrent + recurrent_bias
    z, r = sigmoid(from_x[:, :n] + from_h[:, :n]), sigmoid(from_x[:, n : 2 * n] + from_h[:, n : 2 * n])
    inner = r * from_h[:, 2 * n :] if reset_after else (r * h) @ recurrent[:, 2 * n :]
    return z * h + (1 - z) * np.tanh(from_x[:, 2 * n :] + inner), c


def keras_layer(cell, weights, x, reset_after=True, relu=False, backwards=False):
    """(m, T, n_x) -> (m, T, n), as return_sequences=True."""
    kernel, recurrent, bias = weights if len(weights) == 3 else (*weights, np.zeros(weights[0].shape[1]))
    m, T, _ = x.shape
    h = c = np.zeros((m, recurrent.shape[0]))
    y = np.zeros((m, T, recurrent.shape[0]))
    for t in reversed(range(T)) if backwards else range(T):
        h, c = keras_cell(cell, kernel, recurrent, bias, reset_after, relu, x[:, t], h, c)
        y[:, t] = h
    return y


def draw(cell, reset_after=True, bias=True, n_x=3, n=5, seed=0):
    rng = np.random.default_rng(seed)
    G = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[cell]
    shapes = [(n_x, G * n), (n, G * n), (2, G * n) if cell == "GRU" and reset_after else (G * n,)]
    return [rng.standard_normal(shape) for shape in shapes[: 3 if bias else 2]]


def make(cell, n_x=3, n=5, reset_after=True, relu=False, **options):
    options |= {"layout": "mtn", "dtype": np.float64}
    if cell == "SimpleRNN":
        return RNN(n_x, n, nonlinearity="relu" if relu else "tanh", **options)
    return LSTM(n_x, n, **options) if cell == "LSTM" else GRU(n_x, n, reset_after=reset_after, **options)


_forms = pytest.mark.parametrize(
    "cell, form",
    [("SimpleRNN", {}), ("SimpleRNN", {"relu": True}), ("LSTM", {}), ("GRU", {}), ("GRU", {"reset_after": False})],
    ids=["tanh", "relu", "lstm", "gru_after", "gru_before"],
)
_reset = {"reset_after"}


def only(form, names):
    return {name: value for name, value in form.items() if name in names}


@_forms
def test_a_layer_computes_what_keras_does(cell, form, engine):
    x = np.random.default_rng(1).standard_normal((2, 6, 3))
    weights = draw(cell, **only(form, _reset))
    layer = make(cell, **form)
    layer.load_state_dict(from_keras(cell, weights, **only(form, _reset)))
    wanted = keras_layer(cell, weights, x, **form)
    np.testing.assert_allclose(layer(x)[0], wanted, rtol=1e-12, atol=1e-12 * np.abs(wanted).max())


@_forms
def test_two_directions_and_two_layers(cell, form):
    x = np.random.default_rng(1).standard_normal((2, 6, 3))
    layer = make(cell, **form, num_layers=2, bidirectional=True)
    mapping, wanted = {}, x
    for index in range(2):
        both = [draw(cell, n_x=wanted.shape[2], seed=7 * index + d, **only(form, _reset)) for d in range(2)]
        mapping |= from_keras(cell, both[0] + both[1], **only(form, _reset), index=index)
        wanted = np.concatenate([keras_layer(cell, both[d], wanted, backwards=bool(d), **form) for d in range(2)], 2)
    layer.load_state_dict(mapping)
    np.testing.assert_allclose(layer(x)[0], wanted, rtol=1e-11, atol=1e-12 * np.abs(wanted).max())


@_forms
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
@pytest.mark.parametrize("bidirectional", [True, False], ids=["both", "forward"])
def test_there_and_back(cell, form, bias, bidirectional):
    weights = draw(cell, bias=bias, **only(form, _reset))
    if bidirectional:
        weights += draw(cell, bias=bias, seed=1, **only(form, _reset))
    layer = make(cell, **form, bias=bias, bidirectional=bidirectional)
    layer.load_state_dict(from_keras(cell, weights, **only(form, _reset)))
    back = to_keras(layer)
    assert len(back) == len(weights)
    for mine, theirs in zip(back, weights):
        np.testing.assert_array_equal(mine, theirs)


def test_two_biases_become_the_one_that_acts():
    layer = LSTM(3, 5, seed=0, dtype=np.float64, layout="mtn")
    weights = to_keras(layer)
    x = np.random.default_rng(1).standard_normal((2, 6, 3))
    np.testing.assert_allclose(layer(x)[0], keras_layer("LSTM", weights, x), rtol=1e-12, atol=1e-14)


def test_nothing_is_shared():
    weights = draw("SimpleRNN")
    found = from_keras("SimpleRNN", weights)
    for array in weights:
        array[...] = np.nan
    assert all(np.isfinite(array).all() for array in found.values())
    layer = RNN(3, 5)
    for array in to_keras(layer):
        array[...] = np.nan
    assert all(np.isfinite(array).all() for array in layer.parameters().values())


@pytest.mark.parametrize(
    "error, text, call",
    [
        (ValueError, "cell: expected one of SimpleRNN, LSTM, GRU, got 'RNN'", lambda: from_keras("RNN", [])),
        (ValueError, "weights: expected a list of 2 or 3 arrays", lambda: from_keras("LSTM", draw("LSTM")[:1])),
        (ValueError, "weights: expected a list .* got ndarray", lambda: from_keras("LSTM", np.ones((3, 20)))),
        (ValueError, r"recurrent_kernel: expected shape \(n_a, 4 n_a\)", lambda: from_keras("LSTM", draw("GRU"))),
        (ValueError, r"kernel: expected shape \(n_x, 3 n_a\) with n_a = 5, got",
         lambda: from_keras("GRU", [np.ones((3, 5)), *draw("GRU")[1:]])),
        (ValueError, r"bias: expected shape \(2, 3 n_a\) with n_a = 5 with reset_after=True, got \(15,\)",
         lambda: from_keras("GRU", draw("GRU", reset_after=False))),
        (ValueError, r"bias: expected shape \(3 n_a,\) .* reset_after=False, got \(2, 15\)",
         lambda: from_keras("GRU", draw("GRU"), reset_after=False)),
        (TypeError, "layer: expected an RNN, LSTM or GRU of fastrnn, got int", lambda: to_keras(1)),
        (ValueError, "index: expected less than num_layers = 1, got 1", lambda: to_keras(RNN(3, 5), index=1)),
    ],
)  # fmt: skip
def test_refusals(error, text, call):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize(
    "options, text",
    [
        ({"peephole": True}, "Keras's parameters alone, got also weight_peephole_l0"),
        ({"proj_size": 2}, "Keras's parameters alone, got also weight_hr_l0"),
        ({"layer_norm": True}, "Keras's parameters alone, got also .*norm"),
        ({"clip": 1.0}, "computes as Keras's does, got one with clip"),
        ({"input_forget": True, "zoneout": 0.1}, "got one with input_forget, zoneout"),
    ],
)
def test_layers_that_keras_does_not_have(options, text):
    with pytest.raises(ValueError, match=text):
        to_keras(LSTM(3, 5, **options))
