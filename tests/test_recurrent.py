"""The recurrent layers: stacking, directions, layouts, states, tapes, and their gradients."""

import copy
import itertools
import pickle

import layers
import numpy as np
import pytest
from layers import FROM_TMN, KINDS, N_A, N_X, differences, each_kind, each_layout, numbers, parts, whole

import fastrnn
from fastrnn import ops
from fastrnn.nn import GRU, LSTM, RNN, sLSTM
from fastrnn.nn.blocks import Block

M, T = 2, 5


def make(kind, dtype=np.float64, **options):
    cls, extra = KINDS[kind]
    return cls(N_X, N_A, dtype=dtype, seed=0, **extra, **options)


def inputs(layout="tmn", dtype=np.float64):
    return np.ascontiguousarray(numbers(1, T, M, N_X, dtype=dtype).transpose(FROM_TMN[layout]))


def initial(layer, m=M):
    return layers.initial(layer, m)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def by_torchs_equations(layer, x, state):
    """y and the states of a time-major evaluation, one step after the other, from PyTorch's documentation."""
    p = {name: a.astype(np.float64) for name, a in layer.parameters().items()}
    states = [[part[j].astype(np.float64) for part in parts(state)] for j in range(len(parts(state)[0]))]
    suffixes = ("", "_reverse") if layer.bidirectional else ("",)
    y, j = x.astype(np.float64), 0
    for k in range(layer.num_layers):
        outs = []
        for suffix in suffixes:
            W_i, W_h = p[f"weight_ih_l{k}{suffix}"], p[f"weight_hh_l{k}{suffix}"]
            b_i, b_h = p.get(f"bias_ih_l{k}{suffix}", 0.0), p.get(f"bias_hh_l{k}{suffix}", 0.0)
            h, out = states[j], [None] * len(y)
            for t in reversed(range(len(y))) if suffix else range(len(y)):
                u, v = y[t] @ W_i.T + b_i, h[0] @ W_h.T + b_h
                if isinstance(layer, RNN):
                    h = [np.tanh(u + v) if layer.cell == "rnn_tanh" else np.maximum(u + v, 0)]
                elif isinstance(layer, LSTM):
                    i, f, g, o = np.split(u + v, 4, axis=1)
                    c = sigmoid(f) * h[1] + sigmoid(i) * np.tanh(g)
                    h = [sigmoid(o) * np.tanh(c), c]
                elif isinstance(layer, sLSTM):
                    i, f, g, o = np.split(u + v, 4, axis=1)
                    c, n, unit = np.split(h[1], 3, axis=1)
                    unit, f, i = np.maximum(sigmoid(f) * np.exp(unit), np.exp(i)), sigmoid(f) * np.exp(unit), np.exp(i)
                    c, n = (f * c + i * np.tanh(g)) / unit, (f * n + i) / unit
                    h = [sigmoid(o) * c / n, np.concatenate([c, n, np.log(unit)], axis=1)]
                else:
                    (u_r, u_z, u_n), (v_r, v_z, v_n) = np.split(u, 3, axis=1), np.split(v, 3, axis=1)
                    r, z = sigmoid(u_r + v_r), sigmoid(u_z + v_z)
                    if layer.cell == "gru_after":
                        n = np.tanh(u_n + r * v_n)
                    else:
                        b_hn = b_h[2 * N_A:] if layer.bias else 0.0
                        n = np.tanh(u_n + (r * h[0]) @ W_h[2 * N_A:].T + b_hn)
                    h = [(1 - z) * n + z * h[0]]
                out[t] = h[0]
            states[j], j = h, j + 1
            outs.append(np.stack(out))
        y = np.concatenate(outs, axis=2)
    return y, [np.stack(part) for part in zip(*states)]


@each_kind
@pytest.mark.parametrize("num_layers, bidirectional, bias", [(1, False, True), (1, True, True), (3, False, False), (2, True, True)])
def test_torchs_equations(engine, kind, dtype, num_layers, bidirectional, bias):
    layer = make(kind, dtype, num_layers=num_layers, bidirectional=bidirectional, bias=bias)
    x, state = inputs(dtype=dtype), initial(layer)
    y, last = layer(x, state)
    expected, expected_last = by_torchs_equations(layer, x, state)
    # A unit sums at most 2 n_a + n_a + 2 products a step; errors of T steps and the layers add up.
    bound = 4 * (3 * N_A + 2) * T * num_layers * np.finfo(dtype).eps
    assert y.dtype == dtype and y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=bound, atol=bound)
    for ours, theirs in zip(parts(last), expected_last):
        np.testing.assert_allclose(ours, theirs, rtol=bound, atol=bound)


