"""Checks of parameters, columns, texts, caches and gradients; every message names the argument."""

from collections.abc import Mapping

import numpy as np

from .. import ops

SHAPES = {"Wax": ("n_a", "n_x"), "Waa": ("n_a", "n_a"), "Wya": ("n_y", "n_a"), "b": ("n_a", 1), "by": ("n_y", 1)}
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def _member(name, mapping, key, what):
    """mapping[key], or an error that says what was expected there."""
    if type(mapping) is not dict and not isinstance(mapping, Mapping):      # the first is quick
        raise TypeError(f"{name}: expected a dict, got {type(mapping).__name__}")
    if key not in mapping:
        raise ValueError(f'{name}["{key}"]: expected {what}, got nothing: the key is missing')
    return mapping[key]


def checked(parameters, **sizes):
    """The five parameters, native-endian, checked against each other and the sizes that are known."""
    native, dtype = {}, None
    note = " (n_x is vocab_size)" if "n_x" in sizes else ""
    for key, letters in SHAPES.items():
        array = _member("parameters", parameters, key, f"shape ({letters[0]}, {letters[1]})")
        found = getattr(array, "dtype", None)
        kind = found.newbyteorder("=") if isinstance(found, np.dtype) else None
        if kind is None or kind not in _FLOATS:      # NumPy takes None for float64
            got = type(array).__name__ if found is None else found
            raise TypeError(f'parameters["{key}"]: expected an array of float32 or float64, got {got}; '
                            f"convert it with .astype(np.float64)")
        if dtype is not None and kind != dtype:
            raise TypeError(f'parameters["{key}"]: expected {dtype} like parameters["Wax"], got {kind}; '
                            f"convert it with .astype(np.{dtype})")
        fits = array.ndim == 2 and all(n == (sizes.setdefault(letter, n) if letter != 1 else 1)
                                       for letter, n in zip(letters, array.shape))
        if not fits:
            known = ", ".join(f"{letter} = {sizes[letter]}" for letter in dict.fromkeys(letters) if letter in sizes)
            raise ValueError(f'parameters["{key}"]: expected shape ({letters[0]}, {letters[1]}) with {known}, '
                             f"got {array.shape}{note if key == 'Wax' else ''}")
        native[key], dtype = array if found.isnative else array.astype(kind), kind
    return native


def column(name, value, letter, size):
    """`value` as a column of floats of that size; (size,) would broadcast to a square."""
    array = ops.as_array(name, value)
    if array.dtype.kind != "f":
        raise TypeError(f"{name}: expected floats, got {array.dtype}; convert it with .astype(np.float64)")
    if array.shape != (size, 1):
        raise ValueError(f"{name}: expected shape ({letter}, 1) with {letter} = {size}, got {array.shape}")
    return array


def text(X, Y, p):
    """The number of steps of a text, X and Y being checked against each other and the vocabulary."""
    for name, indices in (("X", X), ("Y", Y)):
        if not hasattr(indices, "__len__"):
            raise TypeError(f"{name}: expected a list of indices, got {type(indices).__name__}")
    T = len(X)
    if len(Y) != T or T == 0:
        raise ValueError(f"Y: expected as many indices as X has, at least one, got {len(Y)} for {T}")
    _indices("X", [i for i in X if i is not None], p["Wax"].shape[1])
    _indices("Y", Y, len(p["by"]))
    return T


def _indices(name, values, size):
    for kind in set(map(type, values)):
        # A bool would choose as a mask does, a float not at all.
        if not issubclass(kind, (int, np.integer)) or kind is bool:
            also = " or None" if name == "X" else ""
            raise TypeError(f"{name}: expected integers{also}, got {kind.__name__} among them")
    if len(values) and not 0 <= min(values) <= max(values) < size:
        raise ValueError(f"{name}: expected indices from 0 to {size - 1}, got {min(values)} to {max(values)}; "
                         f"the parameters are for vocab_size = {size}")


def unpacked(cache, T, p):
    """What the cache of `rnn_forward` holds of a text of T steps: y_hat, a, a0, x as rows, and the dict of states."""
    if not isinstance(cache, (tuple, list)) or len(cache) != 3:
        raise TypeError(f"cache: expected (y_hat, a, x) from rnn_forward, got {type(cache).__name__}"
                        + (f" of {len(cache)}" if isinstance(cache, (tuple, list)) else ""))
    n_a, n_x = p["Wax"].shape
    rows = []
    for name, columns, first, letter, size in zip(("y_hat", "a", "x"), cache, (0, -1, 0), ("n_y", "n_a", "n_x"),
                                                  (len(p["by"]), n_a, n_x)):
        if not isinstance(columns, Mapping):
            raise TypeError(f"cache: expected {name} to be a dict of columns, got {type(columns).__name__}")
        if set(columns) != set(range(first, T)):
            raise ValueError(f"cache: expected {name} for the steps {first} to {T - 1}, as X has {T}, "
                             f"got {', '.join(map(str, columns)) or 'none'}")
        rows.append(np.array([column(f"cache: {name}[{t}]", columns[t], letter, size)[:, 0] for t in range(first, T)],
                             p["Wax"].dtype))
    y, a, x = rows
    return y, a[1:], a[:1], x, cache[1]


def gradient(gradients, key):
    """gradients[key], an array of numbers."""
    array = _member("gradients", gradients, key, "an array")
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise TypeError(f'gradients["{key}"]: expected an array of numbers, got '
                        f"{getattr(array, 'dtype', type(array).__name__)}")
    return array


def steps(parameters, gradients, lr):
    """Pairs of a parameter and lr times its gradient, such that nothing can go wrong once the first is changed."""
    if np.ndim(lr) or np.asarray(lr).dtype.kind not in "fiu":
        raise TypeError(f"lr: expected a number, got {lr!r}")
    pairs = []
    for key in SHAPES:
        array, change = _member("parameters", parameters, key, "an array"), gradient(gradients, f"d{key}")
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            raise TypeError(f'parameters["{key}"]: expected an array of float32 or float64, got '
                            f"{getattr(array, 'dtype', type(array).__name__)}")
        if not array.flags.writeable:
            raise ValueError(f'parameters["{key}"]: expected an array to change in place, got a read-only one')
        if change.shape != array.shape:
            raise ValueError(f'gradients["d{key}"]: expected shape {array.shape} like parameters["{key}"], '
                             f"got {change.shape}")
        pairs.append((array, lr * change))
    return pairs
