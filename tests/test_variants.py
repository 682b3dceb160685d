"""The native backend's variants of cells and runs: against the specification, their gradients, and their bits."""

from types import SimpleNamespace

import numpy as np
import pytest
from cases import CELLS, GATES, LAYOUTS, Guarded, assert_sum, each_cell
from conftest import ISAS
from features import build, everything, features, forward, pack
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_ops import to_layout
from test_reference_features import check_gradients

import fastrnn
from fastrnn import _backend, ops

EACH = [(cell, name) for cell in CELLS for name in features(cell)]
each = pytest.mark.parametrize(("cell", "name"), EACH, ids=[f"{cell}-{name}" for cell, name in EACH])
PARAMETERS = ("dW", "db", "dpeephole", "dprojection", "dgain", "dshift")
native = pytest.mark.skipif(not ISAS, reason="the C extension is not built: `make test` builds it")


def truth(case):
    """The specification's answer in float64, on exactly the numbers of `case`."""

    def wide(array):
        return None if array is None else array.astype(np.float64)

    wider = SimpleNamespace(**vars(case))
    wider.arrays = {name: wide(array) for name, array in case.arrays.items()}
    wider.dy, wider.dcells, wider.dstate = wide(case.dy), wide(case.dcells), tuple(map(wide, case.dstate))
    wider.run = {**case.run, **({"drop": wide(case.run["drop"])} if "drop" in case.run else {})}
    with fastrnn.backend("numpy"):
        return everything(wider)


def terms(case):
    """As in cases.py, for a step that may have three products, and norms that bring back what they divide by."""
    n_x, n_a, m, T = case.sizes
    return 32 + n_x + GATES[case.cell] * n_a + n_a + 8 * T, m * T


def assert_as_specified(case, among=1):
    found, wanted = everything(case), truth(case)
    assert set(found) == set(wanted)
    chain, rows = terms(case)
    for name, value in found.items():
        assert value.dtype == case.dy.dtype, name
        assert_sum(value, wanted[name], among * (chain + rows if name.startswith(PARAMETERS) else chain), name)


# ---- the specification ----


@each
def test_each_feature(isa, dtype, cell, name):
    assert_as_specified(build(cell, {name}, (5, 9, 4, 18), dtype.name))


ODD = [(1, 1, 1, 1), (3, 17, 1, 2), (2, 33, 9, 3), (40, 16, 2, 5), (3, 5, 0, 4), (3, 5, 2, 0)]


@pytest.mark.parametrize("sizes", ODD, ids=str)
@each_cell
def test_everything_at_once_at_odd_sizes(isa, dtype, cell, sizes):
    asked = set(features(cell)) - {"zoneout" if sizes[2] % 2 else "masks", "lengths" if sizes[2] == 0 else None}
    # Of one unit, or of two, a norm leaves signs, whose roundings it blows up.
    assert_as_specified(build(cell, asked - {"norm"} if sizes[1] < 3 else asked, sizes, dtype.name))


@pytest.mark.parametrize("cell", ["lstm", "gru_before"])
def test_split_by_units_and_by_sequences(isa, cell):
    """Weights and batches that take two threads, one step after the other and several chunks of time."""
    with fastrnn.num_threads(2):
        masked = {"peephole", "clip", "masks", "reset"}
        for asked in (masked, {"lengths", "drop", "norm", "projection"}, {"zoneout", "coupled"}):
            for sizes in ((30, 83, 1, 70), (30, 40, 37, 70)):
                assert_as_specified(build(cell, asked & set(features(cell)), sizes, "float32"), among=4)


each_normed = pytest.mark.parametrize("cell", [cell for cell in CELLS if "norm" in features(cell)])


