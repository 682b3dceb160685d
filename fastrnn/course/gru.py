"""The GRU of the course: forward and back, a step and a sequence.

    gu = σ(Wu [c⟨t-1⟩; x⟨t⟩] + bu)     gr = σ(Wr [c⟨t-1⟩; x⟨t⟩] + br)     cct = tanh(Wc [gr c⟨t-1⟩; x⟨t⟩] + bc)
    c⟨t⟩ = gu cct + (1 - gu) c⟨t-1⟩     ŷ⟨t⟩ = softmax(Wy c⟨t⟩ + by)

The course's update gate takes the new state where z of `ops` keeps the old one: z = 1 - gu = σ(-(Wu […] + bu)).
Simplified forms: "reset" fixes gr = 1, "update" fixes gu = 1; the weights of that gate may then be missing.

Source: Sequence Models (deeplearning.ai), week 1, "Gated recurrent unit", in the style of its LSTM functions.
"""

import numpy as np

from .. import ops
from ._arguments import Arguments, as_float, one_of
from ._caches import CellCaches, open_caches, sequence_tape, stack_cells
from ._gates import gate_shapes, pack_gates, unpack_gates
from .output import OUTPUTS, predict

_GATES = "ruc"              # PyTorch's order r z n in the course's letters
_COURSE_ORDER = "urc"
_FIXED = {None: None, "reset": "r", "update": "u"}
# σ of this is 1, and of its negative 0, exactly, in both types.
_SATURATED = 1e4
_OUTPUT_SHAPES = {"Wy": ("n_y", "n_a"), "by": ("n_y", 1)}
_FIELDS = {"c_next": "n_a", "c_prev": "n_a", "gu": "n_a", "gr": "n_a", "cct": "n_a", "xt": "n_x"}


def gru_cell_forward(xt, c_prev, parameters, *, simplified=None, output="softmax"):
    """One step of the GRU.

    xt (n_x, m) · c_prev (n_a, m) · parameters: Wu, Wr, Wc (n_a, n_a+n_x) on [c_prev; xt], bu, br, bc (n_a, 1),
    Wy (n_y, n_a), by (n_y, 1).  float32 or float64, the widest of all is used.
    simplified: "reset" for gr = 1, "update" for gu = 1 (the weights of that gate are then not used).
    Returns c_next (n_a, m), yt_pred (n_y, m), cache = (c_next, c_prev, gu, gr, cct, xt, parameters).
    Raises ValueError or TypeError naming the argument that does not fit.
    Equation and source: see the module.  output may be "sigmoid".

    >>> import numpy as np
    >>> parameters = {f"W{gate}": np.zeros((2, 5)) for gate in "urc"} | {f"b{gate}": np.zeros((2, 1)) for gate in "urc"}
    >>> parameters |= {"Wy": np.ones((4, 2)), "by": np.zeros((4, 1))}
    >>> c_next, yt_pred, cache = gru_cell_forward(np.ones((3, 1)), np.ones((2, 1)), parameters)
    >>> c_next.T, len(cache)
    (array([[0.5, 0.5]]), 7)
    """
    data = {"xt": (xt, "n_x", "m"), "c_prev": (c_prev, "n_a", "m")}
    ready, weights = _settle(data, parameters, simplified, output)
    xt, c_prev = ready["xt"], ready["c_prev"]
    _, state, _, tape = ops.forward(weights, xt[:, :, np.newaxis], (c_prev.T,), layout="nmt", training=True)
    c_next = np.ascontiguousarray(state[0].T)
    z, gr, cct = (ops.read(tape, name)[0].T.copy() for name in "zrn")
    cache = (c_next, c_prev, 1 - z, gr, cct, xt, parameters)
    return c_next, predict(c_next, ready["Wy"], ready["by"], output), cache


