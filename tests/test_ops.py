"""The array interface on every backend: results against a longer float, layouts, strides, tapes, refusals."""

import threading
import warnings

import numpy as np
import pytest
from cases import (
    BLOCKS,
    CELLS,
    GATES,
    LAYOUTS,
    Case,
    Guarded,
    assert_same_results,
    assert_sum,
    chain_terms,
    data,
    each_case,
    each_cell,
    evaluate,
    truth,
    ulps,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastrnn
from fastrnn import _backend, ops

AXES = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}
each_layout = pytest.mark.parametrize("layout", LAYOUTS)


def to_layout(array, layout):
    """A time-major array as a C-contiguous one in `layout`; back again likewise, as each order is its own inverse."""
    return None if array is None else np.ascontiguousarray(array.transpose(AXES[layout]))


def pack(d):
    return ops.pack(d.cell, d.W_x, d.W_a, d.b_x, d.b_a)


class Run:
    """Forward and backward of `data` d through ops; results time-major, under the names of `cases.evaluate`."""

    def __init__(self, d, layout="tmn", spell=lambda array: array):
        def given(array):
            return None if array is None else spell(to_layout(array, layout))

        weights = ops.pack(d.cell, *(spell(a) for a in (d.W_x, d.W_a, d.b_x, d.b_a)))
        state, dstate = (tuple(map(spell, pair)) for pair in (d.state, d.dstate))
        lstm = d.cell in BLOCKS
        self.result = ops.forward(weights, given(d.x), state, layout=layout, training=True, cells=lstm)
        self.gradients = ops.backward(self.result.tape, given(d.dy), dstate, given(d.dcells), layout=layout)
        (y, state, cells, self.tape), g = self.result, self.gradients
        self.y, self.cells, self.dx = (to_layout(array, layout) for array in (y, cells, g.dx))
        self.aT, self.cT = state if lstm else (*state, None)
        self.da0, self.dc0 = g.dstate if lstm else (*g.dstate, None)
        self.dW_x, self.dW_a, self.db_x, self.db_a = g[2:6]

    def bits(self):
        found = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return {name: value.tobytes() for name, value in found.items()}


# ---- results ----


@each_case()
@each_cell
def test_forward_and_backward(engine, dtype, threads, cell, case):
    d = data(cell, case.sizes, dtype.name)
    run = Run(d)
    assert_same_results(run, truth(cell, case.sizes, dtype.name), d)
    for name, array in vars(run).items():
        assert not isinstance(array, np.ndarray) or array.dtype == dtype, name
    assert run.y[-1:].tobytes() == (run.aT.tobytes() if case.T else b"")


@each_layout
@each_case(among=[
    Case(4, 10, 13, 2, "more rows than a tile of 6"), Case(11, 13, 3, 33, "blocks of time and one; primes"),
    Case(3, 5, 2, 0, "no steps"), Case(3, 5, 0, 4, "no sequences"), Case(9, 21, 1, 18, "m = 1"),
    Case(32, 32, 16, 17, "32 columns: powers of two"),
])  # fmt: skip
@each_cell
def test_layouts(engine, dtype, threads, cell, case, layout):
    d = data(cell, case.sizes, dtype.name)
    run = Run(d, layout)
    assert_same_results(run, truth(cell, case.sizes, dtype.name), d)
    for found in (run.result.y, run.result.cells, run.gradients.dx):
        assert found is None or found.flags.c_contiguous and found.flags.writeable
    if engine != "numpy":
        assert run.bits() == Run(d).bits()


@each_layout
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("m", [1, 5])
@each_cell
def test_rows_of_whole_groups(isa, dtype, threads, cell, m, reverse, layout):
    """Sixteen units and their multiples: states go to y step by step, and gradients are read from dy, wherever rows stand."""
    n, T = 32, 37
    d = data(cell, (n, n, m, T), dtype.name)

    def run(layout, room):
        def free(array):  # its rows stand among those of others, which stay as they are
            wide = np.full((*array.shape[:2], array.shape[2] + room), 7.0, dtype)
            part = wide[:, :, :n] if layout != "nmt" else wide[:, :, :T]
            part[...] = array
            return wide, part

        x, (_, dy) = to_layout(d.x, layout), free(to_layout(d.dy, layout))
        wide, out = free(np.zeros_like(x))
        once = ops.forward(pack(d), x, d.state, layout=layout, reverse=reverse).y
        y, state, _, tape = ops.forward(pack(d), x, d.state, layout=layout, reverse=reverse, training=True, out=out)
        g = ops.backward(tape, dy, layout=layout)
        assert y is out and np.array_equal(once, y)
        y[...] = 7
        assert np.all(wide == 7)
        _, both = free(x)  # y in the place of x: no step writes what a later one reads
        over = ops.forward(pack(d), both, d.state, layout=layout, reverse=reverse, out=both).y
        assert over is both and np.array_equal(once, over)
        return [array.tobytes() for array in (to_layout(once, layout), to_layout(g.dx, layout), *state, *g.dstate, *g[2:6])]

    assert run(layout, 3) == run("tmn", 0)


