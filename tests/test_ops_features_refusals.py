"""What the array interface refuses of what cells and runs can be asked for beyond the plain; on every backend."""

import numpy as np
import pytest

import fastrnn
from fastrnn import ops

W_x, W_a, b = np.ones((8, 3)), np.ones((8, 2)), np.ones(8)  # lstm, n_x = 3, n_a = 2
x, y = np.ones((5, 4, 3)), np.ones((5, 4, 2))  # T = 5, m = 4
keep, reset = y.astype(bool), np.ones((5, 4), bool)
P, p = np.ones((1, 2)), np.ones((3, 2))
norm = {name: b for name in ("gain_x", "shift_x", "gain_a", "shift_a")} | {"gain_c": b[:2], "shift_c": b[:2]}
# Plain weights: what is refused here is refused before a backend sees it.
lstm = ops.pack("lstm", W_x, W_a, b, b)
gru = ops.pack("gru_after", np.ones((6, 3)), np.ones((6, 2)))


def pack(**asked):
    return ops.pack("lstm", W_x, W_a, **asked)


def pack_gru(**asked):
    return ops.pack("gru_after", np.ones((6, 3)), np.ones((6, 2)), **asked)


def accumulate(**changed):
    tape = ops.forward(lstm, x, training=True).tape
    return ops.backward(tape, accumulate=ops.backward(tape)._replace(**changed))


LIKE = "expected float64 like the weights, got {}; convert it with .astype(np.float64)"
KEYS = "gain_x, shift_x, gain_a, shift_a"
BOOLS = "expected booleans, got {}; convert it with .astype(bool)"
ONLY = "expected {}, as only an lstm has it, got {} for a gru_after"