def gru_forward(x, c0, parameters, *, simplified=None, output="softmax"):
    """The GRU over a whole sequence.

    x (n_x, m, T_x) · c0 (n_a, m) · parameters and simplified as for gru_cell_forward.
    Returns c (n_a, m, T_x), y (n_y, m, T_x), caches = (cell caches, x): caches[0][t] is the cache of step t,
    made when it is read.  Leave x as it is until gru_backward.  Errors as for the cell.

    >>> import numpy as np
    >>> parameters = {f"W{gate}": np.zeros((2, 5)) for gate in "urc"} | {f"b{gate}": np.zeros((2, 1)) for gate in "urc"}
    >>> parameters |= {"Wy": np.ones((4, 2)), "by": np.zeros((4, 1))}
    >>> c, y, caches = gru_forward(np.ones((3, 6, 7)), np.ones((2, 6)), parameters)
    >>> c[0, 0, :3], y.shape
    (array([0.5  , 0.25 , 0.125]), (4, 6, 7))
    """
    data = {"x": (x, "n_x", "m", "T_x"), "c0": (c0, "n_a", "m")}
    ready, weights = _settle(data, parameters, simplified, output)
    x = ready["x"]
    c, _, _, tape = ops.forward(weights, x, (ready["c0"].T,), layout="nmt", training=True)
    return c, predict(c, ready["Wy"], ready["by"], output), (CellCaches(tape, x, parameters, _build), x)


def gru_cell_backward(dc_next, cache, *, simplified=None):
    """Gradients of one step of the GRU.

    dc_next (n_a, m): gradient of the loss with respect to c_next · cache from gru_cell_forward or caches[0][t].
    simplified may be repeated here, and is checked; the gates in the cache tell.
    Returns a dict: dxt (n_x, m), dc_prev (n_a, m), dWu, dWr, dWc (n_a, n_a+n_x), dbu, dbr, dbc (n_a, 1),
    those of parameters summed over m; exactly 0 for a gate that is fixed.
    Raises ValueError or TypeError naming the argument that does not fit.

        dzc = dc_next gu (1-cct²)     dzu = dc_next (cct - c_prev) gu (1-gu)
        [d(gr c_prev); …] = Wcᵀ dzc   dzr = d(gr c_prev) c_prev gr (1-gr)
        dc_prev = dc_next (1-gu) + d(gr c_prev) gr + Wuᵀ dzu + Wrᵀ dzr      (the rows of c_prev)
        dWu = dzu [c_prev; xt]ᵀ, dWr likewise, dWc = dzc [gr c_prev; xt]ᵀ, db = Σ_m dz

    Source: see the module.

    >>> import numpy as np
    >>> parameters = {f"W{gate}": np.ones((1, 2)) for gate in "urc"}
    >>> half = np.full((1, 1), 0.5)
    >>> gru_cell_backward(np.ones((1, 1)), (half, half, half, half, half, half, parameters))["dbc"]
    array([[0.375]])
    """
    dc_next = as_float("dc_next", dc_next)
    tape = _tape_of([cache], dc_next.dtype)
    _agree(simplified, tape)
    given = Arguments({"n_a": tape.weights.n_a, "m": tape.m}, "cache")
    given.add("dc_next", dc_next, "n_a", "m")
    gradients = ops.backward(tape, dstate=(given.settle(tape.weights.dtype)["dc_next"].T,), layout="nmt")
    return {"dxt": gradients.dx[:, :, 0], "dc_prev": np.ascontiguousarray(gradients.dstate[0].T),
            **unpack_gates(gradients, _GATES, _COURSE_ORDER, negated="u")}