@each_cell
def test_outputs_are_new(engine, cell):
    d = data(cell, (3, 4, 2, 0), "float64")
    run = Run(d)
    for state, initial in zip(run.result.state, d.state):
        assert np.array_equal(state, initial) and not np.shares_memory(state, initial)
    for gradient, final in zip(run.gradients.dstate, d.dstate):
        assert np.array_equal(gradient, final) and not np.shares_memory(gradient, final)


@each_layout
@pytest.mark.parametrize("shift", [-1, 0, 1])
@each_cell
def test_out_may_be_a_part_of_what_is_read(engine, dtype, threads, cell, shift, layout):
    d = data(cell, (12, 12, 16, 40), dtype.name)
    weights, run = pack(d), Run(d, layout)

    def shared(array):
        """The array in `layout`, and one that stands there too but for `shift` steps."""
        room = to_layout(np.concatenate((array[:1], array, array[:1])), layout).transpose(AXES[layout])
        return [room[first : first + len(array)].transpose(AXES[layout]) for first in (1, 1 + shift)]

    x, out = shared(d.x)
    assert ops.forward(weights, x, d.state, layout=layout, out=out).y is out
    assert out.tobytes() == run.result.y.tobytes()
    for apart in ("dy", "x"):
        (x, out), dy = shared(d.x), to_layout(d.dy, layout)
        tape = ops.forward(weights, x, d.state, layout=layout, training=True).tape
        if apart == "x":
            dy, out = shared(d.dy)
        g = ops.backward(tape, dy, d.dstate, to_layout(d.dcells, layout), layout=layout, out=out)
        assert g.dx is out
        assert [a.tobytes() for a in (out, *g[2:6])] == [a.tobytes() for a in (run.gradients.dx, *run.gradients[2:6])]


@each_cell
def test_what_is_not_asked_for(engine, cell):
    d = data(cell, (3, 4, 2, 5), "float64")
    run, weights = Run(d), pack(d)
    y, state, cells, tape = ops.forward(weights, d.x, d.state)
    assert tape is None and cells is None
    assert_sum(y, truth(cell, d.sizes, "float64").y, chain_terms(d), "y")
    assert type(state) is tuple and len(state) == (2 if cell in BLOCKS else 1)
    without = ops.backward(run.tape, d.dy, d.dstate, d.dcells, need_dx=False)
    assert without.dx is None
    assert [g.tobytes() for g in without[2:6]] == [g.tobytes() for g in run.gradients[2:6]]
    nothing = ops.backward(run.tape)
    for gradient in (nothing.dx, *nothing.dstate, *nothing[2:6]):
        assert not gradient.any()


def test_a_cell_may_be_named_by_a_string_of_numpys(engine):
    assert ops.pack(np.str_("lstm"), np.ones((4, 1)), np.ones((4, 1))).cell == "lstm"


@each_cell
def test_none_is_zeros(engine, cell, dtype):
    d = data(cell, (5, 9, 3, 4), dtype.name)
    zeros = np.zeros((3, 9), dtype)
    zero_bias = np.zeros(GATES[cell] * 9, dtype)
    cells = np.zeros((3, BLOCKS.get(cell, 0) * 9), dtype)
    states = [(zeros, cells), (None, cells), (zeros, None)] if cell in BLOCKS else [(zeros,), (None,)]
    found = set()
    for bias in (None, zero_bias):
        weights = ops.pack(cell, d.W_x, d.W_a, bias, bias)
        for state in (None, *states):
            y, _, _, tape = ops.forward(weights, d.x, state, training=True)
            g = ops.backward(tape, d.dy, state)
            found.add(b"".join(array.tobytes() for array in (y, g.dx, *g.dstate, *g[2:6])))
    assert len(found) == 1


# ---- tapes ----


