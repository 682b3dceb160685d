"""Lengths, resets, direction and accumulated gradients: each row as if it ran alone, segment by segment, bit for bit."""

from types import SimpleNamespace

import numpy as np
import pytest
from cases import BLOCKS, GATES, LAYOUTS, Case, assert_sum, data, each_case, each_cell, weight_terms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_ops import pack, to_layout

import fastrnn
from fastrnn import _backend, ops
from fastrnn.ops.run import Run as Given

PLACES = ("y", "cells", "dx")  # (T, m, n)
STATES = ("aT", "cT", "da0", "dc0")  # (m, n)
SUMS = ("dW_x", "dW_a", "db_x", "db_a")


def equal(one, other):
    return np.array_equal(one, other, equal_nan=True)


def ragged(d, layout="tmn", lengths=None, reset=None, reverse=False):
    """Forward, in training and not, and backward of `data` d; results time-major by name."""
    lstm, weights = d.cell in BLOCKS, pack(d)
    x, dy, dcells = (to_layout(a, layout) for a in (d.x, d.dy, d.dcells))
    if reset is not None and layout != "tmn":
        reset = np.ascontiguousarray(reset.T)
    how = dict(layout=layout, lengths=lengths, reset=reset, reverse=reverse)
    y, state, cells, tape = ops.forward(weights, x, d.state, training=True, cells=lstm, **how)
    evaluated = ops.forward(weights, x, d.state, cells=lstm, **how)
    assert equal(evaluated.y, y) and (not lstm or equal(evaluated.cells, cells)) and all(map(equal, evaluated.state, state))
    g = ops.backward(tape, dy, d.dstate, dcells, layout=layout)
    found = dict(y=to_layout(y, layout), cells=to_layout(cells, layout), dx=to_layout(g.dx, layout), tape=tape)
    found |= dict(zip(("aT", "cT"), state)) | dict(zip(("da0", "dc0"), g.dstate)) | dict(zip(SUMS, g[2:6]))
    return SimpleNamespace(**found)


def bits(run):
    return {name: value.tobytes() for name, value in vars(run).items() if isinstance(value, np.ndarray)}


def piece(d, b, start, stop, reverse, first, last):
    """One segment of one row as data of its own, turned round if it is read backwards."""
    order = slice(start, stop) if not reverse else slice(stop - 1, start - 1 if start else None, -1)
    p = SimpleNamespace(**vars(d))
    p.x, p.dy, p.dcells = (None if a is None else np.ascontiguousarray(a[order, b : b + 1]) for a in (d.x, d.dy, d.dcells))
    p.state = tuple(s[b : b + 1] if first else np.zeros_like(s[:1]) for s in d.state)
    p.dstate = tuple(s[b : b + 1] if last else np.zeros_like(s[:1]) for s in d.dstate)
    return p


def alone(d, lengths=None, reset=None, reverse=False):
    """What `ragged` gives, from plain calls: every row alone, every segment alone."""
    n_x, n_a, m, T = d.sizes
    lstm, dtype = d.cell in BLOCKS, d.x.dtype
    lengths = np.full(m, T) if lengths is None else lengths
    want = SimpleNamespace(y=np.zeros((T, m, n_a), dtype), dx=np.zeros((T, m, n_x), dtype), cells=None)
    if lstm:
        want.cells = np.zeros_like(d.dcells)
    states = ("aT", "cT") if lstm else ("aT",)
    for name, start in zip((*states, *("d" + s[0] + "0" for s in states)), (*d.state, *d.dstate)):
        setattr(want, name, np.array(start))
    for name, shape in zip(SUMS, (d.W_x.shape, d.W_a.shape, d.b_x.shape, d.b_a.shape)):
        setattr(want, name, np.zeros(shape))
    for b, length in enumerate(lengths):
        starts = [] if reset is None else [t for t in range(1, length) if reset[t, b]]
        segments = [s for s in zip([0, *starts], [*starts, length]) if length]
        if reverse:
            segments.reverse()
        from_zeros = length and reset is not None and reset[0, b] and not reverse
        for k, (start, stop) in enumerate(segments):
            first, last = k == 0, k == len(segments) - 1
            one = ragged(piece(d, b, start, stop, reverse, first and not from_zeros, last))
            for name in PLACES:
                if getattr(want, name) is not None:
                    getattr(want, name)[start:stop, b] = getattr(one, name)[:: -1 if reverse else 1, 0]
            for name in STATES:
                if hasattr(want, name) and (first if name.startswith("d") else last):
                    keeps = not (from_zeros and name.startswith("d"))
                    getattr(want, name)[b] = getattr(one, name)[0] if keeps else 0
            for name in SUMS:
                setattr(want, name, getattr(want, name) + getattr(one, name))
    return want


