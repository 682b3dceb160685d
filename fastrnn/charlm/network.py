"""The network of one text: a step, a whole text in one call, its gradients, and one step of training.

    a⟨t⟩ = tanh(Wax x⟨t⟩ + Waa a⟨t-1⟩ + b)        ŷ⟨t⟩ = softmax(Wya a⟨t⟩ + by)        loss = -Σ_t log ŷ⟨t⟩[Y[t]]

Parameters: Wax (n_a, n_x), Waa (n_a, n_a), Wya (n_y, n_a), b (n_a, 1), by (n_y, 1).  Columns are (n, 1).
"""

import functools
import inspect

import numpy as np

from .. import ops
from ._checks import checked, column, gradient, steps, text, unpacked


def _also(**other_names):
    """Let the keyword of one edition of the course stand for that of the other."""
    def decorate(function):
        order = list(inspect.signature(function).parameters)

        @functools.wraps(function)          # so that help() and inspect show the real signature
        def either(*args, **kwargs):
            for other, name in other_names.items():
                if other in kwargs:
                    if name in kwargs or order.index(name) < len(args):
                        raise TypeError(f"{other}: expected it or {name}, got both")
                    kwargs[name] = kwargs.pop(other)
            return function(*args, **kwargs)
        return either
    return decorate


def clip(gradients, maxValue):
    """New dict of copies of dWaa, dWax, dWya, db, dby, each element limited to [-maxValue, maxValue].

    Raises ValueError naming a gradient that is missing, TypeError one that is not an array of numbers.

    >>> import numpy as np
    >>> from fastrnn.charlm import clip
    >>> gradients = {key: np.array([[-9.0, 1.0]]) for key in ("dWaa", "dWax", "dWya", "db", "dby")}
    >>> clip(gradients, 5)["db"]
    array([[-5.,  1.]])
    """
    return {key: gradient(gradients, key).clip(-maxValue, maxValue)
            for key in ("dWaa", "dWax", "dWya", "db", "dby")}


def rnn_step_forward(parameters, a_prev, x):
    """One step: a_prev (n_a, 1), x (n_x, 1) → a_next (n_a, 1), the distribution of the next character (n_y, 1).

    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> from fastrnn.charlm import initialize_parameters, rnn_step_forward
    >>> a_next, p_t = rnn_step_forward(initialize_parameters(4, 3, 3), np.zeros((4, 1)), np.zeros((3, 1)))
    >>> p_t.T.round(4)
    array([[0.3333, 0.3333, 0.3333]])
    """
    p = checked(parameters)
    n_a, n_x = p["Wax"].shape
    a_prev, x = column("a_prev", a_prev, "n_a", n_a), column("x", x, "n_x", n_x)
    a_next = np.tanh(p["Wax"] @ x + p["Waa"] @ a_prev + p["b"])
    return a_next, softmax(p["Wya"] @ a_next + p["by"])


def rnn_step_backward(dy, gradients, parameters, x, a, a_prev):
    """One step back: adds to `gradients` in place and returns it.

    dy (n_y, 1): gradient before the softmax · x (n_x, 1), a, a_prev (n_a, 1) of that step · gradients: dWax, dWaa,
    dWya, db, dby, and da_next, what the later steps sent to a; it is replaced by what this step sends to a_prev.
    Raises ValueError or TypeError naming the argument that does not fit; the shapes of gradients are left to NumPy.

    >>> import numpy as np
    >>> from fastrnn.charlm import initialize_parameters, rnn_step_backward
    >>> parameters, column = initialize_parameters(1, 1, 1), np.ones((1, 1))
    >>> gradients = {key: np.zeros((1, 1)) for key in ("dWax", "dWaa", "dWya", "db", "dby", "da_next")}
    >>> rnn_step_backward(column, gradients, parameters, column, 0 * column, column)["dby"]
    array([[1.]])
    """
    p = checked(parameters)
    n_y, n_a = p["Wya"].shape
    dy, x = column("dy", dy, "n_y", n_y), column("x", x, "n_x", p["Wax"].shape[1])
    a, a_prev = column("a", a, "n_a", n_a), column("a_prev", a_prev, "n_a", n_a)
    for key in ("dWya", "dby", "db", "dWax", "dWaa", "da_next"):
        gradient(gradients, key)
    dz = (p["Wya"].T @ dy + gradients["da_next"]) * (1 - a * a)
    gradients["dWya"] += dy @ a.T
    gradients["dby"] += dy
    gradients["db"] += dz
    gradients["dWax"] += dz @ x.T
    gradients["dWaa"] += dz @ a_prev.T
    gradients["da_next"] = p["Waa"].T @ dz
    return gradients


@_also(a_prev="a0")
def rnn_forward(X, Y, a0, parameters, vocab_size=27):
    """The loss of one text: X, Y lists of indices, X[t] None for a zero vector; a0 (n_a, 1).

    Returns loss and cache = (y_hat, a, x), dicts of columns keyed by t; a has a0 at -1.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> from fastrnn.charlm import initialize_parameters, rnn_forward
    >>> loss, cache = rnn_forward([None, 1], [1, 0], np.zeros((4, 1)), initialize_parameters(4, 3, 3), vocab_size=3)
    >>> round(loss, 3), sorted(cache[1])
    (2.197, [-1, 0, 1])
    """
    p = checked(parameters, n_x=vocab_size)
    loss, y, states, x, _ = _forward(X, Y, a0, p)
    y, later, x = ({t: row.reshape(-1, 1) for t, row in enumerate(rows)} for rows in (y, states, x))
    return loss, (y, {-1: np.array(a0, states.dtype)} | later, x)