@each_kind
def test_names_and_shapes_are_torchs(kind):
    layer = make(kind, num_layers=2, bidirectional=True)
    G = {"tanh": 1, "relu": 1, "lstm": 4, "slstm": 4}.get(kind, 3)
    expected = {}
    for k, suffix in itertools.product(range(2), ("", "_reverse")):
        expected[f"weight_ih_l{k}{suffix}"] = (G * N_A, 2 * N_A if k else N_X)
        expected[f"weight_hh_l{k}{suffix}"] = (G * N_A, N_A)
        expected[f"bias_ih_l{k}{suffix}"] = expected[f"bias_hh_l{k}{suffix}"] = (G * N_A,)
    assert {name: a.shape for name, a in layer.parameters().items()} == expected
    assert list(layer.parameters()) == list(expected)
    assert not any(name.startswith("bias") for name in make(kind, bias=False).parameters())


def test_initial_distribution():
    layer = LSTM(30, 100, seed=3)
    values = np.concatenate([a.ravel() for a in layer.parameters().values()])
    assert np.abs(values).max() <= 0.1
    # The standard deviation of U(-b, b) is b / sqrt(3); 52,800 draws give it to a fraction of a percent.
    assert values.std() == pytest.approx(0.1 / np.sqrt(3), rel=0.02) and abs(values.mean()) < 0.002
    again, other = LSTM(30, 100, seed=3), LSTM(30, 100, seed=4)
    for name, a in layer.parameters().items():
        assert np.array_equal(a, again.parameters()[name]) and not np.array_equal(a, other.parameters()[name])
    wide = LSTM(30, 100, seed=3, dtype=np.float64).parameters()
    assert all(np.array_equal(a, wide[name].astype(np.float32)) for name, a in layer.parameters().items())


def test_forget_bias():
    layer = LSTM(3, 4, num_layers=2, forget_bias=1.5, seed=0)
    for k in range(2):
        b = layer.parameters()[f"bias_ih_l{k}"] + layer.parameters()[f"bias_hh_l{k}"]
        assert (b[4:8] == 1.5).all() and (b[:4] != 1.5).all() and (b[8:] != 1.5).all()
    with pytest.raises(ValueError, match="^forget_bias: "):
        LSTM(3, 4, bias=False, forget_bias=1.0)


