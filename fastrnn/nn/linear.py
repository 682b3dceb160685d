"""The affine layer that turns hidden states into scores."""
import numpy as np

from .. import ops
from .layer import Layer, count, floats, pick_dtype, pick_layout, uniform
from .tape import Once, tape_of


class LinearTape(Once):
    """x, and the weights: they stay those that ran."""

    __slots__ = _kept = ("x", "weights")

    def __init__(self, layer, x, weights):
        self.layer, self.free, self.x, self.weights = layer, True, x, weights


class _Affine(Layer):
    """A layer with one affine map: `_names` are its matrix and its bias, if it has one."""

    _names = "weight", "bias"

    def _written(self, names):
        self._pack = None       # or (backend, arrays, packed weights), as of a recurrent layer

    def _weights(self):
        """The weights, packed for the backend in force; packed again only after a write or a switch."""
        backend, arrays, pack = ops.active(), self._arrays, self._pack
        if pack is None or pack[0] is not backend or pack[1] is not arrays:
            pack = self._pack = backend, arrays, ops.pack_linear(*map(arrays.get, self._names))
        return pack[2]

    def __getstate__(self):
        # Packed weights belong to this process and this machine; a copy packs its own.
        return {**self.__dict__, "_pack": None}


class Linear(_Affine):
    """y = x W^T + b along the feature axis, as torch.nn.Linear.

    x (..., in_features) and y (..., out_features), of `dtype`; with layout="nmt" the features come first:
    x (in_features, ...).  Parameters weight (out_features, in_features), bias (out_features,); both start as
    U(-1/sqrt(in_features), 1/sqrt(in_features)) drawn from `seed`.  What `forward` keeps refers to x: x must not be
    changed before `backward`.  Raises ValueError or TypeError naming what does not fit.

    >>> import numpy as np
    >>> layer = Linear(3, 2, seed=0)
    >>> layer(np.ones((7, 4, 3), np.float32)).shape
    (7, 4, 2)
    """

    def __init__(self, in_features, out_features, bias=True, *, layout=None, dtype=np.float32, seed=None):
        self._setup(in_features=in_features, out_features=out_features, bias=bias, layout=pick_layout(layout),
                    dtype=dtype)
        values, self._rng = uniform(self._shapes, self.in_features ** -0.5, self.dtype, seed)
        self.update(values)

    def _setup(self, *, in_features, out_features, bias, layout, dtype):
        self.in_features, self.out_features = count("in_features", in_features), count("out_features", out_features)
        self.bias, self.layout, dtype = bool(bias), pick_layout(layout), pick_dtype(dtype)
        shapes = {"weight": (self.out_features, self.in_features)}
        if self.bias:
            shapes["bias"] = (self.out_features,)
        self._declare(dict(in_features=self.in_features, out_features=self.out_features, bias=self.bias,
                           layout=self.layout, dtype=dtype.name), shapes, dtype)

    def __call__(self, x):
        """Return y for x."""
        return ops.linear(self._weights(), floats("x", x, self.dtype), layout=self.layout)

    def forward(self, x):
        """Return y and the tape for backward, which refers to x: x must not be changed before backward."""
        x, weights = floats("x", x, self.dtype), self._weights()
        return ops.linear(weights, x, layout=self.layout), LinearTape(self, x, weights)

    def backward(self, dy, tape, *, need_dx=True):
        """Return dx (None without need_dx) and the gradients of the parameters; a tape can be used once."""
        with tape_of(self, tape, LinearTape):
            dx, dW, db = ops.linear_backward(tape.weights, tape.x, floats("dy", dy, self.dtype), layout=self.layout,
                                             need_dx=need_dx, need_db=self.bias)
        return dx, {"weight": dW, "bias": db} if self.bias else {"weight": dW}

    def __repr__(self):
        return (f"Linear({self.in_features}, {self.out_features}, bias={self.bias}, layout={self.layout!r}, "
                f"dtype={self.dtype.name!r})")
