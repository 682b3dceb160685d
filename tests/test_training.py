"""A layer's forward and backward take a quicker way where arguments fit as they are (fastrnn/_training.pxi): the same results
as the long way, and the same errors."""

import gc
import os
import platform
import subprocess
import sys
import threading

import numpy as np
import pytest

import fastrnn

LAYERS = {
    "rnn": lambda **given: fastrnn.RNN(3, 5, seed=0, **given),
    "rnn no bias": lambda **given: fastrnn.RNN(3, 17, bias=False, seed=0, **given),
    "lstm": lambda **given: fastrnn.LSTM(3, 5, seed=0, **given),
    "lstm extras": lambda **given: fastrnn.LSTM(3, 20, bias=False, seed=0, proj_size=4, peephole=True, layer_norm=True, **given),
    "gru": lambda **given: fastrnn.GRU(3, 17, seed=0, **given),
    "gru before": lambda **given: fastrnn.GRU(3, 5, seed=0, reset_after=False, clip=1.0, **given),
    "slstm": lambda **given: fastrnn.sLSTM(3, 5, seed=0, **given),
    "three layers": lambda **given: fastrnn.GRU(3, 5, num_layers=3, seed=0, **given),
}
SHAPES = {"tmn": lambda T, m, n: (T, m, n), "mtn": lambda T, m, n: (m, T, n), "nmt": lambda T, m, n: (n, m, T)}


