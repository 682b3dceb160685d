"""The options of the recurrent layers: against ops and written-out steps, their gradients, files and refusals."""

import copy
import pickle

import numpy as np
import pytest
from conftest import ISAS
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from layers import (
    COMMON,
    KINDS,
    LSTM_ONLY,
    M,
    N_A,
    N_X,
    T,
    differences,
    each_kind,
    each_layout,
    initial,
    inputs,
    make,
    numbers,
    parts,
    same,
)

import fastrnn
from fastrnn import io, ops
from fastrnn.nn import GRU, LSTM, RNN, load, sLSTM

# Hypothesis runs many examples: one instruction set stands for all.
on_two = pytest.mark.parametrize("engine", ["numpy", *(f"native:{isa}" for isa in ISAS[-1:])], indirect=True)


def allowed(kind):
    if kind == "slstm":
        return {name: value for name, value in COMMON.items() if name not in ("clip", "layer_norm", "zoneout")}
    return {**COMMON, **(LSTM_ONLY if kind == "lstm" else {})}


def everything(kind):
    return {name: value for name, value in allowed(kind).items() if name != "merge"}


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def packed(layer):
    """The one block's weights, from its parameters by their names."""
    p = layer.parameters()
    norm = {f"{what}_{side}": p[f"{kind}_norm_{end}_l0"] for what, kind in (("gain", "weight"), ("shift", "bias"))
            for side, end in (("x", "ih"), ("a", "hh"), ("c", "c")) if f"{kind}_norm_{end}_l0" in p}  # fmt: skip
    return ops.pack(
        layer.cell, p["weight_ih_l0"], p["weight_hh_l0"], p.get("bias_ih_l0"), p.get("bias_hh_l0"),
        peephole=p.get("weight_peephole_l0"), coupled=getattr(layer, "input_forget", False), clip=layer.clip,
        projection=p.get("weight_hr_l0"), norm=norm or None,
    ), norm  # fmt: skip


@each_kind
@pytest.mark.parametrize("bias", [True, False])
def test_against_ops(engine, dtype, kind, bias):
    layer = make(kind, dtype, bias=bias, **{**everything(kind), "weight_dropout": 0.0})
    weights, norm = packed(layer)
    x, state = inputs(dtype=dtype), initial(layer)
    start = tuple(part[0] for part in parts(state))
    y, last = layer(x, state)
    expected = ops.forward(weights, x, start, zoneout=0.3 if layer.zoneout else None)
    assert same(y, expected.y) and same([part[0] for part in parts(last)], list(expected.state))

    y, last, tape = layer.forward(x, state)
    noise = tape.levels[0][0].noise[0]
    expected = ops.forward(weights, x, start, training=True, drop=noise.recurrent, zoneout=noise.zoneout)
    assert same(y, expected.y)
    dx, dstate, grads = layer.backward(y, tape, last)
    g = ops.backward(expected.tape, expected.y, expected.state)
    assert same(dx, g.dx) and same([part[0] for part in parts(dstate)], list(g.dstate))
    assert same(grads["weight_ih_l0"], g.dW_x) and same(grads["weight_hh_l0"], g.dW_a)
    if bias:
        assert same(grads["bias_ih_l0"], g.db_x) and same(grads["bias_hh_l0"], g.db_a)
    if kind == "lstm":
        assert same(grads["weight_peephole_l0"], g.extras["peephole"])
        assert same(grads["weight_hr_l0"], g.extras["projection"])
    for what, name in (("gain", "weight"), ("shift", "bias"))[: 2 * len(norm)]:
        assert same(grads[f"{name}_norm_ih_l0"], g.extras[f"{what}_x"])
        assert same(grads[f"{name}_norm_hh_l0"], g.extras[f"{what}_a"])
    assert list(grads) == list(layer.parameters())
    assert all(grads[name].shape == value.shape for name, value in layer.parameters().items())