@each_kind
@each_layout
@pytest.mark.parametrize("num_layers, bidirectional", [(1, False), (2, True), (2, False)])
def test_layouts_agree(engine, kind, layout, num_layers, bidirectional):
    plain = make(kind, num_layers=num_layers, bidirectional=bidirectional)
    layer = make(kind, num_layers=num_layers, bidirectional=bidirectional, layout=layout)
    order, state = FROM_TMN[layout], initial(plain)
    y, last, tape = plain.forward(inputs(), state)
    y2, last2, tape2 = layer.forward(inputs(layout), state)
    assert y2.flags.c_contiguous
    np.testing.assert_allclose(y2.transpose(order), y, rtol=1e-13)
    for ours, theirs in zip(parts(last2), parts(last)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)
    dy, dlast = numbers(2, *y.shape), initial(plain)
    dx, dfirst, grads = plain.backward(dy, tape, dlast)
    dx2, dfirst2, grads2 = layer.backward(dy.transpose(order), tape2, dlast)
    np.testing.assert_allclose(dx2.transpose(order), dx, rtol=1e-12, atol=1e-14)
    for ours, theirs in zip(parts(dfirst2), parts(dfirst)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    for name in grads:
        np.testing.assert_allclose(grads2[name], grads[name], rtol=1e-12, atol=1e-14)


def test_batch_first_is_mtn():
    assert LSTM(3, 4, batch_first=True).layout == "mtn" and LSTM(3, 4, 1, True, True).layout == "mtn"
    with pytest.raises(ValueError, match="^layout: "):
        LSTM(3, 4, batch_first=True, layout="nmt")


@each_kind
@each_layout
def test_one_sequence_without_m(engine, kind, layout):
    layer = make(kind, num_layers=2, bidirectional=True, layout=layout)
    axis = {"tmn": 1, "mtn": 0, "nmt": 1}[layout]
    x, state = inputs(layout).take([1], axis), initial(layer, 1)
    lone = whole(layer, [part[:, 0] for part in parts(state)])
    y, last, tape = layer.forward(x, state)
    y1, last1, tape1 = layer.forward(x.squeeze(axis), lone)
    assert np.array_equal(y1, y.squeeze(axis)) and y1.ndim == 2
    assert all(np.array_equal(a, b[:, 0]) for a, b in zip(parts(last1), parts(last)))
    dx, dfirst, grads = layer.backward(y, tape, last)
    dx1, dfirst1, grads1 = layer.backward(y1, tape1, last1)
    assert np.array_equal(dx1, dx.squeeze(axis))
    assert all(np.array_equal(a, b[:, 0]) for a, b in zip(parts(dfirst1), parts(dfirst)))
    assert all(np.array_equal(grads1[name], grads[name]) for name in grads)


@each_kind
@pytest.mark.parametrize("options", [
    {},
    {"layout": "nmt", "bias": False},
    {"num_layers": 2, "bidirectional": True, "layout": "mtn"},
    {"num_layers": 3, "dropout": 0.4},
    {"num_layers": 2, "bidirectional": True, "dropout": 0.3, "layout": "nmt"},
], ids=str)
def test_gradients_are_central_differences(engine, kind, options):
    layer = make(kind, **options)
    x, state = inputs(layer.layout), initial(layer)
    w_y = numbers(3, *layer(x)[0].shape)
    w_state = initial(layer)
    weights = layer.state_dict()
    generator = copy.deepcopy(layer._rng.bit_generator.state)

    def loss():
        layer._rng.bit_generator.state = copy.deepcopy(generator)       # the same dropout each time
        layer.update(weights)
        y, last, _ = layer.forward(x, state)
        return (w_y * y).sum() + sum((w * part).sum() for w, part in zip(parts(w_state), parts(last)))

    loss()
    layer._rng.bit_generator.state = copy.deepcopy(generator)
    _, _, tape = layer.forward(x, state)
    dx, dstate, grads = layer.backward(w_y, tape, w_state)
    assert list(grads) == list(layer.parameters())
    rng = np.random.default_rng(5)
    pairs = [(x, dx), *zip(parts(state), parts(dstate)), *((weights[name], grads[name]) for name in weights)]
    for array, gradient in pairs:
        assert gradient.shape == array.shape and gradient.dtype == array.dtype
        chosen = [tuple(rng.integers(array.shape)) for _ in range(4)]
        expected = differences(loss, array, chosen)
        np.testing.assert_allclose([gradient[i] for i in chosen], expected, rtol=1e-6, atol=1e-7)


@each_kind
def test_against_ops(engine, kind, dtype):
    layer = make(kind, dtype)
    x, state = inputs(dtype=dtype), initial(layer)
    weights = ops.pack(layer.cell, *layer.parameters().values())
    expected = ops.forward(weights, x, tuple(part[0] for part in parts(state)), training=True)
    y, last, tape = layer.forward(x, state)
    assert np.array_equal(y, expected.y)
    assert all(np.array_equal(a[0], b) for a, b in zip(parts(last), expected.state))
    dx, dfirst, grads = layer.backward(y, tape)
    g = ops.backward(expected.tape, expected.y)
    assert np.array_equal(dx, g.dx) and np.array_equal(parts(dfirst)[0][0], g.dstate[0])
    assert all(np.array_equal(a, b) for a, b in zip(grads.values(), (g.dW_x, g.dW_a, g.db_x, g.db_a)))


@each_kind
def test_truncated_passes_join(engine, kind):
    layer = make(kind, num_layers=2)
    y, last = layer(inputs())
    first, state = layer(inputs()[:2])
    second, state = layer(inputs()[2:], state)
    np.testing.assert_allclose(np.concatenate((first, second)), y, rtol=1e-13)
    for ours, theirs in zip(parts(state), parts(last)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)


@each_kind
@pytest.mark.parametrize("shape", [(0, 2, N_X), (4, 0, N_X), (0, 0, N_X)])
def test_nothing_to_do(engine, kind, shape):
    layer = make(kind, num_layers=2, bidirectional=True)
    state = initial(layer, shape[1])
    y, last, tape = layer.forward(np.zeros(shape), state)
    assert y.shape == (*shape[:2], 2 * N_A)
    if shape[0] == 0:
        assert all(np.array_equal(a, b) for a, b in zip(parts(last), parts(state)))
    dx, _, grads = layer.backward(y, tape)
    assert dx.shape == shape and not any(g.any() for g in grads.values())


def test_gradients_that_are_left_out(engine):
    layer = make("lstm", num_layers=2)
    y, last, tape = layer.forward(inputs())
    dx, _, grads = layer.backward(None, tape, last)
    _, _, tape = layer.forward(inputs())
    dx2, _, grads2 = layer.backward(np.zeros_like(y), tape, last)
    assert np.array_equal(dx, dx2) and all(np.array_equal(grads[name], grads2[name]) for name in grads)
    _, _, tape = layer.forward(inputs())
    dx3, _, grads3 = layer.backward(None, tape, last, need_dx=False)
    assert dx3 is None and all(np.array_equal(grads[name], grads3[name]) for name in grads)


def test_cells_of_an_lstm(engine):
    layer = make("lstm", num_layers=2, bidirectional=True, layout="mtn")
    x = inputs("mtn")
    y, (h, c), cells = layer(x, return_cells=True)
    assert cells.shape == y.shape
    assert np.array_equal(cells[:, -1, :N_A], c[2]) and np.array_equal(cells[:, 0, N_A:], c[3])
    w, weights = numbers(4, *cells.shape), layer.state_dict()

    def loss():
        layer.update(weights)
        return (w * layer(x, return_cells=True)[2]).sum()

    _, _, tape = layer.forward(x)
    dx, _, grads = layer.backward(None, tape, dcells=w)
    rng = np.random.default_rng(6)
    for array, gradient in [(x, dx), *((weights[name], grads[name]) for name in weights)]:
        chosen = [tuple(rng.integers(array.shape)) for _ in range(4)]
        np.testing.assert_allclose([gradient[i] for i in chosen], differences(loss, array, chosen), rtol=1e-6, atol=1e-8)
    with pytest.raises(ValueError, match="^return_cells: "):
        make("gru")(inputs(), return_cells=True)
    gru = make("gru")
    y, _, tape = gru.forward(inputs())
    with pytest.raises(ValueError, match="^dcells: "):
        gru.backward(y, tape, dcells=y)


def test_dropout_acts_between_layers_in_training_only():
    x = numbers(1, 50, 8, N_X)
    layer = make("gru", num_layers=2, dropout=0.5)
    y, _ = layer(x)
    assert np.array_equal(y, layer(x)[0]) and np.array_equal(y, make("gru", num_layers=2)(x)[0])
    first, second = layer.forward(x)[0], layer.forward(x)[0]
    assert not np.array_equal(first, second)
    assert np.array_equal(first, make("gru", num_layers=2, dropout=0.5).forward(x)[0])      # the seed decides
    lone = make("gru", dropout=0.5)
    assert np.array_equal(lone.forward(x)[0], lone(x)[0])
    kept = layer.forward(x)[2].levels[1][0].noise[0].below
    assert kept.dtype == bool and abs(kept.mean() - 0.5) < 0.05


def test_a_tape_is_used_once_and_by_its_own_layer():
    layer, other = make("lstm"), make("lstm")
    y, _, tape = layer.forward(inputs())
    with pytest.raises(ValueError, match="^tape: .*another layer"):
        other.backward(y, tape)
    with pytest.raises(ValueError, match="^tape: "):
        layer.backward(y, None)
    with pytest.raises(ValueError, match="^dy: "):
        layer.backward(y[:, :, :2], tape)
    layer.backward(y, tape)         # what was refused above did not use it up
    with pytest.raises(ValueError, match="^tape: .*used"):
        layer.backward(y, tape)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "dropout": 0.5}], ids=["one", "two"])
