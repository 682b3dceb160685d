"""The affine layer that turns hidden states into scores."""
import numpy as np

from .. import ops
from .layer import Layer, count, pick_dtype, pick_layout, plain, uniform


class LinearTape:
    """What Linear.forward keeps for one backward."""

    __slots__ = ("layer", "x")

    def __init__(self, layer, x):
        self.layer, self.x = layer, x


class Linear(Layer):
    """y = x W^T + b along the feature axis, as torch.nn.Linear.

    x (..., in_features) and y (..., out_features), of `dtype`; with layout="nmt" the features come first:
    x (in_features, ...).  Parameters weight (out_features, in_features), bias (out_features,); both start as
    U(-1/sqrt(in_features), 1/sqrt(in_features)) drawn from `seed`.  What `forward` keeps refers to x: x must not be
    changed before `backward`.

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

    def _checked(self, name, x, features):
        x = plain(name, x)
        if x.dtype != self.dtype:
            raise TypeError(f"{name}: expected {self.dtype.name}, got {x.dtype}; use .astype({self.dtype.name!r})")
        axis = 0 if self.layout == "nmt" else -1
        if x.ndim == 0 or x.shape[axis] != features:
            shape = f"({features}, ...)" if axis == 0 else f"(..., {features})"
            raise ValueError(f"{name}: expected shape {shape}, got {x.shape}")
        return x

    def __call__(self, x):
        """Return y for x."""
        x = self._checked("x", x, self.in_features)
        weight, bias = self._arrays["weight"], self._arrays.get("bias")
        if self.layout == "nmt":
            y = ops.product(weight, x.reshape(self.in_features, -1))
            if bias is not None:
                y += bias[:, None]
            return y.reshape(self.out_features, *x.shape[1:])
        # One product over all rows: NumPy would otherwise run one small product for each leading index.
        y = ops.product(x.reshape(-1, self.in_features), weight.T)
        if bias is not None:
            y += bias
        return y.reshape(*x.shape[:-1], self.out_features)

    def forward(self, x):
        """Return y and the tape for backward, which refers to x: x must not be changed before backward."""
        x = self._checked("x", x, self.in_features)
        return self(x), LinearTape(self, x)

    def backward(self, dy, tape, *, need_dx=True):
        """Return dx (None without need_dx) and the gradients of the parameters; a tape can be used once."""
        if not isinstance(tape, LinearTape) or tape.layer is not self:
            raise ValueError(f"tape: expected what forward of this layer returned, got {type(tape).__name__}")
        if tape.x is None:
            raise ValueError("tape: expected one that was not used yet, got one that backward has used up")
        dy = self._checked("dy", dy, self.out_features)
        x = tape.x
        first = self.layout == "nmt"
        expected = (self.out_features, *x.shape[1:]) if first else (*x.shape[:-1], self.out_features)
        if dy.shape != expected:
            raise ValueError(f"dy: expected shape {expected}, got {dy.shape}")
        tape.x = None
        weight = self._arrays["weight"]
        if first:
            rows, dz = x.reshape(self.in_features, -1).T, dy.reshape(self.out_features, -1)
            dx = ops.product(weight.T, dz).reshape(x.shape) if need_dx else None
        else:
            rows, dz = x.reshape(-1, self.in_features), dy.reshape(-1, self.out_features).T
            dx = ops.product(dz.T, weight).reshape(x.shape) if need_dx else None
        gradients = {"weight": ops.product(dz, rows)}
        if self.bias:
            gradients["bias"] = dz.sum(axis=1)
        return dx, gradients

    def __repr__(self):
        return (f"Linear({self.in_features}, {self.out_features}, bias={self.bias}, layout={self.layout!r}, "
                f"dtype={self.dtype.name!r})")
