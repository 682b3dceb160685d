"""Streams: live states that take one step at a time, all or some of them, and what they promise about bits."""

import copy
import pickle
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from cases import GATES
from conftest import ISAS
from features import OF_CELLS, build, features, pack

import fastrnn
from fastrnn import _backend, ops
from fastrnn.nn import Stream

LAYERS = {
    "RNN": lambda **options: fastrnn.RNN(5, 19, **options),
    "relu": lambda **options: fastrnn.RNN(5, 3, nonlinearity="relu", **options),
    "LSTM": lambda **options: fastrnn.LSTM(5, 19, **options),
    "sLSTM": lambda **options: fastrnn.sLSTM(5, 19, **options),
    "GRU": lambda **options: fastrnn.GRU(5, 19, **options),
    "before": lambda **options: fastrnn.GRU(5, 16, reset_after=False, **options),
}
native = pytest.mark.skipif(not ISAS, reason="the C extension is not built: `make test` builds it")


def layer_of(kind, dtype=np.float32, **options):
    return LAYERS[kind](dtype=dtype, seed=3, **options)


def numbers(*shape, dtype=np.float32):
    return np.random.default_rng(7).standard_normal(shape).astype(dtype)


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def same(engine, got, wanted):
    """The same bits; but NumPy's products depend on how many rows they have."""
    for a, b in zip(parts(got), parts(wanted), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        if engine == "numpy":
            np.testing.assert_allclose(a, b, rtol=0, atol=64 * np.finfo(a.dtype).eps)
        else:
            assert a.tobytes() == b.tobytes()


# ---- bits ----


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("num_layers", [1, 3])
def test_steps_chunks_and_the_whole_are_the_same(engine, dtype, kind, num_layers):
    layer = layer_of(kind, dtype, num_layers=num_layers)
    x = numbers(23, 4, 5, dtype=dtype)
    y, state = layer(x)
    steps, chunks = layer.stream(4), layer.stream(capacity=4)
    same(engine, np.stack([steps.step(row) for row in x]), y)
    same(engine, steps.state, state)
    same(engine, np.concatenate([chunks.run(x[:16]), chunks.run(x[16:16]), chunks.run(x[16:])]), y)
    same(engine, chunks.state, state)
    assert y.dtype == dtype and chunks.run(x[:0]).shape == (0, 4, y.shape[2])


@pytest.mark.parametrize("kind", LAYERS)
def test_alone_and_together_are_the_same(engine, dtype, kind):
    layer = layer_of(kind, dtype, num_layers=2)
    x = numbers(6, 5, 5, dtype=dtype)
    y, state = layer(x)
    some = layer.stream(5)
    for t, order in enumerate(([[0, 1, 2, 3, 4]], [[4, 2, 0], [3, 1]], [[3], [1], [4], [0], [2]]) * 2):
        for ids in order:
            same(engine, some.step(x[t, ids], ids), y[t, ids])
    same(engine, some.state, state)


def test_a_thousand_streams_thirty_two_at_a_time(engine):
    layer, rng = layer_of("LSTM"), np.random.default_rng(5)
    many, x = layer.stream(1000), numbers(40, 32, 5)
    calls = [rng.choice(1000, 32, replace=False) for _ in x]
    for row, ids in zip(x, calls):
        many.step(row, ids)
    for which in (calls[0][0], calls[7][31], calls[39][16]):
        mine = np.stack([row[ids == which] for row, ids in zip(x, calls) if which in ids])
        same(engine, tuple(part[:, [which]] for part in many.state), layer(mine)[1])
    untouched = np.setdiff1d(np.arange(1000), np.concatenate(calls))
    assert untouched.size and not many.state[0][:, untouched].any()


@native
@pytest.mark.parametrize("n", [1, 15, 100, 700])
def test_sizes(isa, dtype, n):
    """From less than a vector to weights beyond a core's cache, where a step lets other threads have the GIL."""
    layer = fastrnn.GRU(n, n, num_layers=2, dtype=dtype, seed=0)
    x = numbers(3, 3, n, dtype=dtype)
    y, _ = layer(x)
    live = layer.stream(3)
    same(isa, np.stack([live.step(row) for row in x]), y)


def variants(cell):
    """Each feature of a cell alone, and all at once; and the expected zoneout, which belongs to a run."""
    alone = [name for name in features(cell) if name in (*OF_CELLS, "zoneout")]
    return [[], *([name] for name in alone), *([alone] if alone else [])]


@pytest.mark.parametrize(("cell", "asked"), [(cell, asked) for cell in GATES for asked in variants(cell)],
                         ids=lambda value: value if isinstance(value, str) else "+".join(value) or "plain")  # fmt: skip
def test_every_cell_there_is(engine, dtype, cell, asked):
    """Two layers of it: whole, by steps, by chunks, and by some at a time."""
    lower = build(cell, asked, (3, 19, 4, 18), dtype)
    upper = build(cell, asked, (lower.n_h, 19, 4, 18), dtype, seed=1)
    zoneout, x = lower.run.get("zoneout"), lower.arrays["x"]
    stack = pack(lower), pack(upper)
    live, chunks, some = (ops.stream(stack, 4, zoneout=zoneout) for _ in range(3))
    y, below, _, _ = ops.forward(stack[0], x, zoneout=zoneout)
    y, above, _, _ = ops.forward(stack[1], y, zoneout=zoneout)
    ends = tuple(np.stack(pair) for pair in zip(below, above))
    same(engine, np.stack([live.step(row) for row in x]), y)
    same(engine, ops.states(live), ends)
    same(engine, np.concatenate([ops.advance(chunks, x[:5]), ops.advance(chunks, x[5:])]), y)
    same(engine, ops.states(chunks), ends)
    for t, row in enumerate(x):
        for ids in ([2], [3, 0], [1]) if t % 2 else ([1, 0], [2, 3]):
            same(engine, some.step(row[ids], ids), y[t, ids])
    same(engine, ops.states(some), ends)


# ---- life ----


def test_clones_go_their_own_way(engine, dtype):
    layer = layer_of("LSTM", dtype)
    x = numbers(4, 2, 5, dtype=dtype)
    first = layer.stream(2)
    first.step(x[0])
    before = first.state
    for twin in (first.clone(), copy.copy(first), copy.deepcopy(first)):
        same(engine, twin.state, before)
        assert twin.step(x[1]).tobytes() == first.clone().step(x[1]).tobytes()
        same(engine, first.state, before)
        twin.reset()
        same(engine, first.state, before)
    assert first._live.weights[0] is first.clone()._live.weights[0] is layer.stream(7)._live.weights[0]
    with pytest.raises(TypeError, match="^stream: expected its state"):
        pickle.dumps(first)


def test_reset_of_all_and_of_some(engine):
    live = layer_of("LSTM", num_layers=2).stream(4)
    live.step(numbers(4, 5))
    full = live.state
    live.reset([2, 0])
    for part, old in zip(live.state, full):
        assert not part[:, [0, 2]].any() and part[:, [1, 3]].tobytes() == old[:, [1, 3]].tobytes()
    live.reset(())
    assert live.state[0][:, 1].any()
    live.reset()
    assert not any(part.any() for part in live.state)
    live.step(numbers(4, 5))
    same(engine, live.state, full)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_states_come_and_go(engine, dtype, kind):
    layer = layer_of(kind, dtype, num_layers=2)
    x = numbers(5, 3, 5, dtype=dtype)
    y, middle = layer(x[:2])
    live = layer.stream(3)
    live.state = middle
    assert [part.shape for part in parts(live.state)] == [(2, 3, 19)] * len(parts(middle))
    same(engine, live.state, middle)
    same(engine, live.run(x[2:]), layer(x[2:], middle)[0])
    copies = live.state
    for part in parts(copies):
        part[...] = 9
    assert parts(live.state)[0].max() < 9
    foreign = tuple(np.asfortranarray(part).astype(part.dtype.newbyteorder(">")) for part in parts(middle))
    live.state = foreign if kind == "LSTM" else foreign[0]
    same(engine, live.state, middle)
    live.state = None
    assert not any(part.any() for part in parts(live.state))


def test_weights_are_those_of_the_moment(engine):
    layer = layer_of("GRU")
    x = numbers(1, 5)
    live, wanted = layer.stream(), layer(x[None])[0][0]
    layer.update({"weight_hh_l0": np.ones((57, 19)), "weight_ih_l0": np.ones((57, 5))})
    clone = live.clone()
    same(engine, live.step(x), wanted)
    same(engine, clone.step(x), wanted)
    assert not np.allclose(layer.stream().step(x), wanted)
    name = repr(live)
    del layer
    same(engine, live.clone().step(x), live.step(x))
    assert name == "GRU(5, 19).stream(capacity=1)"


def test_streams_stay_with_the_backend_of_their_weights(engine):
    live = layer_of("LSTM").stream()
    with fastrnn.backend("numpy"):
        other = live.clone()
        live.run(numbers(2, 1, 5))
    assert type(live._live) is type(other._live) and type(live._live) is _backend.active().Stream


def test_none_at_all(engine):
    live = layer_of("LSTM", num_layers=2).stream(0)
    assert live.step(np.zeros((0, 5), np.float32)).shape == live.step(np.zeros((0, 5), np.float32), []).shape == (0, 19)
    assert live.run(np.zeros((3, 0, 5), np.float32)).shape == (3, 0, 19)
    assert [part.shape for part in live.state] == [(2, 0, 19)] * 2
    live.reset()
    one = layer_of("LSTM").stream()
    one.step(numbers(1, 5))
    before = one.state
    assert one.step(np.zeros((0, 5), np.float32), []).shape == (0, 19)
    same(engine, one.state, before)


# ---- arguments ----


def test_any_form_of_array(engine, dtype):
    layer = layer_of("LSTM", dtype)
    x = numbers(3, 5, dtype=dtype)
    wanted = layer.stream(3).step(x)
    bytes_of = np.zeros(x.nbytes + 1, np.uint8)
    unaligned = bytes_of[1:].view(dtype).reshape(3, 5)
    unaligned[...] = x
    locked = x.copy()
    locked.flags.writeable = False
    class Mine(np.ndarray):
        pass
    forms = (np.asfortranarray(x), x.astype(x.dtype.newbyteorder(">")), np.repeat(x, 2, 1)[:, ::2], unaligned, locked,
             x[::-1].copy()[::-1], x.view(Mine))  # fmt: skip
    for form in forms:
        same(engine, layer.stream(3).step(form), wanted)
    ids = np.array([2, 0, 1])
    crooked = np.zeros(ids.nbytes + 1, np.uint8)[1:].view(ids.dtype)
    crooked[...] = ids
    for form in (crooked, [2, 0, 1], [np.int64(2), 0, np.int8(1)], (2, 0, 1), ids.astype(np.int8), ids.astype(np.uint64), ids.astype(">i4"), ids[::-1].copy()[::-1],
                 memoryview(ids)):  # fmt: skip
        same(engine, layer.stream(3).step(x[ids], form), wanted[ids])


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 100])
def test_ids_are_an_array_or_a_list(engine, rows):
    layer = layer_of("GRU", np.dtype("float32"))
    x, ids = numbers(rows, 5, dtype=np.dtype("float32")), np.random.default_rng(rows).permutation(100)[:rows]
    one, other = layer.stream(100), layer.stream(100)
    for _ in range(2):
        assert np.array_equal(one.step(x, ids), other.step(x, ids.tolist()))
    assert np.array_equal(one.state, other.state)


