"""What is the same at every position of a sequence: affine maps, losses, rows of a table.

Arrays have any number of leading axes here: (…, n), or (n, …) with layout="nmt"; with three of them they are sequences, and
sums over positions go in the order of time, whatever the layout.
"""

import math

import numpy as np

from .. import _backend, _check
from .arguments import DTYPES, permutation

_ACTIVATIONS = ("none", "softmax", "sigmoid")
_LINE = 256     # elements of a row that an elementwise loss is cut into


def pack_linear(W, b=None):
    """Copy an affine map's parameters into the form that the active backend computes with.

    W (n_y, n_x) · b (n_y,) or None for zeros; both float32 or both float64. Returns weights for `linear`.
    Raises ValueError or TypeError naming the argument that does not fit.
    """
    W = _check.floats("W", W)
    if W.ndim != 2 or not W.size:
        raise ValueError(f"W: expected shape (n_y, n_x), both at least 1, got {W.shape}")
    if b is not None:
        b = _check.floats("b", b, W.dtype)
        _check.shape("b", b, ("n_y",), {"n_y": W.shape[0]})
        b = np.ascontiguousarray(b)
    return _backend.active().Linear(np.ascontiguousarray(W), b)


def linear(weights, x, *, layout="tmn", out=None, activation="none"):
    """y = W x + b at every position, through `activation`: "none", "softmax" or "sigmoid".

    x (…, n_x), or (n_x, …) with layout="nmt", of the weights' dtype. Returns y, C-contiguous, in the layout `out`
    (that of x by default). Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> linear(pack_linear(np.ones((2, 3))), np.ones((5, 4, 3)), activation="softmax").shape
    (5, 4, 2)
    """
    backend = _backend.owner("linear", weights)
    _check.one_of("activation", activation, _ACTIVATIONS)
    out = out or layout
    x, view = _positions("x", x, DTYPES[weights.dtype], layout, weights.n_x)
    y, y_view = _new(_moved(_places(x, layout), layout, out), weights.n_y, out, x.dtype)
    backend.linear_forward(weights, view, y_view, activation, _backend.get_num_threads())
    return y


def linear_backward(weights, x, dy, *, layout="tmn", out=None, need_dx=True, need_db=True):
    """The gradients of `linear` without an activation: dx (None without need_dx), dW, db (None without need_db).

    x, layout and out as they were there; dy like y. dx is like x, dW (n_y, n_x), db (n_y,), all of the weights' dtype.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> _, dW, db = linear_backward(pack_linear(np.ones((1, 2))), np.ones((3, 2)), np.ones((3, 1)))
    >>> dW, db
    (array([[3., 3.]]), array([3.]))
    """
    backend = _backend.owner("linear", weights)
    out = out or layout
    x, view = _positions("x", x, DTYPES[weights.dtype], layout, weights.n_x)
    places = _places(x, layout)
    shape = _shape(_moved(places, layout, out), weights.n_y, out)
    dy = _check.floats("dy", dy, x.dtype)
    if dy.shape != shape:
        raise ValueError(f"dy: expected shape {shape}, got {dy.shape}")
    dx, dx_view = _new(places, weights.n_x, layout, x.dtype) if need_dx else (None, None)
    dW = np.empty((weights.n_y, weights.n_x), view.dtype)
    db = np.empty(weights.n_y, view.dtype) if need_db else None
    backend.linear_backward(weights, view, _view(dy, out), dx_view, dW, db, _backend.get_num_threads())
    return dx, dW, db


def loss(kind, x, *, index=None, target=None, scale=1.0):
    """A loss of x (…, n) at every position: what it is made of, and `scale` times its gradient, in one pass.

    kind "softmax": x are scores of n classes; index (…) holds the class of each position, negative where the position
    does not count; or target (…, n) distributions, with an index that is None or says which count.
    Returns (losses (…) in float64, gradient like x).
    "logistic", "squared": elementwise with target like x. Returns (their sum as a float, gradient like x).
    Arguments are taken as checked: for layers.

    >>> import numpy as np
    >>> loss("squared", np.array([1.0, 3.0]), target=np.array([1.0, 1.0]), scale=0.5)
    (4.0, array([0., 2.]))
    """
    if kind != "softmax":
        return _elementwise(kind, x, target, scale)
    places, n = x.shape[:-1], x.shape[-1]
    swap = x.ndim == 3 and x.strides[1] == x.itemsize != x.strides[2]  # time innermost: the kernels want it first

    def view(array):
        array = array.reshape(*_padded(places), *array.shape[len(places):])
        return array.swapaxes(0, 1) if swap else array

    gradient = np.moveaxis(np.empty((n, *places), x.dtype), 0, -1) if swap else np.empty(x.shape, x.dtype)
    out = gradient.reshape(*_padded(places), n)
    out = out.swapaxes(0, 1) if swap else out
    parts = np.empty((*out.shape[:2], 3), x.dtype)
    if index is not None:
        index = np.require(view(index), np.intp, ("C", "A"))
    _backend.active().loss("softmax", view(x), index, None if target is None else view(target), scale, out, parts,
                           _backend.get_num_threads())
    norm, picked, share = np.moveaxis(parts.swapaxes(0, 1) if swap else parts, -1, 0).astype(np.float64)
    with np.errstate(all="ignore"):
        losses = np.log(norm) * share - picked
    return losses.reshape(places), gradient


