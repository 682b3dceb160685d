"""Sequences of unequal lengths, and segments, in the recurrent layers: the same as each by itself."""

import numpy as np
import pytest
from layers import M, N_A, T, each_kind, each_layout, initial, inputs, make, numbers, parts, rows, same

LENGTHS = np.array([4, 0, T])
SHAPES = pytest.mark.parametrize("options", [
    {}, {"num_layers": 2}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True, "merge": "mul"},
], ids=["one", "deep", "both", "deep-both"])  # fmt: skip


def zeros_of(state):
    return tuple(map(np.zeros_like, state)) if isinstance(state, tuple) else np.zeros_like(state)


def close(one, other):
    for a, b in zip(parts(one), parts(other)):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@each_kind
@SHAPES
def test_each_row_as_if_alone(engine, kind, options):
    layer = make(kind, **options)
    x, state = inputs(), initial(layer)
    for m, length in enumerate(LENGTHS):
        x[length:, m] = np.nan
    y, last, tape = layer.forward(x, state, LENGTHS)
    assert same(layer(x, state, LENGTHS), (y, last))
    dy, dlast = numbers(3, *y.shape), initial(layer, seed=20)
    dx, dfirst, grads = layer.backward(dy, tape, dlast)
    total = {name: 0 for name in grads}
    for m, length in enumerate(LENGTHS):
        at = slice(m, m + 1)
        alone, its_last, tape = layer.forward(x[:length, at], rows(state, at))
        close(y[:length, at], alone)
        close(rows(last, at), its_last)
        its_dx, its_dfirst, its_grads = layer.backward(dy[:length, at], tape, rows(dlast, at))
        close(dx[:length, at], its_dx)
        close(rows(dfirst, at), its_dfirst)
        assert not y[length:, m].any() and not dx[length:, m].any()
        total = {name: total[name] + its_grads[name] for name in total}
    for name, expected in total.items():
        np.testing.assert_allclose(grads[name], expected, rtol=1e-11, atol=1e-13)


@each_kind
@each_layout
def test_layouts_and_one_sequence_without_m(engine, kind, layout):
    options = {"num_layers": 2, "bidirectional": True, "merge": "sum"}
    layer, plain = make(kind, layout=layout, **options), make(kind, **options)
    order = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}[layout]
    reset = np.zeros((T, M), bool)
    reset[[0, 2, 5], [1, 0, 2]] = True
    turned = reset if layout == "tmn" else reset.T
    y, last = plain(inputs(), initial(plain), LENGTHS, reset)
    found, its_last = layer(inputs(layout), initial(plain), LENGTHS, turned)
    close(found.transpose(order), y)
    close(its_last, last)
    axis = {"tmn": 1, "mtn": 0, "nmt": 1}[layout]
    state = initial(layer, 1)
    lone = tuple(part[:, 0] for part in state) if isinstance(state, tuple) else state[:, 0]
    x = inputs(layout).take([0], axis)
    y, last, tape = layer.forward(x, state, [4], turned.take([0], 1 if layout == "tmn" else 0))
    dx, dfirst, grads = layer.backward(y, tape, last)
    for length in (4, np.int64(4), [4], np.array([4])):
        found, its_last, tape = layer.forward(x.squeeze(axis), lone, length, reset[:, 0])
        assert same(found, y.squeeze(axis)) and all(same(a, b[:, 0]) for a, b in zip(parts(its_last), parts(last)))
        its_dx, its_dfirst, its_grads = layer.backward(found, tape, its_last)
        assert same(its_dx, dx.squeeze(axis)) and same(its_grads, grads)