def numbers(shape, dtype=np.float32, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def states(state):
    return state if isinstance(state, tuple) else (state,)


def long_way(layer, x, dy, asked=(), **given):
    """Forward and backward without what `prepare` made for the levels; asked: what forward gets by name."""
    for level in layer._standing():
        level.plain = None
    y, last, tape = layer.forward(x, **dict(asked))
    try:
        return y, last, *layer.backward(dy, tape, **given)
    finally:
        for level in layer._standing():
            level.prepare()


def pairs(found, expected):
    """All arrays of (y, state, dx, dstate, grads), ours beside theirs."""
    for ours, theirs in zip(found[:4], expected[:4], strict=True):
        if theirs is None:
            assert ours is None
        else:
            yield from zip(states(ours), states(theirs), strict=True)
    assert list(found[4]) == list(expected[4])
    yield from zip(found[4].values(), expected[4].values())


def assert_same(found, expected):
    for ours, theirs in pairs(found, expected):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.flags.c_contiguous
        assert ours.tobytes() == theirs.tobytes()


def plain_step(layer, x, dy, asked=(), **given):
    y, last, tape = layer.forward(x, **dict(asked))
    return y, last, *layer.backward(dy, tape, **given)


def quick(layer):
    return layer._standing()[0].plain


@pytest.mark.parametrize("layout", SHAPES)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", LAYERS)
def test_it_has_the_bits_of_the_long_way(kind, bidirectional, layout, isa, dtype, threads):
    layer = LAYERS[kind](bidirectional=bidirectional, layout=layout, dtype=dtype)
    for T, m in ((7, 1), (40, 1), (1, 3), (5, 9), (0, 2), (3, 0)):
        x = numbers(SHAPES[layout](T, m, 3), dtype)
        dy = numbers(layer(x)[0].shape, dtype, 2)
        expected = long_way(layer, x, dy)
        assert_same(plain_step(layer, x, dy), expected)
        assert list(expected[4]) == list(layer.parameters())
        assert_same(plain_step(layer, x, dy, need_dx=False), (*expected[:2], None, *expected[3:]))


@pytest.mark.parametrize("layout", SHAPES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_arrays_of_any_form_are_read(bidirectional, layout, engine, dtype):
    layer = fastrnn.LSTM(3, 5, seed=0, bidirectional=bidirectional, layout=layout, dtype=dtype)
    x = numbers(SHAPES[layout](6, 4, 3), dtype)
    dy = numbers(layer(x)[0].shape, dtype, 2)
    expected = long_way(layer, x, dy)
    wide = np.full(2 * np.array(dy.shape), np.nan, dtype)
    wide[::2, 1::2, ::2] = dy
    packed = np.zeros(dy.shape, np.dtype([("byte", "u1"), ("dy", dy.dtype)]))
    packed["dy"] = dy
    read_only = dy.copy()
    read_only.flags.writeable = False
    turned = dy[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]
    aside = np.zeros(dy.nbytes + 1, np.uint8)[1:].view(dy.dtype).reshape(dy.shape)
    aside[...] = dy
    swapped = dy.astype(dy.dtype.newbyteorder())
    for given in (np.asfortranarray(dy), wide[::2, 1::2, ::2], packed["dy"], read_only, turned, aside, swapped):
        assert_same(plain_step(layer, np.asfortranarray(x), given), expected)
        assert_same(plain_step(layer, x[::-1].copy()[::-1], given), expected)


def test_it_is_taken(isa):
    """On the native backend each layer of one level has it, but for a merge and for DropConnect; it takes all tapes."""
    for kind in set(LAYERS) - {"three layers"}:
        for bidirectional in (False, True):
            layer = LAYERS[kind](bidirectional=bidirectional)
            x = numbers((4, 2, 3))
            y, _, tapes = quick(layer).forward(x)
            assert quick(layer).backward(tapes, np.ones_like(y), True) is not None
            state = states(layer(x)[1])
            asked = dict(state=state, lengths=np.array([2, 4]), reset=np.ones((4, 2), bool))
            y, last, tapes = quick(layer).forward(x, **asked)
            assert quick(layer)(x, **asked) is not None
            assert quick(layer).backward(tapes, np.ones_like(y), True, last) is not None
            tape = layer.forward(x, lengths=[2, 4])[2]  # a list: the long way
            assert quick(layer).forward(x, lengths=[2, 4]) is None
            assert quick(layer).backward(tape.levels[0][1][0], np.ones_like(y), True) is not None
            other = LAYERS[kind](bidirectional=bidirectional)
            assert quick(other).backward(tapes, np.ones_like(y), True) is None
    assert quick(fastrnn.GRU(3, 5, bidirectional=True, merge="sum")) is None
    made = [level.plain is not None for level in fastrnn.GRU(3, 5, num_layers=3, layout="nmt")._standing()]
    assert made == [False, True, False]  # the first and the last have two layouts
    for noise in (dict(zoneout=0.5), dict(recurrent_dropout=0.5), dict(zoneout=0.5, recurrent_dropout=0.5)):
        layer = fastrnn.GRU(3, 5, bidirectional=True, **noise)
        assert quick(layer)(x) is not None
        level = layer.forward(x)[2].levels[0][0]
        assert level.plain is quick(layer) and level._masks is not None
    assert fastrnn.GRU(3, 5, weight_dropout=0.5).forward(x)[2].levels[0][0].plain is None


@pytest.mark.parametrize("given", [
    dict(num_layers=2), dict(bidirectional=True, merge="mul"), dict(bidirectional=True, merge="ave"), dict(zoneout=0.3),
    dict(recurrent_dropout=0.3), dict(weight_dropout=0.3), dict(num_layers=2, dropout=0.3),
])  # fmt: skip
def test_others_take_the_long_way(given, engine):
    x, found = numbers((5, 2, 3)), []
    for step in (plain_step, long_way):  # each from the same numbers of the generator
        layer = fastrnn.LSTM(3, 5, seed=0, **given)
        found.append(step(layer, x, numbers(fastrnn.LSTM(3, 5, **given)(x)[0].shape, seed=2)))
    assert_same(*found)


NOISE = {"plain": {}, "zoneout": dict(zoneout=0.3), "both": dict(zoneout=0.6, recurrent_dropout=0.3)}


@pytest.mark.parametrize("layout", SHAPES)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell, noise", [
    (fastrnn.RNN, "plain"), (fastrnn.LSTM, "plain"), (fastrnn.GRU, "plain"), (fastrnn.LSTM, "zoneout"), (fastrnn.GRU, "both"),
])  # fmt: skip
def test_what_is_given_beside_x_has_the_bits_of_the_long_way(cell, noise, bidirectional, layout, isa, dtype):
    """States, lengths and reset, alone and together, in evaluation and training, and what comes back to the last states."""

    def make():  # each from the same numbers of the generator
        return cell(3, 18, seed=0, bidirectional=bidirectional, layout=layout, dtype=dtype, **NOISE[noise])

    for T, m in ((7, 1), (40, 3), (0, 2), (3, 0)):
        x = numbers(SHAPES[layout](T, m, 3), dtype)
        (y, last), rng = make()(x), np.random.default_rng(5)
        dy = numbers(y.shape, dtype, 2)
        state, dstate = (tuple(numbers(part.shape, dtype, seed) for part in states(last)) for seed in (3, 4))
        state, dstate = (each if isinstance(last, tuple) else each[0] for each in (state, dstate))
        reset = rng.random((T, m)) < 0.3 if layout == "tmn" else (rng.random((T, m)) < 0.3).T
        lengths = rng.integers(0, T + 1, m)
        for asked in (dict(state=state), dict(lengths=lengths), dict(reset=reset), dict(reset=reset[::-1], lengths=np.full(m, T)),
                      dict(state=state, lengths=lengths, reset=reset)):  # fmt: skip
            expected = long_way(make(), x, dy, asked, dstate=dstate)
            assert_same(plain_step(make(), x, dy, asked, dstate=dstate), expected)
            layer, other = make(), make()
            other._standing()[0].plain = None
            for ours, theirs in zip(layer(x, **asked), other(x, **asked), strict=True):
                assert [part.tobytes() for part in states(ours)] == [part.tobytes() for part in states(theirs)]


