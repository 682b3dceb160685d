"""Optimisers against their equations written number by number, and what clipping and schedules promise."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastrnn import io
from fastrnn.optim import (
    SGD, Adagrad, Adam, AdamW, RMSprop, clip_by_norm, clip_by_value, constant, cosine, step_decay, warm_up,
)

EPS = {np.float32: 2.0**-23, np.float64: 2.0**-52}


# ---- the equations, one number at a time in Python floats -------------------------------------------

def sgd(p, g, k, s, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    g = g + weight_decay * p
    s["v"] = momentum * s.get("v", 0.0) + g
    return p - lr * (g + momentum * s["v"] if nesterov else s["v"])


def adagrad(p, g, k, s, lr, eps=1e-10, weight_decay=0.0):
    g = g + weight_decay * p
    s["s"] = s.get("s", 0.0) + g**2
    return p - lr * g / (math.sqrt(s["s"]) + eps)


def rmsprop(p, g, k, s, lr, alpha=0.99, eps=1e-8, weight_decay=0.0):
    g = g + weight_decay * p
    s["s"] = alpha * s.get("s", 0.0) + (1 - alpha) * g**2
    return p - lr * g / (math.sqrt(s["s"]) + eps)


def adam(p, g, k, s, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    g = g + weight_decay * p
    s["m"] = betas[0] * s.get("m", 0.0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0.0) + (1 - betas[1]) * g**2
    return p - lr * (s["m"] / (1 - betas[0]**k)) / (math.sqrt(s["v"] / (1 - betas[1]**k)) + eps)


def adamw(p, g, k, s, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    return adam(p - lr * weight_decay * p, g, k, s, lr, betas, eps)


CASES = [
    (SGD, sgd, {"lr": 0.1}), (SGD, sgd, {"lr": 0.1, "weight_decay": 0.2}), (SGD, sgd, {"lr": 0.1, "momentum": 0.9}),
    (SGD, sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (Adagrad, adagrad, {"lr": 0.1}), (Adagrad, adagrad, {"lr": 0.1, "eps": 0.5, "weight_decay": 0.2}),
    (RMSprop, rmsprop, {"lr": 0.1}), (RMSprop, rmsprop, {"lr": 0.1, "alpha": 0.5, "eps": 0.5, "weight_decay": 0.2}),
    (Adam, adam, {"lr": 0.1}), (Adam, adam, {"lr": 0.1, "betas": (0.5, 0.0), "eps": 0.5, "weight_decay": 0.2}),
    (AdamW, adamw, {"lr": 0.1}), (AdamW, adamw, {"lr": 0.1, "betas": (0.0, 0.5), "eps": 0.5, "weight_decay": 0.5}),
]
EVERY = pytest.mark.parametrize("make, equation, settings_", CASES, ids=lambda x: getattr(x, "__name__", None) or str(x))


def start(dtype=np.float64, order="="):
    rng = np.random.default_rng(0)
    shapes = {"w": (3, 4), "b": (5,), "scalar": (), "empty": (0, 2)}
    return {name: np.asarray(rng.standard_normal(shape), np.dtype(dtype).newbyteorder(order)) for name, shape in shapes.items()}


def slopes(k, parameters):
    rng = np.random.default_rng(k)
    return {name: np.asarray(rng.standard_normal(p.shape), p.dtype) for name, p in parameters.items()}


@EVERY
@pytest.mark.parametrize("dtype", EPS)
def test_equations(make, equation, settings_, dtype):
    optimiser, parameters, states = make(**settings_), start(dtype), {}
    exact = {name: p.astype(float) for name, p in parameters.items()}
    for k in range(1, 8):
        gradients = slopes(k, parameters)
        parameters = optimiser.step(parameters, gradients)
        for name, values in exact.items():
            for i in np.ndindex(values.shape):
                state = states.setdefault((name, i), {})
                values[i] = equation(float(values[i]), float(gradients[name][i]), k, state, **settings_)
            assert parameters[name].dtype == dtype and parameters[name].shape == values.shape
            # At most 20 roundings a step, of numbers below 4 in size.
            assert np.all(np.abs(parameters[name] - values) <= 20 * k * EPS[dtype] * 4), (name, k)
    assert optimiser.steps == 7


@EVERY
def test_a_quadratic_is_descended(make, equation, settings_):
    """f(p) = ½ Σ h (p − best)²; decay pulls elsewhere, and is left out."""
    settings_ = {**settings_, "weight_decay": 0.0, "lr": 0.3 if make is Adagrad else 0.05}
    best, h = np.array([1.0, -2.0, 3.0]), np.array([0.5, 1.0, 2.0])
    optimiser, p = make(**settings_, schedule=cosine(400)), {"p": np.zeros(3)}
    for _ in range(400):
        p = optimiser.step(p, {"p": h * (p["p"] - best)})
    assert np.abs(p["p"] - best).max() < 0.1


@EVERY
def test_inputs_are_not_modified_and_results_are_new(make, equation, settings_):
    optimiser = make(**settings_)
    parameters = start()
    gradients = slopes(0, parameters)
    for array in (*parameters.values(), *gradients.values()):
        array.flags.writeable = False
    before = {name: p.copy() for name, p in parameters.items()}
    first = optimiser.step(parameters, gradients)
    kept = {name: p.copy() for name, p in first.items()}
    second = optimiser.step(first, gradients)
    for name in parameters:
        assert np.array_equal(parameters[name], before[name]) and np.array_equal(first[name], kept[name])
        assert not any(np.shares_memory(first[name], other) for other in (parameters[name], gradients[name], second[name]))
        assert type(first[name]) is np.ndarray and first[name].flags.writeable


@EVERY
def test_strides_and_byte_order_change_nothing(make, equation, settings_):
    plain, odd = make(**settings_), make(**settings_)
    p, q = start(), start(order=">")
    for k in range(3):
        g = slopes(k, p)
        p = plain.step(p, g)
        q = odd.step(q, {name: a.astype(a.dtype.newbyteorder(">"), order="F") for name, a in g.items()})
    assert all(np.array_equal(p[name], q[name]) for name in p)


# ---- state ------------------------------------------------------------------------------------------

@EVERY
def test_a_resumed_training_goes_on_bit_for_bit(make, equation, settings_, tmp_path):
    optimiser, parameters = make(**settings_, schedule=warm_up(5)), start(np.float32)
    for k in range(3):
        parameters = optimiser.step(parameters, slopes(k, parameters))
    io.save(tmp_path / "state.npz", make.__name__, {}, optimiser.state_dict())
    resumed = make(**settings_, schedule=warm_up(5))
    resumed.load_state_dict(io.load(tmp_path / "state.npz")[2])
    assert resumed.steps == 3
    other = parameters
    for k in range(3, 6):
        parameters = optimiser.step(parameters, slopes(k, parameters))
        other = resumed.step(other, slopes(k, other))
    assert all(parameters[name].tobytes() == other[name].tobytes() for name in parameters)


def test_the_state_is_a_copy_both_ways():
    optimiser, parameters = Adam(), start()
    optimiser.step(parameters, slopes(0, parameters))
    state = optimiser.state_dict()
    other = Adam()
    other.load_state_dict(state)
    for array in state.values():
        array[...] = 7
    assert optimiser.steps == 1 and not np.any(optimiser.state_dict()["m/w"] == 7)
    assert other.steps == 1 and np.array_equal(other.state_dict()["m/w"], optimiser.state_dict()["m/w"])


def test_a_part_of_the_parameters_and_one_that_joins_later():
    """Bias correction counts a parameter's own steps: whenever it joins, its first step is a first step."""
    optimiser, parameters = Adam(lr=0.1), start()
    gradients = slopes(0, parameters)
    for _ in range(5):
        assert list(optimiser.step({"b": parameters["b"]}, {"b": gradients["b"]})) == ["b"]
    late = optimiser.step({"w": parameters["w"]}, {"w": gradients["w"]})
    alone = Adam(lr=0.1).step({"w": parameters["w"]}, {"w": gradients["w"]})
    assert np.array_equal(late["w"], alone["w"])


