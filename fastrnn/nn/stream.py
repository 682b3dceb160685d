"""Streams of a layer: live states that take one step at a time."""
from .. import ops
from .states import check_pair


class Stream:
    """Live states of a recurrent layer, made by `layer.stream(capacity)`.

    `capacity` states share one set of weights, those that the layer had when the stream was made, and are independent
    of each other: each has the same bits (on the NumPy backend the same within rounding) whether it steps alone or with
    others, and step by step or by `run`.

        y = s.step(x, ids=None, out=None)

    takes all of them one step on, or only those that `ids` lists, each at most once.  x (capacity, n_x), or
    (len(ids), n_x), of the layer's dtype, whatever the layer's layout; returns y (capacity, n), or (len(ids), n), what
    the last layer puts out: a new array, or `out`, a contiguous one of that shape.  With `out` nothing is allocated.
    A call that is refused changes nothing.

    Streams of one layer may be used by different threads at once; of one stream, one call at a time: a second one, from
    another thread, is a RuntimeError.  To keep a stream, keep its `state` (with numpy.savez, say) beside the layer's
    file, and give it to a new stream of the loaded layer.

    >>> import numpy as np
    >>> from fastrnn import GRU
    >>> s = GRU(3, 5, seed=0).stream(capacity=4)
    >>> s.step(np.ones((2, 3), np.float32), ids=[3, 1]).shape
    (2, 5)
    >>> s.state.shape, bool(s.state[0, 0].any()), bool(s.state[0, 1].any())
    ((1, 4, 5), False, True)
    """

    # step is the backend's own method: no frame of Python stands between the caller and C.
    __slots__ = {"step": "step(x, ids=None, out=None): take all states, or those of `ids`, one step on; returns y.",
                 "_live": None, "_layer": None, "__weakref__": None}

    def __init__(self, live, layer):
        self._live, self._layer = live, layer
        self.step = live.step

    @property
    def capacity(self):
        """The number of states."""
        return self._live.capacity

    @property
    def state(self):
        """All states in the layer's shape, (num_layers, capacity, n), for an LSTM the pair (h, c): copies.

        Assign such arrays to replace all states, or None for zeros.
        """
        found = ops.states(self._live)
        return found if len(found) == 2 else found[0]

    @state.setter
    def state(self, value):
        if not self._live.weights[0].n_c:
            return ops.set_states(self._live, None if value is None else (value,), ("state",))
        if value is not None:
            check_pair("state", value)
        ops.set_states(self._live, value, ("state h", "state c"))

    def run(self, x):
        """Take all states through a chunk x (T, capacity, n_x), and return y (T, capacity, n): the bits of T steps."""
        return ops.advance(self._live, x)

    def reset(self, ids=None):
        """Set the states that `ids` lists, or all, to zero."""
        ops.clear(self._live, ids)

    def clone(self):
        """Return an independent stream of the same weights with the same states."""
        live = self._live
        other = ops.stream(live.weights, live.capacity, zoneout=live.run and live.run.zoneout)
        ops.set_states(other, ops.states(live))
        return Stream(other, self._layer)

    def __copy__(self):
        return self.clone()

    def __deepcopy__(self, memo):
        return self.clone()

    def __reduce__(self):
        raise TypeError("stream: expected its state to be kept instead, got a stream to pickle")

    def __repr__(self):
        return f"{self._layer}.stream(capacity={self.capacity})"