def test_a_step_of_an_lstm_with_everything_written_out(engine):
    layer = make("lstm", **everything("lstm"))
    p, x, (h, c) = layer.parameters(), inputs(), initial(layer)
    h, c = h[0], c[0]

    used = np.r_[:N_A, 2 * N_A : 4 * N_A]       # input_forget: there are no rows f

    def norm(v, side, at=slice(None)):
        v = (v - v.mean(axis=1, keepdims=True)) / np.sqrt(v.var(axis=1, keepdims=True) + 1e-5)
        return v * p[f"weight_norm_{side}_l0"][at] + p[f"bias_norm_{side}_l0"][at]

    def bounded(v):
        return np.clip(v, -0.8, 0.8)

    p_i, _, p_o = p["weight_peephole_l0"]
    expected = []
    for t in range(T):
        z = norm(x[t] @ p["weight_ih_l0"][used].T, "ih", used) + norm(h @ p["weight_hh_l0"][used].T, "hh", used)
        z_i, z_g, z_o = np.split(z + (p["bias_ih_l0"] + p["bias_hh_l0"])[used], 3, axis=1)
        i = sigmoid(bounded(z_i + p_i * c))
        fresh = (1 - i) * c + i * np.tanh(bounded(z_g))
        a = sigmoid(bounded(z_o + p_o * fresh)) * np.tanh(norm(fresh, "c"))
        h, c = 0.3 * h + 0.7 * a @ p["weight_hr_l0"].T, 0.3 * c + 0.7 * fresh
        expected.append(h)
    y, last = layer(x, initial(layer))
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(last[0][0], h, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(last[1][0], c, rtol=1e-12, atol=1e-14)


@st.composite
def combinations(draw):
    kind = draw(st.sampled_from(["tanh", "relu", "lstm", "gru", "gru_before"]))
    options = {name: value for name, value in allowed(kind).items() if draw(st.booleans())}
    if "merge" in options:
        options["merge"] = draw(st.sampled_from(["sum", "mul", "ave"]))
    options |= {
        "num_layers": draw(st.integers(1, 2)), "bidirectional": draw(st.booleans()), "bias": draw(st.booleans()),
        "dropout": draw(st.sampled_from([0.0, 0.3])), "layout": draw(st.sampled_from(["tmn", "mtn", "nmt"])),
    }  # fmt: skip
    call = {"lengths": draw(st.booleans()), "reset": draw(st.booleans())}
    return kind, options, call


@on_two
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(combinations())
@example(("lstm", {**everything("lstm"), "num_layers": 2, "bidirectional": True, "dropout": 0.3, "merge": "mul"},
          {"lengths": True, "reset": True}))  # fmt: skip
@example(("gru_before", {**COMMON, "num_layers": 2, "layout": "nmt", "dropout": 0.3},
          {"lengths": True, "reset": True}))  # fmt: skip
def test_gradients_are_central_differences(engine, combination):
    kind, options, given_ = combination
    layer = make(kind, **options)
    x, state = inputs(layer.layout), initial(layer)
    call = {"lengths": np.array([4, 0, T]) if given_["lengths"] else None}
    if given_["reset"]:
        reset = np.zeros((T, M), bool)
        reset[[0, 2, 3, 5, 5], [0, 0, 2, 1, 2]] = True
        call["reset"] = reset if layer.layout == "tmn" else reset.T
    weights = layer.state_dict()
    generator = layer._rng.bit_generator.state
    w_y, w_state = numbers(3, *layer(x)[0].shape), initial(layer, seed=20)

    def forward():
        layer._rng.bit_generator.state = generator      # the same masks each time
        layer.update(weights)
        return layer.forward(x, state, **call)

    def loss():
        y, last, _ = forward()
        return (w_y * y).sum() + sum((w * part).sum() for w, part in zip(parts(w_state), parts(last)))

    dx, dstate, grads = layer.backward(w_y, forward()[2], w_state)
    rng = np.random.default_rng(5)
    pairs = [(x, dx), *zip(parts(state), parts(dstate)), *((weights[name], grads[name]) for name in weights)]
    for array, gradient in pairs:
        assert gradient.shape == array.shape and gradient.dtype == array.dtype
        chosen = [tuple(rng.integers(array.shape)) for _ in range(2)]
        expected = differences(loss, array, chosen)
        np.testing.assert_allclose([gradient[i] for i in chosen], expected, rtol=1e-5, atol=1e-7)


def test_names_and_shapes():
    layer = LSTM(N_X, N_A, 2, bidirectional=True, proj_size=2, peephole=True, layer_norm=True)
    shapes = {name: value.shape for name, value in layer.parameters().items()}
    for ending, n_x in (("l0", N_X), ("l0_reverse", N_X), ("l1", 4), ("l1_reverse", 4)):
        own = [name for name in shapes if name.endswith(ending)]
        assert {name.removesuffix(f"_{ending}"): shapes[name] for name in own} == {
            "weight_ih": (16, n_x), "weight_hh": (16, 2), "bias_ih": (16,), "bias_hh": (16,), "weight_hr": (2, 4),
            "weight_peephole": (3, 4), "weight_norm_ih": (16,), "bias_norm_ih": (16,), "weight_norm_hh": (16,),
            "bias_norm_hh": (16,), "weight_norm_c": (4,), "bias_norm_c": (4,),
        }  # fmt: skip
    assert all((value == name.startswith("weight")).all() for name, value in layer.parameters().items() if "_norm_" in name)
    # What is drawn for plain parameters does not depend on layer_norm, which draws nothing.
    plain = LSTM(N_X, N_A, layer_norm=True, seed=1).parameters()
    assert same(plain["weight_hh_l0"], LSTM(N_X, N_A, seed=1).parameters()["weight_hh_l0"])
    assert "weight_norm_c_l0" not in GRU(N_X, N_A, layer_norm=True).parameters()


@each_kind
@each_layout
@pytest.mark.parametrize("num_layers", [1, 2])
def test_merges_of_two_directions(engine, kind, layout, num_layers):
    x = inputs(layout)
    layers = {name: make(kind, bidirectional=True, layout=layout, merge=name) for name in ("concat", "sum", "mul", "ave")}
    axis = 0 if layout == "nmt" else 2
    forth, back = np.split(layers["concat"](x)[0], 2, axis)
    expected = {"sum": forth + back, "mul": forth * back, "ave": (forth + back) * 0.5}
    for name, value in expected.items():
        y, _ = layers[name](x)
        assert same(np.ascontiguousarray(y), np.ascontiguousarray(value)) and y.flags.c_contiguous
    deep = make(kind, bidirectional=True, layout=layout, merge="sum", num_layers=2)
    assert deep.parameters()["weight_ih_l1"].shape[1] == N_A and deep(x)[0].shape == forth.shape
    lone = make(kind, layout=layout, merge="sum")
    assert same(lone(x)[0], make(kind, layout=layout)(x)[0])     # one direction: nothing to merge


@each_kind
@pytest.mark.parametrize("merge", ["sum", "mul", "ave"])
def test_gradients_of_merges(engine, kind, merge):
    """Those of two directions side by side, whose dy is what the merge sends to each."""
    layer, wide = make(kind, bidirectional=True, merge=merge), make(kind, bidirectional=True)
    y, last, tape = layer.forward(inputs())
    both, _, its_tape = wide.forward(inputs())
    forth, back = np.split(both, 2, axis=2)
    dy = numbers(3, *y.shape)
    parts_of_dy = {"sum": (dy, dy), "mul": (dy * back, dy * forth), "ave": (dy * 0.5, dy * 0.5)}[merge]
    expected = wide.backward(np.concatenate(parts_of_dy, axis=2), its_tape, last)
    assert same(layer.backward(dy, tape, last), expected)
    assert same(layer.backward(None, layer.forward(inputs())[2], last), wide.backward(None, wide.forward(inputs())[2], last))


def test_cells_stand_side_by_side_whatever_the_merge(engine):
    x = inputs()
    y, _, cells = make("lstm", bidirectional=True, merge="sum")(x, return_cells=True)
    assert same(cells, make("lstm", bidirectional=True)(x, None, None, None, True)[2]) and y.shape[2] == N_A
    layer = make("lstm", bidirectional=True, merge="mul")
    _, _, tape = layer.forward(x)
    w, weights = numbers(4, T, M, 2 * N_A), layer.state_dict()

    def loss():
        layer.update(weights)
        return (w * layer(x, return_cells=True)[2]).sum()

    dx, _, grads = layer.backward(None, tape, None, w)
    expected = differences(loss, x, [(0, 0, 0), (5, 2, 1)])
    np.testing.assert_allclose([dx[0, 0, 0], dx[5, 2, 1]], expected, rtol=1e-6, atol=1e-8)
    expected = differences(loss, weights["weight_hh_l0_reverse"], [(3, 1)])
    np.testing.assert_allclose(grads["weight_hh_l0_reverse"][3, 1], expected[0], rtol=1e-6)


@pytest.mark.parametrize(
    "kind, name", [(kind, name) for kind in KINDS for name in ("zoneout", "recurrent_dropout", "weight_dropout")
                   if name in allowed(kind)])  # fmt: skip
def test_masks_are_drawn_in_forward_only(engine, kind, name):
    x = inputs()
    layer = make(kind, **{name: 0.5})
    before = layer._rng.bit_generator.state
    y, _ = layer(x)
    assert layer._rng.bit_generator.state == before and same(y, layer(x)[0])
    if name != "zoneout":
        assert same(y, make(kind)(x)[0])        # inverted: evaluation takes the weights and states as they are
    first, second = layer.forward(x)[0], layer.forward(x)[0]
    assert not same(first, second) and not same(first, y)
    assert same(first, make(kind, **{name: 0.5}).forward(x)[0])        # the seed decides


def test_weight_dropout_is_a_layer_of_other_weights(engine):
    layer = make("gru", weight_dropout=0.25)
    x = inputs()
    y, last, tape = layer.forward(x)
    factors = tape.levels[0][0].noise[0].weights
    assert set(np.unique(factors)) == {0.0, 1 / 0.75}
    dropped = make("gru")
    dropped.update({"weight_hh_l0": layer.parameters()["weight_hh_l0"] * factors})
    y2, _, tape2 = dropped.forward(x)
    assert same(y, y2)
    dx, _, grads = layer.backward(y, tape)
    dx2, _, grads2 = dropped.backward(y, tape2)
    assert same(dx, dx2) and same(grads["weight_ih_l0"], grads2["weight_ih_l0"])
    assert same(grads["weight_hh_l0"], grads2["weight_hh_l0"] * factors)


def test_expectations(engine):
    """Over many draws training's mean is what evaluation takes, where that is exact: in one step's new state."""
    layer = make("lstm", zoneout=0.25)
    x, state = np.repeat(inputs(steps=1, m=1), 4000, axis=1), tuple(np.repeat(part, 4000, axis=1) for part in initial(layer, 1))
    _, trained, _ = layer.forward(x, state)
    _, expected = layer(x, state)
    for one, other, old in zip(trained, expected, state):
        deviation = np.abs(old - other).max() * 2       # at least that of one draw
        np.testing.assert_allclose(one.mean(axis=1), other.mean(axis=1), atol=5 * deviation / 4000**0.5)


@pytest.mark.parametrize("p", [0.0, 1e-4, 0.1, 0.5, 0.99, 1.0])
def test_masks_have_their_probability(p):
    from fastrnn.nn.noise import hits

    n = 200_001
    found = hits(np.random.default_rng(0), (3, n // 3), p)
    assert found.shape == (3, n // 3) and found.dtype == bool
    assert abs(found.mean() - p) <= 5 * (p * (1 - p) / n) ** 0.5 + 2**-17
    assert same(found, hits(np.random.default_rng(0), (3, n // 3), p))
    # So it is of every place in a row, and with a generator of 32 bits at a time.
    other = hits(np.random.Generator(np.random.MT19937(0)), (n // 4, 4), p).mean(axis=0)
    assert (np.abs(other - p) <= 6 * (p * (1 - p) / (n // 4)) ** 0.5 + 2**-17).all()


def options_of_each_kind():
    found = []
    for kind in ("tanh", "lstm", "slstm", "gru"):
        found += [pytest.param(kind, {name: value}, id=f"{kind}-{name}") for name, value in allowed(kind).items()]
        found.append(pytest.param(kind, {**everything(kind), "merge": "ave", "bidirectional": True}, id=f"{kind}-all"))
    return found


@pytest.mark.parametrize("kind, options", options_of_each_kind())
def test_files_copies_and_repr_have_every_option(engine, tmp_path, kind, options):
    layer = make(kind, num_layers=2, **options)
    y, _ = layer(inputs())
    layer.save(tmp_path / "layer")
    for twin in (load(tmp_path / "layer"), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert same(twin(inputs())[0], y) and twin.config == layer.config and repr(twin) == repr(layer)
        assert all(getattr(twin, name) == value for name, value in options.items())
    again = eval(repr(layer), {"RNN": RNN, "LSTM": LSTM, "GRU": GRU, "sLSTM": sLSTM})
    assert again.config == layer.config and all(name in repr(layer) for name in options)


def test_files_written_before_there_were_options(tmp_path):
    layer = make("gru", bidirectional=True)
    config = dict(cell="gru_after", input_size=N_X, hidden_size=N_A, num_layers=1, bias=True, dropout=0.0,
                  bidirectional=True, layout="tmn", dtype="float64")
    io.save(tmp_path / "old", "GRU", config, layer.parameters())
    assert same(load(tmp_path / "old")(inputs())[0], layer(inputs())[0])
    layer.save(tmp_path / "new")
    assert io.load(tmp_path / "new")[1] == config       # and versions before read plain layers of this one


@pytest.mark.parametrize("changed", [
    {"peephole": True}, {"proj_size": 2}, {"zoneout": 1.0}, {"merge": "max"}, {"clip": -1.0}, {"zone": 0.1}, {"clip": "1"},
], ids=str)
def test_files_with_impossible_options(tmp_path, changed):
    layer = make("gru")
    io.save(tmp_path / "bad", "GRU", {**layer.config, **changed}, layer.parameters())
    with pytest.raises(io.ModelFileError, match=f"contradicts itself .*{next(iter(changed))}"):
        load(tmp_path / "bad")


@pytest.mark.parametrize("cls", [RNN, LSTM, GRU])
@pytest.mark.parametrize("options, error", [
    ({"clip": 0.0}, ValueError), ({"clip": np.nan}, ValueError), ({"clip": np.inf}, ValueError),
    ({"clip": 1e-50}, ValueError), ({"clip": 1e50}, ValueError),  # for float32
    ({"clip": "1"}, TypeError), ({"clip": True}, TypeError), ({"clip": np.ones(2)}, TypeError),
    ({"zoneout": 1.0}, ValueError), ({"zoneout": -0.1}, ValueError), ({"zoneout": "0.1"}, TypeError),
    ({"recurrent_dropout": 1.0}, ValueError), ({"recurrent_dropout": None}, TypeError),
    ({"weight_dropout": 2}, ValueError), ({"weight_dropout": True}, TypeError),
    ({"merge": "max"}, ValueError), ({"merge": None}, ValueError), ({"merge": ["sum"]}, ValueError),
    ({"merge": np.array(["sum", "mul"])}, ValueError), ({"clip": np.True_}, TypeError),
    ({"layout": np.array(["tmn", "mtn"])}, ValueError),
], ids=str)
def test_wrong_options(cls, options, error):
    with pytest.raises(error, match=f"^{next(iter(options))}: expected .*got"):
        cls(3, 4, **options)


def test_an_slstm_has_no_clip():
    for clip in (1.0, np.ones(2)):
        with pytest.raises(ValueError, match="^clip: expected None, as an sLSTM does not have it, got"):
            sLSTM(3, 4, clip=clip)


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave"])
def test_gradients_of_another_type_are_refused_whatever_the_merge(engine, merge):
    layer = make("lstm", bidirectional=True, merge=merge)
    for checkpoint in (None, 16):
        y, _, tape = layer.forward(inputs(), checkpoint=checkpoint)
        for dtype in (np.float32, np.int64, bool, "M8[s]"):
            with pytest.raises(TypeError, match="^dy: expected float64, got"):
                layer.backward(np.zeros(y.shape, dtype), tape)
        with pytest.raises(TypeError, match="^dcells: expected float64, got"):
            layer.backward(y, tape, None, np.zeros((T, M, 2 * N_A), np.float32))
        layer.backward(y, tape)


@pytest.mark.parametrize("proj_size, error", [(4, ValueError), (5, ValueError), (-1, ValueError), (1.0, TypeError)])
def test_wrong_proj_size(proj_size, error):
    with pytest.raises(error, match="^proj_size: expected .*got"):
        LSTM(3, 4, proj_size=proj_size)


def test_only_an_lstm_has_them():
    for cls in (RNN, GRU):
        for name in LSTM_ONLY:
            with pytest.raises(TypeError, match=name):
                cls(3, 4, **{name: 1})


def test_the_order_of_positional_arguments():
    layer = LSTM(3, 4, 2, True, True, 0.1, True, 2)
    assert (layer.num_layers, layer.layout, layer.dropout, layer.bidirectional, layer.proj_size) == (2, "mtn", 0.1, True, 2)


def test_states_of_a_projection(engine):
    layer = make("lstm", proj_size=2, num_layers=2)
    y, (h, c) = layer(inputs(), initial(layer))
    assert y.shape == (T, M, 2) and h.shape == (2, M, 2) and c.shape == (2, M, N_A)
    with pytest.raises(ValueError, match=r"^state h: expected shape .*proj_size\) = \(2, 3, 2\), got \(2, 3, 4\)"):
        layer(inputs(), (c, c))
    with fastrnn.backend("numpy"), pytest.raises(ValueError, match=r"^state c: expected shape .*n_a\)"):
        layer(inputs(), (h, h))


@pytest.mark.parametrize("kind", ["lstm", "gru_before"])
def test_a_stream_has_the_options(engine, kind):
    layer = make(kind, num_layers=2, **everything(kind))
    y, last = layer(inputs())
    stream = layer.stream(M)
    assert same(np.stack([stream.step(step) for step in inputs()]), y) and same(stream.state, last)


@pytest.mark.parametrize("kind", [fastrnn.RNN, fastrnn.LSTM, fastrnn.GRU, lambda *n, **given: fastrnn.GRU(*n, reset_after=False, **given)])
def test_nothing_comes_through_a_bound(engine, dtype, kind):
    layer = kind(2, 5, clip=0.5, dtype=dtype, seed=0)
    layer.update({"bias_ih_l0": np.full_like(layer.parameters()["bias_ih_l0"], 9)})  # all that is summed up is above it
    _, state, tape = layer.forward(np.ones((1, 2, 2), dtype))
    dx, _, gradients = layer.backward(np.full((1, 2, 5), np.inf, dtype), tape)
    assert not dx.any() and not gradients["bias_hh_l0"].any()
