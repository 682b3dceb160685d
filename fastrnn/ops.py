"""The array interface: a sequence forward, and back; checks, layouts and memory above either backend.

Layouts name the axes of x from the slowest to the fastest: "tmn" (T, m, n), "mtn" (m, T, n), "nmt" (n, m, T).
Backends see time-major views of all three, so that no layout costs a copy. States are (m, n_a) in every layout.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from . import _backend, _check
from ._backend import active as active  # for layers, which know ops and not what is below it

_DTYPES = {"float32": _check.FLOAT32, "float64": _check.FLOAT64}
_GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru_after": 3, "gru_before": 3}
_ACTIVATIONS = ("exp", "sigmoid", "tanh")
# Each of the three permutations is its own inverse: one table leads there and back.
_PERMUTATIONS = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}


class Result(NamedTuple):
    """What `forward` returns: y, the final states, the cell states at each step or None, the tape or None."""

    y: np.ndarray
    state: tuple
    cells: Any
    tape: Any


class Gradients(NamedTuple):
    """What `backward` returns: dx (or None), the gradients of the initial states, and of the parameters."""

    dx: Any
    dstate: tuple
    dW_x: np.ndarray
    dW_a: np.ndarray
    db_x: np.ndarray
    db_a: np.ndarray


def pack(cell, W_x, W_a, b_x=None, b_a=None):
    """Copy one cell's parameters into the form that the active backend computes with.

    cell: "rnn_tanh", "rnn_relu", "lstm" (gates i f g o), "gru_after" or "gru_before" (r z n), G = 1, 1, 4, 3, 3 gates.
    W_x (G n_a, n_x) · W_a (G n_a, n_a) · b_x, b_a (G n_a,) or None for zeros; all float32 or all float64.
    Returns weights for `forward`; later changes to the arrays do not reach them.
    Raises ValueError or TypeError naming the argument that does not fit.

    With W_x x + b_x + W_a a + b_a split into gates (fastrnn/reference has a page for each cell, and its source):
    rnn_tanh, rnn_relu   a' = tanh(that), max(that, 0)
    lstm                 c' = sigmoid(f) c + sigmoid(i) tanh(g), a' = sigmoid(o) tanh(c')
    gru_after            n = tanh(W_xn x + b_xn + sigmoid(r) (W_an a + b_an)), a' = (1 - sigmoid(z)) n + sigmoid(z) a
    gru_before           n = tanh(W_xn x + b_xn + W_an (sigmoid(r) a) + b_an), a' likewise

    >>> import numpy as np
    >>> weights = pack("rnn_tanh", np.ones((2, 3)), np.zeros((2, 2)))
    >>> weights.n_x, weights.n_a, weights.dtype
    (3, 2, 'float64')
    """
    _check.one_of("cell", cell, tuple(_GATES))
    gates = _GATES[cell]
    rows = f"{gates} n_a" if gates > 1 else "n_a"
    W_a = _check.floats("W_a", W_a)
    n_a = W_a.shape[-1] if W_a.ndim else 0
    if n_a < 1:
        raise ValueError(f"W_a: expected shape ({rows}, n_a) with n_a >= 1, got {W_a.shape}")
    _check.shape("W_a", W_a, (rows, "n_a"), {rows: gates * n_a, "n_a": n_a})
    W_x = _check.floats("W_x", W_x, W_a.dtype)
    _check.shape("W_x", W_x, (rows, "n_x"), {rows: gates * n_a})
    if W_x.shape[1] < 1:
        raise ValueError(f"W_x: expected shape ({rows}, n_x) with n_x >= 1, got {W_x.shape}")
    biases = []
    for name, b in (("b_x", b_x), ("b_a", b_a)):
        if b is not None:
            b = _check.floats(name, b, W_a.dtype)
            _check.shape(name, b, (rows,), {rows: gates * n_a})
            b = np.ascontiguousarray(b)
        biases.append(b)
    return _backend.active().Weights(cell, np.ascontiguousarray(W_x), np.ascontiguousarray(W_a), *biases)


def forward(weights, x, state=None, *, layout="tmn", training=False, cells=False):
    """Run a cell over m sequences of T steps.

    x in `layout`, n = n_x, of the weights' dtype · state: None for zeros, or (a0,), for an LSTM (a0, c0), each
    (m, n_a) or None. T = 0 and m = 0 are allowed.
    Returns Result: y in `layout` with n = n_a; state as it came, after the last step; with `cells` the LSTM's cell
    states like y; with `training` the tape, which refers to x: leave x as it is until `backward`.
    Raises ValueError or TypeError naming the argument that does not fit. NaN and infinity pass through.

    >>> import numpy as np
    >>> weights = pack("rnn_tanh", np.ones((1, 1)), np.zeros((1, 1)))
    >>> forward(weights, np.zeros((4, 2, 1))).y.shape
    (4, 2, 1)
    """
    backend = _backend.owner("weights", weights)
    dtype, n_a, lstm = _DTYPES[weights.dtype], weights.n_a, weights.cell == "lstm"
    x = _sequence("x", x, dtype, layout, "n_x", weights.n_x)
    T, m, _ = x.shape
    a0, c0 = _states("state", "0", state, lstm, dtype, m, n_a)
    if cells and not lstm:
        raise ValueError(f"cells: expected False, as only an lstm has cell states, got {cells!r} for a {weights.cell}")
    y, y_view = _empty(T, m, n_a, dtype, layout)
    c, c_view = _empty(T, m, n_a, dtype, layout) if cells else (None, None)
    aT = np.empty((m, n_a), dtype)
    cT = np.empty((m, n_a), dtype) if lstm else None
    kept = backend.forward(weights, x, a0, c0, y_view, aT, cT, c_view, bool(training), _backend.get_num_threads())
    return Result(y, (aT, cT) if lstm else (aT,), c, kept)


def backward(tape, dy=None, dstate=None, dcells=None, *, layout="tmn", need_dx=True):
    """Backpropagation through time, from what `forward(..., training=True)` kept.

    dy, and for an LSTM dcells: gradients of y and of the cell states at each step, in `layout`, or None for zeros.
    dstate: gradients of the final states, in the form of `state`. A tape may be used any number of times.
    Returns Gradients, those of parameters summed over m and T; dx is in `layout`, or None unless `need_dx`.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> weights = pack("rnn_tanh", np.ones((1, 1)), np.zeros((1, 1)))
    >>> y, _, _, tape = forward(weights, np.zeros((4, 2, 1)), training=True)
    >>> float(backward(tape, np.ones_like(y)).db_x[0])
    8.0
    """
    backend = _backend.owner("tape", tape)
    weights, T, m = tape.weights, tape.T, tape.m
    dtype, n_x, n_a, lstm = _DTYPES[weights.dtype], weights.n_x, weights.n_a, weights.cell == "lstm"
    _permutation(layout)  # even where nothing has it
    if dy is not None:
        dy = _sequence("dy", dy, dtype, layout, "n_a", n_a, T, m)
    if dcells is not None:
        if not lstm:
            got = f"got an array for a {weights.cell}"
            raise ValueError(f"dcells: expected None, as only an lstm has cell states, {got}")
        dcells = _sequence("dcells", dcells, dtype, layout, "n_a", n_a, T, m)
    daT, dcT = _states("dstate", "T", dstate, lstm, dtype, m, n_a)
    dx, dx_view = _empty(T, m, n_x, dtype, layout) if need_dx else (None, None)
    da0 = np.empty((m, n_a), dtype)
    dc0 = np.empty((m, n_a), dtype) if lstm else None
    rows = weights.gates * n_a
    dW_x, dW_a = np.empty((rows, n_x), dtype), np.empty((rows, n_a), dtype)
    db_x, db_a = np.empty(rows, dtype), np.empty(rows, dtype)
    backend.backward(
        tape, dy, daT, dcT, dcells, dx_view, da0, dc0, dW_x, dW_a, db_x, db_a, _backend.get_num_threads()
    )
    return Gradients(dx, (da0, dc0) if lstm else (da0,), dW_x, dW_a, db_x, db_a)


def tape(weights, x, values, *, layout="tmn"):
    """A tape from arrays, for whoever kept a forward pass in a form of his own.

    x as for `forward` · values: a dict with the names that `tape_names(weights.cell)` lists, each in `layout` with
    n = n_a, the initial states "a0" and "c0" (m, n_a). Values are copied, x is referred to.
    Raises ValueError or TypeError naming the argument that does not fit.
    """
    backend = _backend.owner("weights", weights)
    dtype, n_a = _DTYPES[weights.dtype], weights.n_a
    x = _sequence("x", x, dtype, layout, "n_x", weights.n_x)
    T, m, _ = x.shape
    names = backend.TAPE_NAMES[weights.cell]
    if not isinstance(values, Mapping):
        raise TypeError(f"values: expected a dict with the keys {', '.join(names)}, got {type(values).__name__}")
    if set(values) != set(names):
        raise ValueError(f"values: expected the keys {', '.join(names)}, got {', '.join(map(str, values)) or 'none'}")
    ready = {}
    for name in names:
        label = f"values[{name!r}]"
        if name in ("a0", "c0"):
            ready[name] = _state(label, values[name], dtype, m, n_a)
        else:
            # A tape's own form is not an array's: backends copy from and to contiguous ones.
            ready[name] = np.ascontiguousarray(_sequence(label, values[name], dtype, layout, "n_a", n_a, T, m))
    return backend.Tape(weights, x, ready)


def tape_names(cell):
    """The names of what a tape of `cell` holds, activated gates among them; see docs/equations.md.

    >>> tape_names("gru_before")
    ('a0', 'a', 'r', 'z', 'n')
    """
    _check.one_of("cell", cell, tuple(_GATES))
    return _backend.active().TAPE_NAMES[cell]


def read(tape, name, *, layout="tmn"):
    """Copy one quantity out of a tape, in `layout` with n = n_a; "a0" and "c0" are (m, n_a).

    Raises ValueError for a name that the cell's tape does not hold; `tape_names` lists them.
    """
    backend = _backend.owner("tape", tape)
    weights = tape.weights
    _check.one_of("name", name, backend.TAPE_NAMES[weights.cell])
    order = _permutation(layout)
    initial = name in ("a0", "c0")
    out = np.empty((tape.m, weights.n_a) if initial else (tape.T, tape.m, weights.n_a), _DTYPES[weights.dtype])
    tape.read(name, out)
    return out if initial else np.ascontiguousarray(out.transpose(order))


# Multiply-adds up to which OpenBLAS, the BLAS of NumPy's wheels, keeps a product to the calling thread.
_QUIET_PRODUCT = 2**18


def product(a, b):
    """a @ b for two matrices, in blocks that NumPy's BLAS computes on this thread alone.

    After a product on many threads OpenBLAS's threads spin for a tenth of a second, and the kernels' own threads, which
    come next, would share the processors with them. A product whose blocks would be slivers is left whole.
    """
    (rows, inner), columns = a.shape, b.shape[1]
    longer, shorter = max(rows, columns), min(rows, columns)
    block = _QUIET_PRODUCT // max(1, inner * shorter)
    if block < 8 or block >= longer:
        return a @ b
    out = np.empty((rows, columns), np.result_type(a, b))
    for start in range(0, longer, block):
        part = slice(start, start + block)
        if rows > columns:
            np.matmul(a[part], b, out=out[part])
        else:
            np.matmul(a, b[:, part], out=out[:, part])
    return out


def activate(name, x, out=None):
    """The elementwise function `name` ("exp", "sigmoid", "tanh") of x, a float32 or float64 array of any shape.

    Returns a new array of x's shape and dtype; or fills `out`, a C-contiguous array like it, which may be x itself,
    and returns that: a large new array costs more than its exponentials. NaN gives NaN, infinities give the limits.

    >>> import numpy as np
    >>> activate("sigmoid", np.array([0.0, np.inf]))
    array([0.5, 1. ])
    """
    _check.one_of("name", name, _ACTIVATIONS)
    x = _check.floats("x", x)
    if out is None:
        out = np.empty(x.shape, x.dtype)
    elif (_check.floats("out", out).shape, out.dtype) != (x.shape, x.dtype) or not out.flags.c_contiguous:
        raise ValueError(f"out: expected a C-contiguous {x.dtype} array of shape {x.shape}, got {out.dtype} {out.shape}")
    _backend.active().activate(name, np.ascontiguousarray(x).reshape(-1), out.reshape(-1))
    return out


def _permutation(layout):
    try:
        return _PERMUTATIONS[layout]
    except (KeyError, TypeError):
        raise ValueError(f"layout: expected one of tmn, mtn, nmt, got {layout!r}") from None


def _sequence(name, value, dtype, layout, n, size, T=None, m=None):
    """`value`, given in `layout` with a feature axis `n` of that size, as a checked time-major view."""
    order = _permutation(layout)
    array = _check.floats(name, value, dtype)
    if array.ndim == 3:
        view = array if layout == "tmn" else array.transpose(order)
        shape = view.shape
        if shape[2] == size and (T is None or shape[0] == T and shape[1] == m):
            return view
    axes = ("T", "m", n)
    known = {n: size} if T is None else {"T": T, "m": m, n: size}
    raise _check.shape_error(name, array, [axes[k] for k in order], known)


def _empty(T, m, n, dtype, layout):
    """A new C-contiguous array in `layout`, and its time-major view."""
    order = _permutation(layout)
    if layout == "tmn":
        array = np.empty((T, m, n), dtype)
        return array, array
    sizes = (T, m, n)
    array = np.empty([sizes[k] for k in order], dtype)
    return array, array.transpose(order)


def _states(name, when, states, lstm, dtype, m, n_a):
    """The tuple `states` as two checked arrays or Nones, for a and for c."""
    if states is None:
        return None, None
    count = 2 if lstm else 1
    if not isinstance(states, (tuple, list)) or len(states) != count:
        got = f"{len(states)} of them" if isinstance(states, (tuple, list)) else type(states).__name__
        wanted = f"(a{when}, c{when})" if lstm else f"(a{when},)"
        raise ValueError(f"{name}: expected a tuple {wanted}, got {got}")
    a, c = states if lstm else (states[0], None)
    if a is not None:
        a = _state(f"{name}[0]", a, dtype, m, n_a)
    if c is not None:
        c = _state(f"{name}[1]", c, dtype, m, n_a)
    return a, c


def _state(name, value, dtype, m, n_a):
    array = _check.floats(name, value, dtype)
    if array.shape != (m, n_a):
        raise _check.shape_error(name, array, ("m", "n_a"), {"m": m, "n_a": n_a})
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)