def gru_backward(dc, caches, *, simplified=None):
    """Backpropagation through time for the GRU.

    dc (n_a, m, T_x): gradient with respect to c at each step, from outside of the recurrence; with fewer
    steps than caches, the gradients are those of the first steps alone · caches from gru_forward, or
    (list of cell caches, x) from your own loop over gru_cell_forward · simplified as for the cell.
    Returns a dict: dx (n_x, m, T_x), dc0 (n_a, m), dWu, dbu, dWr, dbr, dWc, dbc as for the cell, summed over
    m and t, not divided by m.
    Raises ValueError or TypeError naming the argument that does not fit.  Equation as for the cell, with
    dc_next = dc⟨t⟩ + dc_prev⟨t+1⟩.

    >>> import numpy as np
    >>> parameters = {f"W{gate}": np.zeros((2, 5)) for gate in "urc"} | {f"b{gate}": np.zeros((2, 1)) for gate in "urc"}
    >>> parameters |= {"Wy": np.ones((4, 2)), "by": np.zeros((4, 1))}
    >>> c, y, caches = gru_forward(np.ones((3, 6, 7)), np.ones((2, 6)), parameters)
    >>> gru_backward(np.ones((2, 6, 7)), caches)["dc0"][0, 0]       # 1/2 + 1/4 + … + 1/128
    np.float64(0.9921875)
    """
    tape, dc = sequence_tape("dc", dc, open_caches(caches, "gru_forward"), _tape_of)
    _agree(simplified, tape)
    gradients = ops.backward(tape, dc, layout="nmt")
    return {"dx": gradients.dx, "dc0": np.ascontiguousarray(gradients.dstate[0].T),
            **unpack_gates(gradients, _GATES, _COURSE_ORDER, negated="u")}


def _settle(data, parameters, simplified, output):
    """Check everything a forward function was given; the arrays ready for use, and packed weights."""
    one_of("simplified", simplified, tuple(_FIXED))
    one_of("output", output, OUTPUTS)
    given = Arguments()
    for name, (value, *dims) in data.items():
        given.add(name, value, *dims)
    fixed = _FIXED[simplified] or ""
    given.add_parameters(parameters, {**gate_shapes(_COURSE_ORDER.replace(fixed, "")), **_OUTPUT_SHAPES})
    ready = given.settle()
    if fixed:
        _fix(ready, fixed)
    return ready, pack_gates("gru_before", ready, _GATES, negated="u")


def _fix(ready, gate):
    """Weights that hold a gate at 1 whatever comes in."""
    ready[f"W{gate}"] = np.zeros_like(ready["Wc"])
    ready[f"b{gate}"] = np.full_like(ready["Wc"][:, :1], _SATURATED)


def _build(at, xt, parameters):
    return at("a"), at("a", before=True), 1 - at("z"), at("r"), at("n"), xt, parameters


def _tape_of(cells, dtype):
    """A tape from cell caches, at least as wide as dtype."""
    given, parameters = stack_cells(cells, _FIELDS, [("c_next", "c_prev")])
    gates = {gate: given.arrays[f"cache: g{gate}"] for gate in "ur"}
    # A gate that is 1 throughout has no gradient, so that a simplified network needs no weights for it.
    fixed = [gate for gate, value in gates.items() if f"W{gate}" not in parameters and (value == 1).all()]
    present = [gate for gate in _COURSE_ORDER if gate not in fixed]
    given.add_parameters(parameters, {f"W{gate}": ("n_a", "n_a+n_x") for gate in present})
    ready = given.settle(dtype)
    for gate in fixed:
        _fix(ready, gate)
    values = {"a": ready["cache: c_next"], "a0": ready["cache: c_prev"][0], "r": ready["cache: gr"],
              "z": 1 - ready["cache: gu"], "n": ready["cache: cct"]}
    return ops.tape(pack_gates("gru_before", ready, _GATES, negated="u"), ready["cache: xt"], values)


def _agree(simplified, tape):
    """Refuse a `simplified` that the caches contradict."""
    one_of("simplified", simplified, tuple(_FIXED))
    if simplified is not None:
        name, value = ("r", 1) if simplified == "reset" else ("z", 0)
        if (ops.read(tape, name) != value).any():
            raise ValueError(f"simplified: expected None, as g{_FIXED[simplified]} in caches is not 1, got {simplified!r}")
