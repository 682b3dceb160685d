"""A sequence forward, and back: checks, then one call of the backend that packed the weights."""

from typing import Any, NamedTuple

import numpy as np

from .. import _backend, _check
from .arguments import (
    DTYPES, cell_axis, check_sequence, check_sequences, check_states, empty, empty_many, hidden_axis, permutation,
)  # fmt: skip
from .group import form, one_backend
from .run import check_run


class Result(NamedTuple):
    """What `forward` returns: y, the final states, the cell states at each step or None, the tape or None."""

    y: np.ndarray
    state: tuple
    cells: Any
    tape: Any


class Gradients(NamedTuple):
    """What `backward` returns: dx (or None), the gradients of the initial states, and of the parameters.

    extras: those of "peephole", "projection" and the arrays of norm, by name, as far as the weights have them.
    """

    dx: Any
    dstate: tuple
    dW_x: np.ndarray
    dW_a: np.ndarray
    db_x: np.ndarray
    db_a: np.ndarray
    extras: dict

    def named(self):
        """Those of parameters, by what ops calls them."""
        return {"W_x": self.dW_x, "W_a": self.dW_a, "b_x": self.db_x, "b_a": self.db_a, **self.extras}

    def of(self, k):
        """Those of parameters in call k of `backward_many`."""
        extras = {name: array[k] for name, array in self.extras.items()}
        return Gradients(None, None, self.dW_x[k], self.dW_a[k], self.db_x[k], self.db_a[k], extras)


def forward(
    weights, x, state=None, *, layout="tmn", training=False, cells=False,
    lengths=None, reset=None, reverse=False, drop=None, zoneout=None, out=None,
):  # fmt: skip
    """Run a cell over m sequences of T steps.

    x in `layout`, n = n_x, of the weights' dtype · state: None for zeros, or (a0,), for an LSTM (a0, c0), each
    None or (m, n_a), with a projection a0 (m, n_h); for an sLSTM c0 (m, 3 n_a), its c, n and m side by side, and so are
    its `cells`. T = 0 and m = 0 are allowed.
    lengths (m,) integers 0 to T: nothing past a row's end is read, y there is 0, the final state is that at the end.
    reset, booleans, the axes of x without n: True at t starts a segment at t, whose first step begins from zeros.
    reverse: each row runs from its own end to its start; y[t] is the state after x[t], the final state that after
    x[0]. A reset at t then makes step t - 1 begin from zeros. Past a row's end a reset means nothing.
    drop (m, n_h): the recurrent product reads drop * a, in all steps the same (Gal & Ghahramani 2016), all else a.
    zoneout (Krueger et al. 2017), time-major in every layout: booleans (keep_a (T, m, n_h), keep_c (T, m, n_a) or, but
    for an LSTM, None), True keeps the old value; or a number p: p times the old value and 1 - p times the new.
    out: an array for y, which then is this one; it may be a part of a larger array, even of that of x or of a state.
    Returns Result: y in `layout` with n = n_h; state as it came, after the last step; with `cells` the LSTM's cell
    states like y; with `training` the tape, which refers to x and all masks: leave them as they are until `backward`.
    Raises ValueError or TypeError naming the argument that does not fit. NaN and infinity pass through.

    >>> import numpy as np
    >>> from fastrnn.ops import pack
    >>> weights = pack("rnn_tanh", np.ones((1, 1)), np.zeros((1, 1)))
    >>> forward(weights, np.zeros((4, 2, 1))).y.shape
    (4, 2, 1)
    >>> forward(weights, np.ones((3, 2, 1)), lengths=[1, 3]).y[:, 0, 0].round(2)
    array([0.76, 0.  , 0.  ])
    """
    backend = _backend.owner("weights", weights)
    dtype, n_h, n_c = DTYPES[weights.dtype], weights.n_h, weights.n_c
    x = check_sequence("x", x, dtype, layout, "n_x", weights.n_x)
    T, m, _ = x.shape
    a0, c0 = check_states("state", "0", state, weights, dtype, m)
    _check_cells(cells, weights)
    run = check_run(weights, dtype, T, m, layout, lengths, reset, reverse, drop, zoneout)
    y, y_view = _result(out, (x, a0, c0), T, m, n_h, hidden_axis(weights), dtype, layout)
    c, c_view = empty(T, m, n_c, dtype, layout) if cells else (None, None)
    aT = np.empty((m, n_h), dtype)
    cT = np.empty((m, n_c), dtype) if n_c else None
    tape = backend.forward(weights, x, a0, c0, y_view, aT, cT, c_view, training, _backend.get_num_threads(), run)
    return Result(_handed(y, out), (aT, cT) if n_c else (aT,), c, tape)


def _check_cells(cells, weights):
    if cells and not weights.n_c:
        raise ValueError(f"cells: expected False for a {weights.cell}, which has no cell states, got {cells!r}")


