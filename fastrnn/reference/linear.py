"""The affine map y = W x + b at every position of a sequence, and rows of a table.

Shapes: x (T, m, n_x), y (T, m, n_y), W (n_y, n_x), b (n_y,); index (T, m). Arrays may have any strides.
"""

import numpy as np

from .activations import sigmoid
from .losses import softmax


class Linear:
    """An affine map's parameters: W (n_y, n_x), b (n_y,) or None for zeros. They are copied."""

    def __init__(self, W, b):
        self.n_y, self.n_x = W.shape
        self.dtype = W.dtype.name
        self.W = W.copy()
        self.b = np.zeros_like(W[:, 0]) if b is None else b.copy()


def linear_forward(weights, x, y, activation, threads):
    """Fill y (T, m, n_y) with W x + b of x (T, m, n_x), through "softmax", "sigmoid" or "none"."""
    with np.errstate(all="ignore"):
        # One product over all rows: NumPy would otherwise run a small one for each step.
        z = (x.reshape(-1, weights.n_x) @ weights.W.T + weights.b).reshape(y.shape)
        y[...] = softmax(z) if activation == "softmax" else sigmoid(z) if activation == "sigmoid" else z


def linear_backward(weights, x, dy, dx, dW, db, threads):
    """From x and dy of a forward without activation fill dx, dW, db; dx and db may be None."""
    dy, x = dy.reshape(-1, weights.n_y), x.reshape(-1, weights.n_x)
    with np.errstate(all="ignore"):
        if dx is not None:
            dx[...] = (dy @ weights.W).reshape(dx.shape)
        dW[...] = dy.T @ x
        if db is not None:
            db[...] = dy.sum(axis=0)


def take_rows(index, table, y, threads):
    """Fill y (T, m, n) with the rows of table (rows, n) that index (T, m) names; zeros where it is negative."""
    y[...] = np.where(index[..., None] < 0, 0, table[index])


def add_rows(index, dy, dtable, threads):
    """Fill dtable (rows, n) with the sums of dy (T, m, n) over the positions whose index (T, m) names the row."""
    dtable[...] = 0
    counts = index >= 0
    with np.errstate(all="ignore"):
        np.add.at(dtable, index[counts], dy[counts])
