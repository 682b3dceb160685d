"""The course's functions against tests/independent.py, and all that a drop-in must also do.

At float64: outputs to 1e-12, gradients to 1e-10 of their largest element.  At float32: roundings counted.
"""

import copy
import inspect
import pickle
from functools import lru_cache

import numpy as np
import pytest

import independent
from cases import assert_sum
from course_data import BACKWARD, CELL_BACKWARD, CELL_FORWARD, FORWARD, GATES, STATE, each_kind, make
from fastrnn import course

# n_x, n_a, n_y, m, T: all one; primes; a tail after a vector; a name, one at a time
SIZES = [(1, 1, 1, 1, 1), (3, 5, 2, 10, 7), (17, 33, 5, 2, 19), (27, 100, 27, 1, 12)]
each_size = pytest.mark.parametrize("sizes", SIZES, ids=["x{}a{}y{}m{}T{}".format(*s) for s in SIZES])


def truth(kind, x, start, p, d, **options):
    forward = getattr(independent, f"{kind}_forward")(x, start, p, **options)
    options.pop("output", None)
    return forward, getattr(independent, f"{kind}_backward")(d, x, start, p, **options)


@lru_cache(maxsize=None)
def truth_of(kind, sizes, dtype, options):
    """The same for the arrays that `make` makes, which many tests share."""
    return truth(kind, *make(kind, sizes, dtype), **dict(options))


def assert_close(actual, expected, sizes, what, gradient):
    n_x, n_a, n_y, m, T = sizes
    assert actual.shape == expected.shape, what
    if actual.dtype == np.float64:
        scale = max(np.max(np.abs(expected), initial=0), 1e-300) if gradient else 1
        assert np.max(np.abs(actual - expected), initial=0) <= (1e-10 * scale if gradient else 1e-12), what
    else:
        assert actual.dtype == np.float32, what
        assert_sum(actual, expected, 16 + n_x + 4 * n_a + 4 * T + gradient * m * T, what)


def check(kind, sizes, dtype, **options):
    """Forward and backward of one network against the independent one."""
    x, start, p, d = make(kind, sizes, dtype)
    run, gradients = truth_of(kind, sizes, dtype, tuple(options.items()))
    *outputs, caches = FORWARD[kind](x, start, p, **options)
    names = (STATE[kind], "y", "c")[: len(outputs)]
    for name, output in zip(names, outputs, strict=True):
        assert_close(output, run[name], sizes, name, gradient=False)
    actual = BACKWARD[kind](d, caches)
    for key, value in actual.items():
        assert_close(value, gradients[key], sizes, key, gradient=True)
    return actual


@each_size
@each_kind
def test_a_sequence(kind, sizes, engine, dtype, threads):
    check(kind, sizes, dtype)


@each_kind
def test_sigmoid_output(kind, engine, dtype):
    check(kind, (3, 5, 2, 4, 6), dtype, output="sigmoid")


def test_relu(engine, dtype):
    check("rnn", (3, 5, 2, 4, 6), dtype, activation="relu")


@pytest.mark.parametrize("simplified", ["reset", "update"])
def test_simplified_gru(simplified, engine, dtype):
    gradients = check("gru", (3, 5, 2, 4, 6), dtype, simplified=simplified)
    gate = simplified[0]
    assert not gradients[f"dW{gate}"].any() and not gradients[f"db{gate}"].any(), "a fixed gate has no gradient at all"
    x, c0, p, dc = make("gru", (3, 5, 2, 4, 6), dtype)
    del p[f"W{gate}"], p[f"b{gate}"]
    _, _, caches = course.gru_forward(x, c0, p, simplified=simplified)
    assert all((cell[2 if gate == "u" else 3] == 1).all() for cell in caches[0]), "exactly 1"
    for again in (caches, (list(caches[0]), x)):
        for key, value in course.gru_backward(dc, again, simplified=simplified).items():
            assert np.allclose(value, gradients[key], rtol=0, atol=100 * np.finfo(dtype).eps * max(1, abs(value).max()))
    with pytest.raises(ValueError, match="simplified"):
        course.gru_backward(dc, caches, simplified={"u": "reset", "r": "update"}[gate])


