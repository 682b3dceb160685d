"""The specification against its own equations: by hand, and by central differences at float64."""

import math
import warnings

import numpy as np
import pytest
from cases import BLOCKS, CELLS, GATES, Guarded, assert_same_results, data, each_case, each_cell, evaluate, truth

from fastrnn import reference
from fastrnn.reference import activations, gru, lstm, rnn, sequence, slstm

SIZES = (3, 4, 2, 5)


def sigmoid(v):
    return 1 / (1 + math.exp(-v))


def by_hand(d):
    """One step of one sequence from the formulas alone, in Python's own numbers: a', and c' or None."""
    n_x, n_a, _, _ = d.sizes
    x, a = d.x[0, 0].tolist(), d.state[0][0].tolist()

    def affine(W, b, v, row):
        return b[row] + sum(W[row][k] * v[k] for k in range(len(v)))

    def input_side(gate, j):
        return affine(d.W_x, d.b_x, x, gate * n_a + j)

    def state_side(gate, j, v=a):
        return affine(d.W_a, d.b_a, v, gate * n_a + j)

    def total(gate, j):
        return input_side(gate, j) + state_side(gate, j)

    units = range(n_a)
    if d.cell == "rnn_tanh":
        return [math.tanh(total(0, j)) for j in units], None
    if d.cell == "rnn_relu":
        return [max(0.0, total(0, j)) for j in units], None
    if d.cell == "lstm":
        c = [
            sigmoid(total(1, j)) * d.state[1][0][j] + sigmoid(total(0, j)) * math.tanh(total(2, j)) for j in units
        ]
        return [sigmoid(total(3, j)) * math.tanh(c[j]) for j in units], c
    if d.cell == "slstm":  # the sums themselves, as large as they are, and only then in units of exp(m)
        old = d.state[1][0].reshape(3, n_a).tolist()
        f, i = [sigmoid(total(1, j)) * math.exp(old[2][j]) for j in units], [math.exp(total(0, j)) for j in units]
        C = [f[j] * old[0][j] + i[j] * math.tanh(total(2, j)) for j in units]
        N = [f[j] * old[1][j] + i[j] for j in units]
        unit = [max(f[j], i[j]) for j in units]
        c = [*(C[j] / unit[j] for j in units), *(N[j] / unit[j] for j in units), *map(math.log, unit)]
        return [sigmoid(total(3, j)) * C[j] / N[j] for j in units], c
    r = [sigmoid(total(0, j)) for j in units]
    z = [sigmoid(total(1, j)) for j in units]
    if d.cell == "gru_after":
        n = [math.tanh(input_side(2, j) + r[j] * state_side(2, j)) for j in units]
    else:
        ra = [r[j] * a[j] for j in units]
        n = [math.tanh(input_side(2, j) + state_side(2, j, ra)) for j in units]
    return [(1 - z[j]) * n[j] + z[j] * a[j] for j in units], None


@each_cell
def test_one_step_by_hand(cell):
    d = data(cell, (3, 4, 1, 1), "float64")
    a, c = by_hand(d)
    out = evaluate(reference, d, np.float64)
    np.testing.assert_array_max_ulp(out.aT[0], np.array(a), 16)
    np.testing.assert_array_equal(out.y[0], out.aT)
    if c is not None:
        np.testing.assert_array_max_ulp(out.cT[0], np.array(c), 16)
        np.testing.assert_array_equal(out.cells[0], out.cT)


def loss(d, changed):
    """A scalar of everything that forward returns, whose gradients are the d… arrays of `data`."""
    value = {"W_x": d.W_x, "W_a": d.W_a, "b_x": d.b_x, "b_a": d.b_a, "x": d.x, "a0": d.state[0], "c0": None}
    if d.cell in BLOCKS:
        value["c0"] = d.state[1]
    value.update(changed)
    weights = reference.Weights(d.cell, value["W_x"], value["W_a"], value["b_x"], value["b_a"], None)
    y, aT = np.empty_like(d.dy), np.empty_like(d.dstate[0])
    cT = cells = None
    if d.cell in BLOCKS:
        cT, cells = np.empty_like(d.dstate[1]), np.empty_like(d.dcells)
    assert reference.forward(weights, value["x"], value["a0"], value["c0"], y, aT, cT, cells, False, 1, None) is None
    total = np.sum(y * d.dy) + np.sum(aT * d.dstate[0])
    return total if cells is None else total + np.sum(cT * d.dstate[1]) + np.sum(cells * d.dcells)


