"""ops.Again, the quicker way for chunk after chunk: the results, and the errors, of ops.forward and ops.backward."""

import numpy as np
import pytest

from fastrnn import ops
from fastrnn.ops import again

T, M, N_X, N_A = 6, 3, 5, 7
TURNED = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}


def drawn(dtype, *shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def packed(cell, dtype):
    rows = ops.arguments.GATES[cell] * N_A
    extras = {"peephole": drawn(dtype, 3, N_A)} if cell == "lstm" else {}
    return ops.pack(cell, drawn(dtype, rows, N_X), drawn(dtype, rows, N_A), drawn(dtype, rows), drawn(dtype, rows, seed=1), **extras)


def asked(cell, kind):
    """(lengths, reset, drop, zoneout)."""
    if kind == "plain":
        return None, None, None, None
    keep = np.random.default_rng(3).random((2, T, M, N_A)) < 0.5
    masks = None if cell == "slstm" else (keep[0], keep[1] if cell == "lstm" else None)
    return np.array([T, 0, 4]), np.random.default_rng(4).random((T, M)) < 0.3, drawn(np.float64, M, N_A), masks


def run(weights, layouts, reverse, given, state, x, dy, through):
    """All arrays of two steps one after the other: the second goes to arrays that are there, and adds up."""
    lengths, reset, drop, zoneout = given
    drop = None if drop is None else drop.astype(x.dtype)
    order, found, sums = TURNED[layouts[0]], [], None
    reset = reset if reset is None or layouts[0] == "tmn" else reset.T
    for keep, out in ((True, None), (True, np.empty_like(dy.transpose(order))), (False, None)):
        if through == "again":
            result = ops.Again(weights, layouts, reverse).forward(
                x.transpose(order), state, lengths, reset, drop, zoneout, out, keep)  # fmt: skip
        else:
            result = ops.forward(
                weights, x.transpose(order), state, layout=layouts[0], training=keep, lengths=lengths, reset=reset,
                reverse=reverse, drop=drop, zoneout=zoneout, out=out,
            )  # fmt: skip
        assert result.cells is None and (out is None or result.y is out) and (result.tape is not None) == keep
        found += [result.y, *result.state]
        if not keep:
            break
        back, into = dy.transpose(TURNED[layouts[1]]), None if out is None else np.empty_like(x.transpose(TURNED[layouts[1]]))
        if through == "again":
            g = ops.Again(weights, layouts, reverse).backward(result.tape, back, result.state, None, True, sums, into)
        else:
            g = ops.backward(result.tape, back, result.state, layout=layouts[1], accumulate=sums, out=into)
        assert (into is None or g.dx is into) and (sums is None or g.dW_x is sums.dW_x)
        sums, state = g, result.state
        found += [g.dx, *g.dstate]
    assert isinstance(sums, ops.Gradients)
    return [*found, *sums[2:6], *(sums.extras[name] for name in sorted(sums.extras))]


@pytest.mark.parametrize("kind", ["plain", "all"])
@pytest.mark.parametrize("layouts", [("tmn", "tmn"), ("mtn", "mtn"), ("nmt", "nmt"), ("tmn", "nmt")], ids="-".join)
@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru_after", "gru_before", "slstm"])
def test_again_has_the_bits_of_forward_and_backward(engine, dtype, cell, layouts, kind):
    weights, x, dy = packed(cell, dtype), drawn(dtype, T, M, N_X), drawn(dtype, T, M, N_A)
    state = tuple(drawn(dtype, M, n, seed=2) for n in (weights.n_h, weights.n_c) if n)
    for reverse in (False, True):
        ours, theirs = (run(weights, layouts, reverse, asked(cell, kind), state, x, dy, way) for way in ("again", "alone"))
        for one, other in zip(ours, theirs, strict=True):
            assert one.dtype == dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def test_the_native_backend_never_takes_the_long_way_here(isa, monkeypatch):
    def long_way(*given, **named):
        raise AssertionError("the long way")

    monkeypatch.setattr(again, "forward", long_way)
    monkeypatch.setattr(again, "backward", long_way)
    x, dy = drawn(np.float32, T, M, N_X), drawn(np.float32, T, M, N_A)
    for cell in ("lstm", "gru_after"):
        weights = packed(cell, np.float32)
        run(weights, ("mtn", "mtn"), True, asked(cell, "all"), None, x, dy, "again")


def test_what_does_not_fit_is_refused_as_before(engine):
    weights, x, dy = packed("lstm", np.float32), drawn(np.float32, T, M, N_X), drawn(np.float32, T, M, N_A)
    once = ops.Again(weights, ("tmn", "tmn"), False)
    nothing = None, None, None, None
    read_only = np.zeros((T, M, N_A), np.float32)
    read_only.flags.writeable = False
    for out, error, words in (
        (np.zeros((T, M, N_A + 1), np.float32), ValueError, "out: expected shape"),
        (np.zeros((T, M, N_A)), TypeError, "out: expected float32"),
        (read_only, ValueError, "out: expected an array that can be written to"),
        ([], TypeError, "out: expected float32"),
    ):
        with pytest.raises(error, match=words):
            once.forward(x, None, *nothing, out, True)
    with pytest.raises(ValueError, match="x: expected shape"):
        once.forward(x[..., :2], None, *nothing, None, True)
    tape = once.forward(x, None, *nothing, None, True).tape
    with pytest.raises(TypeError, match="dy: expected float32"):
        once.backward(tape, dy.astype(np.float64), None, None, True, None, None)
    with pytest.raises(ValueError, match="out: expected shape"):
        once.backward(tape, dy, None, None, True, None, x[:, :1].copy())
    sums = once.backward(tape, dy, None, None, False, None, None)
    assert sums.dx is None
    before = sums.dW_x.copy()
    cut = sums._replace(dW_a=sums.dW_a[:, ::2])
    with pytest.raises(ValueError, match=r"accumulate.dW_a: expected shape \(28, 7\)"):
        once.backward(tape, dy, None, None, False, cut, None)
    assert np.array_equal(sums.dW_x, before)