def test_a_refused_call_does_not_use_a_tape_up(engine, options):
    layer = make("lstm", **options)
    y, (h, c), tape = layer.forward(inputs())
    narrow = np.float32
    for dy, dstate, dcells, error, match in [
        (y[1:], None, None, ValueError, r"^dy: expected the shape of y, \(5, 2, \d\), got \(4, 2, \d\)"),
        (y[:, :1], None, None, ValueError, "^dy: "),
        (y.astype(narrow), None, None, TypeError, "^dy: "),
        (np.ma.array(y), None, None, TypeError, "^dy: .*mask"),
        (y, (h[:, :1], c), None, ValueError, "^dstate h: "),
        (y, (h, c.astype(narrow)), None, TypeError, "^dstate"),
        (None, (h, np.ma.array(c)), None, TypeError, "^dstate c: .*mask"),
        (y, None, y[1:], ValueError, "^dcells: "),
        (y, None, y.astype(narrow), TypeError, "^dcells: "),
    ]:
        with pytest.raises(error, match=match):
            layer.backward(dy, tape, dstate, dcells)
    dx, _, _ = layer.backward(y, tape, (h, c), y)
    assert dx.shape == (T, M, N_X)
    with pytest.raises(ValueError, match="^tape: .*used"):
        layer.backward(y, tape)


