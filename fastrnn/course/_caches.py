"""What the course calls caches: a tuple for each step, made when somebody looks at it.

The forward functions keep a tape, which the backward functions use as it is.  Only a reader of
`caches[0][t]` needs tuples; and only caches from a reader's own loop must become a tape.
"""

from collections.abc import Sequence

import numpy as np

from .. import ops
from ._arguments import Arguments, as_float


class ReluCache(tuple):
    """The cell cache of an RNN with ReLU: the course's tuple, which by itself could not say so."""

    __slots__ = ()


class CellCaches(Sequence):
    """The cell caches of a whole sequence, like a list; each is made at its first use.

    `build(at, xt, parameters)` makes the tuple of one step, where at(name) and at(name, before=True)
    are the tape's quantities (n_a, m) at that step and the step before.
    """

    def __init__(self, tape, x, parameters, build):
        self.tape, self.x, self.parameters = tape, x, parameters
        self._build = build
        self._made = [None] * tape.T
        self._read = {}

    def __len__(self):
        return len(self._made)

    def __getitem__(self, index):
        steps = range(len(self))[index]
        return [self._cell(t) for t in steps] if isinstance(index, slice) else self._cell(steps)

    def __reduce__(self):
        # A tape can't be copied; what the course has in this place, a list of tuples, can.
        return list, (list(self),)

    def __repr__(self):
        return f"<cell caches of {len(self)} steps, made when read>"

    def upto(self, T):
        """The tape of the first T steps."""
        tape = self.tape
        if T == tape.T:
            return tape
        values = {name: self._quantity(name) for name in ops.tape_names(tape.weights.cell)}
        values = {name: value if value.ndim == 2 else value[:T] for name, value in values.items()}
        return ops.tape(tape.weights, self.x[:, :, :T].transpose(2, 1, 0), values)

    def _quantity(self, name):
        """(T_x, m, n_a), or an initial state (m, n_a)."""
        if name not in self._read:
            self._read[name] = ops.read(self.tape, name)
        return self._read[name]

    def _cell(self, t):
        def at(name, before=False):
            step = t - 1 if before else t
            # copies: the course's tuples hold arrays of their own, contiguous
            return (self._quantity(name)[step] if step >= 0 else self._quantity(name + "0")).T.copy()

        if self._made[t] is None:
            self._made[t] = self._build(at, self.x[:, :, t], self.parameters)
        return self._made[t]


# Whose tapes are of which cell.
_FORWARD = {"rnn_tanh": "rnn_forward", "rnn_relu": "rnn_forward", "lstm": "lstm_forward", "gru_before": "gru_forward"}


def open_caches(caches, forward):
    """The cell caches out of the pair (cell caches, x) that the function named `forward` returns."""
    try:
        cells, _ = caches
    except (TypeError, ValueError):
        raise TypeError(f"caches: expected a pair (cell caches, x), got {type(caches).__name__}") from None
    if isinstance(cells, CellCaches):
        maker = _FORWARD[cells.tape.weights.cell]
        if maker != forward:
            raise ValueError(f"caches: expected those of {forward}, got those of {maker}")
        return cells
    try:
        return list(cells)
    except TypeError:
        raise TypeError("caches: expected a pair (cell caches, x) with a list of cell caches, "
                        f"got {type(cells).__name__} in its place") from None


def sequence_tape(name, da, cells, tape_of):
    """(tape, da): the steps that da has, of `cells`, in the widest float of both.

    `tape_of(cells, dtype)` makes a tape from tuples: for caches of another origin than ours, and for
    a da wider than what forward ran in.  da may be shorter than the sequence: the rest is left out.
    """
    da = as_float(name, da)
    steps = da.shape[-1] if da.ndim == 3 else len(cells)
    if steps > len(cells):
        raise ValueError(f"{name}: expected at most the T_x = {len(cells)} steps of caches, got shape {da.shape}")
    if isinstance(cells, CellCaches) and (not steps or da.dtype.itemsize <= np.dtype(cells.tape.weights.dtype).itemsize):
        tape = cells.upto(steps)
    else:
        tape = tape_of(cells[:steps], da.dtype)
    given = Arguments({"n_a": tape.weights.n_a, "m": tape.m}, "caches")
    given.add(name, da, "n_a", "m", "T_x")
    return tape, given.settle()[name].astype(tape.weights.dtype, copy=False)


def stack_cells(cells, fields, carried):
    """Arguments holding each field of the cells as one array (T_x, m, n), and the parameters they share.

    fields: {name: first letter of its shape}, in the tuple's order, the parameters last.
    carried: pairs (state after, state before): what one step hands to the next.
    """
    if not cells:
        raise ValueError("caches: expected at least one cell cache, got none")
    names = (*fields, "parameters")
    for t, cell in enumerate(cells):
        if not isinstance(cell, (tuple, list)) or len(cell) != len(names):
            got = f"{len(cell)} entries" if isinstance(cell, (tuple, list)) else type(cell).__name__
            raise ValueError(f"cache of step {t}: expected a tuple ({', '.join(names)}), got {got}")
        if not hasattr(cell[-1], "keys"):
            raise TypeError(f"cache of step {t}: parameters: expected a dict of arrays, got {type(cell[-1]).__name__}")
    parameters = cells[0][-1]
    for t, cell in enumerate(cells[1:], 1):
        if cell[-1] is not parameters and not _equal(cell[-1], parameters):
            raise ValueError(f"cache of step {t}: expected the parameters of step 0, got others; "
                             "call the cell's backward function step by step")
    given = Arguments()
    for k, (name, letter) in enumerate(fields.items()):
        steps = [as_float(f"cache: {name}", cell[k]) for cell in cells]
        for t, step in enumerate(steps):
            if step.ndim != 2 or step.shape != steps[0].shape:
                raise ValueError(f"cache of step {t}: {name}: expected shape ({letter}, m), got {step.shape}")
        given.add(f"cache: {name}", np.array([step.T for step in steps]), "T_x", "m", letter)
    for after, before in carried:
        a, b = given.arrays[f"cache: {after}"][:-1], given.arrays[f"cache: {before}"][1:]
        if a.shape != b.shape or not np.array_equal(a, b, equal_nan=True):
            raise ValueError(f"caches: expected each step's {before} to be the {after} of the step before, "
                             "got another; call the cell's backward function step by step")
    return given, parameters


def _equal(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)