@each_size
@each_kind
def test_a_cell(kind, sizes, engine, dtype):
    n_x, n_a, n_y, m, _ = sizes
    sizes = (n_x, n_a, n_y, m, 1)
    x, start, p, d = make(kind, sizes, dtype)
    xt, dt = x[:, :, 0], d[:, :, 0]
    if kind == "lstm":
        c0, dc = (make("rnn", sizes, dtype, seed=s)[1] for s in (2, 3))
        run = independent.lstm_forward(x, start, p, c0=c0)
        gradients = independent.lstm_backward(d, x, start, p, c0=c0, dc_last=dc)
        a_next, c_next, yt_pred, cache = course.lstm_cell_forward(xt, start, c0, p)
        names = ("a", "c", "a_prev", "c_prev", "f", "i", "g", "o")
        assert_close(c_next, run["c"][:, :, 0], sizes, "c_next", gradient=False)
        actual = course.lstm_cell_backward(dt, dc, cache)
        renamed = {"dxt": gradients["dx"][:, :, 0], "da_prev": gradients["da0"], "dc_prev": gradients["dc0"]}
    else:
        run, gradients = truth(kind, x, start, p, d)
        a_next, yt_pred, cache = CELL_FORWARD[kind](xt, start, p)
        names = ("a", "a_prev") if kind == "rnn" else ("c", "c_prev", "u", "r", "n")
        actual = CELL_BACKWARD[kind](dt, cache)
        s = STATE[kind]
        renamed = {"dxt": gradients["dx"][:, :, 0], f"d{s}_prev": gradients[f"d{s}0"]}
    assert_close(a_next, run[STATE[kind]][:, :, 0], sizes, "state", gradient=False)
    assert_close(yt_pred, run["y"][:, :, 0], sizes, "yt_pred", gradient=False)
    for name, value in zip((*names, None, None), cache, strict=True):
        if name:
            assert_close(value, run[name][:, :, 0], sizes, name, gradient=False)
    assert np.array_equal(cache[-2], xt) and cache[-1] is p and type(cache) is tuple
    for key, value in actual.items():
        assert_close(value, renamed.get(key, gradients.get(key)), sizes, key, gradient=True)


KEYS = {
    "rnn": ["da0", "dWax", "dWaa", "dba"],
    "lstm": ["da0", "dWf", "dbf", "dWi", "dbi", "dWc", "dbc", "dWo", "dbo"],
    "gru": ["dc0", "dWu", "dbu", "dWr", "dbr", "dWc", "dbc"],
}


@each_kind
def test_keys_are_the_course_s(kind):
    x, start, p, d = make(kind)
    caches = FORWARD[kind](x, start, p)[-1]
    assert list(BACKWARD[kind](d, caches)) == ["dx", *KEYS[kind]]
    extra = (d[:, :, 0],) if kind == "lstm" else ()
    previous = ["da_prev", "dc_prev"] if kind == "lstm" else [f"d{STATE[kind]}_prev"]
    assert list(CELL_BACKWARD[kind](d[:, :, 0], *extra, caches[0][0])) == ["dxt", *previous, *KEYS[kind][1:]]


@each_kind
def test_signatures_are_the_course_s(kind):
    def positional(function):
        return [name for name, p in inspect.signature(function).parameters.items() if p.kind is not p.KEYWORD_ONLY]

    s = STATE[kind]
    both = ["a_prev", "c_prev"] if kind == "lstm" else [f"{s}_prev"]
    after = ["da_next", "dc_next"] if kind == "lstm" else [f"d{s}_next"]
    assert positional(CELL_FORWARD[kind]) == ["xt", *both, "parameters"]
    assert positional(FORWARD[kind]) == ["x", f"{s}0", "parameters"]
    assert positional(CELL_BACKWARD[kind]) == [*after, "cache"]
    assert positional(BACKWARD[kind]) == [f"d{s}", "caches"]


# ---- caches ----


def state_names(kind):
    return {"rnn": ("a", "a_prev"), "lstm": ("a", "c", "a_prev", "c_prev", "f", "i", "g", "o"),
            "gru": ("c", "c_prev", "u", "r", "n")}[kind]