def test_out(engine, dtype):
    layer = layer_of("GRU", dtype, num_layers=2)
    x = numbers(4, 5, dtype=dtype)
    wanted, out = layer.stream(4).step(x), np.full((4, 19), 9, dtype)
    assert layer.stream(4).step(x, out=out) is out
    same(engine, out, wanted)
    again, room = layer.stream(4), np.zeros((9, 19), dtype)
    assert again.step(x[[3, 1]], [3, 1], room[2:4]).base is room
    same(engine, room[2:4], wanted[[3, 1]])
    assert not room[:2].any() and not room[4:].any()
    square = fastrnn.GRU(70, 70, 2, dtype=dtype, seed=0)
    room, x = np.empty(10 * 70, dtype), numbers(9, 70, dtype=dtype)
    wanted = square.stream(9).step(x)
    for first, then in ((0, 35), (35, 0), (0, 70), (70, 0), (35, 35)):  # out over a part of x that is still to be read
        shared, out = room[first : first + x.size].reshape(x.shape), room[then : then + x.size].reshape(x.shape)
        shared[...] = x
        same(engine, square.stream(9).step(shared, out=out), wanted)
    square = fastrnn.RNN(6, 6, dtype=dtype, seed=0)
    x = numbers(2, 6, dtype=dtype)
    wanted = square.stream(2).step(x)
    square.stream(2).step(x, out=x)  # may be x itself: it has been read by then
    same(engine, x, wanted)


