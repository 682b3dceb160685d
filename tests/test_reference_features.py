"""The specification of what cells and runs can be asked for beyond the plain: equations, gradients, meanings."""

import features
import numpy as np
import pytest
from cases import BLOCKS, CELLS, each_cell
from features import build, everything
from hypothesis import given, settings
from hypothesis import strategies as st

import fastrnn
from fastrnn import ops

EACH = [(cell, name) for cell in CELLS for name in ["plain", *features.features(cell)]]
each = pytest.mark.parametrize(("cell", "name"), EACH, ids=[f"{cell}-{name}" for cell, name in EACH])
# float64, sums of some tens of terms and some tens of steps
LIMIT = dict(rtol=1e-11, atol=1e-12)


@pytest.fixture(autouse=True, scope="module")
def specification():
    with fastrnn.backend("numpy"):
        yield


combinations = st.sampled_from(CELLS).flatmap(
    lambda cell: st.tuples(st.just(cell), st.sets(st.sampled_from(features.features(cell)), min_size=2))
)
some = settings(max_examples=20, deadline=None, derandomize=True)


# ---- forward, against the equations by hand ----


def check_by_hand(case):
    found = everything(case)
    for name, value in features.by_hand(case).items():
        np.testing.assert_allclose(found[name], value, err_msg=name, **LIMIT)


@each
def test_equations(cell, name):
    check_by_hand(build(cell, {name}))


@some
@given(combinations, st.integers(0, 1000))
def test_equations_of_combinations(asked, seed):
    check_by_hand(build(*asked, seed=seed))


def test_every_feature_changes_something():
    """A feature that does nothing would pass every other test here."""
    for cell, name in EACH:
        if name != "plain":
            case, plain = build(cell, {name}), build(cell, {name})
            plain.run, plain.clip, plain.coupled = {}, None, False
            for added in ("peephole", "gain_x"):
                plain.arrays.pop(added, None)
            plain.arrays = {k: v for k, v in plain.arrays.items() if not k.startswith(("gain", "shift"))}
            if name != "projection":
                assert not np.array_equal(features.forward(case).y, features.forward(plain).y), (cell, name)


# ---- backward, by central differences along random directions ----


def check_gradients(case, h=1e-6):
    rng = np.random.default_rng(5)
    found = everything(case)
    given_back = {"y": case.dy, "cells": case.dcells, **dict(zip(("aT", "cT"), case.dstate))}

    def loss(arrays):
        result = features.forward(case, arrays)
        made = {"y": result.y, "cells": result.cells, **dict(zip(("aT", "cT"), result.state))}
        return sum(np.sum(made[k] * np.nan_to_num(d)) for k, d in given_back.items() if d is not None)

    for name, array in case.arrays.items():
        exact = found["d" + name]
        assert exact.shape == array.shape and np.isfinite(exact).all(), name
        for _ in range(2):
            way = rng.standard_normal(array.shape)
            numeric = (loss({name: array + h * way}) - loss({name: array - h * way})) / (2 * h)
            assert abs(numeric - np.sum(exact * way)) <= 2e-7 * max(1, np.sum(np.abs(exact * way))), name


@each
def test_gradients(cell, name):
    check_gradients(build(cell, {name}))


@some
@given(combinations, st.integers(0, 1000))
def test_gradients_of_combinations(asked, seed):
    check_gradients(build(*asked, seed=seed))


@each_cell
def test_gradients_of_everything_at_once(cell):
    asked = set(features.features(cell)) - {"zoneout"}
    check_gradients(build(cell, asked))
    check_gradients(build(cell, asked - {"coupled"}, (2, 3, 4, 9)))


def test_ignored_rows_have_zero_gradients():
    case = build("lstm", {"coupled", "peephole", "norm"})
    found, n_a = everything(case), case.sizes[1]
    for name in ("W_x", "W_a", "b_x", "b_a", "gain_x", "shift_a"):
        assert not found["d" + name][n_a : 2 * n_a].any() and found["d" + name][:n_a].any(), name
    assert not found["dpeephole"][1].any() and found["dpeephole"][2].any()
    # Their values do not matter either: not even NaN does.
    for name in ("W_x", "b_a", "gain_x", "shift_a"):
        case.arrays[name][n_a : 2 * n_a] = np.nan
    again = everything(case)
    assert all(np.array_equal(value, again[name]) for name, value in found.items())