@each_kind
def test_caches_are_the_course_s_tuples_made_when_read(kind, engine):
    x, start, p, d = make(kind)
    cells, given = FORWARD[kind](x, start, p)[-1]
    assert given is x and len(cells) == 7
    assert not any(cells._made) and not cells._read, "nothing is built that nobody asks for"
    BACKWARD[kind](d, (cells, x))
    assert not any(cells._made) and not cells._read, "the way back needs no tuple"
    run = getattr(independent, f"{kind}_forward")(x, start, p)
    cell = cells[3]
    assert sum(made is not None for made in cells._made) == 1
    assert cells[3] is cell and cells[-4] is cell
    for t, cell in enumerate(cells):
        for name, value in zip(state_names(kind), cell):
            assert value.flags.c_contiguous
            np.testing.assert_allclose(value, run[name][:, :, t], rtol=0, atol=1e-12, err_msg=name)
        assert np.array_equal(cell[-2], x[:, :, t]) and cell[-1] is p
    assert [c[0][0, 0] for c in cells[1:6:2]] == [cells[t][0][0, 0] for t in (1, 3, 5)]
    assert cells[::-1][0] is cells[6]
    with pytest.raises(IndexError):
        cells[7]


@each_kind
def test_backward_may_be_called_again(kind):
    x, start, p, d = make(kind)
    caches = FORWARD[kind](x, start, p)[-1]
    first, second = BACKWARD[kind](d, caches), BACKWARD[kind](d, caches)
    assert all(np.array_equal(first[key], second[key]) for key in first)
    first["dx"][...] = 0
    assert second["dx"].any()


def own_loop(kind, x, start, p, **options):
    """The course's loop over the cell, as a reader writes it."""
    cells, state = [], (start, np.zeros_like(start)) if kind == "lstm" else (start,)
    for t in range(x.shape[2]):
        *after, _, cache = CELL_FORWARD[kind](x[:, :, t], *state, p, **options)
        state = tuple(after)
        cells.append(cache)
    return cells, x


@each_kind
def test_caches_of_an_own_loop(kind, engine, dtype):
    sizes = (3, 5, 2, 10, 7)
    x, start, p, d = make(kind, sizes, dtype)
    expected = truth(kind, x, start, p, d)[1]
    for caches in (own_loop(kind, x, start, p), list(own_loop(kind, x, start, p))):
        for key, value in BACKWARD[kind](d, caches).items():
            assert_close(value, expected[key], sizes, key, gradient=True)


@each_kind
@pytest.mark.parametrize("steps", [1, 4])
def test_a_shorter_da_takes_the_first_steps(kind, steps, engine):
    x, start, p, d = make(kind)
    d = d[:, :, :steps]
    expected = truth(kind, x[:, :, :steps], start, p, d)[1]
    x[:, :, steps:] = np.inf        # what comes later must not even be touched
    for caches in (FORWARD[kind](x, start, p)[-1], own_loop(kind, x, start, p)):
        for key, value in BACKWARD[kind](d, caches).items():
            assert_close(value, expected[key], (3, 5, 2, 10, steps), key, gradient=True)


@each_kind
def test_a_longer_da_is_refused(kind):
    x, start, p, d = make(kind)
    for caches in (FORWARD[kind](x, start, p)[-1], own_loop(kind, x, start, p)):
        with pytest.raises(ValueError, match=f"^d{STATE[kind]}: expected at most the T_x = 7 steps"):
            BACKWARD[kind](np.concatenate([d, d], axis=2), caches)


@each_kind
def test_no_steps_and_no_sequences(kind, engine):
    for sizes in ((3, 5, 2, 4, 0), (3, 5, 2, 0, 6)):
        x, start, p, d = make(kind, sizes)
        *outputs, caches = FORWARD[kind](x, start, p)
        assert outputs[1].shape == (2, *sizes[3:]) and len(caches[0]) == sizes[4]
        gradients = BACKWARD[kind](d, caches)
        assert gradients["dx"].shape == x.shape and not any(g.any() for g in gradients.values())