def rnn_backward(X, Y, parameters, cache):
    """Gradients of the loss of one text, from the cache of rnn_forward.

    Returns gradients: dWax, dWaa, dWya, db, dby and da_next, the gradient of a0; and a, the dict of states.
    Raises ValueError or TypeError naming the argument that does not fit, a cache of another number of steps too.

    >>> import numpy as np
    >>> from fastrnn.charlm import initialize_parameters, rnn_backward, rnn_forward
    >>> X, Y, parameters = [None, 1], [1, 0], initialize_parameters(4, 3, 3)
    >>> loss, cache = rnn_forward(X, Y, np.zeros((4, 1)), parameters, vocab_size=3)
    >>> gradients, a = rnn_backward(X, Y, parameters, cache)
    >>> gradients["dby"].T.round(3)
    array([[-0.333, -0.333,  0.667]])
    """
    p = checked(parameters)
    y, states, a0, x, a = unpacked(cache, text(X, Y, p), p)
    tape = ops.tape(_pack(p), x[:, np.newaxis], {"a0": a0, "a": states[:, np.newaxis]})
    gradients, da0 = _backward(Y, y, states, p, tape)
    return {**gradients, "da_next": da0}, a


@_also(a0="a_prev", lr="learning_rate")
def optimize(X, Y, a_prev, parameters, learning_rate=0.01):
    """One step of training on one text: forward, back, clip at 5, update `parameters` in place.

    Returns loss, the clipped gradients, and the last state a[len(X)-1] (n_a, 1).
    Raises ValueError or TypeError naming the argument that does not fit; then no parameter has changed.

    >>> import numpy as np
    >>> from fastrnn.charlm import initialize_parameters, optimize
    >>> parameters = initialize_parameters(4, 3, 3)
    >>> losses = [optimize([None, 1], [1, 0], np.zeros((4, 1)), parameters, lr=0.5)[0] for _ in range(20)]
    >>> losses[-1] < losses[0]
    True
    """
    p = checked(parameters)
    loss, y, states, _, tape = _forward(X, Y, a_prev, p)
    gradients, _ = _backward(Y, y, states, p, tape)
    gradients = clip(gradients, 5)
    update_parameters(parameters, gradients, learning_rate)
    return loss, gradients, states[-1].reshape(-1, 1).copy()


@_also(learning_rate="lr")
def update_parameters(parameters, gradients, lr):
    """parameters[key] -= lr · gradients["d" + key], in place, all or (on an error) none; returns parameters.

    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> from fastrnn.charlm import initialize_parameters, update_parameters
    >>> parameters = initialize_parameters(1, 1, 1)
    >>> gradients = {"d" + key: np.ones((1, 1)) for key in parameters}
    >>> update_parameters(parameters, gradients, lr=0.5)["b"]
    array([[-0.5]])
    """
    for array, step in steps(parameters, gradients, lr):
        np.subtract(array, step, out=array, casting="same_kind")
    return parameters


def initialize_parameters(n_a, n_x, n_y):
    """Small random weights after np.random.seed(1), zero biases.

    Returns a dict of float64 arrays: Wax (n_a, n_x), Waa (n_a, n_a), Wya (n_y, n_a), b (n_a, 1), by (n_y, 1).
    Raises ValueError for a negative size, TypeError for one that is not an integer.

    >>> from fastrnn.charlm import initialize_parameters
    >>> initialize_parameters(50, 27, 27)["Wax"][0, :2].round(5)
    array([ 0.01624, -0.00612])
    """
    np.random.seed(1)
    weights = {key: np.random.randn(*shape) * 0.01
               for key, shape in (("Wax", (n_a, n_x)), ("Waa", (n_a, n_a)), ("Wya", (n_y, n_a)))}
    return {**weights, "b": np.zeros((n_a, 1)), "by": np.zeros((n_y, 1))}


def softmax(z):
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


def _pack(p):
    return ops.pack("rnn_tanh", p["Wax"], p["Waa"], p["b"].ravel())


def _forward(X, Y, a0, p):
    """loss, y (T, n_y), states (T, n_a), x (T, n_x), tape: the whole text in one call."""
    T, n_x = text(X, Y, p), p["Wax"].shape[1]
    a0 = column("a0", a0, "n_a", len(p["b"]))
    x = np.zeros((T, n_x), p["Wax"].dtype)
    for t, index in enumerate(X):
        if index is not None:
            x[t, index] = 1
    result = ops.forward(_pack(p), x[:, np.newaxis], (a0.T.astype(x.dtype),), training=True)
    states = result.y[:, 0]
    y = states @ p["Wya"].T
    y += p["by"].ravel()
    y -= y.max(axis=1, keepdims=True)
    np.exp(y, out=y)
    y /= y.sum(axis=1, keepdims=True)
    loss = -float(np.log(y[np.arange(T), Y]).sum())
    return loss, y, states, x, result.tape


def _backward(Y, dy, states, p, tape):
    """Gradients and that of a0; dy comes in as the predictions and is overwritten."""
    dy[np.arange(len(Y)), Y] -= 1
    back = ops.backward(tape, (dy @ p["Wya"])[:, np.newaxis], need_dx=False)
    return {"dWax": back.dW_x, "dWaa": back.dW_a, "dWya": dy.T @ states,
            "db": back.db_x[:, np.newaxis], "dby": dy.sum(axis=0)[:, np.newaxis]}, back.dstate[0].T
