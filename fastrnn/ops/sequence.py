"""A sequence forward, and back: checks, then one call of the backend that packed the weights."""

from typing import Any, NamedTuple

import numpy as np

from .. import _backend, _check
from .arguments import DTYPES, cell_axis, check_sequence, check_states, empty, permutation
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
    out: an array for y, which then is this one; it may be a part of a larger array.
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
    backend, call, y, state, c = _forward_call(
        weights, x, state, layout, training, cells, lengths, reset, reverse, drop, zoneout, out
    )
    return Result(y, state, c, backend.forward(*call))


def _forward_call(
    weights, x, state=None, layout="tmn", training=False, cells=False,
    lengths=None, reset=None, reverse=False, drop=None, zoneout=None, out=None,
):  # fmt: skip
    """The backend of a call, its arguments there, and the arrays that it will fill: y, the last state, cells."""
    backend = _backend.owner("weights", weights)
    dtype, n_h, n_c = DTYPES[weights.dtype], weights.n_h, weights.n_c
    x = check_sequence("x", x, dtype, layout, "n_x", weights.n_x)
    T, m, _ = x.shape
    a0, c0 = check_states("state", "0", state, weights, dtype, m)
    if cells and not n_c:
        raise ValueError(f"cells: expected False for a {weights.cell}, which has no cell states, got {cells!r}")
    run = None
    if lengths is not None or reset is not None or reverse or drop is not None or zoneout is not None:
        run = check_run(weights, dtype, T, m, layout, lengths, reset, reverse, drop, zoneout)
    y, y_view = _result(out, T, m, n_h, "n_a" if n_h == weights.n_a else "n_h", dtype, layout)
    c, c_view = empty(T, m, n_c, dtype, layout) if cells else (None, None)
    aT = np.empty((m, n_h), dtype)
    cT = np.empty((m, n_c), dtype) if n_c else None
    call = weights, x, a0, c0, y_view, aT, cT, c_view, bool(training), _backend.get_num_threads(), run
    return backend, call, y, (aT, cT) if n_c else (aT,), c


def forward_many(calls):
    """Run independent calls of `forward`, each a dict of its arguments, side by side on the threads there are.

    Each runs on one thread, with the results that it has alone. Returns their Results. All weights are of one backend.
    Raises what `forward` would.

    >>> import numpy as np
    >>> from fastrnn.ops import pack
    >>> weights = pack("rnn_tanh", np.ones((1, 1)), np.zeros((1, 1)))
    >>> forth, back = forward_many([dict(weights=weights, x=np.ones((4, 2, 1)), reverse=r) for r in (False, True)])
    >>> bool(np.all(forth.y == back.y))
    True
    """
    made = [_forward_call(**call) for call in calls]
    tapes = _one_backend(made).forward_many([call for _, call, *_ in made], _backend.get_num_threads())
    return [Result(y, state, c, tape) for (_, _, y, state, c), tape in zip(made, tapes)]


def _one_backend(made):
    backends = {id(backend): backend for backend, *_ in made}
    if len(backends) != 1:
        raise ValueError(f"calls: expected weights or tapes of one backend, got {len(backends)}")
    return next(iter(backends.values()))


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
    backend, call, gradients = _backward_call(tape, dy, dstate, dcells, layout, need_dx, accumulate, out)
    backend.backward(*call)
    return gradients


def backward_many(calls):
    """Go back in independent calls of `backward`, each a dict of its arguments, side by side, as `forward_many` does.

    Returns their Gradients. Raises what `backward` would.
    """
    made = [_backward_call(**call) for call in calls]
    _one_backend(made).backward_many([call for _, call, _ in made], _backend.get_num_threads())
    return [gradients for *_, gradients in made]


def _backward_call(tape, dy=None, dstate=None, dcells=None, layout="tmn", need_dx=True, accumulate=None, out=None):
    """The backend of a call, its arguments there, and the Gradients whose arrays it will fill."""
    backend = _backend.owner("tape", tape)
    weights, T, m = tape.weights, tape.T, tape.m
    dtype, n_a, n_h, n_c = DTYPES[weights.dtype], weights.n_a, weights.n_h, weights.n_c
    permutation(layout)  # even where nothing has it
    if dy is not None:
        dy = check_sequence("dy", dy, dtype, layout, "n_a" if n_h == n_a else "n_h", n_h, T, m)
    if dcells is not None:
        if not n_c:
            raise ValueError(f"dcells: expected None for a {weights.cell}, which has no cell states, got an array")
        dcells = check_sequence("dcells", dcells, dtype, layout, cell_axis(weights), n_c, T, m)
    daT, dcT = check_states("dstate", "T", dstate, weights, dtype, m)
    rows, n_x = weights.gates * n_a, weights.n_x
    shapes = weights.extras.shapes() if weights.extras else {}
    if accumulate is None:
        sums = np.empty((rows, n_x), dtype), np.empty((rows, n_h), dtype), np.empty(rows, dtype), np.empty(rows, dtype)
        extras = {name: np.empty(shape, dtype) for name, shape in shapes.items()}
    else:
        *sums, extras = _earlier(accumulate, dtype, ((rows, n_x), (rows, n_h), (rows,), (rows,)), shapes)
    dx, dx_view = _result(out, T, m, n_x, "n_x", dtype, layout) if need_dx else (None, None)
    da0 = np.empty((m, n_h), dtype)
    dc0 = np.empty((m, n_c), dtype) if n_c else None
    threads = _backend.get_num_threads()
    call = (
        tape, dy, daT, dcT, dcells, dx_view, da0, dc0, *sums, threads, extras, accumulate is not None
    )
    return backend, call, Gradients(dx, (da0, dc0) if n_c else (da0,), *sums, extras)


def _result(out, T, m, n, axis, dtype, layout):
    """The array of a result in `layout`, a new one or `out`, and its time-major view."""
    if out is None:
        return empty(T, m, n, dtype, layout)
    if not isinstance(out, np.ndarray) or out.dtype != dtype:
        raise TypeError(f"out: expected {dtype.name} like the weights, got {getattr(out, 'dtype', type(out).__name__)}")
    if not (out.flags.writeable and out.flags.aligned and out.dtype.isnative):
        raise ValueError("out: expected an array that can be written to, got another one")
    return out, check_sequence("out", out, dtype, layout, axis, n, T, m)


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