def forward_many(
    group, x, state=None, *, layout="tmn", training=False, cells=False,
    lengths=None, reset=None, drop=None, zoneout=None, beside=False,
):  # fmt: skip
    """Run the cells of a `Group` side by side on the threads there are, each with the results that it has alone.

    Arguments are those of `forward`: of x one for all, or one for each with an axis of the calls in front, as the parts
    of state have it; lengths and reset are those of all, drop and zoneout None or one for each.
    Returns a Result with that axis, and with a list of tapes; with `beside` the features of y and of cells stand side
    by side instead. Raises what `forward` would.

    >>> import numpy as np
    >>> from fastrnn.ops import Group, pack
    >>> weights = pack("rnn_tanh", np.ones((1, 1)), np.zeros((1, 1)))
    >>> y, (a,), _, _ = forward_many(Group([weights, weights], [False, True]), np.ones((4, 2, 1)), beside=True)
    >>> y.shape, a.shape
    ((4, 2, 2), (2, 2, 1))
    """
    weights, dtype, n_h, n_c, runs = group.weights, group.dtype, group.n_h, group.n_c, group.runs
    count = len(weights)
    x = check_sequences("x", x, dtype, layout, "n_x", group.n_x, count)
    T, m = x.shape[-3:-1]
    a0 = c0 = cT = c = c_view = None
    if state is not None:
        a0, c0 = check_states("state", "0", state, weights[0], dtype, m, (count,))
    if lengths is not None or reset is not None or drop is not None or zoneout is not None:
        runs = [
            check_run(w, dtype, T, m, layout, lengths, reset, reverse, drop and drop[k], zoneout and zoneout[k])
            for k, (w, reverse) in enumerate(zip(weights, group.reverse))
        ]
    y, y_view = empty(T, m, count * n_h, dtype, layout) if beside else empty_many(count, T, m, n_h, dtype, layout)
    if cells:
        _check_cells(cells, weights[0])
        c, c_view = empty(T, m, count * n_c, dtype, layout) if beside else empty_many(count, T, m, n_c, dtype, layout)
    aT = np.empty((count, m, n_h), dtype)
    if n_c:
        cT = np.empty((count, m, n_c), dtype)
    threads = _backend.get_num_threads()
    tapes = group.backend.forward_many(weights, x, a0, c0, y_view, aT, cT, c_view, training, threads, runs)
    return Result(y, (aT, cT) if n_c else (aT,), c, tapes if training else None)


def backward(tape, dy=None, dstate=None, dcells=None, *, layout="tmn", need_dx=True, accumulate=None, out=None):
    """Backpropagation through time, from what `forward(..., training=True)` kept.

    dy, and for an LSTM dcells: gradients of y and of the cell states at each step, in `layout`, or None for zeros.
    dstate: gradients of the final states, in the form of `state`. A tape may be used any number of times.
    accumulate: Gradients of another backward, whose arrays of parameters are added to and returned; chunks of time,
    taken from the last to the first, so add up to what one call gives.
    out: an array for dx, as that of `forward` for y.
    Returns Gradients, those of parameters summed over m and T; dx is in `layout`, or None unless `need_dx`.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> import numpy as np
    >>> from fastrnn.ops import pack
    >>> weights = pack("rnn_tanh", np.ones((1, 1)), np.zeros((1, 1)))
    >>> y, _, _, tape = forward(weights, np.zeros((4, 2, 1)), training=True)
    >>> float(backward(tape, np.ones_like(y)).db_x[0])
    8.0
    """
    backend = _backend.owner("tape", tape)
    weights, T, m = tape.weights, tape.T, tape.m
    dtype, n_h, n_c = DTYPES[weights.dtype], weights.n_h, weights.n_c
    permutation(layout)  # even where nothing has it
    if dy is not None:
        dy = check_sequence("dy", dy, dtype, layout, hidden_axis(weights), n_h, T, m)
    if dcells is not None:
        _check_dcells(weights)
        dcells = check_sequence("dcells", dcells, dtype, layout, cell_axis(weights), n_c, T, m)
    daT, dcT = check_states("dstate", "T", dstate, weights, dtype, m)
    shapes, extra_shapes = _shapes(weights)
    if accumulate is None:
        sums, extras = _new_sums(dtype, shapes, extra_shapes)
    else:
        *sums, extras = _earlier(accumulate, dtype, shapes, extra_shapes)
    dx = dx_view = None
    if need_dx:
        dx, dx_view = _result(out, (tape.x, dy, dcells, daT, dcT), T, m, weights.n_x, "n_x", dtype, layout)
    da0 = np.empty((m, n_h), dtype)
    dc0 = np.empty((m, n_c), dtype) if n_c else None
    backend.backward(
        tape, dy, daT, dcT, dcells, dx_view, da0, dc0, *sums, _backend.get_num_threads(), extras, accumulate is not None
    )
    return Gradients(_handed(dx, out), (da0, dc0) if n_c else (da0,), *sums, extras)


