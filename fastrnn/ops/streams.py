"""Streams: live states of a stack of layers, that step together or apart; checks and memory above either backend."""

import functools
from collections import Counter

import numpy as np

from .. import _backend, _check
from .arguments import DTYPES, cell_axis
from .run import check_run
from .sequence import forward


def stream(weights, capacity=1, *, zoneout=None):
    """Make `capacity` live states, zero at first, of layers of which each reads what the one before it puts out.

    weights: what `pack` returned, or a list of such, all of one cell, element type and backend · zoneout: None or a
    number, as for `forward`. The stream refers to the weights and keeps nothing of a call.
    Its step(x, ids=None, out=None) takes all states, or those that `ids` lists, each at most once, one step on: x
    (capacity, n_x) or (len(ids), n_x); it returns y (capacity, n_h) or (len(ids), n_h), in `out` if there is one.
    A state has the same bits after steps alone, steps together with others, and `advance` (NumPy's backend: the same
    within rounding).
    Raises ValueError or TypeError naming the argument that does not fit; a refused call changes nothing. A call while
    another thread is in one of the same stream is a RuntimeError; different streams do not mind each other.

    >>> import numpy as np
    >>> from fastrnn.ops import pack
    >>> live = stream(pack("rnn_tanh", np.ones((1, 1)), np.ones((1, 1))), 3)
    >>> live.step(np.ones((2, 1)), [2, 0]).shape
    (2, 1)
    """
    stack = tuple(weights) if isinstance(weights, (tuple, list)) else (weights,)
    backend = _check_stack(stack)
    capacity = _check.integer("capacity", capacity)
    if not 0 <= capacity < 2**48:  # more than a machine can address
        raise ValueError(f"capacity: expected an integer from 0 up to 2**48, got {capacity}")
    if isinstance(zoneout, (tuple, list)):
        raise TypeError("zoneout: expected a number or None, as masks have an end, got a pair")
    run = check_run(stack[0], DTYPES[stack[0].dtype], 1, capacity, "tmn", None, None, False, None, zoneout)
    empty = functools.partial(np.empty, dtype=DTYPES[stack[0].dtype])
    return backend.Stream(stack, capacity, run, _fitting, empty, _backend.get_num_threads)


def _check_stack(stack):
    """The backend of these weights, if they fit on each other."""
    if not stack:
        raise ValueError("weights: expected at least one layer, got none")
    backend = _backend.owner("weights", stack[0])
    for k, (below, above) in enumerate(zip(stack, stack[1:]), 1):
        if type(above) is not type(below):
            _backend.owner("weights", above)
            raise ValueError(f"weights[{k}]: expected weights of the backend that packed the others, got another's")
        for what in ("cell", "dtype", "n_a", "n_h"):
            if getattr(above, what) != getattr(below, what):
                wanted = f"{what} = {getattr(below, what)}"
                raise ValueError(f"weights[{k}]: expected {wanted} like the others, got {getattr(above, what)}")
        if above.n_x != below.n_h:
            raise ValueError(f"weights[{k}]: expected n_x = {below.n_h}, the width of the layer below, got {above.n_x}")
    return backend


def clear(stream, ids=None):
    """Set the states `ids` of a stream, or all, to zero."""
    _backend.owner("stream", stream)
    stream.clear(None if ids is None else _check_ids(ids, stream.capacity))


def states(stream):
    """Copies of all states of a stream: (a,), for an LSTM (a, c), each (layers, capacity, n)."""
    _backend.owner("stream", stream)
    a, c = _room(stream)
    stream.read(a, c)
    return (a,) if c is None else (a, c)


