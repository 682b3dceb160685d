"""What is measured: shapes, arithmetic of each, and its weights and inputs.  NumPy only."""

from typing import NamedTuple

import numpy as np

CELLS = ("rnn", "lstm", "gru")  # tanh; forget gate, no peepholes; reset after
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
WORKS = ("inference", "training")
DTYPES = ("float32", "float64")
SIZES = (16, 32, 64, 128, 256, 512, 1024)
BATCHES = (1, 8, 32, 128)
ODD = ((27, 100, 1, 50), (24, 32, 1, 63), (40, 80, 5, 37), (3, 50, 64, 200), (256, 512, 16, 64))
# the shapes that are looked at most often, small enough for a few minutes
QUICK = ((16, 16, 1, 100), (64, 64, 1, 100), (128, 128, 1, 100), (512, 512, 1, 100), (64, 64, 32, 100),
         (128, 128, 32, 100), (512, 512, 32, 25))  # fmt: skip
STEPS = (16, 64, 128, 256)
COURSE = ((27, 100, 1, 50), (128, 256, 32, 100), (128, 512, 64, 50))
LAYOUTS = ("tmn", "mtn", "nmt")
LAYOUT_SHAPES = ((16, 16, 1, 100), (64, 64, 1, 100), (64, 64, 32, 100), (128, 128, 32, 100), (512, 512, 32, 25))


class Case(NamedTuple):
    """One network on one input."""

    cell: str
    n_x: int
    n_a: int
    m: int
    T: int
    dtype: str = "float32"

    def __str__(self):
        return f"{self.cell} {self.n_x}->{self.n_a} m={self.m} T={self.T} {self.dtype}"

    @property
    def gates(self):
        return GATES[self.cell]

    @property
    def itemsize(self):
        return np.dtype(self.dtype).itemsize

    def flops(self, work):
        """Useful floating-point operations: the matrix products alone; training is three times inference."""
        forward = 2 * self.gates * self.n_a * (self.n_x + self.n_a) * self.m * self.T
        return forward * {"inference": 1, "training": 3}[work]


def _steps(n, m):
    return 25 if n * n * m >= 256 * 256 * 128 else 100


def full():
    """Every (n_x, n_a, m, T): the square ones without 1024 at m = 128, which takes seconds a call; then the odd ones."""
    square = [(n, n, m, _steps(n, m)) for n in SIZES for m in BATCHES if n * m < 1024 * 128]
    return (*square, *ODD)


def cases(shapes, cells, dtypes):
    """Shape by shape, so that a run that is short of time has met every cell."""
    return [Case(cell, *shape, dtype) for shape in shapes for cell in cells for dtype in dtypes]


class Data(NamedTuple):
    """Arrays of one case: W (G n_a, n), b (G n_a,) with PyTorch's gate order; x (T, m, n_x); dy (T, m, n_a)."""

    W_x: np.ndarray
    W_a: np.ndarray
    b_x: np.ndarray
    b_a: np.ndarray
    x: np.ndarray
    dy: np.ndarray


def data(case):
    """The same numbers in every process and for both dtypes: drawn as float32, so that float64 holds them too."""
    rng = np.random.default_rng([CELLS.index(case.cell), case.n_x, case.n_a, case.m, case.T])
    rows, bound = case.gates * case.n_a, case.n_a**-0.5
    shapes = [(rows, case.n_x), (rows, case.n_a), (rows,), (rows,)]
    arrays = [rng.uniform(-bound, bound, shape) for shape in shapes]
    arrays += [rng.standard_normal((case.T, case.m, n)) for n in (case.n_x, case.n_a)]
    return Data(*(array.astype(np.float32).astype(case.dtype) for array in arrays))


def ragged_lengths(m, T):
    """Lengths of m sequences, from 1 to T, the same in every process."""
    return np.random.default_rng([m, T]).integers(1, T + 1, m)


def tolerance(case):
    """Largest error allowed, relative to the largest value of an array.

    Rounding of a sum of K terms grows with sqrt(K) eps; K counts the terms of a pre-activation and of the sums over
    time and batch in a weight's gradient.  The factor leaves room for the peers' approximations of exp and tanh.
    """
    terms = case.n_x + case.n_a + case.m * case.T
    return 4 * np.finfo(case.dtype).eps * terms**0.5


def difference(answers, expected, limit):
    """The first disagreement between two dicts of arrays in words, or None.  Names only in `expected` are not asked for."""
    if not answers:
        return "no answer"
    for name, array in answers.items():
        if array.shape != expected[name].shape:
            return f"{name}: shape {array.shape}, expected {expected[name].shape}"
        scale = max(float(np.max(np.abs(expected[name]))), 1e-30)
        error = float(np.max(np.abs(array.astype(np.float64) - expected[name]))) / scale
        if not error <= limit:  # also when it is not a number
            return f"{name}: relative error {error:.2g}, allowed {limit:.2g}"
    return None