def backward_many(tapes, dy=None, dstate=None, dcells=None, *, layout="tmn", need_dx=True):
    """Go back in all tapes of one `forward_many`, side by side as there.

    Arguments are those of `backward`: of dy and dcells one for all, one with the features of all side by side, or one
    for each with the axis of calls in front, as the parts of dstate have it.
    Returns Gradients with that axis. Raises what `backward` would.
    """
    count, first = len(tapes), tapes[0]
    backend = one_backend("tape", tapes)
    weights, T, m = first.weights, first.T, first.m
    if any(tape.T != T or tape.m != m or form(tape.weights) != form(weights) for tape in tapes[1:]):
        raise ValueError("tapes: expected those of one forward_many, got some of another form, length or batch")
    dtype, n_h, n_c = DTYPES[weights.dtype], weights.n_h, weights.n_c
    permutation(layout)
    if dy is not None:
        dy = check_sequences("dy", dy, dtype, layout, hidden_axis(weights), n_h, count, T, m)
    if dcells is not None:
        _check_dcells(weights)
        dcells = check_sequences("dcells", dcells, dtype, layout, cell_axis(weights), n_c, count, T, m)
    daT, dcT = check_states("dstate", "T", dstate, weights, dtype, m, (count,))
    sums, extras = _new_sums(dtype, *_shapes(weights, (count,)))
    dx, dx_view = empty_many(count, T, m, weights.n_x, dtype, layout) if need_dx else (None, None)
    da0 = np.empty((count, m, n_h), dtype)
    dc0 = np.empty((count, m, n_c), dtype) if n_c else None
    backend.backward_many(
        tapes, dy, daT, dcT, dcells, dx_view, da0, dc0, *sums, _backend.get_num_threads(), extras, False
    )
    return Gradients(dx, (da0, dc0) if n_c else (da0,), *sums, extras)


def _check_dcells(weights):
    if not weights.n_c:
        raise ValueError(f"dcells: expected None for a {weights.cell}, which has no cell states, got an array")


def _shapes(weights, calls=()):
    """The shapes of the gradients of W_x, W_a, b_x, b_a, and by name those of extras."""
    rows = weights.gates * weights.n_a
    extras = weights.extras.shapes() if weights.extras else {}
    shapes = (rows, weights.n_x), (rows, weights.n_h), (rows,), (rows,)
    return [(*calls, *shape) for shape in shapes], {name: (*calls, *shape) for name, shape in extras.items()}


def _new_sums(dtype, shapes, extra_shapes):
    return [np.empty(shape, dtype) for shape in shapes], {name: np.empty(shape, dtype) for name, shape in extra_shapes.items()}


def _result(out, read, T, m, n, axis, dtype, layout):
    """The array of a result in `layout`, and its time-major view: `out`, or a new one where there is none or where it may
    share memory with one of the arrays that are `read`; see `_handed`."""
    if out is None:
        return empty(T, m, n, dtype, layout)
    if not isinstance(out, np.ndarray) or out.dtype != dtype:
        raise TypeError(f"out: expected {dtype.name} like the weights, got {getattr(out, 'dtype', type(out).__name__)}")
    if not (out.flags.writeable and out.flags.aligned and out.dtype.isnative):
        raise ValueError("out: expected an array that can be written to, got another one")
    view = check_sequence("out", out, dtype, layout, axis, n, T, m)
    if any(array is not None and np.may_share_memory(out, array) for array in read):
        return empty(T, m, n, dtype, layout)
    return out, view


def _handed(result, out):
    """What `_result` made, in `out` if there is one."""
    if out is None or result is None or result is out:
        return result
    out[...] = result
    return out


def _earlier(gradients, dtype, shapes, extra_shapes):
    """The arrays of parameters of earlier Gradients, which must be such as `backward` makes."""
    if not isinstance(gradients, Gradients):
        raise TypeError(f"accumulate: expected what ops.backward returned, got {type(gradients).__name__}")
    names = ("dW_x", "dW_a", "db_x", "db_a")
    if not isinstance(gradients.extras, dict) or set(gradients.extras) != set(extra_shapes):
        wanted = ", ".join(extra_shapes) or "none"
        raise ValueError(f"accumulate.extras: expected the keys {wanted}, got {_keys(gradients.extras)}")
    found = [(f"accumulate.{name}", getattr(gradients, name), shape) for name, shape in zip(names, shapes)]
    found += [(f"accumulate.extras[{name!r}]", gradients.extras[name], extra_shapes[name]) for name in extra_shapes]
    for name, array, shape in found:
        if not isinstance(array, np.ndarray) or array.dtype != dtype:
            got = array.dtype.name if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(f"{name}: expected {dtype.name} like the weights, got {got}")
        if array.shape != shape:
            raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")
        if not (array.flags.c_contiguous and array.flags.writeable and array.flags.aligned):
            raise ValueError(f"{name}: expected a contiguous array that can be written to, got another one")
    return *gradients[2:6], gradients.extras


def _keys(extras):
    return (", ".join(map(str, extras)) or "none") if isinstance(extras, dict) else type(extras).__name__