def test_nothing_comes_back_from_where_it_was_bounded():
    case = build("rnn_tanh", {"clip"})
    case.arrays["b_x"][:] = 100
    found = everything(case)
    np.testing.assert_array_equal(found["y"], np.tanh(case.clip) * np.ones_like(found["y"]))
    assert not found["dW_x"].any() and not found["da0"].any()


# ---- what lengths, resets and direction mean: other runs ----


@each_cell
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_lengths_are_rows_run_alone(cell, reverse):
    case = build(cell, {"lengths", "reset", "reverse"} if reverse else {"lengths", "reset"}, (3, 4, 5, 6))
    found, sums = everything(case), 0
    lengths = case.run["lengths"]
    case.run["reset"][np.arange(6)[:, None] == lengths] = True  # past the end: it starts nothing
    again = everything(case)
    assert all(np.array_equal(found[name], again[name]) for name in found)
    for j, n in enumerate(lengths):
        alone = build(cell, {"lengths"})
        alone.arrays = {**case.arrays, "x": case.arrays["x"][:n, j : j + 1], "a0": case.arrays["a0"][j : j + 1]}
        if cell in BLOCKS:
            alone.arrays["c0"], alone.dcells = case.arrays["c0"][j : j + 1], case.dcells[:n, j : j + 1]
        alone.dy, alone.dstate = case.dy[:n, j : j + 1], tuple(d[j : j + 1] for d in case.dstate)
        alone.run = {"reset": case.run["reset"][:n, j : j + 1], "reverse": reverse}
        one = everything(alone)
        for name in set(found) & {"y", "cells", "dx"}:
            np.testing.assert_allclose(found[name][:n, j], one[name][:, 0], err_msg=name, **LIMIT)
            assert not found[name][n:, j].any()
        for name in set(found) & {"aT", "cT", "da0", "dc0"}:
            np.testing.assert_allclose(found[name][j], one[name][0], err_msg=name, **LIMIT)
        if n == 0:
            assert np.array_equal(found["aT"][j], case.arrays["a0"][j])
            assert np.array_equal(found["da0"][j], case.dstate[0][j])
        sums = sums + one["dW_x"]
    np.testing.assert_allclose(found["dW_x"], sums, **LIMIT)


@each_cell
def test_reverse_is_the_flipped_run(cell):
    case = build(cell, {"reverse"})
    there = everything(case)
    case.run = {}
    case.arrays["x"], case.dy = case.arrays["x"][::-1], case.dy[::-1]
    case.dcells = case.dcells[::-1] if cell in BLOCKS else None
    for name, value in everything(case).items():
        np.testing.assert_array_equal(there[name], value[::-1] if name in ("y", "cells", "dx") else value, name)


@each_cell
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_reset_is_two_runs(cell, reverse):
    case = build(cell, {"reverse"} if reverse else {"plain"})
    reset = np.zeros((6, 3), bool)
    reset[2] = True
    case.run["reset"] = reset
    whole = everything(case)
    case.run.pop("reset")
    x, dy, dcells, state = case.arrays["x"], case.dy, case.dcells, {k: case.arrays[k] for k in ("a0", "c0") if k in case.arrays}
    parts = []
    for part in (slice(0, 2), slice(2, 6)):
        case.arrays["x"], case.dy, case.dcells = x[part], dy[part], None if dcells is None else dcells[part]
        # The part that runs first has the initial state, the other the gradients of the final one.
        first = (part.start == 2) == reverse
        case.arrays.update({k: v if first else 0 * v for k, v in state.items()})
        given_back, case.dstate = case.dstate, tuple(0 * d if first else d for d in case.dstate)
        parts.append(everything(case))
        case.dstate = given_back
    for name in set(whole) & {"y", "cells", "dx"}:
        np.testing.assert_array_equal(whole[name], np.concatenate([part[name] for part in parts]), name)
    first, second = parts[::-1] if reverse else parts
    np.testing.assert_array_equal(whole["aT"], second["aT"])
    np.testing.assert_array_equal(whole["da0"], first["da0"])
    np.testing.assert_allclose(whole["dW_a"], first["dW_a"] + second["dW_a"], **LIMIT)