def test_arguments_of_any_form_are_read(engine):
    layer, x, dy = fastrnn.LSTM(3, 5, seed=0, bidirectional=True), numbers((6, 4, 3)), numbers((6, 4, 10), seed=2)
    one, two = numbers((2, 4, 5), seed=3), numbers((2, 4, 5), seed=4)
    lengths, reset = np.array([6, 0, 3, 4]), np.random.default_rng(5).random((6, 4)) < 0.3
    expected = long_way(layer, x, dy, dict(state=(one, two), lengths=lengths, reset=reset), dstate=(two, one))
    wide = np.zeros((2, 8, 5), np.float32)
    wide[:, ::2] = one
    for state in ((one, two), [one, two], (np.asfortranarray(one), wide[:, ::2] * 0 + two), (wide[:, ::2], two),
                  (one.astype(">f4"), two), (one, two[::-1].copy()[::-1])):  # fmt: skip
        for own in (lengths, lengths.tolist(), lengths.astype(np.int8), lengths.astype(np.uint64), lengths.astype(">i8"),
                    np.repeat(lengths, 2)[::2]):  # fmt: skip
            for flags in (reset, reset.tolist(), np.asfortranarray(reset), reset[::-1].copy()[::-1]):
                asked = dict(state=state, lengths=own, reset=flags)
                assert_same(plain_step(layer, x, dy, asked, dstate=[two, one]), expected)


def test_a_tape_keeps_its_lengths(engine):
    layer, x, dy = fastrnn.LSTM(3, 5, seed=0, bidirectional=True), numbers((6, 4, 3)), numbers((6, 4, 10), seed=2)
    lengths = np.array([6, 0, 3, 4])
    expected = plain_step(layer, x, dy, dict(lengths=lengths.tolist()))
    y, last, tape = layer.forward(x, lengths=lengths)
    lengths[:] = 10**9
    assert_same((y, last, *layer.backward(dy, tape)), expected)


STATE = r"state h: expected shape \(num_layers \* directions, m, n_a\) = \(1, 2, 5\), got "


