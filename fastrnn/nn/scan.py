"""Layers whose recurrence has no product over time: only elementwise gates stand between one step and the next."""
import numpy as np

from .. import ops
from .axes import SHAPE, with_m, without_m
from .layer import Layer, count, floats, pick_dtype, pick_layout, uniform
from .linear import _Affine
from .tape import Once, tape_of


class ScanTape(Once):
    """A reference to x, states and operands, which are its own, and the weights that ran, where the layer has some."""

    __slots__ = ("x", "inputs", "h0", "h", "single", "weights")
    _kept = ("x", "inputs", "h0", "h", "weights")

    def __init__(self, layer, x, inputs, h0, h, single, weights=None):
        self.layer, self.free = layer, True
        self.x, self.inputs, self.h0, self.h, self.single, self.weights = x, inputs, h0, h, single, weights


class _Scan(Layer):
    """What the layers here share: sequences in three layouts, with or without the axis m, and states."""

    def _sequences(self, name, x, n, like=None):
        """x with an axis for m, and whether it had none; of n features, or of the shape `like`."""
        x = floats(name, x, self.dtype)
        if like is not None and x.shape != like:
            raise ValueError(f"{name}: expected shape {like}, got {x.shape}")
        if x.ndim not in (2, 3) or x.shape[0 if self.layout == "nmt" else -1] != n:
            raise ValueError(f"{name}: expected shape {SHAPE[self.layout]} with n = {n}, or without m for one sequence, "
                             f"got {x.shape}")
        return with_m(name, x, self.layout)

    def _batch(self, x):
        return x.shape[0 if self.layout == "mtn" else 1]

    def _squeezed(self, x, single):
        return without_m(x, self.layout) if single else x

    def _state(self, name, state, m, single):
        """A state (1, m, n), or (1, n) of one sequence, as (m, n)."""
        if state is None:
            return None
        state = floats(name, state, self.dtype)
        shape = (1, self.hidden_size) if single else (1, m, self.hidden_size)
        if state.shape != shape:
            raise ValueError(f"{name}: expected shape {shape}, got {state.shape}")
        return np.array(state.reshape(m, self.hidden_size))

    def _joined(self, state, single):
        return state if single else state[None]

    def _like(self, x, n):
        """The shape of x with n features."""
        return (n, *x.shape[1:]) if self.layout == "nmt" else (*x.shape[:-1], n)


class LinearRecurrence(_Scan):
    """h_t = a_t h_(t-1) + b_t, elementwise; a layer without parameters.

    a, b and h have n = hidden_size features and the shape that `layout` says, (T, m, n) by default, or no axis m for one
    sequence; states are (1, m, n), or (1, n).  Passing a state on, a sequence in chunks has the bits of the whole.
    Raises ValueError or TypeError naming what does not fit.

    >>> import numpy as np
    >>> h, state = LinearRecurrence(1)(np.full((3, 1), 2, np.float32), np.ones((3, 1), np.float32))
    >>> h.ravel(), state
    (array([1., 3., 7.], dtype=float32), array([[7.]], dtype=float32))
    """

    def __init__(self, hidden_size, *, layout=None, dtype=np.float32):
        self._setup(hidden_size=hidden_size, layout=pick_layout(layout), dtype=dtype)

    def _setup(self, *, hidden_size, layout, dtype):
        self.hidden_size, self.layout, dtype = count("hidden_size", hidden_size), pick_layout(layout), pick_dtype(dtype)
        self._declare(dict(hidden_size=self.hidden_size, layout=self.layout, dtype=dtype.name), {}, dtype)

    def _run(self, a, b, state):
        a, single = self._sequences("a", a, self.hidden_size)
        b, _ = self._sequences("b", b, self.hidden_size, self._squeezed(a, single).shape)
        h0 = self._state("state", state, self._batch(a), single)
        return (a, b), h0, ops.scan("linear", (a, b), h0, layout=self.layout), single

    def __call__(self, a, b, state=None):
        """Return h and the last state."""
        _, _, (h, last), single = self._run(a, b, state)
        return self._squeezed(h, single), self._joined(last, single)

    def forward(self, a, b, state=None):
        """Return h, the last state, and the tape, which refers to a and b: they must stay as they are until backward."""
        inputs, h0, (h, last), single = self._run(a, b, state)
        tape = ScanTape(self, inputs, inputs, h0, h.copy(), single)
        return self._squeezed(h, single), self._joined(last, single), tape

    def backward(self, dh, tape, dstate=None):
        """Return (da, db), dstate, and the gradients of the parameters, of which there are none; a tape is used once."""
        with tape_of(self, tape, ScanTape):
            dinputs, dstate = _back(self, "linear", dh, tape, dstate)
        return tuple(self._squeezed(d, tape.single) for d in dinputs), dstate, {}

    def __repr__(self):
        return f"LinearRecurrence({self.hidden_size}, layout={self.layout!r}, dtype={self.dtype.name!r})"


