"""What the tests of the course's functions share: the functions by kind of cell, and data for them."""

import numpy as np
import pytest

from fastrnn import course

KINDS = ("rnn", "lstm", "gru")
FORWARD = {kind: getattr(course, f"{kind}_forward") for kind in KINDS}
BACKWARD = {kind: getattr(course, f"{kind}_backward") for kind in KINDS}
CELL_FORWARD = {kind: getattr(course, f"{kind}_cell_forward") for kind in KINDS}
CELL_BACKWARD = {kind: getattr(course, f"{kind}_cell_backward") for kind in KINDS}
GATES = {"lstm": "fico", "gru": "urc"}
STATE = {"rnn": "a", "lstm": "a", "gru": "c"}
each_kind = pytest.mark.parametrize("kind", KINDS)


def make(kind, sizes=(3, 5, 2, 10, 7), dtype=np.float64, seed=1):
    """x, the initial state, parameters (recurrent weights scaled by 1/sqrt(n_a)), and a gradient for the states."""
    n_x, n_a, n_y, m, T = sizes
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    scale = np.dtype(dtype).type(n_a**-0.5)
    if kind == "rnn":
        p = {"Waa": normal(n_a, n_a) * scale, "Wax": normal(n_a, n_x) * scale, "ba": normal(n_a, 1),
             "Wya": normal(n_y, n_a) * scale, "by": normal(n_y, 1)}
    else:
        p = {f"W{gate}": normal(n_a, n_a + n_x) * scale for gate in GATES[kind]}
        p |= {f"b{gate}": normal(n_a, 1) for gate in GATES[kind]}
        p |= {"Wy": normal(n_y, n_a) * scale, "by": normal(n_y, 1)}
    return normal(n_x, m, T), normal(n_a, m), p, normal(n_a, m, T)
