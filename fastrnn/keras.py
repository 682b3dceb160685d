"""Weights of Keras's SimpleRNN, LSTM and GRU, to and from layers of `fastrnn.nn`. Keras itself is not needed.

Keras stores kernel (n_x, G n_a), recurrent_kernel (n_a, G n_a) and bias, a column per unit, gates i f c o and z r h.
`layer.get_weights()` lists them in this order, and those of a Bidirectional wrapper one direction after the other.
The layers compute the same when Keras's have their default activations (SimpleRNN: tanh, or relu with an RNN of
nonlinearity="relu"). A GRU with reset_after=True has a bias (2, 3 n_a), input side first; all others have one bias,
which becomes bias_ih beside a bias_hh of zeros.

    layer = fastrnn.LSTM(n_x, n_a, layout="mtn")
    layer.load_state_dict(fastrnn.keras.from_keras("LSTM", keras_layer.get_weights()))
    keras_layer.set_weights(fastrnn.keras.to_keras(layer))

Source: https://keras.io/api/layers/recurrent_layers/
"""

import numpy as np

from . import nn
from .nn.layer import count, plain

# Where each of our gates (i f g o, r z n) stands in Keras's order (i f c o, z r h); this is its own inverse.
_ORDER = {"SimpleRNN": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}
_LAYERS = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def from_keras(cell, weights, reset_after=True, *, index=0):
    """Parameters for `load_state_dict`, from what Keras's `get_weights` returns.

    cell: "SimpleRNN", "LSTM" or "GRU" · weights: [kernel, recurrent_kernel, bias], without bias if the layer has
    none; six arrays, or four without biases, are the two directions of a Bidirectional · reset_after: the GRU's ·
    index: which layer of a stack the names are for.
    Returns a dict of new arrays under PyTorch's names, of the dtype of `weights`.
    Raises ValueError or TypeError naming what does not fit.

    >>> import numpy as np
    >>> found = from_keras("GRU", [np.ones((3, 15)), np.ones((5, 15)), np.ones((2, 15))])
    >>> {name: array.shape for name, array in found.items()}
    {'weight_ih_l0': (15, 3), 'weight_hh_l0': (15, 5), 'bias_ih_l0': (15,), 'bias_hh_l0': (15,)}
    """
    if not isinstance(cell, str) or cell not in _ORDER:
        raise ValueError(f"cell: expected one of {', '.join(_ORDER)}, got {cell!r}")
    index = count("index", index, least=0)
    if not isinstance(weights, (list, tuple)) or len(weights) not in (2, 3, 4, 6):
        got = f"{len(weights)} of them" if isinstance(weights, (list, tuple)) else type(weights).__name__
        raise ValueError(f"weights: expected a list of 2 or 3 arrays, or of 4 or 6 for two directions, got {got}")
    directions = 1 if len(weights) < 4 else 2
    each, found = len(weights) // directions, {}
    for d in range(directions):
        ending = f"_l{index}{'_reverse' * d}"
        arrays = _ours(cell, weights[d * each : (d + 1) * each], reset_after)
        found.update({name + ending: array for name, array in zip(_NAMES, arrays)})
    return found


def to_keras(layer, *, index=0):
    """The arrays for Keras's `set_weights`, from a layer that Keras has too.

    layer: an RNN, LSTM or GRU · index: which layer of a stack.
    Returns a list of new arrays in the order of `from_keras`; a GRU with reset_after has the bias (2, 3 n_a), and
    where Keras has one bias it is the sum of our two.
    Raises ValueError for a layer with parts that Keras's does not have.

    >>> [array.shape for array in to_keras(nn.LSTM(3, 5))]
    [(3, 20), (5, 20), (20,)]
    """
    cell = next((name for name, kind in _LAYERS.items() if type(layer) is kind), None)
    if cell is None:
        raise TypeError(f"layer: expected an RNN, LSTM or GRU of fastrnn, got {type(layer).__name__}")
    index = count("index", index, least=0)
    if index >= layer.num_layers:
        raise ValueError(f"index: expected less than num_layers = {layer.num_layers}, got {index}")
    _check_plain(layer)
    parameters, arrays = layer.parameters(), []
    for ending in (f"_l{index}", f"_l{index}_reverse"):
        if f"weight_ih{ending}" not in parameters:
            continue
        kernel, recurrent, *biases = (_reordered(cell, parameters[name + ending]).T.copy()
                                      for name in _NAMES if name + ending in parameters)  # fmt: skip
        arrays += [kernel, recurrent]
        if biases:
            arrays.append(np.stack(biases) if layer.cell == "gru_after" else biases[0] + biases[1])
    return arrays


def _reordered(cell, array):
    """`array`, gates along its first axis, from Keras's order to ours or back."""
    return np.concatenate([np.split(array, len(_ORDER[cell]))[k] for k in _ORDER[cell]])


def _ours(cell, weights, reset_after):
    """weight_ih, weight_hh and, if there is a bias, bias_ih and bias_hh, of one direction."""
    kernel, recurrent, *rest = (plain(name, w) for name, w in zip(("kernel", "recurrent_kernel", "bias"), weights))
    G = len(_ORDER[cell])
    columns = "n_a" if G == 1 else f"{G} n_a"
    n_a = recurrent.shape[0] if recurrent.ndim == 2 else 0
    if n_a < 1 or recurrent.shape != (n_a, G * n_a):
        raise ValueError(f"recurrent_kernel: expected shape (n_a, {columns}), got {recurrent.shape}")
    if kernel.ndim != 2 or kernel.shape[1] != G * n_a:
        raise ValueError(f"kernel: expected shape (n_x, {columns}) with n_a = {n_a}, got {kernel.shape}")
    arrays = [_reordered(cell, kernel.T), _reordered(cell, recurrent.T)]
    if rest:
        (bias,), two = rest, cell == "GRU" and reset_after
        if bias.shape != ((2, G * n_a) if two else (G * n_a,)):
            form = f" with reset_after={bool(reset_after)}" if cell == "GRU" else ""
            raise ValueError(f"bias: expected shape ({'2, ' if two else ''}{columns}{'' if two else ','}) with "
                             f"n_a = {n_a}{form}, got {bias.shape}")
        ours = [_reordered(cell, b) for b in (bias if two else [bias])]
        arrays += ours if two else [ours[0], np.zeros_like(ours[0])]
    return arrays


def _check_plain(layer):
    """Raise if the layer has parameters, or computes in a way, that Keras's does not have."""
    known = tuple(f"{name}_l" for name in _NAMES)
    extra = [name for name in layer.parameters() if not name.startswith(known)]
    if extra:
        raise ValueError(f"layer: expected one with Keras's parameters alone, got also {', '.join(extra)}")
    options = [name for name in ("clip", "input_forget", "zoneout") if layer.config.get(name)]
    if options:
        raise ValueError(f"layer: expected one that computes as Keras's does, got one with {', '.join(options)}")