def test_rate_and_schedule():
    optimiser, p, g = SGD(lr=1.0, schedule=[0.5, 0.25, 0.0].__getitem__), {"p": np.array([8.0])}, {"p": np.array([1.0])}
    moved = [8 - float(optimiser.step(p, g)["p"][0]) for _ in range(3)]
    assert moved == [0.5, 0.25, 0.0]
    optimiser = SGD(lr=1.0)
    optimiser.lr = 0.125
    assert optimiser.lr == 0.125 and optimiser.step(p, g)["p"][0] == 7.875


# ---- what is refused --------------------------------------------------------------------------------

@pytest.mark.parametrize("make, name", [
    (lambda: SGD(lr=math.nan), "lr"), (lambda: Adam(lr=-1), "lr"), (lambda: RMSprop(lr=math.inf), "lr"),
    (lambda: setattr(Adam(), "lr", math.nan), "lr"), (lambda: SGD(momentum=1), "momentum"), (lambda: SGD(nesterov=True), "nesterov"),
    (lambda: SGD(weight_decay=-1), "weight_decay"), (lambda: Adagrad(eps=0), "eps"), (lambda: RMSprop(alpha=1.0), "alpha"),
    (lambda: Adam(betas=(0.9, 1.0)), r"betas\[1\]"), (lambda: Adam(betas=0.9), "betas"), (lambda: AdamW(eps=math.nan), "eps"),
    (lambda: clip_by_value({}, 0), "limit"), (lambda: clip_by_norm({}, math.nan), "max_norm"),
    (lambda: constant(-1), "factor"), (lambda: step_decay(0), "every"), (lambda: cosine(0), "total"),
    (lambda: cosine(5, 1.5), "floor"), (lambda: warm_up(0), "steps"),
])
def test_wrong_numbers(make, name):
    with pytest.raises(ValueError, match=f"^{name}: expected "):
        make()