@each_layout
@each_cell
def test_a_tape_read_and_made_again(engine, dtype, cell, layout):
    d = data(cell, (5, 9, 3, 18), dtype.name)
    run, wide = Run(d, layout), truth(cell, d.sizes, dtype.name)
    values = {}
    for name in ops.tape_names(cell):
        values[name] = ops.read(run.tape, name, layout=layout)
        initial = name in ("a0", "c0")
        n = 9 * BLOCKS.get(cell, 1) if name in ("c0", "c") else 9
        expected = np.empty((3, n) if initial else (18, 3, n), np.longdouble)
        wide.tape.read(name, expected)
        assert_sum(values[name] if initial else to_layout(values[name], layout), expected, chain_terms(d), name)
    assert np.array_equal(values["a"], run.result.y) and np.array_equal(values["a0"], d.state[0])
    if cell in BLOCKS:
        assert np.array_equal(values["c"], run.result.cells) and np.array_equal(values["c0"], d.state[1])
    made = ops.tape(pack(d), to_layout(d.x, layout), values, layout=layout)
    for value in values.values():
        value[...] = 7  # the tape has its own
    again = ops.backward(
        made, to_layout(d.dy, layout), d.dstate, to_layout(d.dcells, layout), layout=layout
    )
    for name, first, second in zip(again._fields, run.gradients, again):
        first, second = (first, second) if name != "dstate" else (np.concatenate(first, axis=1), np.concatenate(second, axis=1))
        np.testing.assert_array_equal(second, first, err_msg=name)


@each_cell
def test_a_tape_serves_many_times(engine, cell):
    d = data(cell, (5, 9, 3, 18), "float32")
    run = Run(d)
    again = ops.backward(run.tape, d.dy, d.dstate, d.dcells)
    assert [g.tobytes() for g in again[2:6]] == [g.tobytes() for g in run.gradients[2:6]]
    assert again.dx.tobytes() == run.dx.tobytes()


# ---- memory ----


def scattered(array):
    """Strides twice as long, and NaN all around: what reads outside shows."""
    room = np.full([2 * n + 3 for n in array.shape], np.nan, array.dtype)
    view = room[tuple(slice(1, 1 + 2 * n, 2) for n in array.shape)]
    view[...] = array
    return view


def unaligned(array):
    view = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


SPELLINGS = {
    "scattered": scattered,
    "unaligned": unaligned,
    "read only": read_only,
    "fortran": np.asfortranarray,
    "negative": lambda array: np.flip(np.flip(array).copy()),
    "foreign": lambda array: array.astype(array.dtype.newbyteorder()),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@each_cell
def test_any_array_will_do(engine, dtype, cell, spelling):
    d = data(cell, (6, 7, 5, 18), dtype.name)
    spelt = []

    def spell(array):
        found = SPELLINGS[spelling](array)
        spelt.append((found, found.tobytes()))
        return found

    run = Run(d, spell=spell)
    assert all(array.tobytes() == before for array, before in spelt), "an input was modified"
    if engine == "numpy":  # whose matrix product may choose another order of summation
        assert_same_results(run, truth(cell, d.sizes, dtype.name), d)
    else:
        assert run.bits() == Run(d).bits()


@each_case("a tile of 6 twice", "13 rows", "m = 1 takes", "16 lanes and one", "a block of time and one", "no s")
@each_cell
def test_nothing_is_written_outside(engine, dtype, threads, cell, case):
    d = data(cell, case.sizes, dtype.name)
    guards = {}
    for gap, step in ((0, 1), (3, 1), (1, 2)):

        def make(name, shape, gap=gap, step=step):
            free = name in ("y", "cells", "dx")  # the contract of backends: any strides for these
            guards[name] = Guarded(shape, dtype, gap * free, step if free else 1)
            return guards[name].array

        out = evaluate(_backend.active(), d, dtype, make, threads)
        for name, guard in guards.items():
            assert guard.intact(), name
        assert_same_results(out, truth(cell, case.sizes, dtype.name), d)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cell=st.sampled_from(CELLS),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 20), st.integers(0, 20)),
    dtype=st.sampled_from(["float32", "float64"]),
    layout=st.sampled_from(LAYOUTS),
    spellings=st.lists(st.sampled_from(["plain", *SPELLINGS]), min_size=1, max_size=5),
    threads=st.integers(1, 3),
)
def test_any_shapes_and_strides(engine, cell, sizes, dtype, layout, spellings, threads):
    d = data(cell, sizes, dtype)
    turn = iter(spellings * 20)
    with fastrnn.num_threads(threads):
        run = Run(d, layout, lambda array: SPELLINGS.get(next(turn), np.copy)(array))
    assert_same_results(run, truth(cell, sizes, dtype), d)