def test_out_may_be_a_memory_map(engine, tmp_path):
    """It is given back as it came."""
    out = np.memmap(tmp_path / "y", np.float32, "w+", shape=(4, 19))
    live = layer_of("GRU").stream(4)
    other, x = live.clone(), numbers(4, 5)
    assert live.step(x, out=out) is out and np.array_equal(out, other.step(x))


# ---- cost ----


def test_a_step_into_out_allocates_nothing(isa, dtype):
    layer = layer_of("LSTM", dtype, num_layers=2)
    x, out, ids = numbers(64, 5, dtype=dtype), np.empty((64, 19), dtype), np.arange(63, 1, -2)
    live, some, few = layer.stream(64), x[:31], out[:31]

    def growth(*calls):
        """How far Python's and NumPy's memory went up meanwhile, in bytes, and how many blocks of it stay."""
        tracemalloc.start()
        try:
            for arguments in calls * 3:
                live.step(*arguments)
            before, blocks = tracemalloc.get_traced_memory()[0], sys.getallocatedblocks()
            tracemalloc.reset_peak()
            for _ in range(200):
                for arguments in calls:
                    live.step(*arguments)
            return tracemalloc.get_traced_memory()[1] - before, sys.getallocatedblocks() - blocks
        finally:
            tracemalloc.stop()

    # the least of some, as other threads, a progress bar's say, may take memory meanwhile
    peak, stay = min(growth((x, None, out), (some, ids, few)) for _ in range(3))
    assert peak < 1000 and abs(stay) < 10
    assert growth((x,))[0] >= out.nbytes > 4000, "and this would have shown it"
    assert live._live.nbytes > 2 * 64 * 19 * 2 * out.itemsize


