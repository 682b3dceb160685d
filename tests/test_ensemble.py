"""Ensembles: K layers called like one are K separate calls, bit for bit."""

import copy

import re

import numpy as np
import pytest
from layers import M, N_A, N_X, T, each_kind, each_layout, initial, inputs, make, numbers, same

import fastrnn
from fastrnn.nn import GRU, LSTM, Ensemble, Linear

K = 3


def layers(kind, **options):
    return [make(kind, seed=seed, **options) for seed in range(K)]


def stacked(states):
    if isinstance(states[0], tuple):
        return tuple(map(np.stack, zip(*states)))
    return np.stack(states)


@each_kind
@each_layout
@pytest.mark.parametrize("shared", [True, False])
def test_the_bits_of_separate_calls(engine, kind, layout, shared):
    options = {"num_layers": 2, "bidirectional": True, "dropout": 0.3, "layout": layout}
    ours, theirs = layers(kind, **options), layers(kind, **options)
    ensemble = Ensemble(ours)
    xs = [inputs(layout)] * K if shared else [inputs(layout) * (1 + k) for k in range(K)]
    x = xs[0] if shared else np.stack(xs)
    states = [initial(layer, seed=7 + k) for k, layer in enumerate(ours)]
    lengths = [4, 0, T]
    reset = np.zeros((T, M), bool)
    reset[2, 0] = True
    reset = reset if layout == "tmn" else reset.T
    y, last = ensemble(x, stacked(states), lengths, reset)
    alone = [layer(x, state, lengths, reset) for layer, x, state in zip(theirs, xs, states)]
    assert same(y, np.stack([one[0] for one in alone])) and same(last, stacked([one[1] for one in alone]))

    y, last, tape = ensemble.forward(x, stacked(states), lengths, reset, 16)
    alone = [layer.forward(x, state, lengths, reset, 16) for layer, x, state in zip(theirs, xs, states)]
    assert same(y, np.stack([one[0] for one in alone])) and same(last, stacked([one[1] for one in alone]))
    dy = numbers(3, *y.shape)
    dx, dfirst, grads = ensemble.backward(dy, tape, last)
    back = [layer.backward(g, one[2], one[1]) for layer, g, one in zip(theirs, dy, alone)]
    assert same(dx, np.stack([one[0] for one in back])) and same(dfirst, stacked([one[1] for one in back]))
    assert list(grads) == list(ensemble.parameters())
    for name, gradient in grads.items():
        assert same(gradient, np.stack([one[2][name] for one in back]))


@each_kind
@each_layout
@pytest.mark.parametrize("shared, num_layers", [(True, 1), (False, 1), (False, 2)])
def test_plain_passes_run_together_with_the_bits_of_separate_calls(engine, kind, layout, shared, num_layers):
    ours = layers(kind, num_layers=num_layers, layout=layout)
    ensemble = Ensemble(ours)
    xs = [inputs(layout)] * K if shared else [inputs(layout) * (1 + k) for k in range(K)]
    x, states = xs[0] if shared else np.stack(xs), [initial(layer, seed=7 + k) for k, layer in enumerate(ours)]
    for state, each in ((stacked(states), states), (None, [None] * K)):
        y, last = ensemble(x, state)
        alone = [layer(*args) for layer, *args in zip(ours, xs, each)]
        assert same(y, np.stack([one[0] for one in alone])) and same(last, stacked([one[1] for one in alone]))
        y, last, tape = ensemble.forward(x, state)
        assert tape.together, "they ran one after the other"
        dy = numbers(3, *y.shape)
        dx, dfirst, grads = ensemble.backward(dy, tape, last)
        back = [layer.backward(g, layer.forward(*args)[2], one[1]) for layer, g, one, *args in zip(ours, dy, alone, xs, each)]
        assert same(dx, np.stack([one[0] for one in back])) and same(dfirst, stacked([one[1] for one in back]))
        assert list(grads) == list(ensemble.parameters())
        for name, gradient in grads.items():
            assert same(gradient, np.stack([one[2][name] for one in back]))
    ours[1].update({"weight_hh_l0": 0 * ours[1].parameters()["weight_hh_l0"]})
    assert same(ensemble(x)[0][1], ours[1](xs[1])[0])       # packed anew
    assert same(copy.deepcopy(ensemble)(x)[0], ensemble(x)[0])


def steps(ensemble, x, dy, state=None, dstate=None, **asked):
    """An ensemble's call, and a step of its training."""
    y, last, tape = ensemble.forward(x, state, **asked)
    assert same(y, ensemble(x, state, **asked)[0])
    return y, last, *ensemble.backward(dy, tape, dstate), tape


