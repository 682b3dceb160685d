"""What a run may ask beside a cell's step, the same for all cells: ends, segments, direction, masks.

`run` has the fields of fastrnn.ops.Run. States are dicts: "a" (m, n_h) and, with cell states, "c" (m, n_c). A function and
its gradient stand together; `rows` are the sequences that take part in step t.
"""

from types import SimpleNamespace

import numpy as np

PLAIN = SimpleNamespace(lengths=None, reset=None, reverse=False, drop=None, keep_a=None, keep_c=None, zoneout=0.0)


def times(run, T):
    """The steps in the order in which they run."""
    return range(T - 1, -1, -1) if run.reverse else range(T)


def taking_part(run, t):
    """The rows that have a step t: nothing of the others is read."""
    return slice(None) if run.lengths is None else np.flatnonzero(t < run.lengths)


def _fresh(run, t, rows):
    """Which of the rows begin step t from zeros, (rows, 1); None if resets have no say in that step.

    In reverse a segment that starts at t + 1 has just been left; one that would start past a row's end is none.
    """
    if run.reset is None:
        return None
    if not run.reverse:
        return run.reset[t, rows].astype(bool)[:, np.newaxis]
    if t + 1 == len(run.reset):
        return None
    fresh = run.reset[t + 1].astype(bool)
    return (fresh if run.lengths is None else fresh & (t + 1 < run.lengths))[rows, np.newaxis]


def start(run, t, rows, state):
    """What step t starts from, given the state of all sequences before it."""
    prev = {name: value[rows] for name, value in state.items()}
    fresh = _fresh(run, t, rows)
    if fresh is not None:
        prev = {name: np.where(fresh, value.dtype.type(0), value) for name, value in prev.items()}
    # What the recurrent product sees: the variational dropout of Gal and Ghahramani (2016).
    prev["seen"] = prev["a"] if run.drop is None else run.drop[rows] * prev["a"]
    return prev


def start_grad(run, t, rows, grad, past):
    """The gradients of the state before step t: the step's own, and what `finish_grad` let past the step."""
    d = {"a": grad["seen"] if run.drop is None else run.drop[rows] * grad["seen"]}
    for source in (grad, past):
        for name in ("a", "c"):
            if name in source:
                d[name] = d[name] + source[name] if name in d else source[name]
    fresh = _fresh(run, t, rows)
    if fresh is not None:
        d = {name: np.where(fresh, value.dtype.type(0), value) for name, value in d.items()}
    return d


def zones(run):
    """Whether units may keep old values: the zoneout of Krueger et al. (2017)."""
    return run.keep_a is not None or run.zoneout != 0


def finish(run, t, rows, prev, now, names):
    """The state after step t: what the step made, or with zoneout the old values of some units, or part of all."""
    if run.keep_a is not None:
        masks = {"a": run.keep_a, "c": run.keep_c}
        return {name: np.where(masks[name][t, rows], prev[name], now[name]) for name in names}
    if run.zoneout:
        p = run.zoneout
        return {name: p * prev[name] + (1 - p) * now[name] for name in names}
    return {name: now[name] for name in names}


def finish_grad(run, t, rows, d):
    """From the gradients of the state after step t, those of what the step made, and of what went past it."""
    if run.keep_a is not None:
        masks = {"a": run.keep_a, "c": run.keep_c}
        made = {name: np.where(masks[name][t, rows], value.dtype.type(0), value) for name, value in d.items()}
        past = {name: np.where(masks[name][t, rows], value, value.dtype.type(0)) for name, value in d.items()}
        return made, past
    if run.zoneout:
        p = run.zoneout
        return {name: (1 - p) * value for name, value in d.items()}, {name: p * value for name, value in d.items()}
    return d, {}