@each_kind
@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_reset_is_the_start_of_a_run(engine, kind, num_layers):
    """One direction, all rows at once: y, gradients and states are those of two runs."""
    layer = make(kind, num_layers=num_layers)
    x, state = inputs(), initial(layer)
    reset = np.zeros((T, M), bool)
    reset[2] = True
    y, last, tape = layer.forward(x, state, None, reset)
    dy, dlast = numbers(3, *y.shape), initial(layer, seed=20)
    dx, dfirst, grads = layer.backward(dy, tape, dlast)
    one, _, tape_one = layer.forward(x[:2], state)
    two, its_last, tape_two = layer.forward(x[2:])
    assert same(y, np.concatenate((one, two))) and same(last, its_last)
    dx_one, its_dfirst, grads_one = layer.backward(dy[:2], tape_one)
    dx_two, _, grads_two = layer.backward(dy[2:], tape_two, dlast)
    close(dx, np.concatenate((dx_one, dx_two)))
    close(dfirst, its_dfirst)
    for name, value in grads.items():
        np.testing.assert_allclose(value, grads_one[name] + grads_two[name], rtol=1e-11, atol=1e-13)


@each_kind
def test_a_reset_in_the_reverse_direction(engine, kind):
    """True at t: the step t - 1 begins from zeros there."""
    layer = make(kind, bidirectional=True)
    x, state = inputs(), initial(layer)
    reset = np.zeros((T, M), bool)
    reset[2] = True
    y, last = layer(x, state, None, reset)
    before, before_last = layer(x[:2], zeros_of(state))
    after, after_last = layer(x[2:], state)
    assert same(y[:2, :, N_A:], before[:, :, N_A:]) and same(y[2:, :, N_A:], after[:, :, N_A:])
    assert same([p[1] for p in parts(last)], [p[1] for p in parts(before_last)])
    # At the first step the forward direction begins from zeros, and no gradient reaches its state.
    reset = np.zeros((T, M), bool)
    reset[0] = True
    y, last, tape = layer.forward(x, state, None, reset)
    assert same(y[:, :, :N_A], layer(x)[0][:, :, :N_A]) and same(y[:, :, N_A:], layer(x, state)[0][:, :, N_A:])
    _, dfirst, _ = layer.backward(y, tape)
    assert all(not part[0].any() and part[1].any() for part in parts(dfirst))


@pytest.mark.parametrize("lengths, error", [
    ([4, 0], ValueError), ([[4, 0, 6]], ValueError), (4, ValueError), ([4, -1, 6], ValueError), ([4, 7, 6], ValueError),
    ([4.0, 0.0, 6.0], TypeError), ([True, False, True], TypeError), ("abc", TypeError), ([4, [0], 6], TypeError),
], ids=str)
@pytest.mark.parametrize("checkpoint", [None, 2])
def test_wrong_lengths(lengths, error, checkpoint):
    layer = make("gru", num_layers=2)
    with pytest.raises(error, match="^lengths: expected .*got"):
        layer(inputs(), None, lengths)
    with pytest.raises(error, match="^lengths: expected .*got"):
        layer.forward(inputs(), None, lengths, checkpoint=checkpoint)


@pytest.mark.parametrize("lengths", [[4, 4], [7], -1, 1.0, True])
def test_wrong_lengths_of_one_sequence(lengths):
    with pytest.raises((ValueError, TypeError), match="^lengths: expected .*got"):
        make("gru")(inputs()[:, 0], None, lengths)


@each_layout
@pytest.mark.parametrize("reset, error", [
    (np.zeros((T, M + 1), bool), ValueError), (np.zeros(T, bool), ValueError), (np.zeros((T, M, 1), bool), ValueError),
    (np.zeros((T, M)), TypeError), (np.zeros((T, M), np.uint8), TypeError), (True, ValueError), ([[True], []], TypeError),
], ids=["m", "no m", "n", "float", "uint8", "one", "ragged"])
def test_wrong_reset(layout, reset, error):
    layer = make("lstm", layout=layout)
    with pytest.raises(error, match="^reset: expected .*got"):
        layer(inputs(layout), reset=reset)
    other = np.zeros((M, T) if layout == "tmn" else (T, M), bool)
    with pytest.raises(ValueError, match="^reset: expected the shape of x"):
        layer.forward(inputs(layout), reset=other)
    with pytest.raises(ValueError, match="^reset: expected the shape of x"):
        layer(inputs(layout).take(0, 0 if layout == "mtn" else 1), reset=other)