@each_cell
def test_a_reset_at_the_first_step_forgets_the_initial_state(cell):
    case = build(cell, {"reset", "masks"} & set(features.features(cell)))
    case.run["reset"][0] = [True, False, True]
    found = everything(case)
    assert not found["da0"][[0, 2]].any() and found["da0"][1].any()
    case.arrays["a0"][0] = 17
    assert np.array_equal(everything(case)["y"], found["y"])
    case.run.update(reverse=True, reset=np.zeros((6, 3), bool))
    case.run["reset"][0] = True  # in reverse nothing comes after step 0
    assert everything(case)["da0"].any(axis=1).all()


# ---- masks ----


@pytest.mark.parametrize("cell", [cell for cell in CELLS if "masks" in features.features(cell)])
def test_zoneout_keeps_and_expects(cell):
    """All kept is the old state, none kept the plain run; a number is the mean over masks of one step."""
    case = build(cell, {"masks"}, (3, 4, 2, 1))
    lstm = cell == "lstm"
    plain, results = build(cell, {"plain"}, (3, 4, 2, 1)), {}
    plain.arrays = case.arrays
    for kept in (False, True):
        mask = np.full((1, 2, 4), kept)
        case.run["zoneout"] = mask, mask if lstm else None
        results[kept] = features.forward(case)
    for k, name in enumerate(("a0", "c0")[: 1 + lstm]):
        old, new = case.arrays[name], features.forward(plain).state[k]
        np.testing.assert_array_equal(results[True].state[k], old)
        np.testing.assert_array_equal(results[False].state[k], new)
        case.run["zoneout"] = 0.25
        np.testing.assert_allclose(features.forward(case).state[k], 0.25 * old + 0.75 * new, **LIMIT)


@each_cell
def test_zoneout_of_nothing_is_the_plain_run(cell):
    case = build(cell, {"plain"})
    plain = everything(case)
    for run in ({"zoneout": 0.0}, {"zoneout": 0}, {"drop": np.ones((3, 4))}, {"reset": np.zeros((6, 3), bool)},
                {"lengths": [6, 6, 6]}, {"reverse": False}):  # fmt: skip
        case.run = run
        assert all(np.array_equal(plain[name], value) for name, value in everything(case).items()), run


@each_cell
def test_dropped_units_are_not_seen(cell):
    case = build(cell, {"plain"}, (3, 4, 2, 5))
    case.run["drop"] = np.array([[0.0, 1, 1, 1], [1, 1, 1, 1]])
    found = features.forward(case).y
    case.arrays["W_a"][:, 0] = 0  # what a masked row does not see, this one cannot
    again = features.forward(case).y
    assert np.array_equal(found[:, 0], again[:, 0]) and not np.array_equal(found[:, 1], again[:, 1])


# ---- chunks of time, layouts, tapes ----


