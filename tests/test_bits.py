"""The promises about bits of the native backend: what else is computed, or how, changes no bit of a result."""

import numpy as np
import pytest
from cases import BLOCKS, Case, data, each_case, each_cell
from conftest import ISAS
from test_ops import Run, pack

import fastrnn
from fastrnn import _backend, ops

BATCHES = [
    Case(9, 11, 13, 5, "small: everything is a tail"),
    Case(33, 48, 17, 20, "whole tiles, and a row past them"),
    Case(64, 100, 33, 18, "the batch is packed in panels, one sequence is not"),
]


def part(d, rows, steps=slice(None)):
    """The sequences `rows` of data d alone."""
    d = type(d)(**vars(d))
    d.x, d.dy = d.x[steps, rows], d.dy[steps, rows]
    d.state, d.dstate = tuple(s[rows] for s in d.state), tuple(s[rows] for s in d.dstate)
    d.dcells = None if d.dcells is None else d.dcells[steps, rows]
    d.sizes = (*d.sizes[:2], d.x.shape[1], d.x.shape[0])
    return d


def check_parts(d, choices):
    whole = Run(d)
    for rows in choices:
        alone = Run(part(d, rows))
        for name in ("y", "cells", "dx"):
            if getattr(whole, name) is not None:
                assert np.array_equal(getattr(alone, name), getattr(whole, name)[:, rows]), (name, rows)
        for name in ("aT", "cT", "da0", "dc0"):
            if getattr(whole, name) is not None:
                assert np.array_equal(getattr(alone, name), getattr(whole, name)[rows]), (name, rows)