@pytest.mark.parametrize("lengths", [set(), {"lengths"}], ids=["of-one-length", "ragged"])
@pytest.mark.parametrize("m", [16, 17, 31, 150])
@each_normed
def test_norms_of_bundles_of_sequences(isa, dtype, threads, cell, m, lengths):
    """Many sequences, whose gains' and shifts' gradients are first summed in twos, over several blocks of steps."""
    asked = {"norm", "coupled", "reset"} & set(features(cell))
    # Of seed 0 one ragged row is so nearly constant that its norm costs either backend four digits.
    assert_as_specified(build(cell, asked | lengths, (4, 9, m, 35), dtype.name, 1))


combinations = st.sampled_from(CELLS).flatmap(
    lambda cell: st.tuples(st.just(cell), st.sets(st.sampled_from(features(cell)), min_size=2))
)
some = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


@example(("lstm", set(features("lstm")) - {"zoneout"}), (5, 7, 3, 20), 0)
@given(combinations, st.tuples(*(st.integers(low, 20) for low in (1, 5, 1, 0))), st.integers(0, 1000))
@some
def test_combinations(isa, dtype, threads, asked, sizes, seed):
    # Where nearly equal values are normalised, and bounded first at that, roundings grow step by step.
    assert_as_specified(build(*asked, sizes, dtype.name, seed), among=30 if "norm" in asked[1] else 1)


@native
@each
def test_gradients(cell, name):
    with fastrnn.backend("native"):
        check_gradients(build(cell, {name}))


def test_rows_of_a_coupled_forget_gate_are_not_looked_at(isa):
    case = build("lstm", {"coupled", "peephole", "norm"}, (5, 9, 4, 6))
    found = everything(case)
    for name in ("W_x", "W_a", "b_x", "b_a", "gain_x", "shift_x", "gain_a", "shift_a"):
        case.arrays[name][9:18] = np.nan
        assert not found["d" + name][9:18].any() and found["d" + name][18:].any(), name
    case.arrays["peephole"][1] = np.nan
    again = everything(case)
    assert all(np.array_equal(value, again[name]) for name, value in found.items())


@pytest.mark.parametrize("asked", [{"coupled"}, {"coupled", "peephole"}, {"coupled", "norm"}], ids=lambda asked: "-".join(sorted(asked)))
def test_a_coupled_forget_gate_gets_no_gradient_of_infinities_either(engine, asked):
    case = build("lstm", asked, (5, 9, 4, 6), "float32")
    case.arrays["x"][2, 1, 3] = np.inf
    case.arrays["c0"][0, 2] = np.inf
    with np.errstate(all="ignore"):
        found = everything(case)
    assert np.isnan(found["dW_x"]).any()
    assert all(not found[name][9:18].any() for name in ("dW_x", "dW_a", "db_x", "db_a"))
    assert "peephole" not in asked or not found["dpeephole"][1].any()


# ---- bits ----


def rows_of(case, rows):
    """The sequences `rows` of a case, alone."""
    alone = SimpleNamespace(**vars(case))
    alone.arrays = {k: v[:, rows] if k == "x" else v[rows] if k in ("a0", "c0") else v for k, v in case.arrays.items()}
    alone.dy, alone.dcells = case.dy[:, rows], None if case.dcells is None else case.dcells[:, rows]
    alone.dstate = tuple(d[rows] for d in case.dstate)
    alone.run = dict(case.run)
    for name in set(case.run) & {"lengths", "drop"}:
        alone.run[name] = case.run[name][rows]
    if "reset" in case.run:
        alone.run["reset"] = case.run["reset"][:, rows]
    if isinstance(case.run.get("zoneout"), tuple):
        alone.run["zoneout"] = tuple(None if mask is None else mask[:, rows] for mask in case.run["zoneout"])
    return alone


def sets(cell):
    """Every feature, in few cases."""
    for asked in (
        {"peephole", "clip", "masks", "reset"},
        {"projection", "drop", "lengths", "zoneout", "clip"},
        {"norm", "coupled", "reverse", "lengths", "masks"},
        {"norm", "projection", "peephole", "drop", "clip", "zoneout"},
    ):
        yield asked & set(features(cell))


