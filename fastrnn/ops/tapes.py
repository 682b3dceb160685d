"""Tapes seen from outside: made from arrays, and read."""

from collections.abc import Mapping

import numpy as np

from .. import _backend, _check
from .arguments import DTYPES, GATES, cell_axis, check_sequence, check_state, permutation


def tape(weights, x, values, *, layout="tmn"):
    """A tape from arrays, for whoever kept a forward pass in a form of his own.

    weights: without extras · x as for `forward` · values: a dict with the names that `tape_names(weights.cell)` has,
    each in `layout` with n = n_a, the initial states "a0" and "c0" (m, n_a), an sLSTM's "c" and "c0" with 3 n_a. Values are
    copied, x is referred to.
    Raises ValueError or TypeError naming the argument that does not fit.
    """
    backend = _backend.owner("weights", weights)
    if weights.extras:
        asked = [name for name, value in weights.extras._asdict().items() if value is not None and value is not False]
        raise ValueError(f"weights: expected plain ones, as values do not tell all of others, got {', '.join(asked)}")
    dtype, n_a = DTYPES[weights.dtype], weights.n_a
    x = check_sequence("x", x, dtype, layout, "n_x", weights.n_x)
    T, m, _ = x.shape
    names = backend.TAPE_NAMES[weights.cell]
    if not isinstance(values, Mapping):
        raise TypeError(f"values: expected a dict with the keys {', '.join(names)}, got {type(values).__name__}")
    if set(values) != set(names):
        raise ValueError(f"values: expected the keys {', '.join(names)}, got {', '.join(map(str, values)) or 'none'}")
    ready = {}
    for name in names:
        label = f"values[{name!r}]"
        axis, n = (cell_axis(weights), weights.n_c) if name in ("c0", "c") else ("n_a", n_a)
        if name in ("a0", "c0"):
            ready[name] = check_state(label, values[name], dtype, m, n, axis)
        else:
            # A tape's own form is not an array's: backends copy from and to contiguous ones.
            ready[name] = np.ascontiguousarray(check_sequence(label, values[name], dtype, layout, axis, n, T, m))
    return backend.Tape(weights, x, ready)


def tape_names(cell):
    """The names of what a tape of `cell` holds, activated gates among them; see docs/equations.md.

    >>> tape_names("gru_before")
    ('a0', 'a', 'r', 'z', 'n')
    """
    _check.one_of("cell", cell, tuple(GATES))
    return _backend.active().TAPE_NAMES[cell]


def read(tape, name, *, layout="tmn"):
    """Copy one quantity out of a tape, in `layout` with n = n_a; "a0" and "c0" are (m, n_a). "a" and "a0" have
    n_h, an sLSTM's "c" and "c0" 3 n_a.

    States are those after zoneout. What stands past the end of a row means nothing.
    Raises ValueError for a name that the cell's tape does not hold; `tape_names` lists them.
    """
    backend = _backend.owner("tape", tape)
    weights = tape.weights
    _check.one_of("name", name, backend.TAPE_NAMES[weights.cell])
    order = permutation(layout)
    initial = name in ("a0", "c0")
    n = {"a": weights.n_h, "c": weights.n_c}.get(name[0] if initial else name, weights.n_a)
    out = np.empty((tape.m, n) if initial else (tape.T, tape.m, n), DTYPES[weights.dtype])
    tape.read(name, out)
    return out if initial else np.ascontiguousarray(out.transpose(order))