@each_case(among=BATCHES)
@each_cell
def test_a_sequence_alone_or_in_a_batch(isa, dtype, threads, cell, case):
    m = case.m
    choices = (slice(0, 1), slice(m - 1, m), slice(1, 3), slice(2, 9), slice(m // 2, m), [5, 0, 7])
    check_parts(data(cell, case.sizes, dtype.name), choices)


@pytest.mark.parametrize("cell, n", [("lstm", 520), ("rnn_tanh", 1030)])
def test_so_too_where_many_sequences_make_their_sums_block_by_block(isa, dtype, cell, n):
    check_parts(data(cell, (n, n, 37, 2), dtype.name), (slice(0, 2), slice(30, 37)))


@pytest.mark.parametrize("cuts", [(1,), (7, 23), (16, 32), (5, 6, 21, 37)], ids=str)
@each_case(among=[Case(9, 11, 3, 41, "a batch"), Case(27, 40, 1, 41, "m = 1"), Case(33, 48, 17, 41, "panels")])
@each_cell
def test_whole_or_in_chunks_of_time(isa, dtype, cell, case, cuts):
    d = data(cell, case.sizes, dtype.name)
    whole, weights, lstm = Run(d), pack(d), cell in BLOCKS
    bounds = list(zip((0, *cuts), (*cuts, case.T)))
    state, tapes = d.state, []
    for start, stop in bounds:
        y, state, cells, tape = ops.forward(weights, d.x[start:stop], state, training=True, cells=lstm)
        assert np.array_equal(y, whole.y[start:stop])
        assert not lstm or np.array_equal(cells, whole.cells[start:stop])
        tapes.append(tape)
    assert all(np.array_equal(one, other) for one, other in zip(state, whole.result.state))
    dstate = d.dstate
    for (start, stop), tape in reversed(list(zip(bounds, tapes))):
        dcells = d.dcells[start:stop] if lstm else None
        dx, dstate, *_ = ops.backward(tape, d.dy[start:stop], dstate, dcells)
        assert np.array_equal(dx, whole.dx[start:stop])
    assert all(np.array_equal(one, other) for one, other in zip(dstate, whole.gradients.dstate))


@pytest.mark.parametrize("cell, n, m", [("lstm", 260, 1), ("rnn_tanh", 450, 2), ("rnn_tanh", 450, 3)])
def test_large_weight_gradients_of_few_rows_whole_or_block_by_block(isa, dtype, threads, cell, n, m):
    """Blocks of 16 steps follow one another in one sum where W is large; here each is a call of its own."""
    d = data(cell, (20, n, m, 70), dtype.name)
    whole, weights, lstm, state, tapes = Run(d), pack(d), cell in BLOCKS, d.state, []
    for t in range(0, 70, 16):
        _, state, _, tape = ops.forward(weights, d.x[t : t + 16], state, training=True)
        tapes.append((t, tape))
    dstate, sums = d.dstate, None
    for t, tape in reversed(tapes):
        sums = ops.backward(tape, d.dy[t : t + 16], dstate, d.dcells[t : t + 16] if lstm else None, accumulate=sums)
        dstate = sums.dstate
    for name in ("dW_x", "dW_a", "db_x", "db_a"):
        assert np.array_equal(getattr(sums, name), getattr(whole, name)), name


@each_case(among=[*BATCHES, Case(40, 128, 1, 30, "m = 1, split by units"), Case(64, 128, 32, 33, "split by sequences"),
                  Case(48, 80, 3, 90, "split by a few sequences; five groups of units"),
                  Case(12, 16, 9, 200, "one group of units: weight gradients split by product")])  # fmt: skip
@each_cell
def test_any_number_of_threads_and_run_after_run(isa, dtype, cell, case):
    d = data(cell, case.sizes, dtype.name)
    runs = []  # all kept: no result stands where an equal one was, which would hide what is never written
    for threads in (1, 2, 2, 3, 5, 8, 1):
        with fastrnn.num_threads(threads):
            runs.append(Run(d))
    assert len({tuple(sorted(run.bits().items())) for run in runs}) == 1


@each_case(among=BATCHES)
@each_cell
def test_training_or_not(isa, dtype, cell, case):
    d = data(cell, case.sizes, dtype.name)
    run = Run(d)
    y, state, _, _ = ops.forward(pack(d), d.x, d.state)
    assert np.array_equal(y, run.y)
    assert all(np.array_equal(one, other) for one, other in zip(state, run.result.state))


@pytest.mark.parametrize("n, m, T", [(16, 37, 70), (48, 5, 30), (32, 1, 40), (16, 3, 1)])
@each_cell
def test_wherever_the_states_of_evaluation_go(isa, dtype, threads, cell, n, m, T):
    """To y at once, where a step's rows stand there as in a window; elsewhere, and over x, by way of one."""
    d = data(cell, (n, n, m, T), dtype.name)
    weights, wide = pack(d), np.empty((3, T, 2 * m, n), dtype)
    for reverse in (False, True):
        kept = ops.forward(weights, d.x, d.state, training=True, reverse=reverse)
        over, shifted = np.empty((T, m, n), dtype), np.empty((T + 1, m, n), dtype)
        read, write = (shifted[:T], shifted[1:]) if reverse else (shifted[1:], shifted[:T])  # what has been read already
        over[:], read[:] = d.x, d.x
        wide[:] = 7
        wide[2, :, :m] = d.x
        places = [(d.x, None), (d.x, np.empty((T, m, n + 1), dtype)[:, :, :n]), (over, over), (read, write),
                  (d.x, wide[0, :, m:]), (d.x, wide[1, ::-1, :m]), (wide[2, :, :m], wide[2, :, :m])]  # fmt: skip
        for x, out in places:
            y, state, *_ = ops.forward(weights, x, d.state, out=out, reverse=reverse)
            assert np.array_equal(y, kept.y)
            assert all(np.array_equal(one, other) for one, other in zip(state, kept.state))
        assert np.all(wide[0, :, :m] == 7) and np.all(wide[1:, :, m:] == 7)


@each_case(among=BATCHES)
@each_cell
def test_the_same_bits_with_every_fused_instruction_set(dtype, cell, case):
    fused = [isa for isa in ISAS if isa != "scalar"]
    if len(fused) < 2:
        pytest.skip("fewer than two instruction sets with FMA here")
    d = data(cell, case.sizes, dtype.name)
    before, found = _backend._core.isa(), {}
    try:
        with fastrnn.backend("native"):
            for isa in fused:
                _backend._core.use_isa(isa)
                found[isa] = Run(d).bits()
    finally:
        _backend._core.use_isa(before)
    for isa in fused[1:]:
        different = [name for name in found[isa] if found[isa][name] != found[fused[0]][name]]
        assert not different, (isa, fused[0], different)
