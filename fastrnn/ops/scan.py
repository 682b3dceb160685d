"""Recurrences that are linear in the state, over a sequence and back."""

import numpy as np

from .. import _backend, _check
from .arguments import check_sequence, check_state, empty

OPERANDS = {"linear": 2, "min_gru": 2, "min_lstm": 3}


def _operands(kind, inputs, layout):
    """The operands as time-major views of one shape."""
    _check.one_of("kind", kind, tuple(OPERANDS))
    count = OPERANDS[kind]
    if isinstance(inputs, (tuple, list)):
        if len(inputs) != count:
            raise ValueError(f"inputs: expected {count} arrays for {kind}, got {len(inputs)}")
        first = _check.floats("inputs[0]", inputs[0])
        n = _features("inputs[0]", first, layout, 1)
        views = [check_sequence("inputs[0]", first, first.dtype, layout, "n", n)]
        T, m, _ = views[0].shape
        rest = enumerate(inputs[1:], 1)
        return views + [check_sequence(f"inputs[{k}]", x, first.dtype, layout, "n", n, T, m) for k, x in rest]
    inputs = _check.floats("inputs", inputs)
    n = _features("inputs", inputs, layout, count)
    return _parts(check_sequence("inputs", inputs, inputs.dtype, layout, f"{count} n", n), count)


def _features(name, x, layout, count):
    """The size of the feature axis, a multiple of `count`."""
    n = 0 if x.ndim != 3 else x.shape[0 if layout == "nmt" else 2]
    if x.ndim == 3 and (n < 1 or n % count):
        raise ValueError(f"{name}: expected {f'{count} n' if count > 1 else 'n'} >= {count} features, got {n}")
    return n


def _parts(view, count):
    n = view.shape[2] // count
    return [view[:, :, k * n : (k + 1) * n] for k in range(count)]


def _optional(name, value, dtype, m, n):
    return None if value is None else check_state(name, value, dtype, m, n, "n")


def scan(kind, inputs, h0=None, *, layout="tmn", out=None):
    """h_t = keep_t h_(t-1) + add_t, elementwise, for every t.

    kind and inputs, arrays of one shape in `layout`, or one array of all their features: "linear": (keep, add); "min_gru": (z, v) with
    keep = 1 - sigmoid(z), add = sigmoid(z) v; "min_lstm": (f, i, v) with keep = f' / (f' + i') and
    add = i' / (f' + i') v, f' = sigmoid(f), i' = sigmoid(i). h0 (m, n), or None for zeros.
    Returns h in the layout `out` (that of the inputs by default) and the last state (m, n).
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> scan("linear", (np.full((3, 1, 1), 2.0), np.ones((3, 1, 1))))[0].ravel()
    array([1., 3., 7.])
    """
    views = _operands(kind, inputs, layout)
    T, m, n = views[0].shape
    dtype = views[0].dtype
    h0 = _optional("h0", h0, dtype, m, n)
    h, view = empty(T, m, n, dtype, out or layout)
    last = np.empty((m, n), dtype)
    _backend.active().scan(kind, views, h0, view, last, _backend.get_num_threads())
    return h, last


def scan_backward(kind, inputs, h, h0=None, dh=None, dlast=None, *, layout="tmn", out=None):
    """The gradients of `scan`: those of its inputs, a tuple or one array as they were, and of h0.

    h as it returned it, dh like h (None is zeros), dlast (m, n) that of the last state; all of the inputs' dtype.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> inputs = np.full((3, 1, 1), 2.0), np.ones((3, 1, 1))
    >>> (_, dadd), dh0 = scan_backward("linear", inputs, scan("linear", inputs)[0], dlast=np.ones((1, 1)))
    >>> dadd.ravel(), dh0
    (array([4., 2., 1.]), array([[8.]]))
    """
    views = _operands(kind, inputs, layout)
    T, m, n = views[0].shape
    dtype = views[0].dtype
    h = check_sequence("h", h, dtype, out or layout, "n", n, T, m)
    dh = None if dh is None else check_sequence("dh", dh, dtype, out or layout, "n", n, T, m)
    h0, dlast = _optional("h0", h0, dtype, m, n), _optional("dlast", dlast, dtype, m, n)
    if isinstance(inputs, (tuple, list)):
        made = [empty(T, m, n, dtype, layout) for _ in views]
        gradients, parts = tuple(array for array, _ in made), [view for _, view in made]
    else:
        gradients, view = empty(T, m, n * len(views), dtype, layout)
        parts = _parts(view, len(views))
    dh0 = np.empty((m, n), dtype)
    _backend.active().scan_backward(kind, views, h0, h, dh, dlast, parts, dh0, _backend.get_num_threads())
    return gradients, dh0
