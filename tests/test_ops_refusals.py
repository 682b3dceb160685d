"""What the array interface refuses, in which words, and that they are the same on every backend."""

import numpy as np
import pytest

from fastrnn import ops

F = np.float64
W_x, W_a, b = np.ones((8, 3)), np.ones((8, 2)), np.ones(8)  # lstm, n_x = 3, n_a = 2
x, a = np.ones((5, 4, 3)), np.ones((4, 2))  # T = 5, m = 4
y = np.ones((5, 4, 2))


def lstm():
    return ops.pack("lstm", W_x, W_a, b, b)


def gru():
    return ops.pack("gru_after", np.ones((6, 3)), np.ones((6, 2)))


def lstm_tape():
    return ops.forward(lstm(), x, training=True).tape


def gru_tape():
    return ops.forward(gru(), x, training=True).tape


def values(**changed):
    found = {name: y for name in ops.tape_names("lstm")} | {"a0": a, "c0": a} | changed
    return {name: value for name, value in found.items() if value is not None}


CELLS = "rnn_tanh, rnn_relu, lstm, gru_after, gru_before, slstm"
FLOATS = "expected float32 or float64, got {}; convert it with .astype(np.float32)"
LIKE = "expected float64 like the weights, got {}; convert it with .astype(np.float64)"