@pytest.mark.parametrize("make, name", [
    (lambda: SGD(lr="fast"), "lr"), (lambda: SGD(lr=None), "lr"), (lambda: Adam(schedule=0.5), "schedule"),
    (lambda: SGD().step({"w": W}, None), "gradients"), (lambda: SGD().step(None, {"w": W}), "parameters"),
    (lambda: Adam().load_state_dict(None), "mapping"), (lambda: clip_by_value(None, 1), "gradients"),
    (lambda: clip_by_norm([W], 1), "gradients"), (lambda: step_decay(2.0), "every"), (lambda: cosine(True), "total"), (lambda: warm_up(2, 1.0), "then"),
    (lambda: clip_by_value({"w": np.arange(3)}, 1), r"gradients\['w'\]"), (lambda: clip_by_norm({"w": [1.0]}, 1), r"gradients\['w'\]"),
])
def test_wrong_types(make, name):
    with pytest.raises(TypeError, match=f"^{name}: expected "):
        make()


W = np.ones((2, 3))


@pytest.mark.parametrize("parameters, gradients, error, words", [
    ({"w": W}, {}, ValueError, r"gradients: expected the names of parameters \(w\), got none for w"),
    ({"w": W}, {"w": W, "v": W}, ValueError, "gradients: .* got also v"),
    ({"w": W}, {"w": W.T}, ValueError, r"gradients\['w'\]: expected shape \(2, 3\) like the parameter, got \(3, 2\)"),
    ({"w": W}, {"w": W.astype("f4")}, TypeError, r"gradients\['w'\]: expected float64 like the parameter, got float32"),
    ({"w": W}, {"w": W.astype(int)}, TypeError, r"gradients\['w'\]: expected float32 or float64, got int64"),
    ({"w": W.astype("f2")}, {"w": W}, TypeError, r"parameters\['w'\]: expected float32 or float64, got float16"),
    ({"w": [1.0]}, {"w": W}, TypeError, r"parameters\['w'\]: expected an array, got list"),
    ({"b": W[0], "w": W[0]}, {"b": W[0], "w": W[0]}, ValueError, r"parameters\['w'\]: expected shape \(2, 3\) as in earlier steps"),
    ({"w": W.astype("f4")}, {"w": W.astype("f4")}, TypeError, r"parameters\['w'\]: expected float64 as in earlier steps"),
])
@pytest.mark.parametrize("make", [SGD, Adam])
def test_a_refused_step_changes_no_state(make, parameters, gradients, error, words):
    optimiser = make()
    optimiser.step({"w": W}, {"w": W})
    before = optimiser.state_dict()
    with pytest.raises(error, match=words):
        optimiser.step(parameters, gradients)
    after = optimiser.state_dict()
    assert list(after) == list(before) and all(np.array_equal(after[key], before[key]) for key in before)


def test_a_schedule_that_gives_nonsense():
    optimiser = Adam(schedule=lambda step: math.nan)
    with pytest.raises(ValueError, match=r"schedule\(0\): expected"):
        optimiser.step({"w": W}, {"w": W})
    assert optimiser.steps == 0