def test_a_relu_cache_knows_what_it_is():
    x, a0, p, da = make("rnn")
    expected = truth("rnn", x, a0, p, da, activation="relu")[1]
    for caches in (course.rnn_forward(x, a0, p, activation="relu")[-1], own_loop("rnn", x, a0, p, activation="relu")):
        for again in (caches, (list(caches[0]), x)):
            assert_close(course.rnn_backward(da, again)["dWaa"], expected["dWaa"], (3, 5, 2, 10, 7), "dWaa", True)
            with pytest.raises(ValueError, match="activation: expected 'relu'"):
                course.rnn_backward(da, again, activation="tanh")
    plain = [tuple(cell) for cell in caches[0]]
    assert_close(course.rnn_backward(da, (plain, x), activation="relu")["dx"], expected["dx"], (3, 5, 2, 10, 7), "dx", True)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda c: pickle.loads(pickle.dumps(c))],
                         ids=["deepcopy", "copy", "pickle"])  # fmt: skip
@each_kind
def test_caches_are_copied_as_the_course_s_lists(kind, duplicate, engine):
    x, start, p, d = make(kind)
    options = {"activation": "relu"} if kind == "rnn" else {}
    caches = FORWARD[kind](x, start, p, **options)[-1]
    cells = duplicate(caches[0])
    assert type(cells) is list and len(cells) == 7 and all(isinstance(cell, tuple) for cell in cells)
    assert len({id(cell[-1]) for cell in cells}) == 1, "the parameters are shared, as before"
    expected = BACKWARD[kind](d, caches)
    for again in ((cells, x), duplicate(caches)):
        for key, value in BACKWARD[kind](d, again).items():
            assert_close(value, expected[key], (3, 5, 2, 10, 7), key, True)


def test_caches_that_do_not_belong_together():
    x, a0, p, da = make("rnn")
    cells, _ = own_loop("rnn", x, a0, p)
    with pytest.raises(ValueError, match="a_prev to be the a_next of the step before"):
        course.rnn_backward(da, (cells[::-1], x))
    with pytest.raises(ValueError, match="step 1: expected the parameters of step 0"):
        course.rnn_backward(da, ([cells[0], (*cells[1][:-1], {**p, "Waa": 2 * p["Waa"]}), *cells[2:]], x))
    with pytest.raises(ValueError, match="step 2: expected a tuple"):
        course.rnn_backward(da, ([*cells[:2], cells[2][:3], *cells[3:]], x))
    with pytest.raises(TypeError, match="^caches: expected a pair"):
        course.rnn_backward(da, cells)
    with pytest.raises(ValueError, match="at least one"):
        course.rnn_backward(da[:, :, :0], ([], x))


# ---- forms of the arguments ----


def test_stacked_weights(engine):
    x, a0, p, da = make("rnn")
    stacked = {"Wa": np.hstack([p["Waa"], p["Wax"]]), **{key: p[key] for key in ("ba", "Wya", "by")}}
    a, y, caches = course.rnn_forward(x, a0, p)
    a2, y2, caches2 = course.rnn_forward(x, a0, stacked)
    assert np.array_equal(a, a2) and np.array_equal(y, y2)
    expected = course.rnn_backward(da, caches)
    for again in (caches2, (list(caches2[0]), x)):
        actual = course.rnn_backward(da, again)
        assert actual.keys() == expected.keys() and all(np.allclose(actual[k], expected[k], rtol=1e-13) for k in actual)


@each_kind
@pytest.mark.parametrize("form", ["fortran", "strided", "reversed", "big-endian", "read-only", "unaligned"])
def test_arrays_of_any_form_and_no_argument_is_changed(kind, form, engine):
    def reform(array):
        if form == "fortran":
            return np.asfortranarray(array)
        if form == "strided":
            return np.repeat(np.repeat(array, 2, axis=0), 3, axis=1)[::2, ::3]
        if form == "reversed":
            return array[::-1].copy()[::-1]
        if form == "big-endian":
            return array.astype(">f8")
        if form == "unaligned":
            raw = np.zeros(array.nbytes + 1, np.uint8)
            view = raw[1:].view(np.float64).reshape(array.shape)
            view[...] = array
            return view
        array = array.copy()
        array.flags.writeable = False
        return array

    x, start, p, d = make(kind)
    *outputs, caches = FORWARD[kind](x, start, p)
    expected = BACKWARD[kind](d, caches)
    x2, start2, d2, p2 = reform(x), reform(start), reform(d), {key: reform(value) for key, value in p.items()}
    *outputs2, caches2 = FORWARD[kind](x2, start2, p2)
    actual = BACKWARD[kind](d2, caches2)
    assert all(np.allclose(o, o2, rtol=1e-14, atol=1e-15) for o, o2 in zip(outputs, outputs2, strict=True))
    assert all(np.allclose(actual[key], expected[key], rtol=1e-12, atol=1e-13) for key in expected)
    assert np.array_equal(x2, x) and np.array_equal(d2, d) and all(np.array_equal(p2[key], p[key]) for key in p)
    assert len(caches2[0]) == 7 and np.array_equal(caches2[0][2][-2], x[:, :, 2])