@each_kind
def test_y_is_no_view_of_the_tape(engine, kind):
    layer = make(kind, num_layers=2)
    y, last, tape = layer.forward(inputs())
    _, _, tape2 = layer.forward(inputs())
    dy = y.copy()
    y[:] = np.nan
    for part in parts(last):
        part[:] = np.nan
    dx, _, _ = layer.backward(dy, tape)
    assert np.array_equal(dx, layer.backward(dy, tape2)[0])


@each_kind
def test_inputs_are_left_alone(engine, kind):
    layer = make(kind, num_layers=2, bidirectional=True, dropout=0.5)
    x, state = inputs(), initial(layer)
    for array in (x, *parts(state)):
        array.flags.writeable = False
    y, last, tape = layer.forward(x, state)
    y.flags.writeable = False
    layer.backward(y, tape, last)
    layer(x, state)


def test_packed_weights_follow_every_write(engine):
    layer = make("lstm", num_layers=2)
    before, _ = layer(inputs())
    kept = [layer._weights(j) for j in range(2)]
    assert [layer._weights(j) for j in range(2)] == kept        # packed once
    layer.update({"weight_hh_l1": 2 * layer.parameters()["weight_hh_l1"]})
    assert layer._weights(0) is kept[0] and layer._weights(1) is not kept[1]
    assert not np.array_equal(layer(inputs())[0], before)
    layer.load_state_dict(make("lstm", num_layers=2).state_dict())
    assert np.array_equal(layer(inputs())[0], before)


def test_packed_weights_follow_the_backend(isa):
    layer = make("lstm")
    native, _ = layer(inputs())
    with fastrnn.backend("numpy"):
        numpy, _ = layer(inputs())
        assert type(layer._weights(0)).__module__.startswith("fastrnn.reference")
    np.testing.assert_allclose(native, numpy, rtol=1e-13)
    assert np.array_equal(layer(inputs())[0], native)


def test_a_tape_outlives_a_write(engine):
    layer = make("gru")
    y, _, tape = layer.forward(inputs())
    _, _, tape2 = layer.forward(inputs())
    dx = layer.backward(y, tape)[0]
    layer.update({name: 0 * a for name, a in layer.parameters().items()})
    assert np.array_equal(layer.backward(y, tape2)[0], dx)


def test_copies(engine):
    layer = make("lstm", num_layers=2)
    y, _ = layer(inputs())
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert np.array_equal(twin(inputs())[0], y)
        twin.update({name: 0 * a for name, a in twin.parameters().items()})
        assert np.array_equal(layer(inputs())[0], y)


def test_a_copy_packs_its_own_weights(monkeypatch):
    """Else a shallow copy with other parameters and its original would pack anew at every call in turns."""
    layer, packed, pack = make("lstm", num_layers=2), [], Block.pack
    monkeypatch.setattr(Block, "pack", lambda *arguments: packed.append(0) or pack(*arguments))
    twin = copy.copy(layer)
    twin.update({name: 0 * a for name, a in twin.parameters().items()})
    for _ in range(3):
        for each in (layer, twin):
            each(inputs())
            each.forward(inputs(), checkpoint=16)
    assert len(packed) == 4


