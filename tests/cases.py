"""The one list of interesting sizes, made data for them, the families of tolerances, and guard bands."""

from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from fastrnn import reference

CELLS = reference.CELLS
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru_after": 3, "gru_before": 3, "slstm": 4}
BLOCKS = {"lstm": 1, "slstm": 3}  # of n_a values in a row of cell states
LAYOUTS = ("tmn", "mtn", "nmt")


class Case(NamedTuple):
    n_x: int
    n_a: int
    m: int
    T: int
    why: str

    @property
    def sizes(self):
        return self[:4]


# Lanes are 2, 4, 8, 16 (128, 256, 512 bits; float64, float32). Time goes in blocks of 16 steps.
CASES = [
    Case(1, 1, 1, 1, "everything is one"),
    Case(3, 5, 2, 0, "no steps: the final state is the initial one"),
    Case(3, 5, 0, 4, "no sequences"),
    Case(3, 5, 0, 0, "nothing at all: gradients of weights are zero"),
    Case(2, 3, 5, 7, "small primes: a multiple of nothing"),
    Case(1, 7, 3, 2, "one input: the projection is an outer product"),
    Case(5, 1, 3, 4, "one unit: every vector is a tail"),
    Case(17, 2, 1, 3, "the lanes of a float64 vector of 128 bits"),
    Case(4, 4, 1, 2, "4 lanes exactly"),
    Case(5, 3, 1, 2, "4 lanes less one"),
    Case(3, 5, 4, 1, "4 lanes and one; T = 1"),
    Case(8, 8, 8, 2, "8 lanes exactly, everywhere"),
    Case(9, 7, 7, 3, "8 lanes less one"),
    Case(7, 9, 9, 3, "8 lanes and one"),
    Case(16, 16, 16, 3, "16 lanes exactly, everywhere"),
    Case(17, 15, 5, 3, "16 lanes less one"),
    Case(15, 17, 6, 3, "16 lanes and one"),
    Case(31, 33, 1, 5, "two vectors of 16 and one; m = 1 takes a path of its own"),
    Case(3, 15, 1, 4, "15 units of one sequence: places that are empty between the parts of its row"),
    Case(5, 32, 1, 4, "32 of one sequence: a part of another gate between those of its row"),
    Case(33, 31, 2, 5, "two vectors of 16 less one"),
    Case(6, 48, 3, 2, "three vectors of 16: a tile of three"),
    Case(6, 49, 3, 2, "and one more"),
    Case(4, 10, 12, 2, "12 rows: a tile of 6 twice, of 4 three times, of 8 once and a half"),
    Case(4, 10, 13, 2, "13 rows: one more, and a prime"),
    Case(4, 10, 15, 2, "15 rows: less one than 16"),
    Case(4, 10, 33, 2, "33 rows: two panels of 16 and one"),
    Case(3, 6, 2, 15, "a block of time less one"),
    Case(3, 6, 2, 16, "a block of time exactly"),
    Case(3, 6, 2, 17, "a block of time and one"),
    Case(11, 13, 3, 65, "four blocks of time and one; primes"),
    Case(64, 64, 2, 20, "powers of two: strides that fall on the same cache sets"),
    Case(63, 65, 3, 18, "beside the powers of two"),
    Case(27, 100, 1, 50, "a character-level model, one name at a time"),
    Case(129, 67, 4, 3, "a long sum over the input"),
    Case(2, 131, 5, 3, "a long sum over the state, rows of every remainder"),
]


def each_case(*wanted, among=CASES):
    """Parametrize a test by the cases; with texts, only those whose reason holds one of them."""
    chosen = [case for case in among if not wanted or any(text in case.why for text in wanted)]
    assert chosen, wanted
    ids = ["x{}a{}m{}T{}".format(*case.sizes) for case in chosen]
    return pytest.mark.parametrize("case", chosen, ids=ids)


each_cell = pytest.mark.parametrize("cell", CELLS)


@lru_cache(maxsize=None)
def data(cell, sizes, dtype, seed=0):
    """Parameters scaled by 1/sqrt(n_a), inputs, states, and gradients of outputs; all read-only, time-major."""
    n_x, n_a, m, T = sizes
    rng = np.random.default_rng([seed, *sizes])
    rows = GATES[cell] * n_a
    n_c = BLOCKS.get(cell, 0) * n_a

    def normal(*shape, scale=1.0):
        array = (scale * rng.standard_normal(shape)).astype(dtype)
        array.flags.writeable = False
        return array

    def states():
        found = normal(m, n_a), normal(m, n_c)
        if cell == "slstm":
            found[1].flags.writeable = True
            found[1][:, n_a : 2 * n_a] = sensible(found[1][:, n_a : 2 * n_a])
            found[1].flags.writeable = False
        return found[: 1 + (n_c > 0)]

    return SimpleNamespace(
        cell=cell,
        sizes=sizes,
        W_x=normal(rows, n_x, scale=n_x**-0.5),
        W_a=normal(rows, n_a, scale=n_a**-0.5),
        b_x=normal(rows, scale=0.3),
        b_a=normal(rows, scale=0.3),
        x=normal(T, m, n_x),
        state=states(),
        dy=normal(T, m, n_a),
        dstate=(normal(m, n_a), normal(m, n_c))[: 1 + (n_c > 0)],
        dcells=normal(T, m, n_c) if n_c else None,
    )