def set_states(stream, states, names=("states[0]", "states[1]")):
    """Replace all states of a stream; `states` as `states(stream)` gives them, or None for zeros.

    names: what messages call the two arrays.
    """
    _backend.owner("stream", stream)
    if states is None:
        return stream.write(None, None)
    first, layers = stream.weights[0], len(stream.weights)
    if not isinstance(states, (tuple, list)) or len(states) != 1 + (first.n_c > 0):
        got = f"{len(states)} of them" if isinstance(states, (tuple, list)) else type(states).__name__
        raise ValueError(f"states: expected a tuple {'(a, c)' if first.n_c else '(a,)'}, got {got}")
    ready = [None, None]
    for k, (name, value) in enumerate(zip(names, states)):
        array = _check.floats(name, value, DTYPES[stream.dtype])
        axis, n = (cell_axis(first), first.n_c) if k else ("n_a" if first.n_a == stream.n_h else "n_h", stream.n_h)
        _check.shape(name, array, ("layers", "capacity", axis), {"layers": layers, "capacity": stream.capacity, axis: n})
        ready[k] = np.ascontiguousarray(array)
    stream.write(*ready)


def advance(stream, x):
    """Take all states of a stream through T steps at once: x (T, capacity, n_x) to y (T, capacity, n_h).

    The bits are those of T steps.
    """
    _backend.owner("stream", stream)
    x = _check.floats("x", x, DTYPES[stream.dtype])
    _check.shape("x", x, ("T", "capacity", "n_x"), {"capacity": stream.capacity, "n_x": stream.n_x})
    zoneout = stream.run.zoneout if stream.run else None
    a, c = _room(stream)
    fresh = None, None
    stream.take(a, c)  # from here on another thread's call is refused: its step would be lost
    try:
        for k, weights in enumerate(stream.weights):
            before = (a[k],) if c is None else (a[k], c[k])
            x, after, _, _ = forward(weights, x, before, zoneout=zoneout)
            for old, new in zip(before, after):
                old[...] = new
        fresh = a, c
    finally:
        stream.put(*fresh)
    return x


def _room(stream):
    first, layers = stream.weights[0], len(stream.weights)
    dtype = DTYPES[stream.dtype]
    c = np.empty((layers, stream.capacity, first.n_c), dtype) if first.n_c else None
    return np.empty((layers, stream.capacity, stream.n_h), dtype), c


def _fitting(stream, x, ids, out):
    """The arguments of a step in the form that backends read, `out` as a view, or an error."""
    dtype, rows, axis = DTYPES[stream.dtype], stream.capacity, "capacity"
    if ids is not None:
        ids = _check_ids(ids, stream.capacity)
        rows, axis = len(ids), "len(ids)"
    x = _check.floats("x", x, dtype)
    _check.shape("x", x, (axis, "n_x"), {axis: rows, "n_x": stream.n_x})
    if out is not None:
        _check.unmasked("out", out)
        if not isinstance(out, np.ndarray) or out.dtype.newbyteorder("=") != dtype:
            got = out.dtype.name if isinstance(out, np.ndarray) else type(out).__name__
            raise TypeError(f"out: expected an array of {dtype.name} like the weights, got {got}")
        width = "n_a" if stream.n_h == stream.weights[0].n_a else "n_h"
        _check.shape("out", out, (axis, width), {axis: rows, width: stream.n_h})
        if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned and out.dtype.isnative):
            raise ValueError("out: expected a contiguous native array that can be written to, got another one")
        if np.may_share_memory(x, out):  # a row of out may be a part of x that was not read yet
            x = x.copy()
        out = np.asarray(out)  # of a memory map, say, the plain array that C reads
    return np.ascontiguousarray(x), ids, out


def _check_ids(ids, capacity):
    """`ids` as a contiguous array of intp."""
    _check.unmasked("ids", ids)
    try:
        array = np.asarray(ids)
    except ValueError as error:  # ragged lists
        raise TypeError(f"ids: expected integers, got {type(ids).__name__} ({error})") from error
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"ids: expected integers, got {array.dtype.name}")
    _check.shape("ids", array, ("rows",), {})
    found = array.tolist()  # for a few, which they mostly are, ten times as quick as NumPy's way
    if found and not 0 <= min(found) <= max(found) < capacity:
        wrong = next(i for i in found if not 0 <= i < capacity)
        raise ValueError(f"ids: expected integers from 0 up to capacity = {capacity}, got {wrong}")
    if len(set(found)) < len(found):
        often, times = Counter(found).most_common(1)[0]
        raise ValueError(f"ids: expected each at most once, got {often} {times} times")
    return array.astype(np.intp, order="C")