def _back(layer, kind, dh, tape, dstate, layout=None):
    """The gradients of a scan's inputs and of its first state."""
    h, single = tape.h, tape.single
    if dh is not None:
        dh, _ = layer._sequences("dh" if kind == "linear" else "dy", dh, layer.hidden_size, layer._squeezed(h, single).shape)
    dlast = layer._state("dstate", dstate, layer._batch(h), single)
    dinputs, dh0 = ops.scan_backward(kind, tape.inputs, h, tape.h0, dh, dlast, layout=layout or layer.layout, out=layer.layout)
    return dinputs, layer._joined(dh0, single)


class _Gated(_Affine, _Scan):
    """A scan whose operands are affine in x: weight_ih_l0 (K hidden_size, input_size), bias_ih_l0 (K hidden_size,)."""

    _kind, _operands = None, None
    _names = "weight_ih_l0", "bias_ih_l0"

    def __init__(self, input_size, hidden_size, bias=True, batch_first=False, *, layout=None, dtype=np.float32, seed=None):
        self._setup(input_size=input_size, hidden_size=hidden_size, bias=bias, layout=pick_layout(layout, batch_first),
                    dtype=dtype)
        values, self._rng = uniform(self._shapes, self.input_size ** -0.5, self.dtype, seed)
        self.update(values)

    def _setup(self, *, input_size, hidden_size, bias, layout, dtype):
        self.input_size, self.hidden_size = count("input_size", input_size), count("hidden_size", hidden_size)
        self.bias, self.layout, dtype = bool(bias), pick_layout(layout), pick_dtype(dtype)
        rows = self._operands * self.hidden_size
        shapes = {"weight_ih_l0": (rows, self.input_size)}
        if self.bias:
            shapes["bias_ih_l0"] = (rows,)
        self._declare(dict(input_size=self.input_size, hidden_size=self.hidden_size, bias=self.bias, layout=self.layout,
                           dtype=dtype.name), shapes, dtype)

    def _run(self, x, state):
        x, single = self._sequences("x", x, self.input_size)
        h0 = self._state("state", state, self._batch(x), single)
        # The operands are time-major whatever the layout: the scan reads them row by row.
        weights = self._weights()
        inputs = ops.linear(weights, x, layout=self.layout, out="tmn")
        return x, inputs, h0, ops.scan(self._kind, inputs, h0, layout="tmn", out=self.layout), single, weights

    def __call__(self, x, state=None):
        """Return y, the state after every step, and the last state, (1, m, n) or (1, n)."""
        _, _, _, (y, last), single, _ = self._run(x, state)
        return self._squeezed(y, single), self._joined(last, single)

    def forward(self, x, state=None):
        """Return y, the last state, and the tape for backward, which refers to x: x must stay as it is until then."""
        x, inputs, h0, (y, last), single, weights = self._run(x, state)
        tape = ScanTape(self, x, inputs, h0, y.copy(), single, weights)
        return self._squeezed(y, single), self._joined(last, single), tape

    def backward(self, dy, tape, dstate=None):
        """Return dx, dstate, and the gradients of the parameters; dy may be None for zeros.  A tape can be used once."""
        with tape_of(self, tape, ScanTape):
            dinputs, dstate = _back(self, self._kind, dy, tape, dstate, "tmn")
            dx, dW, db = ops.linear_backward(tape.weights, tape.x, dinputs, layout=self.layout, out="tmn", need_db=self.bias)
        gradients = {"weight_ih_l0": dW, "bias_ih_l0": db} if self.bias else {"weight_ih_l0": dW}
        return self._squeezed(dx, tape.single), dstate, gradients

    def __repr__(self):
        return (f"{type(self).__name__}({self.input_size}, {self.hidden_size}, bias={self.bias}, layout={self.layout!r}, "
                f"dtype={self.dtype.name!r})")


class minGRU(_Gated):
    """The minimal GRU of Feng et al., "Were RNNs all we needed?" (2024): gates that see x alone.

    x (T, m, input_size), y (T, m, hidden_size), or in another `layout`, or without the axis m for one sequence.  The
    rows of weight_ih_l0 and bias_ih_l0 are z, then h; both start as U(-1/sqrt(input_size), 1/sqrt(input_size)).
    Raises ValueError or TypeError naming what does not fit.

        z = sigmoid(W_z x + b_z)      h' = (1 - z) h + z (W_h x + b_h)

    >>> import numpy as np
    >>> y, state = minGRU(3, 5, seed=0)(np.ones((7, 2, 3), np.float32))
    >>> y.shape, state.shape
    ((7, 2, 5), (1, 2, 5))
    """

    _kind, _operands = "min_gru", 2


class minLSTM(_Gated):
    """The minimal LSTM of Feng et al., "Were RNNs all we needed?" (2024): gates that see x alone and sum to 1.

    Shapes and errors as for minGRU.  The rows of weight_ih_l0 and bias_ih_l0 are f, i, then h.

        f = sigmoid(W_f x + b_f)    i = sigmoid(W_i x + b_i)      h' = f / (f + i) h + i / (f + i) (W_h x + b_h)

    >>> import numpy as np
    >>> minLSTM(3, 5, seed=0)(np.ones((7, 3), np.float32))[0].shape
    (7, 5)
    """

    _kind, _operands = "min_lstm", 3
