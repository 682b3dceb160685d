"""The LSTM of the course: forward and back, a step and a sequence.

    ft = σ(Wf [a⟨t-1⟩; x⟨t⟩] + bf)     it = σ(Wi […] + bi)     cct = tanh(Wc […] + bc)     ot = σ(Wo […] + bo)
    c⟨t⟩ = ft c⟨t-1⟩ + it cct          a⟨t⟩ = ot tanh(c⟨t⟩)     ŷ⟨t⟩ = softmax(Wy a⟨t⟩ + by)

Source: Sequence Models (deeplearning.ai), week 1, "Building your recurrent neural network, step by step".
"""

import numpy as np

from .. import ops
from ._arguments import Arguments, as_float, one_of
from ._caches import CellCaches, open_caches, sequence_tape, stack_cells
from ._gates import gate_shapes, pack_gates, unpack_gates
from .output import OUTPUTS, predict

_GATES = "ifco"             # PyTorch's order i f g o in the course's letters
_COURSE_ORDER = "fico"
_OUTPUT_SHAPES = {"Wy": ("n_y", "n_a"), "by": ("n_y", 1)}
_FIELDS = {"a_next": "n_a", "c_next": "n_a", "a_prev": "n_a", "c_prev": "n_a",
           "ft": "n_a", "it": "n_a", "cct": "n_a", "ot": "n_a", "xt": "n_x"}
_TAPE = {"a": "a_next", "c": "c_next", "f": "ft", "i": "it", "g": "cct", "o": "ot"}


def lstm_cell_forward(xt, a_prev, c_prev, parameters, *, output="softmax"):
    """One step of the LSTM.

    xt (n_x, m) · a_prev, c_prev (n_a, m) · parameters: Wf, Wi, Wc, Wo (n_a, n_a+n_x) on [a_prev; xt],
    bf, bi, bc, bo (n_a, 1), Wy (n_y, n_a), by (n_y, 1).  float32 or float64, the widest of all is used.
    Returns a_next, c_next (n_a, m), yt_pred (n_y, m) and
    cache = (a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, parameters).
    Raises ValueError or TypeError naming the argument that does not fit.
    Equation and source: see the module.  output may be "sigmoid".

    >>> import numpy as np
    >>> parameters = {f"W{gate}": np.zeros((2, 5)) for gate in "fico"} | {f"b{gate}": np.zeros((2, 1)) for gate in "fico"}
    >>> parameters |= {"Wy": np.ones((4, 2)), "by": np.zeros((4, 1))}
    >>> a_next, c_next, yt_pred, cache = lstm_cell_forward(np.ones((3, 1)), np.ones((2, 1)), np.ones((2, 1)), parameters)
    >>> a_next.round(4).T, c_next.T, len(cache)
    (array([[0.2311, 0.2311]]), array([[0.5, 0.5]]), 10)
    """
    data = {"xt": (xt, "n_x", "m"), "a_prev": (a_prev, "n_a", "m"), "c_prev": (c_prev, "n_a", "m")}
    ready, weights = _settle(data, parameters, output)
    xt, a_prev, c_prev = ready["xt"], ready["a_prev"], ready["c_prev"]
    _, state, _, tape = ops.forward(weights, xt[:, :, np.newaxis], (a_prev.T, c_prev.T), layout="nmt", training=True)
    a_next, c_next = (np.ascontiguousarray(s.T) for s in state)
    ft, it, cct, ot = (ops.read(tape, name)[0].T.copy() for name in "figo")
    cache = (a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, parameters)
    return a_next, c_next, predict(a_next, ready["Wy"], ready["by"], output), cache


def lstm_forward(x, a0, parameters, *, output="softmax"):
    """The LSTM over a whole sequence, from the cell state c0 = 0.

    x (n_x, m, T_x) · a0 (n_a, m) · parameters as for lstm_cell_forward.
    Returns a (n_a, m, T_x), y (n_y, m, T_x), c (n_a, m, T_x), caches = (cell caches, x): caches[0][t] is the
    cache of step t, made when it is read.  Leave x as it is until lstm_backward.  Errors as for the cell.

    >>> import numpy as np
    >>> parameters = {f"W{gate}": np.zeros((2, 5)) for gate in "fico"} | {f"b{gate}": np.zeros((2, 1)) for gate in "fico"}
    >>> parameters |= {"Wy": np.ones((4, 2)), "by": np.zeros((4, 1))}
    >>> a, y, c, caches = lstm_forward(np.ones((3, 6, 7)), np.ones((2, 6)), parameters)
    >>> a.shape, y.shape, c.shape, len(caches[0])
    ((2, 6, 7), (4, 6, 7), (2, 6, 7), 7)
    """
    ready, weights = _settle({"x": (x, "n_x", "m", "T_x"), "a0": (a0, "n_a", "m")}, parameters, output)
    x = ready["x"]
    a, _, c, tape = ops.forward(weights, x, (ready["a0"].T, None), layout="nmt", training=True, cells=True)
    return a, predict(a, ready["Wy"], ready["by"], output), c, (CellCaches(tape, x, parameters, _build), x)