each_set = pytest.mark.parametrize("k", range(4))


@each_set
@each_cell
def test_a_sequence_alone_or_in_a_batch(isa, dtype, cell, k):
    case = build(cell, list(sets(cell))[k], (21, 35, 17, 20), dtype.name)
    whole = everything(case)
    for rows in (slice(0, 1), slice(16, 17), slice(2, 9), [5, 0, 7]):
        alone = everything(rows_of(case, rows))
        for name in ("y", "cells", "dx", "aT", "cT", "da0", "dc0"):
            if name in whole:
                part = whole[name][:, rows] if name in ("y", "cells", "dx") else whole[name][rows]
                assert np.array_equal(alone[name], part), (name, rows)


@pytest.mark.parametrize("m", [1, 3, 19])
@each_set
@each_cell
def test_any_number_of_threads(isa, cell, k, m):
    case = build(cell, list(sets(cell))[k], (40, 72, m, 66), "float32")
    found = set()
    for threads in (1, 2, 3):
        with fastrnn.num_threads(threads):
            found.add(tuple((name, value.tobytes()) for name, value in everything(case).items()))
    assert len(found) == 1


@each_set
@each_cell
def test_training_or_not_and_any_layout(isa, dtype, cell, k):
    case = build(cell, list(sets(cell))[k], (7, 19, 6, 37), dtype.name)
    found = everything(case)
    evaluated = forward(case)
    assert np.array_equal(evaluated.y, found["y"])
    assert all(np.array_equal(state, found[name]) for state, name in zip(evaluated.state, ("aT", "cT")))
    states = tuple(case.arrays[name] for name in ("a0", "c0") if name in case.arrays)
    for layout in LAYOUTS[1:]:
        run = {**case.run, **({"reset": np.ascontiguousarray(case.run["reset"].T)} if "reset" in case.run else {})}
        x, dy, dcells = (to_layout(array, layout) for array in (case.arrays["x"], case.dy, case.dcells))
        y, state, cells, tape = ops.forward(
            pack(case), x, states, layout=layout, training=True, cells=cell == "lstm", **run
        )
        gradients = ops.backward(tape, dy, case.dstate, dcells, layout=layout)
        assert np.array_equal(to_layout(y, layout), found["y"]), layout
        assert cells is None or np.array_equal(to_layout(cells, layout), found["cells"])
        assert np.array_equal(to_layout(gradients.dx, layout), found["dx"])
        for name in ("W_x", "W_a", "b_x", "b_a"):
            assert np.array_equal(getattr(gradients, "d" + name), found["d" + name]), name
        assert all(np.array_equal(value, found["d" + name]) for name, value in gradients.extras.items())


@pytest.mark.parametrize("m", [15, 17, 150])
@each_normed
def test_lengths_that_are_all_the_same(isa, dtype, threads, cell, m):
    """No lengths, lengths of T, and a call that goes on past them: the bits of sums over rows are one."""
    case = build(cell, {"norm"}, (4, 19, m, 35), dtype.name)
    found = everything(case)
    case.run["lengths"] = np.full(m, 35)
    again = everything(case)
    case.arrays["x"], case.dy = (np.concatenate([a, np.full_like(a[:13], np.nan)]) for a in (case.arrays["x"], case.dy))
    case.dcells = None if case.dcells is None else np.concatenate([case.dcells, case.dcells[:13]])
    longer = everything(case)
    for name in found:
        cut = longer[name][:35] if name in ("y", "cells", "dx") else longer[name]
        assert np.array_equal(found[name], again[name]) and np.array_equal(found[name], cut), name


def chunk_of(case, start, stop, state):
    part = SimpleNamespace(**vars(case))
    names = ("a0", "c0")[: len(state)]
    part.arrays = {**case.arrays, "x": case.arrays["x"][start:stop], **dict(zip(names, state))}
    part.run = dict(case.run)
    if "reset" in case.run:
        part.run["reset"] = case.run["reset"][start:stop]
    if isinstance(case.run.get("zoneout"), tuple):
        part.run["zoneout"] = tuple(None if mask is None else mask[start:stop] for mask in case.run["zoneout"])
    return part