@each_cell
def test_weights_are_copies(engine, cell):
    d = data(cell, (3, 4, 2, 5), "float64")
    arrays = [array.copy() for array in (d.W_x, d.W_a, d.b_x, d.b_a)]
    weights = ops.pack(cell, *arrays)
    before = ops.forward(weights, d.x).y
    for array in arrays:
        array[...] = np.nan
    assert np.array_equal(ops.forward(weights, d.x).y, before)


def test_one_weights_object_serves_many_threads_at_once(engine):
    d = data("lstm", (16, 40, 4, 40), "float32")
    weights, expected, found = pack(d), Run(d), {}

    def work(k):
        for _ in range(5):
            result = ops.forward(weights, d.x, d.state, training=True)
            gradients = ops.backward(result.tape, d.dy, d.dstate, d.dcells)
            found.setdefault(k, set()).add((result.y.tobytes(), gradients.dx.tobytes(), gradients.dW_a.tobytes()))

    with fastrnn.num_threads(2):
        workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert len(found) == 4
    assert set.union(*found.values()) == {(expected.y.tobytes(), expected.dx.tobytes(), expected.dW_a.tobytes())}


# ---- numbers that are none ----


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38], ids=str)
@each_cell
def test_nan_and_infinity_pass_in_silence_and_stay_at_home(engine, dtype, cell, value):
    d = data(cell, (3, 5, 4, 6), dtype.name)
    x = d.x.copy()
    x[2, 1, 0] = value
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        y, _, _, tape = ops.forward(pack(d), x, d.state, training=True)
        dx = ops.backward(tape, d.dy, d.dstate, d.dcells).dx
    plain = Run(d)
    others = [0, 2, 3]
    assert np.array_equal(y[:, others], plain.y[:, others])
    assert np.array_equal(dx[:, others], plain.dx[:, others])
    assert np.array_equal(y[:2, 1], plain.y[:2, 1])
    if np.isnan(value):
        assert np.isnan(y[2:, 1]).all()
        if cell != "rnn_relu":  # whose slope is a mask of the outputs, not a number made from them
            assert np.isnan(dx[:3, 1]).all()


# ---- activations ----


LIMITS = {"float32": 80.0, "float64": 700.0}


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh"])
def test_activations_in_ulps(engine, dtype, name):
    rng = np.random.default_rng(5)
    small = np.geomspace(1e-30, 1, 500)
    x = np.concatenate([rng.uniform(-1, 1, 3000) * LIMITS[dtype.name], rng.standard_normal(3001), small, -small])
    x = x.astype(dtype)
    wide = x.astype(np.longdouble)
    exact = {"exp": np.exp(wide), "sigmoid": 1 / (1 + np.exp(-wide)), "tanh": np.tanh(wide)}[name]
    found = ops.activate(name, x)
    assert found.dtype == dtype
    assert ulps(found, exact) <= 4
    for shape in ((), (0,), (3, 5, 7), (2, 0)):
        part = x[: int(np.prod(shape))].reshape(shape)
        assert np.array_equal(ops.activate(name, part), found[: part.size].reshape(shape))
    assert np.array_equal(ops.activate(name, x[:700].reshape(70, 10).T), found[:700].reshape(70, 10).T)


def test_activations_at_exact_points(engine, dtype):
    points = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    assert np.array_equal(ops.activate("exp", points), np.array([1, 1, np.inf, 0, np.nan]), equal_nan=True)
    assert np.array_equal(ops.activate("sigmoid", points), np.array([0.5, 0.5, 1, 0, np.nan]), equal_nan=True)
    found = ops.activate("tanh", points)
    assert np.array_equal(found, np.array([0, -0.0, 1, -1, np.nan]), equal_nan=True)
    assert np.signbit(found[:2]).tolist() == [False, True]


def test_activate_in_place(engine, dtype):
    x = np.linspace(-9, 9, 75, dtype=dtype).reshape(3, 25)
    want, got = ops.activate("tanh", x), x.copy()
    assert ops.activate("tanh", got, out=got) is got and got.tobytes() == want.tobytes()


@pytest.mark.parametrize(
    "out, error",
    [
        (np.ones((2, 4)), "out: expected a C-contiguous float64 array of shape \\(4, 2\\), got float64 \\(2, 4\\)"),
        (np.ones((4, 2), np.float32), "out: expected a C-contiguous float64 array of shape \\(4, 2\\), got float32"),
        (np.ones((4, 4))[:, ::2], "out: expected a C-contiguous float64"),
        (np.ones((4, 2), int), "out: "),
    ],
)
def test_activate_refuses_other_room(out, error):
    with pytest.raises((ValueError, TypeError), match=error):
        ops.activate("exp", np.ones((4, 2)), out=out)
