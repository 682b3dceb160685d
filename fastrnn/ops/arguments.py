"""Layouts, and the checks of arrays that come and go in one."""

import numpy as np

from .. import _check

DTYPES = {"float32": _check.FLOAT32, "float64": _check.FLOAT64}
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru_after": 3, "gru_before": 3, "slstm": 4}
# Each of the three permutations is its own inverse: one table leads there and back.
_PERMUTATIONS = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}

# Results are arrays of NumPy's, whose memory is malloc's.  That of glibc gives the end of its heap back when more than 128 KiB
# are free there, and a training loop whose gradients are so large would fault on each of their pages at every step.  From a
# larger block that goes it learns to keep twice as much; this one is never touched.
np.empty(4 << 20, np.uint8)


def permutation(layout):
    try:
        return _PERMUTATIONS[layout]
    except (KeyError, TypeError):
        raise ValueError(f"layout: expected one of tmn, mtn, nmt, got {layout!r}") from None


def check_sequence(name, value, dtype, layout, n, size, T=None, m=None):
    """`value`, given in `layout` with a feature axis `n` of that size, as a checked time-major view."""
    order = permutation(layout)
    array = _check.floats(name, value, dtype)
    if array.ndim == 3:
        view = array if layout == "tmn" else array.transpose(order)
        shape = view.shape
        if shape[2] == size and (T is None or shape[0] == T and shape[1] == m):
            return view
    axes = ("T", "m", n)
    known = {n: size} if T is None else {"T": T, "m": m, n: size}
    raise _check.shape_error(name, array, [axes[k] for k in order], known)


def check_sequences(name, value, dtype, layout, n, size, count, T=None, m=None):
    """`check_sequence` for `count` calls: one array for all, one with an axis for the calls in front, or, where T is known,
    one with the features of all side by side."""
    array = _check.floats(name, value, dtype)
    if array.ndim == 3:
        view = array if layout == "tmn" else array.transpose(permutation(layout))
        steps, rows, found = view.shape
        if T is None:
            if found == size:
                return view
        elif steps == T and rows == m and (found == size or found == count * size):
            return view
    elif array.ndim == 4 and len(array) == count:
        view = array if layout == "tmn" else array.transpose(0, *(1 + axis for axis in permutation(layout)))
        if view.shape[3] == size and (T is None or view.shape[1:3] == (T, m)):
            return view
    axes = ("T", "m", n)
    known = {n: size} if T is None else {"T": T, "m": m, n: size}
    names = [axes[k] for k in permutation(layout)]
    if array.ndim == 4:
        names, known = ["calls", *names], {"calls": count, **known}
    raise _check.shape_error(name, array, names, known)


def empty(T, m, n, dtype, layout):
    """A new C-contiguous array in `layout`, and its time-major view."""
    if layout == "tmn":
        array = np.empty((T, m, n), dtype)
        return array, array
    order, sizes = permutation(layout), (T, m, n)
    array = np.empty([sizes[k] for k in order], dtype)
    return array, array.transpose(order)


def empty_many(count, T, m, n, dtype, layout):
    """`empty` for `count` calls: both have an axis for these in front."""
    order, sizes = permutation(layout), (T, m, n)
    array = np.empty((count, *(sizes[k] for k in order)), dtype)
    return array, array if layout == "tmn" else array.transpose(0, *(1 + k for k in order))


def check_states(name, when, states, weights, dtype, m, calls=()):
    """The tuple `states` as two checked arrays or Nones, for a and for c; `calls`: (how many,), an axis in front."""
    if states is None:
        return None, None
    n_h, n_c = weights.n_h, weights.n_c
    count = 2 if n_c else 1
    if not isinstance(states, (tuple, list)) or len(states) != count:
        got = f"{len(states)} of them" if isinstance(states, (tuple, list)) else type(states).__name__
        wanted = f"(a{when}, c{when})" if n_c else f"(a{when},)"
        raise ValueError(f"{name}: expected a tuple {wanted}, got {got}")
    a, c = states if n_c else (states[0], None)
    if a is not None:
        a = check_state(f"{name}[0]", a, dtype, m, n_h, hidden_axis(weights), calls)
    if c is not None:
        c = check_state(f"{name}[1]", c, dtype, m, n_c, cell_axis(weights), calls)
    return a, c


def hidden_axis(weights):
    """What messages call the width of hidden states."""
    return "n_a" if weights.n_h == weights.n_a else "n_h"


def cell_axis(weights):
    """What messages call the width of cell states: "n_a", or so many blocks of it."""
    blocks = weights.n_c // weights.n_a
    return f"{blocks} n_a" if blocks > 1 else "n_a"


def check_state(name, value, dtype, m, n, axis="n_a", calls=()):
    array = _check.floats(name, value, dtype)
    if array.shape != (*calls, m, n):
        known = {"m": m, axis: n} | dict(zip(["calls"], calls))
        raise _check.shape_error(name, array, (*["calls"] * len(calls), "m", axis), known)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)