@each_kind
def test_the_widest_float_is_used(kind):
    x, start, p, d = make(kind, dtype=np.float32)
    *outputs, caches = FORWARD[kind](x, start, p)
    assert {o.dtype for o in outputs} == {np.dtype(np.float32)}
    assert {g.dtype for g in BACKWARD[kind](d, caches).values()} == {np.dtype(np.float32)}
    for caches in (caches, own_loop(kind, x, start, p)):
        assert {g.dtype for g in BACKWARD[kind](d.astype(np.float64), caches).values()} == {np.dtype(np.float64)}
    *outputs, caches = FORWARD[kind](x, start, p | {"by": p["by"].astype(np.float64)})
    assert {o.dtype for o in outputs} == {np.dtype(np.float64)}
    assert {g.dtype for g in BACKWARD[kind](d, caches).values()} == {np.dtype(np.float64)}


@each_kind
def test_softmax_is_safe_in_every_column(kind, engine):
    x, start, p, _ = make(kind)
    key = "Wya" if kind == "rnn" else "Wy"
    y = FORWARD[kind](x, start, p | {key: p[key] * 1e4})[1]
    assert np.isfinite(y).all() and np.allclose(y.sum(axis=0), 1)


# ---- gradients of the losses ----


@each_kind
def test_central_differences(kind, engine):
    """Of the loss that a user minimises: through the output layer, at every parameter, input and initial state."""
    x, start, p, _ = make(kind, (2, 3, 4, 2, 3))
    rng = np.random.default_rng(5)
    target = np.eye(4)[:, rng.integers(0, 4, (2, 3))]
    key = "Wya" if kind == "rnn" else "Wy"

    def loss():
        return course.sequence_loss(FORWARD[kind](x, start, p)[1], target)[0]

    state, y, *_, caches = FORWARD[kind](x, start, p)
    dz = course.sequence_loss(y, target)[1]
    gradients = BACKWARD[kind](np.einsum("ya,ymt->amt", p[key], dz), caches)
    gradients[f"d{key}"], gradients["dby"] = np.einsum("ymt,amt->ya", dz, state), dz.sum(axis=(1, 2))[:, None]
    arrays = {"dx": x, f"d{STATE[kind]}0": start, **{f"d{name}": value for name, value in p.items()}}
    assert arrays.keys() == gradients.keys()
    for name, array in arrays.items():
        numeric = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            before = array[index]
            array[index] = before + 1e-5
            up = loss()
            array[index] = before - 1e-5
            numeric[index] = (up - loss()) / 2e-5
            array[index] = before
        assert np.max(np.abs(numeric - gradients[name])) < 1e-8, name


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_sequence_loss(kind, dtype):
    rng = np.random.default_rng(0)
    z = rng.standard_normal((4, 3, 5)).astype(dtype)
    y = (np.eye(4)[:, rng.integers(0, 4, (3, 5))] if kind == "softmax" else rng.random((4, 3, 5))).astype(dtype)

    def activated(z):
        return np.exp(z) / np.exp(z).sum(axis=0) if kind == "softmax" else 1 / (1 + np.exp(-z))

    loss, dz = course.sequence_loss(activated(z), y, kind)
    assert type(loss) is float and dz.dtype == dtype
    wide = z.astype(np.float64)
    assert loss == pytest.approx(independent.sequence_loss(activated(wide), y, kind), rel=100 * float(np.finfo(dtype).eps))
    for index in [(0, 0, 0), (3, 2, 4), (1, 1, 2)]:
        step = np.zeros_like(wide)
        step[index] = 1e-5
        up, down = (independent.sequence_loss(activated(wide + s), y.astype(np.float64), kind) for s in (step, -step))
        assert dz[index] == pytest.approx((up - down) / 2e-5, abs=1e-6 if dtype == np.float32 else 1e-9)