def _elementwise(kind, x, target, scale):
    shape = x.shape
    x, target = (np.ascontiguousarray(array).reshape(-1) for array in (x, target))
    gradient, total = np.empty_like(x), 0.0
    whole = x.size // _LINE * _LINE
    for part, width in ((slice(0, whole), _LINE), (slice(whole, x.size), x.size - whole)):
        if part.start == part.stop:
            continue
        lines = [array[part].reshape(-1, 1, width) for array in (x, target, gradient)]
        parts = np.empty((len(lines[0]), 1, 3), x.dtype)
        _backend.active().loss(kind, lines[0], None, lines[1], scale, lines[2], parts, _backend.get_num_threads())
        total += float(parts[:, 0, 0].sum(dtype=np.float64))
    return total, gradient.reshape(shape)


def take_rows(table, index, *, layout="tmn"):
    """The rows of table (rows, n) that the integers in `index` name: y (…, n), or (n, …) with layout="nmt".

    index: (T, m) with "tmn", (m, T) with the others, or of any other number of axes. table: float32 or float64, as is y.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> take_rows(np.array([[0.0, 1.0], [2.0, 3.0]]), [1, 0])
    array([[2., 3.],
           [0., 1.]])
    """
    table = _check.floats("table", table)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"table: expected shape (rows, n), both at least 1, got {table.shape}")
    index, order = _indices(index, layout, len(table))
    table = np.ascontiguousarray(table)
    y, view = _new(index.shape, table.shape[1], layout, table.dtype)
    _backend.active().take_rows(order, table, view, _backend.get_num_threads())
    return y


def add_rows(rows, index, dy, *, layout="tmn", skip=None):
    """The gradient of the table in take_rows, (rows, n): dy of each position added to its row; none to row `skip`.

    index and layout as they were there; dy like y, float32 or float64, whose dtype the gradient has.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> add_rows(2, [1, 1], np.ones((2, 3)))
    array([[0., 0., 0.],
           [2., 2., 2.]])
    """
    rows = _check.integer("rows", rows)
    index, order = _indices(index, layout, rows)
    dy = _check.floats("dy", dy)
    n = dy.shape[0 if layout == "nmt" else -1] if dy.ndim else 0
    shape = _shape(index.shape, n or "n", layout)
    if dy.shape != shape:
        raise ValueError(f"dy: expected shape {shape}, n at least 1, got {dy.shape}")
    if skip is not None:
        order = np.where(order == skip, -1, order)
    table = np.empty((rows, n), dy.dtype)
    _backend.active().add_rows(order, _view(dy, layout), table, _backend.get_num_threads())
    return table


def _indices(index, layout, rows):
    """index as it came, and (T, m), contiguous."""
    permutation(layout)  # even where nothing has it
    index = _check.as_array("index", index)
    if index.dtype.kind not in "iu":
        raise TypeError(f"index: expected integers, got {index.dtype}")
    if index.size and (index.min() < 0 or index.max() >= rows):
        raise ValueError(f"index: expected from 0 to {rows - 1}, got {index.min()} to {index.max()}")
    order = index.T if index.ndim == 2 and layout != "tmn" else index if index.ndim == 2 else index.reshape(-1, 1)
    return index, np.require(order, np.intp, ("C", "A"))


def _padded(places):
    """(T, m) for any number of leading axes."""
    return places if len(places) == 2 else (math.prod(places), 1)


def _places(x, layout):
    """The shape of an array without its features."""
    return x.shape[1:] if layout == "nmt" else x.shape[:-1]


def _moved(places, layout, out):
    """What `places` is in another layout: (T, m) in "tmn", (m, T) in the others."""
    return places[::-1] if len(places) == 2 and (layout == "tmn") != (out == "tmn") else places


def _shape(places, n, layout):
    return (n, *places) if layout == "nmt" else (*places, n)


def _view(x, layout):
    """x as (T, m, n)."""
    if x.ndim == 3:
        return x.transpose(permutation(layout))
    if layout == "nmt":
        return x.reshape(x.shape[0], -1).T[:, None, :]
    return x.reshape(-1, 1, x.shape[-1])


def _new(places, n, layout, dtype):
    """A new array, and the same as (T, m, n)."""
    array = np.empty(_shape(places, n, layout), dtype)
    return array, _view(array, layout)


def _positions(name, x, dtype, layout, n):
    """`x` as a checked array, and the same as (T, m, n)."""
    x = _check.floats(name, x, dtype)
    permutation(layout)
    axis = 0 if layout == "nmt" else -1
    if x.ndim == 0 or x.shape[axis] != n:
        raise ValueError(f"{name}: expected shape {f'({n}, ...)' if axis == 0 else f'(..., {n})'}, got {x.shape}")
    return x, _view(x, layout)