def test_step_is_the_backends_own_method(engine):
    live = layer_of("LSTM").stream()
    assert live.step.__self__ is live._live and isinstance(live, Stream)


# ---- threads ----


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_threads_share_a_large_step(isa, dtype, kind):
    """Each takes its rows through all layers; with bits and memory as on one."""
    layer = getattr(fastrnn, kind)(70, 90, num_layers=2, seed=0, dtype=dtype, layer_norm=kind == "GRU")
    x, ids = numbers(3, 101, 70, dtype=dtype), np.random.default_rng(1).permutation(200)[:101].astype(np.intp)
    results, out = [], np.empty((101, 90), dtype)

    def peak():
        tracemalloc.start()
        try:
            for _ in range(7):
                live.step(x[0], ids, out)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    for threads in (1, 2, 5):
        live = layer.stream(200)
        with fastrnn.num_threads(threads):
            results.append([live.step(row, ids).copy() for row in x])
            assert min(peak() for _ in range(3)) < 1000  # the least, as other threads may take memory meanwhile
        results[-1] += parts(live.state)
    for other in results[1:]:
        same("native", tuple(other), tuple(results[0]))


def test_threads_step_streams_of_one_layer_at_once(engine):
    """Large enough that the native step releases the GIL."""
    layer = fastrnn.LSTM(64, 256, seed=0)
    x = numbers(8, 4, 64)
    wanted, wrong = layer(x)[0], []

    def work():
        live = layer.stream(4)
        for _ in range(3):
            live.reset()
            got = np.stack([live.step(row) for row in x])
            if not np.allclose(got, wanted, atol=1e-5) or engine != "numpy" and got.tobytes() != wanted.tobytes():
                wrong.append(got)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


def test_a_second_thread_inside_is_refused(engine):
    layer = fastrnn.GRU(8, 8, seed=0)
    live, x = layer.stream(2), numbers(2, 8)
    live.step(x)
    room = live.state.copy()
    live._live.take(room, None)  # as `run` does while it computes
    for call in (lambda: live.step(x), lambda: live.reset(), lambda: live.state, lambda: live.run(x[None]), live.clone):
        with pytest.raises(RuntimeError, match="^stream: another thread is in a call of this stream"):
            call()
    live._live.put(None, None)
    assert live.state.tobytes() == room.tobytes()
    with pytest.raises(ValueError):
        live.run(x)
    live.step(x)


@native
def test_a_long_step_lets_others_in_and_refuses_a_second():
    live = fastrnn.LSTM(256, 512, seed=0).stream(256)
    x, seen = numbers(256, 256), []
    thread = threading.Thread(target=lambda: [live.step(x) for _ in range(20)])
    thread.start()
    while thread.is_alive() and not seen:
        try:
            live._live.nbytes  # noqa: B018
        except RuntimeError as error:
            seen.append(str(error))
    thread.join(60)
    assert seen and seen[0].startswith("stream: another thread is in a call of this stream")