@pytest.mark.parametrize("asked, error, words", [
    (dict(state=numbers((1, 2, 5))), TypeError, r"state: expected a pair \(h, c\), got ndarray"),
    (dict(state=(numbers((1, 2, 5)),)), TypeError, r"state: expected a pair \(h, c\), got tuple"),
    (dict(state=(numbers((2, 5)), numbers((1, 2, 5)))), ValueError, STATE + r"\(2, 5\)"),
    (dict(state=(numbers((1, 5, 2)), numbers((1, 2, 5)))), ValueError, STATE + r"\(1, 5, 2\)"),
    (dict(state=(numbers((1, 2, 5)), numbers((2, 1, 5)))), ValueError, "state c: expected shape"),
    (dict(state=(numbers((1, 2, 5), np.float64), numbers((1, 2, 5)))), TypeError, "state h: expected float32, got float64"),
    (dict(state=(np.ma.masked_array(numbers((1, 2, 5))), numbers((1, 2, 5)))), TypeError, "state h: expected an array without"),
    (dict(state=(None, None)), (TypeError, ValueError), "state h: expected"),
    (dict(lengths=np.array([4, 5])), ValueError, "lengths: expected integers from 0 to T = 4, got 5"),
    (dict(lengths=np.array([4, -1])), ValueError, "lengths: expected integers from 0 to T = 4, got -1"),
    (dict(lengths=np.array([4, 4, 4])), ValueError, r"lengths: expected shape \(m,\) with m = 2, got \(3,\)"),
    (dict(lengths=np.array([[4, 4]])), ValueError, r"lengths: expected shape \(m,\) with m = 2, got \(1, 2\)"),
    (dict(lengths=np.array([4.0, 4.0])), TypeError, "lengths: expected integers, got float64"),
    (dict(lengths=np.array([1, 1], "m8[s]")), TypeError, "lengths: expected integers, got timedelta64"),
    (dict(lengths=np.ma.masked_array([4, 4])), TypeError, "lengths: expected an array without a mask"),
    (dict(reset=np.zeros((4, 2), np.int8)), TypeError, "reset: expected booleans, got int8"),
    (dict(reset=np.zeros((2, 4), bool)), ValueError, "reset: expected the shape of x without features"),
    (dict(reset=np.zeros((4, 2, 1), bool)), ValueError, "reset: expected the shape of x without features"),
    (dict(reset=np.ma.masked_array(np.zeros((4, 2), bool))), TypeError, "reset: expected an array without a mask"),
])  # fmt: skip
def test_what_does_not_fit_beside_x_is_refused_as_before(asked, error, words, engine):
    layer, x, dy = fastrnn.LSTM(3, 5, seed=0), numbers((4, 2, 3)), numbers((4, 2, 5), seed=2)
    for _ in range(2):  # the first call makes the quick way
        for call in (layer, layer.forward):
            with pytest.raises(error, match=words):
                call(x, **asked)
    if "state" in asked:
        tape = layer.forward(x)[2]
        with pytest.raises(error, match=words.replace("state", "dstate", 1)):
            layer.backward(dy, tape, asked["state"])
        assert_same((*layer.forward(x)[:2], *layer.backward(dy, tape)), plain_step(layer, x, dy))


def test_what_is_asked_for_beside_the_plain_call_is_heard(engine):
    layer, x, dy = fastrnn.LSTM(3, 5, seed=0, bidirectional=True), numbers((4, 2, 3)), numbers((4, 2, 10), seed=2)
    plain, one = plain_step(layer, x, dy), numbers((2, 2, 5), seed=3)
    for forward, backward in (
        (dict(state=(one, one)), {}), (dict(lengths=[2, 4]), {}), (dict(reset=np.arange(8).reshape(4, 2) > 5), {}),
        ({}, dict(dstate=(one, one))), ({}, dict(dcells=dy)),
    ):  # fmt: skip
        y, _, tape = layer.forward(x, **forward)
        dx, _, grads = layer.backward(dy, tape, **backward)
        assert np.array_equal(y, plain[0]) == (not forward)
        assert not np.array_equal(dx, plain[2]) and not np.array_equal(grads["weight_hh_l0"], plain[4]["weight_hh_l0"])
    y, _, tape = layer.forward(x, checkpoint=16)
    np.testing.assert_allclose(layer.backward(dy, tape)[0], plain[2], rtol=1e-5, atol=1e-6)
    dx, dstate, grads = layer.backward(None, layer.forward(x)[2])
    assert not dx.any() and not any(g.any() for g in grads.values())