def lstm_cell_backward(da_next, dc_next, cache):
    """Gradients of one step of the LSTM.

    da_next, dc_next (n_a, m): gradients of the loss with respect to a_next and c_next · cache from
    lstm_cell_forward or caches[0][t].
    Returns a dict: dxt (n_x, m), da_prev, dc_prev (n_a, m), dWf, dWi, dWc, dWo (n_a, n_a+n_x), dbf, dbi,
    dbc, dbo (n_a, 1), those of parameters summed over m.
    Raises ValueError or TypeError naming the argument that does not fit.

        dc = dc_next + da_next ot (1 - tanh²(c_next))                   dc_prev = dc ft
        dzo = da_next tanh(c_next) ot (1-ot)     dzf = dc c_prev ft (1-ft)
        dzi = dc cct it (1-it)                   dzc = dc it (1-cct²)
        dW = dz [a_prev; xt]ᵀ,  db = Σ_m dz  for each gate;  [da_prev; dxt] = Σ_gates Wᵀ dz

    Source: see the module.

    >>> import numpy as np
    >>> parameters = {f"W{gate}": np.ones((1, 2)) for gate in "fico"}
    >>> half = np.full((1, 1), 0.5)
    >>> cache = (half, half, half, half, half, half, half, half, half, parameters)
    >>> lstm_cell_backward(np.zeros((1, 1)), np.ones((1, 1)), cache)["dc_prev"]
    array([[0.5]])
    """
    da_next, dc_next = as_float("da_next", da_next), as_float("dc_next", dc_next)
    tape = _tape_of([cache], np.result_type(da_next, dc_next))
    given = Arguments({"n_a": tape.weights.n_a, "m": tape.m}, "cache")
    given.add("da_next", da_next, "n_a", "m")
    given.add("dc_next", dc_next, "n_a", "m")
    ready = given.settle(tape.weights.dtype)
    gradients = ops.backward(tape, dstate=(ready["da_next"].T, ready["dc_next"].T), layout="nmt")
    da_prev, dc_prev = (np.ascontiguousarray(d.T) for d in gradients.dstate)
    return {"dxt": gradients.dx[:, :, 0], "da_prev": da_prev, "dc_prev": dc_prev,
            **unpack_gates(gradients, _GATES, _COURSE_ORDER)}


def lstm_backward(da, caches):
    """Backpropagation through time for the LSTM.

    da (n_a, m, T_x): gradient with respect to a at each step, from outside of the recurrence; with fewer
    steps than caches, the gradients are those of the first steps alone · caches from lstm_forward, or
    (list of cell caches, x) from your own loop over lstm_cell_forward.
    Returns a dict: dx (n_x, m, T_x), da0 (n_a, m), dWf, dbf, dWi, dbi, dWc, dbc, dWo, dbo as for the cell,
    summed over m and t, not divided by m.
    Raises ValueError or TypeError naming the argument that does not fit.  Equation as for the cell, with
    da_next = da⟨t⟩ + da_prev⟨t+1⟩ and dc_next = dc_prev⟨t+1⟩.

    >>> import numpy as np
    >>> parameters = {f"W{gate}": np.zeros((2, 5)) for gate in "fico"} | {f"b{gate}": np.zeros((2, 1)) for gate in "fico"}
    >>> parameters |= {"Wy": np.ones((4, 2)), "by": np.zeros((4, 1))}
    >>> a, y, c, caches = lstm_forward(np.ones((3, 6, 7)), np.ones((2, 6)), parameters)
    >>> gradients = lstm_backward(np.ones((2, 6, 7)), caches)
    >>> gradients["dx"].shape, gradients["dWf"].shape, gradients["dbc"].shape
    ((3, 6, 7), (2, 5), (2, 1))
    """
    tape, da = sequence_tape("da", da, open_caches(caches, "lstm_forward"), _tape_of)
    gradients = ops.backward(tape, da, layout="nmt")
    return {"dx": gradients.dx, "da0": np.ascontiguousarray(gradients.dstate[0].T),
            **unpack_gates(gradients, _GATES, _COURSE_ORDER)}


def _settle(data, parameters, output):
    """Check everything a forward function was given; the arrays ready for use, and packed weights."""
    one_of("output", output, OUTPUTS)
    given = Arguments()
    for name, (value, *dims) in data.items():
        given.add(name, value, *dims)
    given.add_parameters(parameters, {**gate_shapes(_COURSE_ORDER), **_OUTPUT_SHAPES})
    ready = given.settle()
    return ready, pack_gates("lstm", ready, _GATES)


def _build(at, xt, parameters):
    return (at("a"), at("c"), at("a", before=True), at("c", before=True),
            at("f"), at("i"), at("g"), at("o"), xt, parameters)


def _tape_of(cells, dtype):
    """A tape from cell caches, at least as wide as dtype."""
    given, parameters = stack_cells(cells, _FIELDS, [("a_next", "a_prev"), ("c_next", "c_prev")])
    given.add_parameters(parameters, {f"W{gate}": ("n_a", "n_a+n_x") for gate in _COURSE_ORDER})
    ready = given.settle(dtype)
    values = {name: ready[f"cache: {field}"] for name, field in _TAPE.items()}
    values |= {f"{s}0": ready[f"cache: {s}_prev"][0] for s in "ac"}
    return ops.tape(pack_gates("lstm", ready, _GATES), ready["cache: xt"], values)