def apart(ours, xs, dys, states=None, dstates=None, **asked):
    """The same of its layers, one after the other."""
    none = [None] * len(ours)
    runs = [layer.forward(x, state, **asked) for layer, x, state in zip(ours, xs, states or none)]
    back = [layer.backward(dy, run[2], d) for layer, dy, run, d in zip(ours, dys, runs, dstates or none)]
    last, first = stacked([run[1] for run in runs]), stacked([one[1] for one in back])
    grads = {name: np.stack([one[2][name] for one in back]) for name in back[0][2]}
    return np.stack([run[0] for run in runs]), last, np.stack([one[0] for one in back]), first, grads


def assert_same_steps(found, expected):
    for ours, theirs in zip(found[:4], expected):
        assert same(ours, theirs)
    assert list(found[4]) == list(expected[4])
    assert all(same(found[4][name], expected[4][name]) for name in expected[4])


@each_kind
@each_layout
def test_lengths_reset_and_states_run_together_too(engine, kind, layout):
    ours = layers(kind, layout=layout)
    xs = [inputs(layout) * (1 + k) for k in range(K)]
    reset = np.zeros((T, M), bool)
    reset[[2, 3], [0, 1]] = True
    asked = {"lengths": np.array([4, 0, T]), "reset": reset if layout == "tmn" else np.ascontiguousarray(reset.T)}
    dys = numbers(3, K, *ours[0](xs[0])[0].shape)
    states, ends = ([initial(layer, seed=seed + k) for k, layer in enumerate(ours)] for seed in (7, 70))
    found = steps(Ensemble(ours), np.stack(xs), dys, stacked(states), stacked(ends), **asked)
    assert_same_steps(found, apart(ours, xs, dys, states, ends, **asked))
    assert found[5].together, "they ran one after the other"


@each_kind
@each_layout
@pytest.mark.parametrize("shared", [True, False])
def test_the_quicker_way_has_the_bits_of_the_longer(engine, kind, layout, shared):
    ensemble = Ensemble(layers(kind, layout=layout, zoneout=0.0))
    x = inputs(layout) if shared else np.stack([inputs(layout) * (1 + k) for k in range(K)])
    dy, last = numbers(3, *ensemble(x)[0].shape), ensemble(x)[1]
    quick = steps(ensemble, x, dy, last, last)
    (level,) = ensemble._climbed()
    assert level.plain is not None
    level.plain = None
    assert_same_steps(quick, steps(ensemble, x, dy, last, last))


@pytest.mark.parametrize("steps_, m", [(T, M), (0, M), (T, 0)])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_an_input_that_is_one_in_several_places(engine, steps_, m, num_layers):
    ours = layers("gru", num_layers=num_layers)
    x = inputs(steps=steps_, m=m)
    for xs in (np.broadcast_to(x, (K, *x.shape)), x):
        found = steps(Ensemble(ours), xs, np.ones((K, steps_, m, N_A)))
        assert_same_steps(found, apart(ours, [x] * K, np.ones((K, steps_, m, N_A))))


def test_more_layers_than_the_quicker_way_takes(engine):
    ours = [make("lstm", seed=seed) for seed in range(17)]
    x, ensemble = inputs(), Ensemble(ours)
    dys = numbers(3, 17, *ours[0](x)[0].shape)
    assert ensemble._climbed()[0].plain is None and Ensemble(ours[1:])._climbed()[0].plain is not None
    assert_same_steps(steps(ensemble, x, dys), apart(ours, [x] * 17, dys))


def test_arguments_that_only_the_longer_way_reads(engine):
    ours = layers("lstm")
    ensemble, xs, asked = Ensemble(ours), [inputs() * (1 + k) for k in range(K)], {"lengths": [4, 0, T]}
    states = [initial(layer, seed=7 + k) for k, layer in enumerate(ours)]
    state, dys = stacked(states), numbers(3, K, T, M, N_A)
    reset = [[t == 2] * M for t in range(T)]
    expected = apart(ours, xs, dys, states, states, reset=np.array(reset), **asked)
    for x, given, dy in [
        (np.stack(xs).tolist(), state, dys),
        (np.stack(xs), [part.tolist() for part in state], dys),
        (np.stack(xs)[:, ::-1][:, ::-1], list(state), dys.tolist()),
        (np.asfortranarray(np.stack(xs)), [np.asfortranarray(part) for part in state], np.asfortranarray(dys)),
    ]:
        assert_same_steps(steps(ensemble, x, dy, given, given, reset=reset, **asked), expected)


def test_each_layers_own_zoneout(engine):
    ours, x = [make("lstm", seed=k, zoneout=0.3 * k) for k in range(K)], inputs()
    assert same(Ensemble(ours)(x)[0], np.stack([layer(x)[0] for layer in ours]))
    given = {"lengths": np.array([4, 0, T])}
    assert same(Ensemble(ours)(x, **given)[0], np.stack([layer(x, **given)[0] for layer in ours]))