def central_differences(f, array, h=1e-5):
    grad = np.empty_like(array)
    moved = array.copy()
    for index in np.ndindex(array.shape):
        moved[index] = array[index] + h
        above = f(moved)
        moved[index] = array[index] - h
        grad[index] = (above - f(moved)) / (2 * h)
        moved[index] = array[index]
    return grad


# Truncation is h^2 f'''/6, rounding eps f/h: both a few 1e-10 at h = 1e-5 and losses of some tens.
DIFFERENCE_LIMIT = 1e-8


@pytest.mark.parametrize("sizes", [SIZES, (2, 1, 1, 1), (1, 3, 3, 2)], ids=str)
@pytest.mark.parametrize("of", ["x", "a0", "c0", "W_x", "W_a", "b_x", "b_a"])
@each_cell
def test_gradients_by_central_differences(cell, of, sizes):
    d = data(cell, sizes, "float64")
    if of == "c0" and cell not in BLOCKS:
        assert evaluate(reference, d, np.float64).dc0 is None
        return
    array = {"a0": d.state[0], "c0": d.state[-1]}.get(of)
    array = getattr(d, of) if array is None else array
    numeric = central_differences(lambda moved: loss(d, {of: moved}), array)
    exact = getattr(evaluate(reference, d, np.float64), "d" + of)
    assert np.max(np.abs(numeric - exact)) <= DIFFERENCE_LIMIT * max(1, np.max(np.abs(exact)))


@each_cell
def test_step_functions_alone(cell):
    """A step's gradient by central differences, from a step's own functions, with no loop around them."""
    d = data(cell, (3, 4, 2, 1), "float64")
    weights = reference.Weights(cell, d.W_x, d.W_a, d.b_x, d.b_a, None)
    step, step_grad = sequence._STEPS[cell]
    names = "ac"[: len(d.state)]
    prev, grads = dict(zip(names, d.state)), dict(zip(names, d.dstate))

    def f(x, prev):
        now = step(weights, x, {**prev, "seen": prev["a"]})
        return sum(np.sum(now[name] * grads[name]) for name in names)

    before = {**prev, "seen": prev["a"]}
    found = step_grad(weights, d.x[0], before, step(weights, d.x[0], before), grads)
    assert set(found) - {"a"} == {"x", "W_x", "W_a", "b_x", "b_a", "seen", *names} - {"a"}
    found["a"] = found.get("a", 0) + found["seen"]
    numeric = {"x": central_differences(lambda moved: f(moved, prev), d.x[0])}
    for name in names:
        numeric[name] = central_differences(lambda moved, name=name: f(d.x[0], {**prev, name: moved}), prev[name])
    for name, value in numeric.items():
        assert np.max(np.abs(found[name] - value)) <= DIFFERENCE_LIMIT


def test_each_cell_has_its_steps():
    assert sequence._STEPS == {
        "rnn_tanh": (rnn.rnn_tanh_step, rnn.rnn_tanh_step_grad),
        "rnn_relu": (rnn.rnn_relu_step, rnn.rnn_relu_step_grad),
        "lstm": (lstm.lstm_step, lstm.lstm_step_grad),
        "gru_after": (gru.gru_after_step, gru.gru_after_step_grad),
        "gru_before": (gru.gru_before_step, gru.gru_before_step_grad),
        "slstm": (slstm.slstm_step, slstm.slstm_step_grad),
    }
    assert set(CELLS) == set(reference.TAPE_NAMES) == set(sequence.GATES)
    assert sequence.GATES == GATES


@each_case()
@each_cell
def test_rounding_stays_in_its_family(cell, case, dtype):
    """What the tolerances of the suite allow is not less than what plain NumPy needs."""
    d = data(cell, case.sizes, dtype.name)
    out = evaluate(reference, d, dtype)
    assert_same_results(out, truth(cell, case.sizes, dtype.name), d)
    assert all(array.dtype == dtype for array in vars(out).values() if isinstance(array, np.ndarray))


