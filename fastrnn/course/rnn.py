"""The basic recurrent network of the course: forward and back, a step and a sequence.

    a⟨t⟩ = tanh(Waa a⟨t-1⟩ + Wax x⟨t⟩ + ba)        ŷ⟨t⟩ = softmax(Wya a⟨t⟩ + by)

Source: Sequence Models (deeplearning.ai), week 1, "Building your recurrent neural network, step by step".
"""

import numpy as np

from .. import ops
from ._arguments import Arguments, as_float, one_of
from ._caches import CellCaches, ReluCache, open_caches, sequence_tape, stack_cells
from .output import OUTPUTS, predict

_ACTIVATIONS = ("tanh", "relu")
_OUTPUT_SHAPES = {"Wya": ("n_y", "n_a"), "by": ("n_y", 1)}
_FIELDS = {"a_next": "n_a", "a_prev": "n_a", "xt": "n_x"}


def rnn_cell_forward(xt, a_prev, parameters, *, activation="tanh", output="softmax"):
    """One step of the basic RNN.

    xt (n_x, m) · a_prev (n_a, m) · parameters: Waa (n_a, n_a), Wax (n_a, n_x), Wya (n_y, n_a), ba (n_a, 1),
    by (n_y, 1); Wa = [Waa | Wax] may stand for the first two.  float32 or float64, the widest of all is used.
    Returns a_next (n_a, m), yt_pred (n_y, m), cache = (a_next, a_prev, xt, parameters).
    Raises ValueError or TypeError naming the argument that does not fit.

        a_next = tanh(Waa a_prev + Wax xt + ba)        yt_pred = softmax(Wya a_next + by)

    activation may be "relu", output "sigmoid".  Source: see the module.

    >>> import numpy as np
    >>> parameters = {"Waa": np.zeros((2, 2)), "Wax": np.ones((2, 3)), "Wya": np.ones((4, 2)),
    ...               "ba": np.zeros((2, 1)), "by": np.zeros((4, 1))}
    >>> a_next, yt_pred, cache = rnn_cell_forward(np.full((3, 1), 0.1), np.zeros((2, 1)), parameters)
    >>> a_next.round(4).T, yt_pred.T
    (array([[0.2913, 0.2913]]), array([[0.25, 0.25, 0.25, 0.25]]))
    """
    ready, weights = _settle({"xt": (xt, "n_x", "m"), "a_prev": (a_prev, "n_a", "m")}, parameters, activation, output)
    xt, a_prev = ready["xt"], ready["a_prev"]
    state = ops.forward(weights, xt[:, :, np.newaxis], (a_prev.T,), layout="nmt").state
    a_next = np.ascontiguousarray(state[0].T)
    cache = _tagged((a_next, a_prev, xt, parameters), activation)
    return a_next, predict(a_next, ready["Wya"], ready["by"], output), cache


def rnn_forward(x, a0, parameters, *, activation="tanh", output="softmax"):
    """The basic RNN over a whole sequence.

    x (n_x, m, T_x) · a0 (n_a, m) · parameters as for rnn_cell_forward.
    Returns a (n_a, m, T_x), y_pred (n_y, m, T_x), caches = (cell caches, x): caches[0][t] is the cache of
    step t, made when it is read.  Leave x as it is until rnn_backward.  Errors and equation as for the cell.

    >>> import numpy as np
    >>> parameters = {"Wa": np.ones((2, 5)), "Wya": np.ones((4, 2)), "ba": np.zeros((2, 1)), "by": np.zeros((4, 1))}
    >>> a, y_pred, caches = rnn_forward(np.zeros((3, 6, 7)), np.zeros((2, 6)), parameters)
    >>> a.shape, y_pred.shape, len(caches[0])
    ((2, 6, 7), (4, 6, 7), 7)
    """
    ready, weights = _settle({"x": (x, "n_x", "m", "T_x"), "a0": (a0, "n_a", "m")}, parameters, activation, output)
    x = ready["x"]
    a, _, _, tape = ops.forward(weights, x, (ready["a0"].T,), layout="nmt", training=True)

    def build(at, xt, parameters):
        return _tagged((at("a"), at("a", before=True), xt, parameters), activation)

    return a, predict(a, ready["Wya"], ready["by"], output), (CellCaches(tape, x, parameters, build), x)


def rnn_cell_backward(da_next, cache, *, activation=None):
    """Gradients of one step of the basic RNN.

    da_next (n_a, m): gradient of the loss with respect to a_next · cache from rnn_cell_forward or caches[0][t].
    activation: only for a tuple that you made yourself ("tanh" then is the default); a cache knows its own.
    Returns a dict: dxt (n_x, m), da_prev (n_a, m), dWax (n_a, n_x), dWaa (n_a, n_a), dba (n_a, 1), those of
    parameters summed over m.  Raises ValueError or TypeError naming the argument that does not fit.

        dz = da_next (1 - a_next²)     dxt = Waxᵀ dz     da_prev = Waaᵀ dz     dWax = dz xtᵀ     dWaa = dz a_prevᵀ

    Source: see the module.

    >>> import numpy as np
    >>> parameters = {"Waa": np.eye(2), "Wax": np.ones((2, 3)), "ba": np.zeros((2, 1))}
    >>> zero = np.zeros((2, 1))
    >>> gradients = rnn_cell_backward(np.ones((2, 1)), (zero, zero, np.ones((3, 1)), parameters))
    >>> gradients["dxt"].T, gradients["dba"].T
    (array([[2., 2., 2.]]), array([[1., 1.]]))
    """
    one_of("activation", activation, (None, *_ACTIVATIONS))
    da_next = as_float("da_next", da_next)
    tape = _tape_of([cache], da_next.dtype, activation)
    given = Arguments({"n_a": tape.weights.n_a, "m": tape.m}, "cache")
    given.add("da_next", da_next, "n_a", "m")
    dstate = (given.settle()["da_next"].T.astype(tape.weights.dtype, copy=False),)
    gradients = ops.backward(tape, dstate=dstate, layout="nmt")
    return {"dxt": gradients.dx[:, :, 0], "da_prev": np.ascontiguousarray(gradients.dstate[0].T), **_named(gradients)}