REFUSED = [
    # pack
    (lambda: pack_gru(peephole=p), ValueError, "peephole: " + ONLY.format("None", "an array")),
    (lambda: pack(peephole=p[:2]), ValueError, "peephole: expected shape (3, n_a) with n_a = 2, got (2, 2)"),
    (lambda: pack(peephole=p.astype("f4")), TypeError, "peephole: " + LIKE.format("float32")),
    (lambda: pack(peephole=p.astype(int)), TypeError, "peephole: " + LIKE.format("int64")),
    (lambda: pack_gru(coupled=True), ValueError, "coupled: " + ONLY.format("False", "True")),
    (lambda: pack(clip=0), ValueError, "clip: expected a finite number above 0, got 0"),
    (lambda: pack(clip=-1.5), ValueError, "clip: expected a finite number above 0, got -1.5"),
    (lambda: pack(clip=float("nan")), ValueError, "clip: expected a finite number above 0, got nan"),
    (lambda: pack(clip=float("inf")), ValueError, "clip: expected a finite number above 0, got inf"),
    (lambda: pack(clip=1e-320), ValueError, "clip: expected from 2.23e-308 to 1.8e+308 for float64, got 1e-320"),
    (lambda: pack(clip="3"), TypeError, "clip: expected a number above 0, got str"),
    (lambda: pack(clip=True), TypeError, "clip: expected a number above 0, got bool"),
    (lambda: pack_gru(projection=P), ValueError, "projection: " + ONLY.format("None", "an array")),
    (lambda: pack(projection=b), ValueError, "projection: expected shape (n_h, n_a), got (8,)"),
    (lambda: pack(projection=P[:0]), ValueError,
     "projection: expected shape (n_h, n_a) with n_h >= 1, n_a >= 1, got (0, 2)"),
    (lambda: pack(projection=P.astype("f4")), TypeError, "projection: " + LIKE.format("float32")),
    (lambda: pack(projection=P), ValueError,
     "W_a: expected shape (4 n_a, n_h) with 4 n_a = 8, n_h = 1, got (8, 2)"),
    (lambda: ops.pack("lstm", W_x[:4], W_a[:, :1], projection=P), ValueError,
     "W_x: expected shape (4 n_a, n_x) with 4 n_a = 8, got (4, 3)"),
    (lambda: pack(norm=b), TypeError, f"norm: expected a dict with the keys {KEYS}, gain_c, shift_c, got ndarray"),
    (lambda: pack(norm={}), ValueError, f"norm: expected the keys {KEYS}, gain_c, shift_c, got none"),
    (lambda: pack_gru(norm=norm), ValueError,
     f"norm: expected the keys {KEYS}, got {KEYS}, gain_c, shift_c"),
    (lambda: pack(norm=norm | {"gain_x": b[:2]}), ValueError,
     "norm['gain_x']: expected shape (4 n_a,) with 4 n_a = 8, got (2,)"),
    (lambda: pack(norm=norm | {"shift_c": b}), ValueError, "norm['shift_c']: expected shape (n_a,) with n_a = 2, got (8,)"),
    (lambda: pack(norm=norm | {"gain_a": b.astype("f4")}), TypeError, "norm['gain_a']: " + LIKE.format("float32")),
    # forward
    (lambda: ops.forward(lstm, x, lengths=[1.0, 2, 3, 4]), TypeError, "lengths: expected integers, got float64"),
    (lambda: ops.forward(lstm, x, lengths=[True] * 4), TypeError, "lengths: expected integers, got bool"),
    (lambda: ops.forward(lstm, x, lengths=[1, 2, 3]), ValueError, "lengths: expected shape (m,) with m = 4, got (3,)"),
    (lambda: ops.forward(lstm, x, lengths=3), ValueError, "lengths: expected shape (m,) with m = 4, got ()"),
    (lambda: ops.forward(lstm, x, lengths=[5, 0, 6, 1]), ValueError, "lengths: expected integers from 0 to T = 5, got 6"),
    (lambda: ops.forward(lstm, x, lengths=[5, -1, 3, 1]), ValueError,
     "lengths: expected integers from 0 to T = 5, got -1"),
    (lambda: ops.forward(lstm, x, reset=reset.astype(int)), TypeError, "reset: " + BOOLS.format("int64")),
    (lambda: ops.forward(lstm, x, reset=reset.T), ValueError,
     "reset: expected shape (T, m) with T = 5, m = 4, got (4, 5)"),
    (lambda: ops.forward(lstm, x.transpose(1, 0, 2), layout="mtn", reset=reset), ValueError,
     "reset: expected shape (m, T) with m = 4, T = 5, got (5, 4)"),
    (lambda: ops.forward(lstm, x.T, layout="nmt", reset=reset), ValueError,
     "reset: expected shape (m, T) with m = 4, T = 5, got (5, 4)"),
    (lambda: ops.forward(lstm, x, drop=y[0, :3]), ValueError,
     "drop: expected shape (m, n_h) with m = 4, n_h = 2, got (3, 2)"),
    (lambda: ops.forward(lstm, x, drop=keep[0]), TypeError, "drop: " + LIKE.format("bool")),
    (lambda: ops.forward(lstm, x, zoneout=1.5), ValueError, "zoneout: expected a number from 0 to 1, got 1.5"),
    (lambda: ops.forward(lstm, x, zoneout=float("nan")), ValueError, "zoneout: expected a number from 0 to 1, got nan"),
    (lambda: ops.forward(lstm, x, zoneout=True), TypeError,
     "zoneout: expected a number or a pair (keep_a, keep_c), got bool"),
    (lambda: ops.forward(lstm, x, zoneout=keep), TypeError,
     "zoneout: expected a number or a pair (keep_a, keep_c), got ndarray"),
    (lambda: ops.forward(lstm, x, zoneout=(keep,)), ValueError,
     "zoneout: expected a number or a pair (keep_a, keep_c), got 1 of them"),
    (lambda: ops.forward(lstm, x, zoneout=(keep, None)), ValueError,
     "zoneout[1]: expected booleans, as an lstm has cell states, got None"),
    (lambda: ops.forward(gru, x, zoneout=(keep, keep)), ValueError,
     "zoneout[1]: expected None, as only an lstm has cell states, got an array for a gru_after"),
    (lambda: ops.forward(lstm, x, zoneout=(keep[1:], keep)), ValueError,
     "zoneout[0]: expected shape (T, m, n_h) with T = 5, m = 4, n_h = 2, got (4, 4, 2)"),
    (lambda: ops.forward(lstm, x, zoneout=(keep, y)), TypeError, "zoneout[1]: " + BOOLS.format("float64")),
    (lambda: ops.forward(lstm, x, zoneout=(None, keep)), TypeError, "zoneout[0]: " + BOOLS.format("object")),
    # backward
    (lambda: ops.backward(ops.forward(lstm, x, training=True).tape, accumulate=3), TypeError,
     "accumulate: expected what ops.backward returned, got int"),
    (lambda: accumulate(dW_x=W_a), ValueError, "accumulate.dW_x: expected shape (8, 3), got (8, 2)"),
    (lambda: accumulate(dW_a=W_a.astype("f4")), TypeError,
     "accumulate.dW_a: expected float64 like the weights, got float32"),
    (lambda: accumulate(db_x=None), TypeError, "accumulate.db_x: expected float64 like the weights, got NoneType"),
    (lambda: accumulate(db_a=np.ones(16)[::2]), ValueError,
     "accumulate.db_a: expected a contiguous array that can be written to, got another one"),
    (lambda: accumulate(extras={"peephole": p}), ValueError, "accumulate.extras: expected the keys none, got peephole"),
    (lambda: accumulate(extras=None), ValueError, "accumulate.extras: expected the keys none, got NoneType"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), REFUSED, ids=[text[:70] for _, _, text in REFUSED])
def test_refused(engine, call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == text


def test_states_of_a_projection_are_named_by_their_width():
    with fastrnn.backend("numpy"):  # every check stands above backends
        weights = ops.pack("lstm", W_x, W_a[:, :1], projection=P)
    assert (weights.n_h, weights.n_a) == (1, 2)
    a, c = np.ones((4, 2)), np.ones((4, 2))
    with pytest.raises(ValueError, match=r"^state\[0\]: expected shape \(m, n_h\) with m = 4, n_h = 1, got \(4, 2\)$"):
        ops.forward(weights, x, (a, c))
    tape = ops.forward(weights, x, training=True).tape
    with pytest.raises(ValueError, match=r"^dy: expected shape \(T, m, n_h\) with T = 5, m = 4, n_h = 1, got "):
        ops.backward(tape, y)
    with pytest.raises(ValueError, match="^accumulate.extras: expected the keys projection, got none$"):
        ops.backward(tape, accumulate=ops.backward(tape)._replace(extras={}))
    with pytest.raises(ValueError, match="^weights: expected plain ones, .* got projection$"):
        ops.tape(weights, x, {})