# What is called; the error, and its whole text.
REFUSED = [
    (lambda: ops.pack("elman", W_x, W_a), ValueError, f"cell: expected one of {CELLS}, got 'elman'"),
    (lambda: ops.pack(None, W_x, W_a), ValueError, f"cell: expected one of {CELLS}, got None"),
    (lambda: ops.pack("lstm", W_x, W_a.astype(int)), TypeError, "W_a: " + FLOATS.format("int64")),
    (lambda: ops.pack("lstm", W_x, W_a.astype("f2")), TypeError, "W_a: " + FLOATS.format("float16")),
    (lambda: ops.pack("lstm", W_x, W_a.astype(complex)), TypeError, "W_a: " + FLOATS.format("complex128")),
    (lambda: ops.pack("lstm", W_x.astype("f4"), W_a), TypeError, "W_x: " + LIKE.format("float32")),
    (lambda: ops.pack("lstm", W_x, W_a, b.astype("f4")), TypeError, "b_x: " + LIKE.format("float32")),
    (lambda: ops.pack("lstm", W_x, W_a, b, b.astype("f4")), TypeError, "b_a: " + LIKE.format("float32")),
    (lambda: ops.pack("lstm", W_x, W_a[:7]), ValueError,
     "W_a: expected shape (4 n_a, n_a) with 4 n_a = 8, n_a = 2, got (7, 2)"),
    (lambda: ops.pack("lstm", W_x, W_a[0]), ValueError,
     "W_a: expected shape (4 n_a, n_a) with 4 n_a = 8, n_a = 2, got (2,)"),
    (lambda: ops.pack("rnn_tanh", W_x, W_a), ValueError,
     "W_a: expected shape (n_a, n_a) with n_a = 2, n_a = 2, got (8, 2)"),
    (lambda: ops.pack("lstm", W_x, np.ones((0, 0))), ValueError,
     "W_a: expected shape (4 n_a, n_a) with n_a >= 1, got (0, 0)"),
    (lambda: ops.pack("lstm", W_x, np.float64(3)), ValueError,
     "W_a: expected shape (4 n_a, n_a) with n_a >= 1, got ()"),
    (lambda: ops.pack("lstm", W_x[:6], W_a), ValueError,
     "W_x: expected shape (4 n_a, n_x) with 4 n_a = 8, got (6, 3)"),
    (lambda: ops.pack("lstm", W_x[:, :0], W_a), ValueError,
     "W_x: expected shape (4 n_a, n_x) with n_x >= 1, got (8, 0)"),
    (lambda: ops.pack("lstm", W_x, W_a, b[:, None]), ValueError,
     "b_x: expected shape (4 n_a,) with 4 n_a = 8, got (8, 1)"),
    (lambda: ops.pack("lstm", W_x, W_a, None, b[:2]), ValueError,
     "b_a: expected shape (4 n_a,) with 4 n_a = 8, got (2,)"),
    (lambda: ops.forward(W_x, x), TypeError, "weights: expected weights made by fastrnn.ops.pack, got ndarray"),
    (lambda: ops.forward(lstm_tape(), x), TypeError, "weights: expected weights made by fastrnn.ops.pack, got Tape"),
    (lambda: ops.forward(lstm(), x.astype("f4")), TypeError, "x: " + LIKE.format("float32")),
    (lambda: ops.forward(lstm(), x.astype(int)), TypeError, "x: " + LIKE.format("int64")),
    (lambda: ops.forward(lstm(), x[0]), ValueError, "x: expected shape (T, m, n_x) with n_x = 3, got (4, 3)"),
    (lambda: ops.forward(lstm(), y), ValueError, "x: expected shape (T, m, n_x) with n_x = 3, got (5, 4, 2)"),
    (lambda: ops.forward(lstm(), x, layout="nmt"), ValueError,
     "x: expected shape (n_x, m, T) with n_x = 3, got (5, 4, 3)"),
    (lambda: ops.forward(lstm(), y, layout="mtn"), ValueError,
     "x: expected shape (m, T, n_x) with n_x = 3, got (5, 4, 2)"),
    (lambda: ops.forward(lstm(), x, layout="ntm"), ValueError, "layout: expected one of tmn, mtn, nmt, got 'ntm'"),
    (lambda: ops.forward(lstm(), x, layout=[]), ValueError, "layout: expected one of tmn, mtn, nmt, got []"),
    (lambda: ops.forward(lstm(), x, a), ValueError, "state: expected a tuple (a0, c0), got ndarray"),
    (lambda: ops.forward(lstm(), x, (a,)), ValueError, "state: expected a tuple (a0, c0), got 1 of them"),
    (lambda: ops.forward(gru(), x, (a, a)), ValueError, "state: expected a tuple (a0,), got 2 of them"),
    (lambda: ops.forward(lstm(), x, (a, a[:3])), ValueError,
     "state[1]: expected shape (m, n_a) with m = 4, n_a = 2, got (3, 2)"),
    (lambda: ops.forward(lstm(), x, (a.astype("f4"), a)), TypeError, "state[0]: " + LIKE.format("float32")),
    (lambda: ops.forward(gru(), x, cells=True), ValueError,
     "cells: expected False for a gru_after, which has no cell states, got True"),
    (lambda: ops.backward(lstm(), y), TypeError, "tape: expected a tape made by fastrnn.ops, got Weights"),
    (lambda: ops.backward(None, y), TypeError, "tape: expected a tape made by fastrnn.ops, got NoneType"),
    (lambda: ops.backward(lstm_tape(), y[1:]), ValueError,
     "dy: expected shape (T, m, n_a) with T = 5, m = 4, n_a = 2, got (4, 4, 2)"),
    (lambda: ops.backward(lstm_tape(), y, layout="nmt"), ValueError,
     "dy: expected shape (n_a, m, T) with n_a = 2, m = 4, T = 5, got (5, 4, 2)"),
    (lambda: ops.backward(lstm_tape(), y.astype("f4")), TypeError, "dy: " + LIKE.format("float32")),
    (lambda: ops.backward(lstm_tape(), layout="xyz"), ValueError, "layout: expected one of tmn, mtn, nmt, got 'xyz'"),
    (lambda: ops.backward(lstm_tape(), need_dx=False, layout="xyz"), ValueError,
     "layout: expected one of tmn, mtn, nmt, got 'xyz'"),
    (lambda: ops.backward(lstm_tape(), y, (a, b)), ValueError,
     "dstate[1]: expected shape (m, n_a) with m = 4, n_a = 2, got (8,)"),
    (lambda: ops.backward(gru_tape(), y, a), ValueError, "dstate: expected a tuple (aT,), got ndarray"),
    (lambda: ops.backward(lstm_tape(), y, None, x), ValueError,
     "dcells: expected shape (T, m, n_a) with T = 5, m = 4, n_a = 2, got (5, 4, 3)"),
    (lambda: ops.backward(gru_tape(), y, None, y), ValueError,
     "dcells: expected None for a gru_after, which has no cell states, got an array"),
    (lambda: ops.tape(lstm(), x, values(a=None)), ValueError,
     "values: expected the keys a0, a, c0, c, i, f, g, o, got a0, c0, c, i, f, g, o"),
    (lambda: ops.tape(lstm(), x, {}), ValueError, "values: expected the keys a0, a, c0, c, i, f, g, o, got none"),
    (lambda: ops.tape(lstm(), x, [a, y]), TypeError,
     "values: expected a dict with the keys a0, a, c0, c, i, f, g, o, got list"),
    (lambda: ops.tape(lstm(), x, values(g=x)), ValueError,
     "values['g']: expected shape (T, m, n_a) with T = 5, m = 4, n_a = 2, got (5, 4, 3)"),
    (lambda: ops.tape(lstm(), x, values(c0=y)), ValueError,
     "values['c0']: expected shape (m, n_a) with m = 4, n_a = 2, got (5, 4, 2)"),
    (lambda: ops.tape(lstm(), x, values() | {"a0": None}), TypeError,
     "values['a0']: expected an array of float64 like the weights, got NoneType"),
    (lambda: ops.tape(lstm(), x, values(f=y.astype("f4"))), TypeError, "values['f']: " + LIKE.format("float32")),
    (lambda: ops.read(lstm_tape(), "h"), ValueError, "name: expected one of a0, a, c0, c, i, f, g, o, got 'h'"),
    (lambda: ops.read(gru_tape(), "c"), ValueError, "name: expected one of a0, a, r, z, n, hn, got 'c'"),
    (lambda: ops.read(lstm_tape(), "c", layout="mnt"), ValueError,
     "layout: expected one of tmn, mtn, nmt, got 'mnt'"),
    (lambda: ops.read(lstm_tape(), "c0", layout="mnt"), ValueError,
     "layout: expected one of tmn, mtn, nmt, got 'mnt'"),
    (lambda: ops.read(lstm(), "c"), TypeError, "tape: expected a tape made by fastrnn.ops, got Weights"),
    (lambda: ops.tape_names("tree"), ValueError, f"cell: expected one of {CELLS}, got 'tree'"),
    (lambda: ops.activate("gelu", x), ValueError, "name: expected one of exp, sigmoid, tanh, log_sigmoid, got 'gelu'"),
    (lambda: ops.activate("tanh", np.arange(3)), TypeError, "x: " + FLOATS.format("int64")),
    (lambda: ops.activate("tanh", x.astype("f2")), TypeError, "x: " + FLOATS.format("float16")),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), REFUSED, ids=[text[:60] for _, _, text in REFUSED])
def test_refused(engine, call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == text


def test_float32_weights_refuse_float64_by_name(engine):
    weights = ops.pack("rnn_tanh", np.ones((2, 3), "f4"), np.ones((2, 2), "f4"))
    with pytest.raises(TypeError, match=r"^x: expected float32 like the weights, got float64; .*\.astype\(np\.float32"):
        ops.forward(weights, x)