def test_sequence_loss_at_the_edges():
    one, zero = np.ones((1, 1, 1)), np.zeros((1, 1, 1))
    assert course.sequence_loss(one, one, "logistic")[0] == 0 == course.sequence_loss(zero, zero, "logistic")[0]
    loss, dz = course.sequence_loss(zero, one, "logistic")
    assert loss == np.inf and dz[0, 0, 0] == -1
    assert course.sequence_loss(np.full((2, 3), 0.5), np.eye(2)[:, [0, 1, 1]])[1].shape == (2, 3)
    with pytest.raises(ValueError, match="^kind: expected one of"):
        course.sequence_loss(one, one, "hinge")
    with pytest.raises(ValueError, match=r"^y_hat: expected shape|^y: expected shape"):
        course.sequence_loss(one, np.ones((2, 1, 1)))
    with pytest.raises(TypeError, match="^y: expected an array of float32 or float64, got int64"):
        course.sequence_loss(one, np.ones((1, 1, 1), int))


# ---- numbers to know the notebook by ----


def drawn(kind, steps):
    """Arrays in the order in which the course's notebook draws them after np.random.seed(1)."""
    random = np.random.RandomState(1)
    x, start = random.randn(3, 10, steps), random.randn(5, 10)
    if kind == "rnn":
        p = {key: random.randn(*shape) for key, shape in
             (("Waa", (5, 5)), ("Wax", (5, 3)), ("Wya", (2, 5)), ("ba", (5, 1)), ("by", (2, 1)))}
    else:
        p = {key + gate: random.randn(5, columns) for gate in GATES[kind] for key, columns in (("W", 8), ("b", 1))}
        p |= {"Wy": random.randn(2, 5), "by": random.randn(2, 1)}
    return x, start, p, random.randn(5, 10, 7 if kind == "gru" else 4)


def test_known_numbers(engine):
    """Made by tests/independent.py; where the notebook prints the same entry, it prints the same digits."""
    def near(actual, *expected):
        np.testing.assert_allclose(np.ravel(actual), expected, rtol=0, atol=1e-8)

    x, a0, p, da = drawn("rnn", 4)
    a, y_pred, caches = course.rnn_forward(x, a0, p)
    near(a[4][1], -0.99999375, 0.77911235, -0.99861469, -0.99833267)
    near(y_pred[1][3], 0.79560373, 0.86224861, 0.11118257, 0.81515947)
    near(caches[0][1][2][1], *x[1, :, 1])
    gradients = course.rnn_backward(da, caches)
    near(gradients["dx"][1][2], -0.86050481, -0.14439617, -0.02986862, 0.10659932)
    near([gradients["dWax"][3][1], gradients["dWaa"][1][2], gradients["dba"][4][0]], 0.44296399, 0.44183867, -3.51296232)
    x, a0, p, da = drawn("lstm", 7)
    a, y, c, caches = course.lstm_forward(x, a0, p)
    near([a[4][3][6], y[1][4][3], c[1][2][1]], -0.32076903, 0.68663762, 0.99468661)
    gradients = course.lstm_backward(da, caches)        # four steps of seven, as in the notebook
    near(gradients["dx"][1][2], 0.01256373, 0.16328586, -0.12493706, 0.08094572)
    near([gradients["da0"][2][3], gradients["dWf"][3][1], gradients["dbo"][4][0]], 0.04949361, 0.09818751, 0.30408201)
    x, c0, p, dc = drawn("gru", 7)
    c, y, caches = course.gru_forward(x, c0, p)
    near([c[4][3][6], y[1][4][3]], -0.57560002, 0.41095409)
    gradients = course.gru_backward(dc, caches)
    near([gradients["dx"][1][2][0], gradients["dc0"][2][3]], -0.64740317, -2.86268429)
    near([gradients["dWu"][3][1], gradients["dWr"][3][1], gradients["dbc"][4][0]], 0.11407766, -0.19466796, -1.32835741)