@pytest.mark.parametrize("call, error, name", [
    (lambda: RNN(0, 4), ValueError, "input_size"),
    (lambda: RNN(3, -1), ValueError, "hidden_size"),
    (lambda: RNN(3, 4.0), TypeError, "hidden_size"),
    (lambda: RNN(3, 4, True), TypeError, "num_layers"),
    (lambda: RNN(3, 4, nonlinearity="sigmoid"), ValueError, "nonlinearity"),
    (lambda: GRU(3, 4, dropout=1.0), ValueError, "dropout"),
    (lambda: GRU(3, 4, dropout="0.5"), TypeError, "dropout"),
    (lambda: LSTM(3, 4, layout="ntm"), ValueError, "layout"),
    (lambda: LSTM(3, 4, dtype=np.float16), TypeError, "dtype"),
    (lambda: LSTM(3, 4, dtype="nonsense"), TypeError, "dtype"),
    (lambda: LSTM(3, 4, dtype=None), TypeError, "dtype"),
    (lambda: LSTM(3, 4, forget_bias=np.nan), ValueError, "forget_bias"),
    (lambda: LSTM(3, 4, forget_bias=10**400), ValueError, "forget_bias"),
    (lambda: LSTM(3, 4, forget_bias=1e300), ValueError, "forget_bias"),
    (lambda: LSTM(3, 4, forget_bias="a"), TypeError, "forget_bias"),
    (lambda: LSTM(3, 4, forget_bias=True), TypeError, "forget_bias"),
    (lambda: LSTM(3, 4, forget_bias=np.ones(4)), TypeError, "forget_bias"),
])
def test_wrong_construction(call, error, name):
    with pytest.raises(error, match=f"^{name}: "):
        call()


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("layout, shape, axes", [("tmn", (5, 2, 4), "T, m, n_x"), ("mtn", (5, 2, 4), "m, T, n_x"), ("nmt", (4, 2, 5), "n_x, m, T")])
def test_wrong_shapes_are_those_that_came(engine, layout, shape, axes, num_layers):
    layer = fastrnn.GRU(3, 5, num_layers, layout=layout)
    for x in (np.zeros(shape, np.float32), np.zeros((shape[0], shape[2]), np.float32)):
        for call in (layer, layer.forward, lambda x: layer.forward(x, checkpoint=16)):
            with pytest.raises(ValueError) as caught:
                call(x)
            assert str(caught.value).startswith(f"x: expected shape ({axes}) with n_x = 3")
            assert str(caught.value).endswith(f", got {x.shape}")


@pytest.mark.parametrize("x, state, error, match", [
    (np.zeros((5, 2, 4)), None, ValueError, "^x: expected shape .*n_x = 3.*got"),
    (np.zeros((5, 4)), None, ValueError, "^x: "),
    (np.zeros(5), None, ValueError, "^x: "),
    (np.zeros((5, 2, 3, 1)), None, ValueError, "^x: "),
    (np.zeros((5, 2, 3), np.float32), None, TypeError, r"^x: .*\.astype"),
    (np.zeros((5, 2, 3), int), None, TypeError, r"^x: .*\.astype"),
    (np.ma.zeros((5, 2, 3)), None, TypeError, "^x: .*mask"),
    (np.ma.zeros((5, 3)), None, TypeError, "^x: .*mask"),
    ([[1.0], [1.0, 2.0]], None, TypeError, "^x: "),
    (np.zeros((5, 2, 3)), np.zeros((1, 2, 4)), TypeError, "^state: expected a pair"),
    (np.zeros((5, 2, 3)), (np.zeros((1, 2, 4)),), TypeError, "^state: expected a pair"),
    (np.zeros((5, 2, 3)), (np.zeros((1, 2, 4)), np.zeros((2, 4))), ValueError, "^state c: .*got"),
    (np.zeros((5, 2, 3)), (np.zeros((1, 3, 4)), np.zeros((1, 3, 4))), ValueError, "^state h: .*got"),
    (np.zeros((5, 2, 3)), (np.zeros((1, 2, 4), np.float32),) * 2, TypeError, r"^state.*\.astype"),
])
def test_wrong_inputs(engine, x, state, error, match):
    with pytest.raises(error, match=match):
        make("lstm")(x, state)


def test_wrong_gradients(engine):
    layer = make("gru", bidirectional=True)
    y, last, tape = layer.forward(inputs())
    for dy, dstate, match in [(y[:-1], None, "^dy: "), (y[:, 0], None, "^dy: "), (y[..., :4], None, "^dy: .*8"),
                              (y, last[:1], "^dstate: ")]:
        _, _, tape = layer.forward(inputs())
        with pytest.raises(ValueError, match=match):
            layer.backward(dy, tape, dstate)
    with pytest.raises(TypeError, match="^dy: "):
        layer.backward(y.astype(np.float32), tape)


def test_many_threads_share_a_layer(engine):
    from concurrent.futures import ThreadPoolExecutor

    layer = make("lstm", num_layers=2)
    xs = [numbers(k, T, M, N_X) for k in range(20)]
    alone = [layer(x)[0] for x in xs]
    layer.update(layer.parameters())        # the threads find nothing packed
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda x: layer(x)[0], xs))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together))
