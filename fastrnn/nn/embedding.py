"""The layer that turns indices into vectors."""
import numpy as np

from .. import ops
from .layer import Layer, count, floats, generator, indices, pick_dtype, pick_layout
from .tape import Once, tape_of


class EmbeddingTape(Once):
    """The indices: a copy."""

    __slots__ = _kept = ("x",)

    def __init__(self, layer, x):
        self.layer, self.free, self.x = layer, True, x


class Embedding(Layer):
    """y = weight[x]: a row of a table for each integer, as torch.nn.Embedding.

    x: integers from 0 to num_embeddings - 1, (T, m), or (m, T) with the layouts "mtn" and "nmt", or of any other number
    of axes.  y, of `dtype`: (T, m, embedding_dim), (m, T, embedding_dim) or (embedding_dim, m, T), as `layout` says.
    Parameter weight (num_embeddings, embedding_dim), drawn from the normal distribution with `seed`.  The row
    `padding_idx` starts as zeros and gets no gradient.  Raises ValueError or TypeError naming what does not fit.

    >>> import numpy as np
    >>> layer = Embedding(27, 4, seed=0)
    >>> layer(np.array([[0, 3], [26, 3]])).shape
    (2, 2, 4)
    """

    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, *, layout=None, dtype=np.float32, seed=None):
        self._setup(num_embeddings=num_embeddings, embedding_dim=embedding_dim, padding_idx=padding_idx,
                    layout=pick_layout(layout), dtype=dtype)
        self._rng = generator(seed)
        weight = self._rng.standard_normal(self._shapes["weight"])
        if self.padding_idx is not None:
            weight[self.padding_idx] = 0
        self.update({"weight": weight})

    def _setup(self, *, num_embeddings, embedding_dim, padding_idx, layout, dtype):
        self.num_embeddings = count("num_embeddings", num_embeddings)
        self.embedding_dim = count("embedding_dim", embedding_dim)
        self.padding_idx = None if padding_idx is None else self._row(padding_idx)
        self.layout, dtype = pick_layout(layout), pick_dtype(dtype)
        self._declare(dict(num_embeddings=self.num_embeddings, embedding_dim=self.embedding_dim,
                           padding_idx=self.padding_idx, layout=self.layout, dtype=dtype.name),
                      {"weight": (self.num_embeddings, self.embedding_dim)}, dtype)

    def _row(self, index):
        """padding_idx, which as in PyTorch may count from the end."""
        n = self.num_embeddings
        index = count("padding_idx", index, -n)
        if index >= n:
            raise ValueError(f"padding_idx: expected from {-n} to {n - 1}, got {index}")
        return index % n

    def __call__(self, x):
        """Return the rows that x names."""
        return ops.take_rows(self._arrays["weight"], indices("x", x, self.num_embeddings), layout=self.layout)

    def forward(self, x):
        """Return y and the tape for backward."""
        x = indices("x", x, self.num_embeddings)
        return self(x), EmbeddingTape(self, x.copy())

    def backward(self, dy, tape):
        """Return None, as integers have no gradient, and the gradients of the parameters; a tape can be used once.

        Positions that name the same row add up, in order of time and sequence: the same bits for any number of threads.
        """
        with tape_of(self, tape, EmbeddingTape):
            x, dy, n = tape.x, floats("dy", dy, self.dtype), self.embedding_dim
            shape = (n, *x.shape) if self.layout == "nmt" else (*x.shape, n)
            if dy.shape != shape:
                raise ValueError(f"dy: expected shape {shape}, got {dy.shape}")
            gradient = ops.add_rows(self.num_embeddings, x, dy, layout=self.layout, skip=self.padding_idx)
        return None, {"weight": gradient}

    def __repr__(self):
        return (f"Embedding({self.num_embeddings}, {self.embedding_dim}, padding_idx={self.padding_idx}, "
                f"layout={self.layout!r}, dtype={self.dtype.name!r})")
