"""The course's weights, a matrix [W_a | W_x] for each gate, to and from one block in the order of `ops`."""

import numpy as np

from .. import ops


def gate_shapes(gates):
    """Shapes in letters of W and b of each gate."""
    return {key: dims for gate in gates for key, dims in ((f"W{gate}", ("n_a", "n_a+n_x")), (f"b{gate}", ("n_a", 1)))}


def pack_gates(cell, ready, gates, negated=""):
    """Weights for `ops` from ready["Wf"], ready["bf"], …; rows in the order of `gates`, some with the sign turned.

    Biases may be missing where only the way back is wanted, which does not see them.
    """
    def block(letter):
        return np.concatenate([-ready[letter + g] if g in negated else ready[letter + g] for g in gates])

    W = block("W")
    n_a = len(W) // len(gates)
    b = block("b").reshape(-1) if all("b" + g in ready for g in gates) else None
    return ops.pack(cell, W[:, n_a:], W[:, :n_a], b)


def unpack_gates(gradients, gates, course_order, negated=""):
    """{dWf: …, dbf: …, …} in the course's order from the gradients that `ops.backward` returns."""
    n_a = gradients.dW_a.shape[1]
    named = {}
    for gate in course_order:
        rows = slice(gates.index(gate) * n_a, (gates.index(gate) + 1) * n_a)
        dW = np.concatenate((gradients.dW_a[rows], gradients.dW_x[rows]), axis=1)
        db = gradients.db_x[rows, np.newaxis].copy()
        named[f"dW{gate}"], named[f"db{gate}"] = (-dW, -db) if gate in negated else (dW, db)
    return named
