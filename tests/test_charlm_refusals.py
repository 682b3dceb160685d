"""What the course's character model refuses, in which words, and that it changes nothing then."""

import re

import numpy as np
import pytest

from fastrnn import charlm

CHARS = dict(enumerate("\nabc"))
INDEX = {c: i for i, c in CHARS.items()}
X, Y = [None, 1, 3, 2, 2], [1, 3, 2, 2, 0]


@pytest.fixture
def p():
    rng = np.random.default_rng(3)
    shapes = {"Wax": (6, 4), "Waa": (6, 6), "Wya": (4, 6), "b": (6, 1), "by": (4, 1)}
    return {key: rng.standard_normal(shape) for key, shape in shapes.items()}


@pytest.fixture
def a0():
    return np.ones((6, 1))


def refuses(message, function, *args, error=ValueError, **kwargs):
    with pytest.raises(error, match="^" + re.escape(message)):
        function(*args, **kwargs)


def test_backward_checks_the_text(p, a0):
    _, cache = charlm.rnn_forward(X, Y, a0, p, 4)
    refuses("Y: expected as many indices as X has", charlm.rnn_backward, X, Y[:-1], p, cache)
    refuses("Y: expected as many indices as X has", charlm.rnn_backward, X, Y[:1], p, cache)
    refuses("Y: expected indices from 0 to 3, got -1 to 3", charlm.rnn_backward, X, [1, 3, 2, 2, -1], p, cache)
    refuses("Y: expected indices from 0 to 3, got 0 to 4", charlm.rnn_backward, X, [1, 3, 2, 4, 0], p, cache)


def test_backward_checks_the_cache(p, a0):
    _, cache = charlm.rnn_forward(X, Y, a0, p, 4)
    refuses("cache: expected y_hat for the steps 0 to 2, as X has 3, got 0, 1, 2, 3, 4", charlm.rnn_backward, X[:3],
            Y[:3], p, cache)
    refuses("cache: expected y_hat for the steps 0 to 5", charlm.rnn_backward, [*X, 1], [*Y, 1], p, cache)
    y_hat, a, x = cache
    later = {t: a[t] for t in range(5)}
    refuses("cache: expected a for the steps -1 to 4", charlm.rnn_backward, X, Y, p, (y_hat, later, x))
    refuses("cache: expected a to be a dict", charlm.rnn_backward, X, Y, p, (y_hat, [], x), error=TypeError)
    refuses("cache: x[2]: expected shape (n_x, 1)", charlm.rnn_backward, X, Y, p, (y_hat, a, x | {2: np.zeros(4)}))
    for wrong in (None, (y_hat, a)):
        refuses("cache: expected (y_hat, a, x)", charlm.rnn_backward, X, Y, p, wrong, error=TypeError)


@pytest.mark.parametrize("wrong", [None, 1.0, True, "a", np.float64(1)])
def test_indices_are_integers(p, a0, wrong):
    kind = type(wrong).__name__
    _, cache = charlm.rnn_forward([1], [1], a0, p, 4)
    for call in (lambda Y: charlm.optimize([1], Y, a0, p), lambda Y: charlm.rnn_forward([1], Y, a0, p, 4),
                 lambda Y: charlm.rnn_backward([1], Y, p, cache)):
        refuses(f"Y: expected integers, got {kind}", call, [wrong], error=TypeError)
    if wrong is not None:
        refuses(f"X: expected integers or None, got {kind}", charlm.optimize, [wrong], [1], a0, p, error=TypeError)
    refuses("Y: expected a list of indices", charlm.optimize, [1], wrong if wrong != "a" else None, a0, p,
            error=TypeError)


def test_arrays_of_indices_are_welcome(p, a0):
    expected = charlm.rnn_forward(X[1:], Y[1:], a0, p, 4)[0]
    assert charlm.rnn_forward(np.array(X[1:]), np.array(Y[1:], np.int8), a0, p, 4)[0] == expected


def test_parameters_of_two_dtypes(p, a0):
    for key in ("Waa", "Wya", "b", "by"):
        mixed = p | {key: p[key].astype(np.float32)}
        message = f'parameters["{key}"]: expected float64 like parameters["Wax"], got float32; convert it with .astype('
        refuses(message, charlm.optimize, X, Y, a0, mixed, error=TypeError)
        refuses(message, charlm.sample, mixed, INDEX, 0, error=TypeError)
    refuses("parameters: expected a dict, got NoneType", charlm.optimize, X, Y, a0, None, error=TypeError)


def test_a_state_of_the_other_float_type(p, a0):
    narrow = {key: value.astype(np.float32) for key, value in p.items()}
    _, cache = charlm.rnn_forward(X, Y, a0, narrow, 4)
    gradients, a = charlm.rnn_backward(X, Y, narrow, cache)
    assert a[-1].dtype == gradients["dWax"].dtype == np.float32