def with_nans_past_the_ends(d, lengths):
    d = SimpleNamespace(**vars(d))
    past = np.arange(d.x.shape[0])[:, None] >= lengths
    for name in ("x", "dy", "dcells"):
        if getattr(d, name) is not None:
            setattr(d, name, np.where(past[:, :, None], np.nan, getattr(d, name)).astype(d.x.dtype))
    return d


def assert_as_alone(d, **how):
    want = alone(d, **how)
    if how.get("lengths") is not None:
        d = with_nans_past_the_ends(d, how["lengths"])
    run = ragged(d, **how)
    for name in (*PLACES, *STATES):
        if getattr(want, name, None) is not None:
            assert np.array_equal(getattr(run, name), getattr(want, name)), name
    for name in SUMS:
        assert_sum(getattr(run, name), getattr(want, name), weight_terms(d), name)
    return d, run


def draw(sizes, seed=1):
    """Lengths with 0 and T among them, and resets."""
    _, _, m, T = sizes
    rng = np.random.default_rng([seed, m, T])
    lengths = rng.integers(0, T + 1, m)
    lengths[: min(m, 3)] = (T // 2, T, 0)[: min(m, 3)]
    return lengths, rng.random((T, m)) < 0.15


CASES = [
    Case(7, 11, 5, 19, "small: everything is a tail"),
    Case(4, 17, 9, 200, "several chunks of time"),
    Case(2, 5, 1, 9, "one sequence"),
]
WAYS = {
    "lengths": dict(lengths=True),
    "reset": dict(reset=True),
    "reverse": dict(reverse=True),
    "lengths-reset": dict(lengths=True, reset=True),
    "all": dict(lengths=True, reset=True, reverse=True),
}


def chosen(way, sizes):
    lengths, reset = draw(sizes)
    given = {"lengths": lengths, "reset": reset, "reverse": True}
    return {name: given[name] for name in WAYS[way]}


@pytest.mark.parametrize("way", WAYS)
@each_case("small", "one", among=CASES)
@each_cell
def test_every_row_is_as_if_it_ran_alone(isa, dtype, cell, case, way):
    how = chosen(way, case.sizes)
    d, run = assert_as_alone(data(cell, case.sizes, dtype.name), **how)
    for layout in LAYOUTS[1:]:
        assert bits(ragged(d, layout, **how)) == bits(run), layout


@pytest.mark.parametrize("way", ["lengths-reset", "all"])
@each_case("chunks", among=CASES)
@each_cell
def test_over_several_chunks_of_time(isa, cell, case, way):
    how = chosen(way, case.sizes)
    d, run = assert_as_alone(data(cell, case.sizes, "float32"), **how)
    assert bits(ragged(d, "nmt", **how)) == bits(run)


@pytest.mark.parametrize("way", WAYS)
@each_case(among=[Case(8, 130, 6, 20, "split by units"), Case(24, 64, 40, 20, "split by sequences")])
@each_cell
def test_threads_change_no_bit(isa, dtype, cell, case, way):
    d, how, found = data(cell, case.sizes, dtype.name), chosen(way, case.sizes), set()
    for threads in (1, 2, 3):
        with fastrnn.num_threads(threads):
            found.add(tuple(sorted(bits(ragged(d, **how)).items())))
    assert len(found) == 1


@each_cell
def test_what_changes_nothing_changes_no_bit(isa, dtype, cell):
    d = data(cell, (7, 20, 9, 40), dtype.name)
    plain = bits(ragged(d))
    for how in (dict(lengths=np.full(9, 40)), dict(reset=np.zeros((40, 9), bool)), dict(lengths=[40] * 9, reverse=False)):
        assert bits(ragged(d, **how)) == plain


@each_cell
def test_time_past_every_end_is_as_if_it_were_not_there(isa, dtype, cell):
    d = data(cell, (7, 20, 3, 40), dtype.name)
    short = SimpleNamespace(**{**vars(d), "sizes": (7, 20, 3, 33)})
    short.x, short.dy = d.x[:33], d.dy[:33]
    short.dcells = None if d.dcells is None else d.dcells[:33]
    lengths = np.array([33, 5, 20])
    long, cut = ragged(with_nans_past_the_ends(d, lengths), lengths=lengths), ragged(short, lengths=lengths)
    for name in (*STATES, *SUMS):
        assert not hasattr(cut, name) or np.array_equal(getattr(long, name), getattr(cut, name)), name
    assert np.array_equal(long.y[:33], cut.y) and not long.y[33:].any() and not long.dx[33:].any()


@pytest.mark.parametrize("use_lengths", [False, True], ids=["whole", "lengths"])
@each_cell
def test_chunks_of_time_accumulate_as_one_call_sums(isa, dtype, cell, use_lengths):
    sizes = n_x, n_a, m, T = 5, 18, 6, 70
    d, (lengths, reset) = data(cell, sizes, dtype.name), draw(sizes)
    lengths = lengths if use_lengths else np.full(m, T)
    whole = ragged(d, lengths=lengths, reset=reset)
    weights, state, tapes, lstm = pack(d), d.state, [], cell in BLOCKS
    for t in range(0, T, 32):
        here = slice(t, min(t + 32, T))
        how = dict(lengths=np.clip(lengths - t, 0, here.stop - t) if use_lengths else None, reset=reset[here])
        _, state, _, tape = ops.forward(weights, d.x[here], state, training=True, **how)
        tapes.append((here, tape))
    gradients, dstate = None, d.dstate
    for here, tape in reversed(tapes):
        dcells = d.dcells[here] if lstm else None
        later, gradients = gradients, ops.backward(tape, d.dy[here], dstate, dcells, accumulate=gradients)
        assert later is None or all(getattr(later, name) is getattr(gradients, name) for name in SUMS)
        dstate = gradients.dstate
        assert np.array_equal(gradients.dx, whole.dx[here])
    for name in SUMS:
        assert np.array_equal(getattr(gradients, name), getattr(whole, name)), name
    assert all(map(np.array_equal, dstate, (whole.da0, whole.dc0) if lstm else (whole.da0,)))


@each_cell
def test_the_four_gradients_accumulate_each_onto_its_own(isa, dtype, cell):
    d = data(cell, (3, 5, 2, 7), dtype.name)
    _, _, _, tape = ops.forward(pack(d), d.x, d.state, training=True)
    g = ops.backward(tape, d.dy, d.dstate, d.dcells)
    earlier = g._replace(**{name: np.full_like(getattr(g, name), k) for k, name in enumerate(SUMS)})
    total = ops.backward(tape, d.dy, d.dstate, d.dcells, accumulate=earlier)
    for k, name in enumerate(SUMS):
        assert_sum(getattr(total, name), getattr(g, name) + k, 4, name)


@pytest.mark.parametrize("way", WAYS)
@each_case("small", among=CASES)
@each_cell
def test_as_the_specification_has_it(isa, dtype, cell, case, way):
    d, how = data(cell, case.sizes, dtype.name), chosen(way, case.sizes)
    run = ragged(d, "nmt", **how)
    with fastrnn.backend("numpy"):
        want = ragged(d, **how)
    for name in (*PLACES, *STATES, *SUMS):
        if getattr(want, name, None) is not None:
            assert_sum(getattr(run, name), getattr(want, name), weight_terms(d), name)
    here = np.arange(case.T)[:, None] < how.get("lengths", np.full(case.m, case.T))
    for name in ops.tape_names(cell):
        kept, expected = ops.read(run.tape, name), ops.read(want.tape, name)
        inside = ... if name.endswith("0") else here
        assert_sum(kept[inside], expected[inside], weight_terms(d), name)


@pytest.mark.parametrize("way", WAYS)
@each_cell
def test_a_tape_is_read_in_the_order_of_time(isa, cell, way):
    sizes = _, _, m, T = 3, 5, 6, 9
    d, how = data(cell, sizes, "float64"), chosen(way, sizes)
    run = ragged(d, **how)
    here = np.arange(T)[:, None] < how.get("lengths", np.full(m, T))
    assert np.array_equal(ops.read(run.tape, "a")[here], run.y[here])
    assert np.array_equal(ops.read(run.tape, "a0"), d.state[0])
    if cell in BLOCKS:
        assert np.array_equal(ops.read(run.tape, "c")[here], run.cells[here])
        i, f, g = (ops.read(run.tape, name)[here] for name in "ifg")
        assert np.all((0 < i) & (i <= 1) & (0 < f) & (abs(g) < 1)) and np.all((i < 1) & (f < 1) | (cell == "slstm"))


@st.composite
def problems(draw_):
    cell, dtype = draw_(st.sampled_from(sorted(GATES))), draw_(st.sampled_from(("float32", "float64")))
    sizes = tuple(draw_(st.integers(1, most)) for most in (9, 20, 9, 40))
    _, _, m, T = sizes
    lengths = np.array(draw_(st.lists(st.integers(0, T), min_size=m, max_size=m)))
    reset = np.random.default_rng(draw_(st.integers(0, 99))).random((T, m)) < draw_(st.sampled_from((0, 0.1, 0.5)))
    how = dict(reset=reset if draw_(st.booleans()) else None, reverse=draw_(st.booleans()))
    return data(cell, sizes, dtype), draw_(st.sampled_from(LAYOUTS)), dict(how, lengths=lengths)


@given(problems())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows(isa, problem):
    d, layout, how = problem
    d, run = assert_as_alone(d, **how)
    assert bits(ragged(d, layout, **how)) == bits(run)


@pytest.mark.parametrize("way", ["lengths", "reset", "all"])
@each_cell
def test_an_infinite_weight_is_felt_only_where_something_goes_through_it(engine, cell, way):
    """No gradient comes back to where a row or a segment ends, and none is not a zero times the weight."""
    sizes = 3, 18, 5, 8
    d, how = SimpleNamespace(**vars(data(cell, sizes, "float32"))), chosen(way, sizes)
    d.W_a, d.state = d.W_a.copy(), (d.state[0].copy(), *d.state[1:])
    d.W_a[0, 0], d.state[0][:, 0] = np.inf, 1
    want, run = alone(d, **how), ragged(d, **how)
    for name in (*PLACES, *STATES):
        if getattr(want, name, None) is not None:
            assert np.array_equal(np.isnan(getattr(run, name)), np.isnan(getattr(want, name))), name
            assert engine == "numpy" or equal(getattr(run, name), getattr(want, name)), name
    assert np.isnan(want.dx).any() and np.isfinite(want.dx[want.dx != 0]).any()


@pytest.mark.parametrize("T, m, lengths", [(4, 0, []), (0, 3, [0, 0, 0]), (4, 3, [0, 0, 0])], ids=str)
@each_cell
def test_nothing_to_do(isa, dtype, cell, T, m, lengths):
    d = data(cell, (3, 5, m, T), dtype.name)
    run = ragged(d, lengths=np.array(lengths, int), reset=np.ones((T, m), bool), reverse=True)
    assert np.array_equal(run.aT, d.state[0]) and np.array_equal(run.da0, d.dstate[0])
    assert cell not in BLOCKS or (np.array_equal(run.cT, d.state[1]) and np.array_equal(run.dc0, d.dstate[1]))
    assert not any(getattr(run, name).any() for name in ("y", "dx", *SUMS))


def given_run(**values):
    return Given(**{**dict(lengths=None, reset=None, reverse=False, drop=None, keep_a=None, keep_c=None, zoneout=0.0), **values})


@pytest.mark.parametrize(
    "values",
    [
        dict(lengths=np.array([1, 5])),
        dict(lengths=np.array([-1, 2])),
        dict(lengths=np.array([1])),
        dict(lengths=np.array([1.0, 2.0])),
        dict(lengths=np.array([1, 2], np.int16)),
        dict(reset=np.zeros((2, 4), bool)),
        dict(reset=np.zeros((4, 2), np.int16)),
    ],
    ids=["above T", "below 0", "one", "floats", "narrow", "turned", "wide"],
)
def test_the_extension_refuses_what_c_could_not_bear(isa, values):
    core = _backend._core
    d = data("rnn_tanh", (3, 5, 2, 4), "float64")
    weights = core.Weights("rnn_tanh", d.W_x, d.W_a, d.b_x, d.b_a, None)
    with pytest.raises(ValueError):
        core.forward(weights, d.x, None, None, None, None, None, None, False, 1, given_run(**values))