def rnn_backward(da, caches, *, activation=None):
    """Backpropagation through time for the basic RNN.

    da (n_a, m, T_x): gradient with respect to a at each step, from outside of the recurrence; with fewer
    steps than caches, the gradients are those of the first steps alone · caches from rnn_forward, or
    (list of cell caches, x) from your own loop over rnn_cell_forward · activation as for rnn_cell_backward.
    Returns a dict: dx (n_x, m, T_x), da0 (n_a, m), dWax, dWaa, dba, summed over m and t, not divided by m.
    Raises ValueError or TypeError naming the argument that does not fit.  Equation as for the cell, with
    da_next = da⟨t⟩ + da_prev⟨t+1⟩.

    >>> import numpy as np
    >>> parameters = {"Waa": np.eye(1), "Wax": np.ones((1, 1)), "Wya": np.ones((1, 1)),
    ...               "ba": np.zeros((1, 1)), "by": np.zeros((1, 1))}
    >>> a, y_pred, caches = rnn_forward(np.zeros((1, 1, 3)), np.zeros((1, 1)), parameters)
    >>> gradients = rnn_backward(np.ones((1, 1, 3)), caches)
    >>> gradients["dx"], gradients["dba"]
    (array([[[3., 2., 1.]]]), array([[6.]]))
    """
    one_of("activation", activation, (None, *_ACTIVATIONS))
    cells = open_caches(caches, "rnn_forward")
    if isinstance(cells, CellCaches):
        _agree(activation, cells.tape.weights.cell.removeprefix("rnn_"))
    tape, da = sequence_tape("da", da, cells, lambda cells, dtype: _tape_of(cells, dtype, activation))
    gradients = ops.backward(tape, da, layout="nmt")
    return {"dx": gradients.dx, "da0": np.ascontiguousarray(gradients.dstate[0].T), **_named(gradients)}


def _settle(data, parameters, activation, output):
    """Check everything a forward function was given; the arrays ready for use, and packed weights."""
    one_of("activation", activation, _ACTIVATIONS)
    one_of("output", output, OUTPUTS)
    given = Arguments()
    for name, (value, *dims) in data.items():
        given.add(name, value, *dims)
    given.add_parameters(parameters, {**_weight_shapes(parameters), "ba": ("n_a", 1), **_OUTPUT_SHAPES})
    ready = given.settle()
    return ready, _pack(ready, activation)


def _weight_shapes(parameters):
    """Shapes in letters of Waa and Wax, or of Wa where that stands for both."""
    if not hasattr(parameters, "keys") or "Wa" not in parameters:
        return {"Waa": ("n_a", "n_a"), "Wax": ("n_a", "n_x")}
    beside = [key for key in ("Waa", "Wax") if key in parameters]
    if beside:      # they may contradict each other
        raise ValueError(f"parameters: expected either Wa, or Waa and Wax, got Wa beside {' and '.join(beside)}")
    return {"Wa": ("n_a", "n_a+n_x")}


def _pack(ready, activation):
    if "Wa" in ready:
        n_a = len(ready["Wa"])
        ready["Waa"], ready["Wax"] = ready["Wa"][:, :n_a], ready["Wa"][:, n_a:]
    # the way back does not see the bias, and its callers do not ask for it
    bias = ready["ba"].reshape(-1) if "ba" in ready else None
    return ops.pack(f"rnn_{activation}", ready["Wax"], ready["Waa"], bias)


def _tape_of(cells, dtype, activation):
    """A tape from cell caches, at least as wide as dtype."""
    kinds = {isinstance(cell, ReluCache) for cell in cells}
    if True in kinds:
        _agree(activation, "relu")
        activation = "relu"
    given, parameters = stack_cells(cells, _FIELDS, [("a_next", "a_prev")])
    given.add_parameters(parameters, _weight_shapes(parameters))
    ready = given.settle(dtype)
    weights = _pack(ready, activation or "tanh")
    values = {"a": ready["cache: a_next"], "a0": ready["cache: a_prev"][0]}
    return ops.tape(weights, ready["cache: xt"], values)


def _agree(activation, used):
    if activation not in (None, used):
        raise ValueError(f"activation: expected {used!r} as in the forward call, got {activation!r}")


def _tagged(cache, activation):
    return ReluCache(cache) if activation == "relu" else cache


def _named(gradients):
    return {"dWax": gradients.dW_x, "dWaa": gradients.dW_a, "dba": gradients.db_x[:, np.newaxis]}