@each
def test_chunks_add_up(cell, name):
    """Three calls of 16 and fewer steps, states passed on and gradients accumulated, are one call."""
    if name == "reverse":
        return  # its chunks come in the other order: what is passed on is the same
    T, m = 37, 2
    case = build(cell, {name} - {"lengths"}, (2, 3, m, T))
    whole, weights = everything(case), features.pack(case)
    state, tapes, lstm = tuple(case.arrays[k] for k in ("a0", "c0") if k in case.arrays), [], cell in BLOCKS
    chunks = [slice(0, 16), slice(16, 32), slice(32, 37)]

    def cut(value, part):
        if isinstance(value, tuple):
            return tuple(None if mask is None else mask[part] for mask in value)
        return value[part] if isinstance(value, np.ndarray) and value.shape[0] == T else value

    for part in chunks:
        run = {key: cut(value, part) for key, value in case.run.items()}
        _, state, _, tape = ops.forward(weights, case.arrays["x"][part], state, training=True, **run)
        tapes.append(tape)
    dstate, total = case.dstate, None
    for part, tape in zip(chunks[::-1], tapes[::-1]):
        dcells = case.dcells[part] if lstm else None
        gradients = ops.backward(tape, case.dy[part], dstate, dcells, accumulate=total)
        assert total is None or all(a is b for a, b in zip(gradients[2:6], total[2:6]))
        dstate, total = gradients.dstate, gradients
    found = {"d" + key: value for key, value in total.extras.items()} | dict(zip(("dW_x", "dW_a", "db_x", "db_a"), total[2:6]))
    for key, value in found.items():
        np.testing.assert_array_equal(value, whole[key], key)
    np.testing.assert_array_equal(total.dstate[0], whole["da0"])


@each_cell
@pytest.mark.parametrize("layout", ["mtn", "nmt"])
def test_layouts(cell, layout):
    asked = set(features.features(cell)) - {"zoneout"}
    case = build(cell, asked)
    plain, axes = everything(case), {"mtn": (1, 0, 2), "nmt": (2, 1, 0)}[layout]
    run = {**case.run, "reset": case.run["reset"].T}
    state = tuple(case.arrays[k] for k in ("a0", "c0") if k in case.arrays)
    weights, lstm = features.pack(case), cell in BLOCKS
    x, dy = case.arrays["x"].transpose(axes), case.dy.transpose(axes)
    y, _, cells, tape = ops.forward(weights, x, state, layout=layout, training=True, cells=lstm, **run)
    g = ops.backward(tape, dy, case.dstate, case.dcells.transpose(axes) if lstm else None, layout=layout)
    for found, name in ((y, "y"), (cells, "cells"), (g.dx, "dx")):
        assert found is None or np.array_equal(found.transpose(axes), plain[name]), name
    assert np.array_equal(g.dW_a, plain["dW_a"])


@each_cell
def test_no_steps_and_no_sequences(cell):
    asked = set(features.features(cell)) - {"zoneout"}
    for sizes in ((3, 4, 2, 0), (3, 4, 0, 3), (3, 4, 0, 0)):
        case = build(cell, asked - {"lengths"}, sizes)
        case.run["lengths"] = np.zeros(sizes[2], int)
        found = everything(case)
        assert np.array_equal(found["aT"], case.arrays["a0"]) and np.array_equal(found["da0"], case.dstate[0])
        assert not found["dW_a"].any() and not any(found["d" + name].any() for name in case.arrays if name.startswith("gain"))


@each_cell
def test_float32_stays_float32_and_inputs_stay(cell):
    asked = set(features.features(cell)) - {"zoneout"}
    for these in (asked, asked - {"masks"} | {"zoneout"})[: 1 + ("masks" in asked)]:
        case, same = build(cell, these, dtype="float32"), build(cell, these, dtype="float32")
        assert {value.dtype.name for value in everything(case).values()} == {"float32"}
        for name, array in case.arrays.items():
            np.testing.assert_array_equal(array, same.arrays[name], name)


def test_weights_keep_copies_of_extras():
    case = build("lstm", {"projection", "peephole", "norm"})
    weights = features.pack(case)
    before = ops.forward(weights, case.arrays["x"]).y
    for name in ("projection", "peephole", "gain_c"):
        case.arrays[name][:] = 0
    assert np.array_equal(ops.forward(weights, case.arrays["x"]).y, before)


def test_a_tape_of_a_projection_reads_in_its_shapes():
    case = build("lstm", {"projection"})
    result = features.forward(case, training=True)
    assert ops.read(result.tape, "a").shape == (6, 3, case.n_h) and ops.read(result.tape, "a0").shape == (3, case.n_h)
    assert np.array_equal(ops.read(result.tape, "a"), result.y) and np.array_equal(ops.read(result.tape, "c"), result.cells)