def test_the_other_byte_order(p, a0):
    swapped = {key: value.astype(value.dtype.newbyteorder()) for key, value in p.items()}
    arrays = dict(swapped)
    loss, cache = charlm.rnn_forward(X, Y, a0, p, 4)
    other, other_cache = charlm.rnn_forward(X, Y, a0.astype(">f8"), swapped, 4)
    assert loss == other and charlm.sample(p, INDEX, 1) == charlm.sample(swapped, INDEX, 1)
    expected = charlm.rnn_backward(X, Y, p, cache)[0]
    for key, value in charlm.rnn_backward(X, Y, swapped, other_cache)[0].items():
        assert np.array_equal(value, expected[key])
    assert charlm.optimize(X, Y, a0, p)[0] == charlm.optimize(X, Y, a0, swapped)[0]
    for key in p:
        assert swapped[key] is arrays[key] and np.array_equal(swapped[key], p[key])


def test_vocabularies_that_do_not_fit(p, a0):
    with pytest.raises(ValueError, match=r"n_x = 27, got \(6, 4\) \(n_x is vocab_size\)"):
        charlm.rnn_forward(X, Y, a0, p)
    with pytest.raises(ValueError, match="^X: .*vocab_size = 4"):
        charlm.optimize([None, 4], [1, 1], a0, p)
    refuses("vocab_size: expected 4, for indices from 0 to 3", charlm.model, ["ab"], CHARS, INDEX, 1, 4, 1, 3)
    refuses("ix_to_char: expected a character for each index below vocab_size = 27, got none for 4", charlm.model,
            ["ab"], CHARS, INDEX, 1, 4, 1)
    refuses("char_to_ix: expected indices below 4, the vocab_size of the parameters, got 9", charlm.sample, p,
            {"\n": 9}, 0)
    refuses('parameters["Wya"]: expected n_y = n_x = 4', charlm.sample,
            p | {"Wya": np.zeros((5, 6)), "by": np.zeros((5, 1))}, INDEX, 0)


def test_gradients_that_are_missing(p, a0):
    whole = {f"d{key}": np.ones_like(value) for key, value in p.items()}
    for key in whole:
        part = {name: value for name, value in whole.items() if name != key}
        message = f'gradients["{key}"]: expected an array, got nothing: the key is missing'
        refuses(message, charlm.clip, part, 5)
        refuses(message, charlm.update_parameters, p, part, 0.1)
        refuses(message, charlm.rnn_step_backward, np.ones((4, 1)), part | {"da_next": a0}, p, np.ones((4, 1)), a0, a0)
        refuses(f'gradients["{key}"]: expected an array of numbers, got list', charlm.clip, whole | {key: [1.0]}, 5,
                error=TypeError)
    refuses('gradients["da_next"]: expected', charlm.rnn_step_backward, np.ones((4, 1)), whole, p, np.ones((4, 1)), a0, a0)


def test_an_update_happens_whole_or_not_at_all(p, a0):
    before = {key: value.copy() for key, value in p.items()}
    gradients = {f"d{key}": np.ones_like(value) for key, value in p.items()}
    p["by"].flags.writeable = False
    refuses('parameters["by"]: expected an array to change in place', charlm.update_parameters, p, gradients, 0.1)
    refuses('parameters["by"]: expected an array to change in place', charlm.optimize, X, Y, a0, p)
    p["by"].flags.writeable = True
    for wrong, error in ((np.ones((4, 2)), ValueError), (np.ones(1), ValueError), (1j * np.ones((4, 1)), TypeError),
                         (None, TypeError)):
        refuses('gradients["dby"]: expected', charlm.update_parameters, p, gradients | {"dby": wrong}, 0.1, error=error)
    without = {key: value for key, value in p.items() if key != "by"}
    refuses('parameters["by"]: expected an array, got nothing', charlm.update_parameters, without, gradients, 0.1)
    for wrong in (None, "0.1", 1j, np.ones(1)):
        refuses("lr: expected a number", charlm.update_parameters, p, gradients, wrong, error=TypeError)
    assert all(np.array_equal(p[key], before[key]) for key in p)


def test_one_argument_twice(p, a0):
    refuses("a0: expected it or a_prev, got both", charlm.optimize, X, Y, a0, p, a0=a0, error=TypeError)
    refuses("a_prev: expected it or a0, got both", charlm.rnn_forward, X, Y, a0, p, 4, a_prev=a0, error=TypeError)
    refuses("lr: expected it or learning_rate, got both", charlm.optimize, X, Y, a0, p, 0.1, lr=0.1, error=TypeError)