@pytest.mark.parametrize("wrong, error, words", [
    (lambda dy: dy.astype(np.float64), TypeError, "dy: expected float32"),
    (lambda dy: dy.astype(np.int32), TypeError, "dy: expected float32"),
    (lambda dy: dy[:-1], ValueError, r"dy: expected the shape of y, \(4, 2, 5\), got \(3, 2, 5\)"),
    (lambda dy: dy[:, :1], ValueError, r"dy: expected the shape of y, \(4, 2, 5\), got \(4, 1, 5\)"),
    (lambda dy: dy[..., :3], ValueError, r"dy: expected the shape of y, \(4, 2, 5\), got \(4, 2, 3\)"),
    (lambda dy: dy[None], ValueError, "dy: expected the shape of y"),
    (lambda dy: np.ma.masked_array(dy), TypeError, "dy: expected an array without a mask"),
    (lambda dy: dy.astype("M8[s]"), TypeError, "dy: expected"),
    (lambda dy: "text", ValueError, "dy: expected the shape of y"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_as_before_and_the_tape_stays(wrong, error, words, engine):
    layer, x, dy = fastrnn.GRU(3, 5, seed=0), numbers((4, 2, 3)), numbers((4, 2, 5), seed=2)
    y, last, tape = layer.forward(x)
    with pytest.raises(error, match=words):
        layer.backward(wrong(dy), tape)
    assert_same((y, last, *layer.backward(dy, tape)), plain_step(layer, x, dy))
    with pytest.raises(ValueError, match="tape: expected one that was not used yet"):
        layer.backward(dy, tape)
    with pytest.raises(ValueError, match="tape: expected what forward of this layer returned, got Tape of another layer"):
        fastrnn.GRU(3, 5, seed=0).backward(dy, layer.forward(x)[2])
    with pytest.raises(ValueError, match="dcells: expected None for GRU.*, got an array"):
        layer.backward(dy, layer.forward(x)[2], dcells=dy)


def test_one_sequence_keeps_its_shapes(engine):
    layer, x, dy = fastrnn.RNN(3, 5, seed=0), numbers((4, 3)), numbers((4, 5), seed=2)
    expected = plain_step(layer, x[:, None], dy[:, None])
    found = plain_step(layer, x, dy)
    assert found[0].shape == (4, 5) and found[1].shape == (1, 5) and found[2].shape == (4, 3) and found[3].shape == (1, 5)
    assert all(ours.tobytes() == theirs.tobytes() for ours, theirs in pairs(found, expected))
    with pytest.raises(ValueError, match=r"dy: expected the shape of y, \(4, 5\), got \(4, 1, 5\)"):
        layer.backward(dy[:, None], layer.forward(x)[2])


def test_a_tape_stays_with_the_weights_and_the_backend_that_made_it(engine):
    layer, x, dy = fastrnn.LSTM(3, 5, seed=0, bidirectional=True), numbers((4, 2, 3)), numbers((4, 2, 10), seed=2)
    expected = plain_step(layer, x, dy)
    y, last, tape = layer.forward(x)
    layer.update({"bias_ih_l0": np.full(20, 0.5)})
    assert not np.array_equal(plain_step(layer, x, dy)[2], expected[2])
    with fastrnn.backend("numpy"):
        layer(x)
        assert_same((y, last, *layer.backward(dy, tape)), expected)


def test_every_result_is_an_array_of_its_own(engine):
    layer, x, dy = fastrnn.GRU(3, 5, seed=0, bidirectional=True), numbers((4, 2, 3)), numbers((4, 2, 10), seed=2)
    before = x.copy(), dy.copy()
    expected = plain_step(layer, x, dy)
    for _ in range(2):
        y, last, dx, dstate, grads = found = plain_step(layer, x, dy)
        assert_same(found, expected)
        arrays = [y, last, dx, dstate, *grads.values(), x, dy, *layer.parameters().values()]
        assert not any(np.shares_memory(one, other) for k, one in enumerate(arrays) for other in arrays[:k])
        for array in (y, last, dx, dstate, *grads.values()):
            array[...] = np.nan
    assert np.array_equal(x, before[0]) and np.array_equal(dy, before[1])


@pytest.mark.parametrize("noise", NOISE)
def test_nothing_is_held_after_a_step(noise, engine):
    layer, x, dy = fastrnn.LSTM(3, 5, seed=0, layout="nmt", **NOISE[noise]), numbers((3, 2, 40)), numbers((5, 2, 40), seed=2)
    h, lengths, reset = numbers((1, 2, 5), seed=3), np.array([40, 7]), np.arange(80).reshape(2, 40) % 7 == 0
    asked = dict(state=(h, h), lengths=lengths, reset=reset)
    given = x, dy, h, lengths, reset
    plain_step(layer, x, dy, asked, dstate=(h, h))
    gc.collect()
    counts = [sys.getrefcount(array) for array in given]
    for _ in range(3):
        results = plain_step(layer, x, dy, asked, dstate=(h, h))
        layer(x, **asked)
        for wrong in (dict(lengths=lengths + 1), dict(reset=reset.T), dict(state=(h, h[:, :1]))):
            with pytest.raises(ValueError, match="expected"):
                layer.forward(x, **{**asked, **wrong})
        with pytest.raises(ValueError, match="dy: expected"):
            layer.backward(dy[:, :1], layer.forward(x)[2])
    assert all(sys.getrefcount(array) <= 4 for array in results[4].values())
    del results, wrong
    gc.collect()
    assert [sys.getrefcount(array) for array in given] == counts
    for array in (x, dy, h, lengths):
        array.resize((1,), refcheck=False)  # refused while anybody has its buffer


@pytest.mark.parametrize("asked", [
    {}, dict(state=numbers((1, 2, 5), seed=3), lengths=np.array([20, 7]), reset=np.arange(40).reshape(20, 2) % 7 == 0),
], ids=["plain", "given"])  # fmt: skip
def test_threads_of_the_caller_do_not_mind_each_other(asked, engine):
    layer, x, dy = fastrnn.GRU(3, 5, seed=0), numbers((20, 2, 3)), numbers((20, 2, 5), seed=2)
    expected, found = plain_step(layer, x, dy, asked), []

    def work():
        found.extend(plain_step(layer, x, dy, asked) for _ in range(20))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 80
    for each in found:
        assert_same(each, expected)


def test_what_an_empty_object_gives():
    core = pytest.importorskip("fastrnn._core")
    empty = core.Training.__new__(core.Training)
    x = np.zeros((1, 1, 3), np.float32)
    assert empty(x) is None and empty.forward(x) is None and empty.backward([], x, True) is None
    layer = fastrnn.RNN(3, 5)
    with fastrnn.backend("native"):
        plain = quick(layer)
    with pytest.raises(ValueError, match="expected a filled tape"):
        plain.backward([core.Tape.__new__(core.Tape)], x, True)
    with pytest.raises(RuntimeError, match="made once"):
        plain.__init__(plain.weights, plain.runs, (0, 1, 2), np.empty, x.dtype, lambda: 1, False, [{}])


def test_what_can_not_go_side_by_side():
    core = pytest.importorskip("fastrnn._core")
    with fastrnn.backend("native"):
        plain = quick(fastrnn.RNN(3, 5))
    own = (0, 1, 2), np.empty, np.dtype(np.float32), lambda: 1
    for count, apart, names in [(17, True, [{}]), (2, False, [{}]), (2, True, [{}, {}]), (3, False, [{}] * 3)]:
        with pytest.raises(ValueError, match="^fastrnn: expected"):
            core.Training(plain.weights[:1] * count, [None] * count, *own, apart, names)


PAGES = """
import resource, numpy as np, fastrnn
layer = fastrnn.Ensemble([fastrnn.LSTM(32, 32, seed=k) for k in range(8)])
x = np.ones((10, 8, 32), np.float32)
def step():
    y, _, tape = layer.forward(x)
    layer.backward(y, tape)
for _ in range(20): step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50): step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators keep what they like")
def test_a_loop_of_small_steps_has_the_pages_it_needs():
    """Each of two gradients has 128 KiB, at which glibc begins to give memory back."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    faults = subprocess.run([sys.executable, "-c", PAGES], env=env, capture_output=True, text=True, check=True, timeout=120)
    assert int(faults.stdout) < 50 * 10