def sensible(n):
    """The n of an sLSTM's state, made of any numbers: a sum of weights is positive."""
    return abs(n) + n.dtype.type(0.5)


def outputs(T, m, n_x, n_a, gates, n_c, make):
    """The arrays that a backend fills, by name, each made by make(name, shape); None where the cell has none."""
    rows = gates * n_a
    shapes = {
        "y": (T, m, n_a), "aT": (m, n_a), "cT": (m, n_c), "cells": (T, m, n_c),
        "dx": (T, m, n_x), "da0": (m, n_a), "dc0": (m, n_c),
        "dW_x": (rows, n_x), "dW_a": (rows, n_a), "db_x": (rows,), "db_a": (rows,),
    }  # fmt: skip
    of_cells = ("cT", "cells", "dc0")
    return SimpleNamespace(
        **{name: None if name in of_cells and not n_c else make(name, shape) for name, shape in shapes.items()}
    )


def evaluate(backend, d, dtype, make=None, threads=1):
    """Forward and backward of `data` d straight through a backend, in `dtype`; returns all that it filled."""
    n_x, n_a, m, T = d.sizes
    n_c = BLOCKS.get(d.cell, 0) * n_a

    def cast(array):
        return None if array is None else np.array(array, dtype)

    weights = backend.Weights(d.cell, cast(d.W_x), cast(d.W_a), cast(d.b_x), cast(d.b_a), None)
    out = outputs(T, m, n_x, n_a, GATES[d.cell], n_c, make or (lambda name, shape: np.empty(shape, dtype)))
    a0, c0 = [cast(s) for s in d.state] if n_c else (cast(d.state[0]), None)
    daT, dcT = [cast(s) for s in d.dstate] if n_c else (cast(d.dstate[0]), None)
    out.tape = backend.forward(weights, cast(d.x), a0, c0, out.y, out.aT, out.cT, out.cells, True, threads, None)
    backend.backward(
        out.tape, cast(d.dy), daT, dcT, cast(d.dcells),
        out.dx, out.da0, out.dc0, out.dW_x, out.dW_a, out.db_x, out.db_a, threads, {}, False,
    )  # fmt: skip
    return out


@lru_cache(maxsize=None)
def truth(cell, sizes, dtype, seed=0):
    """The specification evaluated in the longest float that NumPy has, on exactly the numbers of `data`."""
    return evaluate(reference, data(cell, sizes, dtype, seed), np.longdouble)


# ---- tolerances, by family ----


def assert_sum(actual, expected, terms, what=""):
    """Sums: an error of at most `terms` roundings, in units of the array's largest value, or of 1.

    `terms` counts what is added up on the way to one element; random errors stay far below it, and a
    missing or doubled term far above. The summands are of the order of 1 (see `data`), however small
    what they add up to: that is where the 1 comes from.
    """
    assert actual.shape == expected.shape, what
    if actual.size == 0:
        return
    error = np.max(np.abs(actual - expected))
    limit = terms * np.finfo(actual.dtype).eps * max(1, np.max(np.abs(expected)))
    assert error <= limit, f"{what}: error {error:.3g} above {limit:.3g} ({terms} eps)"


def chain_terms(d):
    """Roundings on the way to a state, an output, or their gradients: one step's sums, and a few a step."""
    n_x, n_a, _, T = d.sizes
    return 16 + n_x + GATES[d.cell] * n_a + 4 * T


def weight_terms(d):
    """Roundings on the way to a weight's gradient: the chain, and the sum over sequences and steps."""
    _, _, m, T = d.sizes
    return chain_terms(d) + m * T


def assert_same_results(actual, expected, d):
    """Everything that `evaluate` fills, each within its family's tolerance."""
    for name in ("y", "aT", "cT", "cells", "dx", "da0", "dc0"):
        if getattr(expected, name) is not None:
            assert_sum(getattr(actual, name), getattr(expected, name), chain_terms(d), name)
    for name in ("dW_x", "dW_a", "db_x", "db_a"):
        assert_sum(getattr(actual, name), getattr(expected, name), weight_terms(d), name)


def ulps(actual, expected):
    """The largest error in units of the last place of `expected`, which is of a longer type; finite values only."""
    unit = np.spacing(np.abs(expected).astype(actual.dtype))
    return float(np.max(np.abs(actual - expected) / unit, initial=0))


# ---- guard bands ----


class Guarded:
    """An array inside a larger one of finite, uneven numbers, which must be the same bits afterwards.

    Finite, because NaN hides an overrun that adds to it. `gap` puts guards between rows, and `step` > 1 between
    neighbours, too; with neither the array is C-contiguous.
    """

    def __init__(self, shape, dtype, gap=0, step=1):
        pads = [(n + gap) if axis else n for axis, n in enumerate(shape)]
        pads[-1] = shape[-1] * step + gap
        edge = 40  # more than two vectors of 16, and no multiple of one
        size = int(np.prod(pads))
        self._all = (1.0 + 0.37 * np.arange(size + 2 * edge)).astype(dtype)
        inner = self._all[edge : edge + size].reshape(pads)
        index = tuple(slice(0, n) for n in shape[:-1]) + (slice(0, shape[-1] * step, step),)
        self.array = inner[index]
        assert self.array.shape == tuple(shape)
        guards = np.ones(self._all.shape, bool)
        guards[edge : edge + size].reshape(pads)[index] = False
        self._guards = guards
        self._before = self._all[guards].tobytes()

    def intact(self):
        return self._all[self._guards].tobytes() == self._before