@pytest.mark.parametrize("change, error, words", [
    (lambda s: s.pop("steps"), ValueError, "mapping: expected also steps, got steps/w, "),
    (lambda s: s.pop("steps/w"), ValueError, "mapping: expected also steps/w"),
    (lambda s: s.pop("m/w"), ValueError, "mapping: expected also m/w"),
    (lambda s: s.update({"s/w": W}), ValueError, "mapping: expected keys of Adam .*got 's/w'"),
    (lambda s: s.update({"m": W}), ValueError, "mapping: expected keys"),
    (lambda s: s.update({3: W}), ValueError, "mapping: expected keys .*got 3"),
    (lambda s: s.update(steps=np.array(1.5)), ValueError, "one integer"),
    (lambda s: s.update(steps=-1), ValueError, "not negative"),
    (lambda s: s.update({"v/w": W.astype(int)}), TypeError, r"mapping\['v/w'\]: expected float32 or float64"),
])
def test_a_refused_state_changes_nothing(change, error, words):
    optimiser, other = Adam(), Adam()
    optimiser.step({"w": W}, {"w": W})
    state = optimiser.state_dict()
    change(state)
    with pytest.raises(error, match=words):
        other.load_state_dict(state)
    assert list(other.state_dict()) == ["steps"] and other.steps == 0


# ---- clipping ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", EPS)
def test_clip_by_value(dtype):
    g = {"w": np.array([[-7, -5, 0.5], [5, 7, np.nan]], dtype), "s": np.array(9, dtype)}
    clipped = clip_by_value(g, 5)
    assert np.array_equal(clipped["w"], np.array([[-5, -5, 0.5], [5, 5, np.nan]]), equal_nan=True)
    assert clipped["s"] == 5 and clipped["s"].dtype == clipped["w"].dtype == dtype and type(clipped["s"]) is np.ndarray
    assert g["w"][0, 0] == -7


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), max_size=5), max_size=4), st.floats(1e-3, 1e3),
       st.sampled_from([np.float32, np.float64]))
def test_clip_by_norm(values, limit, dtype):
    g = {str(i): np.array(row, dtype) for i, row in enumerate(values)}
    clipped, norm = clip_by_norm(g, limit)
    exact = math.hypot(*(float(v) for row in g.values() for v in row))
    assert norm == pytest.approx(exact, rel=1e-14)
    for name in g:
        assert clipped[name].dtype == dtype and not np.shares_memory(clipped[name], g[name])
        wanted = g[name].astype(float) * min(1.0, limit / exact if exact else 1.0)
        assert np.all(np.abs(clipped[name] - wanted) <= 4 * EPS[dtype] * np.abs(wanted) + np.finfo(dtype).tiny)
        if norm <= limit:
            assert clipped[name].tobytes() == g[name].tobytes()


def test_clip_by_norm_at_the_limits():
    clipped, norm = clip_by_norm({"w": np.array([3e200, 4e200])}, 1.0)          # squares overflow
    assert norm == pytest.approx(5e200) and clipped["w"] == pytest.approx([0.6, 0.8])
    assert clip_by_norm({"w": np.array([3e-200, 4e-200])}, 1.0)[1] == pytest.approx(5e-200, rel=1e-14, abs=0)
    assert clip_by_norm({"w": np.full(4, 3e38, np.float32)}, 1.0)[0]["w"] == pytest.approx([0.5] * 4)
    assert clip_by_norm({}, 1.0) == ({}, 0.0)
    assert clip_by_norm({"w": np.zeros((0, 3))}, 1.0)[1] == 0.0
    for bad in (math.nan, math.inf):
        g = {"v": np.array([9.0]), "w": np.array([1.0, bad])}
        clipped, norm = clip_by_norm(g, 1.0)
        assert not math.isfinite(norm) and all(clipped[name].tobytes() == g[name].tobytes() for name in g)


# ---- schedules --------------------------------------------------------------------------------------

def test_schedules():
    assert [constant(0.5)(step) for step in (0, 9)] == [0.5, 0.5]
    assert [step_decay(2, 0.5)(step) for step in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    assert [cosine(4, 0.2)(step) for step in (0, 2, 4, 9)] == pytest.approx([1, 0.6, 0.2, 0.2])
    assert cosine(4)(1) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert [warm_up(4)(step) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert [warm_up(2, step_decay(1, 0.5))(step) for step in range(5)] == [0.5, 1, 1, 0.5, 0.25]