@pytest.mark.parametrize("m", [5, 17])
@each_set
@each_cell
def test_whole_or_in_chunks_of_time(isa, dtype, cell, k, m):
    """Cuts at multiples of 16 steps, gradients of parameters added up: the bits of one call, in guarded arrays too."""
    asked = list(sets(cell))[k] - {"lengths", "reverse"}
    case = build(cell, asked, (6, 13, m, 41), dtype.name)
    whole, weights = everything(case), pack(case)
    state, tapes = tuple(case.arrays[name] for name in ("a0", "c0") if name in case.arrays), []
    bounds = [(0, 16), (16, 32), (32, 41)]
    for start, stop in bounds:
        part = chunk_of(case, start, stop, state)
        y, state, _, tape = ops.forward(weights, part.arrays["x"], state, training=True, **part.run)
        assert np.array_equal(y, whole["y"][start:stop])
        tapes.append(tape)
    guards = {name: Guarded(array.shape, dtype) for name, array in whole.items() if name.startswith(PARAMETERS)}
    for guard in guards.values():
        guard.array[...] = 0
    extras = {name[1:]: guard.array for name, guard in guards.items() if not name.startswith(("dW", "db"))}
    sums = ops.Gradients(None, (), *(guards[name].array for name in ("dW_x", "dW_a", "db_x", "db_a")), extras)
    dstate = case.dstate
    for (start, stop), tape in zip(bounds[::-1], tapes[::-1]):
        dcells = None if case.dcells is None else case.dcells[start:stop]
        dx, dstate, *_ = ops.backward(tape, case.dy[start:stop], dstate, dcells, accumulate=sums)
        assert np.array_equal(dx, whole["dx"][start:stop])
    assert np.array_equal(dstate[0], whole["da0"]) and np.array_equal(dstate[-1], whole["dc0" if len(dstate) == 2 else "da0"])
    for name, guard in guards.items():
        assert np.array_equal(guard.array, whole[name]) and guard.intact(), name


@each_set
@each_cell
def test_the_same_bits_with_every_fused_instruction_set(dtype, cell, k):
    fused = [isa for isa in ISAS if isa != "scalar"]
    if len(fused) < 2:
        pytest.skip("fewer than two instruction sets with FMA here")
    case = build(cell, list(sets(cell))[k], (33, 49, 17, 18), dtype.name)
    before, found = _backend._core.isa(), set()
    try:
        with fastrnn.backend("native"):
            for isa in fused:
                _backend._core.use_isa(isa)
                found.add(tuple((name, value.tobytes()) for name, value in everything(case).items()))
    finally:
        _backend._core.use_isa(before)
    assert len(found) == 1


# ---- what would make C read where it must not ----


@native
def test_the_extension_refuses_what_does_not_fit():
    core, W = _backend._core, np.ones((3, 1))

    def extras(**given):
        return ops.weights.Extras(**{**dict.fromkeys(("peephole", "clip", "projection", "norm")), "coupled": False, **given})

    arrays = {"peephole": np.ones((3, 1))}, {"projection": np.ones((1, 1))}, {"norm": {"gain_x": np.ones(3)}}
    for given in (*arrays, {"coupled": True}):
        with pytest.raises(ValueError, match="fastrnn: the C library refused"):
            core.Weights("gru_after", W, W, None, None, extras(**given))
    for given in ({"peephole": np.ones((2, 1))}, {"projection": np.ones((2, 1))}):
        with pytest.raises(ValueError, match="fastrnn: expected . elements"):
            core.Weights("lstm", np.ones((4, 1)), np.ones((4, 1)), None, None, extras(**given))


def test_each_case_of_a_cell_has_each_feature_somewhere():
    for cell in CELLS:
        assert set.union(*sets(cell)) == set(features(cell))