@each_cell
def test_any_strides_and_nothing_outside(cell, dtype):
    d = data(cell, (5, 6, 3, 4), dtype.name)
    guards = {}

    def make(name, shape):
        guards[name] = Guarded(shape, dtype, gap=3, step=2)
        return guards[name].array

    out = evaluate(reference, d, dtype, make)
    plain = evaluate(reference, d, dtype)
    for name, guard in guards.items():
        assert guard.intact(), name
        np.testing.assert_array_equal(getattr(out, name), getattr(plain, name))


@each_cell
def test_none_stands_for_zeros(cell):
    """No bias, no initial state and no gradient are zeros, to the bit."""
    d = data(cell, SIZES, "float64")
    n_x, n_a, m, T = SIZES
    lstm_cell = cell in BLOCKS
    rows = GATES[cell] * n_a
    zeros, c_zeros = np.zeros((m, n_a)), np.zeros((m, BLOCKS.get(cell, 0) * n_a))
    results = []
    for bias, state, c_state, steps in ((None,) * 4, (np.zeros(rows), zeros, c_zeros, np.zeros((T, *c_zeros.shape)))):
        weights = reference.Weights(cell, d.W_x, d.W_a, bias, bias, None)
        c_state = c_state if lstm_cell else None
        y, aT = np.empty((T, m, n_a)), np.empty((m, n_a))
        cT = np.empty_like(c_zeros) if lstm_cell else None
        tape = reference.forward(weights, d.x, state, c_state, y, aT, cT, None, True, 1, None)
        da0, dc0 = np.empty((m, n_a)), np.empty_like(c_zeros) if lstm_cell else None
        dW_x, dW_a, db_x, db_a = np.empty((rows, n_x)), np.empty((rows, n_a)), np.empty(rows), np.empty(rows)
        reference.backward(
            tape, d.dy, state, c_state, steps if lstm_cell else None, None, da0, dc0, dW_x, dW_a, db_x, db_a, 1, {}, False
        )
        results.append(b"".join(array.tobytes() for array in (y, aT, da0, dW_x, dW_a, db_x, db_a)))
    assert results[0] == results[1]


def test_weights_and_tapes_hold_copies():
    d = data("gru_after", SIZES, "float64")
    W_x = d.W_x.copy()
    weights = reference.Weights("gru_after", W_x, d.W_a, None, None, None)
    W_x[:] = 0
    assert np.array_equal(weights.W["x"], d.W_x)
    values = {name: np.ones((2, 4) if name == "a0" else (5, 2, 4)) for name in reference.TAPE_NAMES["gru_after"]}
    tape = reference.Tape(weights, d.x, values)
    values["r"][:] = 0
    out = np.empty((5, 2, 4))
    tape.read("r", out)
    assert (out == 1).all() and (tape.T, tape.m) == (5, 2)


def test_sigmoid_at_its_limits(dtype):
    x = np.array([-np.inf, -1e4, -20, -0.0, 0.0, 20, 1e4, np.inf, np.nan], dtype)
    out = np.empty_like(x)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        reference.activate("sigmoid", x, out)
    assert out[:2].tolist() == [0, 0] and out[3:5].tolist() == [0.5, 0.5] and out[6:8].tolist() == [1, 1]
    assert np.isnan(out[8]) and out.dtype == dtype
    np.testing.assert_array_max_ulp(out[2], np.exp(dtype.type(-20)) / (1 + np.exp(dtype.type(-20))), 1)


def test_relu_lets_nan_through():
    assert np.isnan(activations.relu(np.array([np.nan]))[0])
    d = data("rnn_relu", (2, 2, 1, 1), "float64")
    weights = reference.Weights("rnn_relu", d.W_x, d.W_a, None, None, None)
    now = {"a": np.array([[np.nan, 0.0]])}
    grads = rnn.rnn_relu_step_grad(weights, d.x[0], {"seen": d.state[0]}, now, {"a": np.array([[1.0, np.inf]])})
    assert grads["b_x"].tolist() == [1, 0]
