"""Live states of a stack of layers, of which each reads what the one below writes: the specification of streams.

A step is a sequence of length one, so it is what `forward` says of one, for the states that are asked for.
"""

import threading
from contextlib import contextmanager

import numpy as np

from .sequence import forward


class Stream:
    """`capacity` states of each layer of `weights`, a tuple of Weights; all zero at first.

    run: None, or a tuple with the fields of fastrnn.ops.Run, of which zoneout acts.
    `normalise(stream, x, ids, out)` returns arguments of `step` that fit, or raises. `empty(shape)` makes the arrays that
    `step` returns.  `threads` is not asked.
    """

    def __init__(self, weights, capacity, run, normalise, empty, threads):
        self.weights, self.capacity = tuple(weights), capacity
        self.n_x, self.n_h, self.dtype = weights[0].n_x, weights[-1].n_h, weights[0].dtype
        self.run, self._normalise, self._empty = run, normalise, empty
        self._a = np.zeros((len(weights), capacity, self.n_h), self.dtype)
        self._c = None
        if weights[0].n_c:
            self._c = np.zeros((len(weights), capacity, weights[0].n_c), self.dtype)
        self._inside = threading.Lock()

    @property
    def nbytes(self):
        """Bytes of the states; the weights are shared."""
        return self._a.nbytes + (0 if self._c is None else self._c.nbytes)

    def step(self, x, ids=None, out=None):
        """Take one step of all states, or of those that `ids` lists, each at most once.

        x (capacity, n_x), or (len(ids), n_x), of the weights' dtype; ids integers from 0 up to capacity.
        Returns y (capacity, n_h), or (len(ids), n_h): a new array, or `out`, a C-contiguous one of that shape.
        A refused call changes nothing.
        """
        with self._alone():
            x, ids, _ = self._normalise(self, x, ids, out)
            rows = slice(None) if ids is None else ids
            for k, weights in enumerate(self.weights):
                a, c = self._a[k, rows], None if self._c is None else self._c[k, rows]
                aT, cT = np.empty_like(a), None if c is None else np.empty_like(c)
                forward(weights, x[None], a, c, None, aT, cT, None, False, 1, self.run)
                self._a[k, rows] = x = aT
                if c is not None:
                    self._c[k, rows] = cT
            out = self._empty(x.shape) if out is None else out
            out[...] = x
            return out

    def clear(self, ids):
        """Set the states `ids` (None: all) to zero."""
        with self._alone():
            rows = slice(None) if ids is None else ids
            self._a[:, rows] = 0
            if self._c is not None:
                self._c[:, rows] = 0

    def read(self, a, c):
        """Fill a (layers, capacity, n_h) and, unless None, c (layers, capacity, n_c) with all states."""
        with self._alone():
            a[...] = self._a
            if c is not None:
                c[...] = self._c

    def write(self, a, c):
        """Replace all states by such arrays; None is zeros."""
        with self._alone():
            self._replace(a, c)

    def take(self, a, c):
        """As `read`; and until `put` this stream refuses every other call."""
        self._enter()
        a[...] = self._a
        if c is not None:
            c[...] = self._c

    def put(self, a, c):
        """End what `take` began: write such arrays, or with a None leave the states as they are."""
        if a is not None:
            self._replace(a, c)
        self._inside.release()

    def _replace(self, a, c):
        self._a[...] = 0 if a is None else a
        if self._c is not None:
            self._c[...] = 0 if c is None else c

    def _enter(self):
        if not self._inside.acquire(blocking=False):
            raise RuntimeError("stream: another thread is in a call of this stream; give each thread one of its own")

    @contextmanager
    def _alone(self):
        self._enter()
        try:
            yield
        finally:
            self._inside.release()
