"""Calls side by side: the results that each has alone."""

import numpy as np
import pytest

import fastrnn
from fastrnn import ops

K, T, M, N_X, N_A = 5, 9, 3, 3, 7
REVERSE = [False, True, True, False, True]


def _group(cell, dtype, count=K):
    rng, G = np.random.default_rng(count), ops.arguments.GATES[cell]
    packs = [ops.pack(cell, *(rng.standard_normal(shape).astype(dtype) for shape in ((G * N_A, N_X), (G * N_A, N_A))))
             for _ in range(count)]  # fmt: skip
    return ops.Group(packs, REVERSE[:count])


def _turned(x, layout):
    return np.ascontiguousarray(x if layout == "tmn" else x.transpose(*((0, 2, 1, 3) if layout == "mtn" else (0, 3, 2, 1))))


def _drawn(dtype, *shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def _same(ours, theirs):
    return all(one is None and other is None or np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("layout", ["tmn", "mtn", "nmt"])
@pytest.mark.parametrize("cell", ["gru_after", "lstm"])
def test_each_call_has_the_bits_it_has_alone(engine, dtype, cell, layout, threads):
    group = _group(cell, dtype)
    x, dy = _turned(_drawn(dtype, K, T, M, N_X), layout), _turned(_drawn(dtype, K, T, M, N_A), layout)
    state = [_drawn(dtype, K, M, N_A)] * (2 if cell == "lstm" else 1)
    lengths, drop = [9, 0, 4], [_drawn(dtype, M, N_A)] * K
    zoneout = [0.1 * k for k in range(K)]
    with fastrnn.num_threads(threads):
        for asked, own in (({}, {}), (dict(lengths=lengths, drop=drop, zoneout=zoneout), dict(lengths=lengths))):
            together = ops.forward_many(group, x, state, layout=layout, training=True, cells=cell == "lstm", **asked)
            back = ops.backward_many(together.tape, dy, state, dy if cell == "lstm" else None, layout=layout)
            for k in range(K):
                mine = {name: asked[name][k] for name in asked if name != "lengths"}
                initial = [part[k] for part in state]
                alone = ops.forward(group.weights[k], x[k], initial, layout=layout, training=True, cells=cell == "lstm",
                                    reverse=REVERSE[k], **own, **mine)  # fmt: skip
                assert _same((together.y[k], *(part[k] for part in together.state)), (alone.y, *alone.state))
                assert cell != "lstm" or np.array_equal(together.cells[k], alone.cells)
                expected = ops.backward(alone.tape, dy[k], initial, dy[k] if cell == "lstm" else None, layout=layout)
                assert _same((back.dx[k], *(part[k] for part in back.dstate)), (expected.dx, *expected.dstate))
                assert _same(back.of(k)[2:6], expected[2:6])


@pytest.mark.parametrize("layout", ["tmn", "mtn", "nmt"])
def test_outputs_side_by_side_of_one_input(engine, dtype, layout):
    group, x = _group("lstm", dtype, 2), _turned(_drawn(dtype, 1, T, M, N_X), layout)[0]
    y, _, cells, tape = ops.forward_many(group, x, layout=layout, cells=True, beside=True)
    assert tape is None
    alone = [ops.forward(w, x, layout=layout, cells=True, reverse=r) for w, r in zip(group.weights, group.reverse)]
    features = layout.index("n")
    assert np.array_equal(y, np.concatenate([one.y for one in alone], features)) and y.flags.c_contiguous
    assert np.array_equal(cells, np.concatenate([one.cells for one in alone], features))


def test_what_does_not_fit_is_refused_before_any_runs(engine, dtype):
    group, x = _group("lstm", dtype, 2), _drawn(dtype, 2, T, M, N_X)
    tapes = ops.forward_many(group, x, training=True).tape
    others = ops.forward_many(group, x[:, 1:], training=True).tape
    y, state = _drawn(dtype, 2, T, M, N_A), _drawn(dtype, 2, M, N_A)
    for call, match in [
        (lambda: ops.forward_many(group, x[..., :2]), r"^x: expected shape \(calls, T, m, n_x\) with calls = 2, n_x = 3, got"),
        (lambda: ops.forward_many(group, x[:1]), "^x: expected shape .* calls = 2"),
        (lambda: ops.forward_many(group, x[0, 0]), r"^x: expected shape \(T, m, n_x\)"),
        (lambda: ops.forward_many(group, x, (state[:1], state)), r"^state\[0\]: expected shape \(calls, m, n_a\)"),
        (lambda: ops.forward_many(_group("gru_after", dtype, 2), x, cells=True), "^cells: expected False"),
        (lambda: ops.backward_many(tapes, y[:, 1:]), r"^dy: expected shape \(calls, T, m, n_a\)"),
        (lambda: ops.backward_many([tapes[0], others[0]], y), "^tapes: expected those of one forward_many"),
        (lambda: ops.Group([*group.weights, *_group("gru_after", dtype, 1).weights]), "^weights: expected those of one form"),
        (lambda: ops.Group(group.weights, [True]), "^reverse: expected 2 of them, got 1"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=match):
            call()


def test_weights_of_two_backends_are_refused(dtype):
    one = _group("lstm", dtype, 1)
    with fastrnn.backend("numpy"):
        other = _group("lstm", dtype, 1)
    if fastrnn.get_backend() == "native":
        with pytest.raises(ValueError, match="^weights: expected those of one backend, got 2"):
            ops.Group([*one.weights, *other.weights])