def test_an_lstms_cells(engine):
    ours = layers("lstm")
    ensemble = Ensemble(ours)
    x = inputs()
    y, (h, c), cells = ensemble(x, return_cells=True)
    assert same(cells, np.stack([layer(x, return_cells=True)[2] for layer in ours])) and h.shape == (K, 1, M, N_A)
    _, _, tape = ensemble.forward(x)
    dx, _, grads = ensemble.backward(None, tape, None, y, need_dx=False)
    assert dx is None
    for k, layer in enumerate(ours):
        expected = layer.backward(None, layer.forward(x)[2], None, y[k])[2]
        assert all(same(grads[name][k], expected[name]) for name in expected)


def test_parameters_are_written_through(engine):
    ours = layers("gru")
    ensemble = fastrnn.Ensemble(ours)
    before = ensemble.parameters()
    assert not before["weight_hh_l0"].flags.writeable and before["weight_hh_l0"].shape == (K, 3 * N_A, N_A)
    ensemble.update(fastrnn.optim.SGD(lr=0.1).step(before, before))
    for k, layer in enumerate(ours):
        np.testing.assert_allclose(layer.parameters()["bias_hh_l0"], 0.9 * before["bias_hh_l0"][k], rtol=1e-12)
    after = ensemble.parameters()
    for mapping, match in [
        ({"weight_hh_l0": np.zeros((K, 2, 2))}, "^weight_hh_l0: expected shape"),
        ({"weight_hh_l0": before["weight_hh_l0"][:2]}, "^weight_hh_l0: expected an axis of K = 3 in front, got"),
        ({"bias_hh_l0": 0 * before["bias_hh_l0"], "bias": np.zeros((K, 2))}, "^mapping: .*'bias'"),
    ]:
        with pytest.raises(ValueError, match=match):
            ensemble.update(mapping)
        assert same(ensemble.parameters(), after)
    with pytest.raises(TypeError, match="^mapping: expected a dict"):
        ensemble.update([])
    with pytest.raises(ValueError, match="^weight_hh_l0: expected an axis of K = 3 in front, got"):
        ensemble.update({"weight_hh_l0": None})
    assert len(ensemble) == K and repr(Ensemble(ours[:1])) == f"Ensemble([{ours[0]!r}])"


@pytest.mark.parametrize("make_layers, error", [
    (lambda: [], ValueError),
    (lambda: [GRU(3, 4), LSTM(3, 4)], ValueError),
    (lambda: [GRU(3, 4), GRU(3, 5)], ValueError),
    (lambda: [GRU(3, 4), GRU(3, 4, reset_after=False)], ValueError),
    (lambda: [GRU(3, 4), GRU(3, 4, layout="nmt")], ValueError),
    (lambda: [GRU(3, 4), GRU(3, 4, dtype=np.float64)], ValueError),
    (lambda: [GRU(3, 4, bidirectional=True), GRU(3, 4, bidirectional=True, merge="sum")], ValueError),
    (lambda: [Linear(3, 4)], TypeError),
    (lambda: [None], TypeError),
    (lambda: None, TypeError),
])
def test_wrong_layers(make_layers, error):
    with pytest.raises(error, match="^layers: expected .*got"):
        Ensemble(make_layers())


def test_wrong_inputs():
    ensemble, x = Ensemble(layers("lstm")), inputs()
    y, last, tape = ensemble.forward(x)
    for call, error, match in [
        (lambda: ensemble(x[0]), ValueError, r"^x: expected shape \(T, m, n\) with n = 3 for all layers, or K = 3 such side by side, got "),
        (lambda: ensemble(np.stack([x, x])), ValueError, r"^x: expected shape \(T, m, n\) with n = 3 for all layers, or K = 3 such side by side, got "),
        (lambda: ensemble(x, last[0]), TypeError, r"^state: expected a pair \(h, c\)"),
        (lambda: ensemble(x, (last[0], last[1][:2])), ValueError, "^state c: expected an axis of K = 3"),
        (lambda: ensemble(x, (last[0], np.float64(1))), ValueError, "^state c: expected an axis of K = 3"),
        (lambda: ensemble.backward(y[:2], tape), ValueError, "^dy: expected an axis of K = 3"),
        (lambda: ensemble.backward(y[:, 0], tape), ValueError, "^dy: expected the shape of y"),
        (lambda: ensemble.backward(y[:, 1:], tape), ValueError,
         f"^dy: expected the shape of y, {re.escape(str(y.shape))}, got {re.escape(str(y[:, 1:].shape))}$"),
        (lambda: ensemble(x[..., :1]), ValueError, re.escape(f"got {x[..., :1].shape}")),
        (lambda: ensemble.backward(y, None), ValueError, "^tape: expected what forward of this ensemble"),
        (lambda: Ensemble(layers("lstm")).backward(y, tape), ValueError, "^tape: .*of another one"),
        (lambda: ensemble(np.zeros((T, M, N_X), int)), TypeError, "^x: .*astype"),
    ]:  # fmt: skip
        with pytest.raises(error, match=match):
            call()
    ensemble.backward(y, tape, last)        # what was refused did not use it up
    with pytest.raises(ValueError, match="^tape: .*used"):
        ensemble.backward(y, tape)
