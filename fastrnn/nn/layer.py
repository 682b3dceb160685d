"""What every layer shares: named parameters that are replaced, never written in place, and their file."""
from collections.abc import Mapping

import numpy as np

from .. import io, ops

LAYOUTS = ("tmn", "mtn", "nmt")     # (T, m, n), (m, T, n), (n, m, T): the last is the course's
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_KINDS = {}                         # name in a file -> class


def pick_layout(layout, batch_first=False):
    """The one layout that `layout` and PyTorch's `batch_first` mean together."""
    if layout is None:
        return "mtn" if batch_first else "tmn"
    if not isinstance(layout, str) or layout not in LAYOUTS:
        raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
    if batch_first and layout != "mtn":
        raise ValueError(f"layout: expected 'mtn' or None with batch_first=True, got {layout!r}")
    return layout


def pick_dtype(dtype):
    """float32 or float64 as a NumPy dtype."""
    try:
        found = np.dtype(object if dtype is None else dtype)        # NumPy takes None for float64
    except (TypeError, ValueError, SyntaxError, OverflowError):         # what NumPy raises depends on what it can't read
        found = np.dtype(object)
    if found not in _FLOATS:
        raise TypeError(f"dtype: expected float32 or float64, got {dtype!r}")
    return found


def count(name, value, least=1):
    """`value` as an int that is at least `least`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")
    return int(value)


def fraction(name, value):
    """`value` as a probability in [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number from 0 up to (not including) 1, got {type(value).__name__}")
    if not 0 <= value < 1:
        raise ValueError(f"{name}: expected a number from 0 up to (not including) 1, got {value}")
    return float(value)


def plain(name, value):
    """`value` as a native-endian, aligned array, whatever its type and shape."""
    array = ops.as_array(name, value)
    return array if array.dtype.isnative and array.flags.aligned else array.astype(array.dtype.newbyteorder("="))


def floats(name, value, dtype):
    """`value` as a native-endian array, which must be of that float type."""
    array = plain(name, value)
    if array.dtype.kind == "O" and not isinstance(value, np.ndarray):
        raise TypeError(f"{name}: expected an array of {dtype.name}, got {type(value).__name__}")
    if array.dtype != dtype:
        raise TypeError(f"{name}: expected {dtype.name}, got {array.dtype}; use .astype({dtype.name!r})")
    return array


def indices(name, value, n):
    """`value` as an array of integers from 0 to n - 1, of any shape."""
    array = plain(name, value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {array.dtype}")
    if array.size and (array.min() < 0 or array.max() >= n):
        raise ValueError(f"{name}: expected from 0 to {n - 1}, got {array.min()} to {array.max()}")
    return array


def _few(names):
    """The names for a message, which a file with very many of them must not blow up."""
    names = list(map(str, names))
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def uniform(shapes, bound, dtype, seed):
    """Draw PyTorch's initial distribution U(-bound, bound) for every (name, shape).

    The numbers are drawn as float64, so a seed means the same weights in both element types.
    Returns the arrays and the generator, which the layer keeps for dropout.
    """
    rng = generator(seed)
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}, rng


def generator(seed, make=np.random.default_rng):
    """NumPy's generator for a seed as it takes them, or what else `make` makes of it; None is another one each time."""
    try:
        return make(seed)
    except (TypeError, ValueError) as error:
        raise type(error)(f"seed: expected None or an integer that is not negative, got {seed!r}") from None


def check_mapping(mapping):
    if not isinstance(mapping, Mapping):
        raise TypeError(f"mapping: expected a dict from names to arrays, got {type(mapping).__name__}")


def _ours(cls):
    """Whether a class is this library's, whose files mean it whatever else bears its name."""
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


class Layer:
    """Named parameters of fixed shapes.

    A subclass has `_setup(**config)`, which fixes `self._config` (all that a file must say besides the
    numbers) and calls `_declare`; its `__init__` calls `_setup` and then writes the first numbers.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        known = _KINDS.get(cls.__name__)
        if not cls.__name__.startswith("_") and (known is None or _ours(cls) or not _ours(known)):
            _KINDS[cls.__name__] = cls

    def _declare(self, config, shapes, dtype):
        self._config, self._shapes, self.dtype = config, shapes, dtype
        self._arrays = {}
        self._rng = np.random.default_rng()

    def _written(self, names):
        """The parameters `names` have new values."""

    def parameters(self):
        """Return the parameters: a dict from PyTorch's names to read-only arrays in PyTorch's shapes."""
        return dict(self._arrays)

    def state_dict(self):
        """Return writable copies of the parameters under PyTorch's names."""
        return {name: array.copy() for name, array in self._arrays.items()}

    def load_state_dict(self, mapping):
        """Replace all parameters by `mapping`, which must have exactly their names and shapes.

        Arrays of either float type are accepted and stored as the layer's; the arrays are copied.
        Raises ValueError naming what is missing, unknown or of another shape, TypeError for integers.
        """
        check_mapping(mapping)
        missing = [name for name in self._shapes if name not in mapping]
        if missing:
            raise ValueError(f"mapping: expected also {_few(missing)}, got {_few(mapping) or 'nothing'}")
        self.update(mapping)

    def update(self, mapping):
        """Replace the parameters that `mapping` names, all or (on an error) none; the arrays are copied."""
        check_mapping(mapping)
        fresh = {}
        for name, value in mapping.items():
            if name not in self._shapes:
                raise ValueError(f"mapping: expected names among {_few(self._shapes)}, got {name!r}")
            value = plain(name, value)
            if value.dtype not in _FLOATS:
                raise TypeError(f"{name}: expected float32 or float64, got {value.dtype}; use .astype({self.dtype.name!r})")
            if value.shape != self._shapes[name]:
                raise ValueError(f"{name}: expected shape {self._shapes[name]}, got {value.shape}")
            fresh[name] = np.array(value, dtype=self.dtype, order="C")
            fresh[name].flags.writeable = False
        # The declared order is kept whatever order the first mapping has: gradients and files follow it.
        self._arrays = {name: fresh.get(name, self._arrays.get(name)) for name in self._shapes}
        self._written(fresh)

    def __setstate__(self, state):
        self.__dict__.update(state)
        for array in self._arrays.values():
            array.flags.writeable = False       # a copy of an array, or one that was pickled, forgets it

    @property
    def config(self):
        """What a file says about the layer besides its numbers: a dict."""
        return dict(self._config)

    def save(self, path):
        """Write the layer (kind, configuration, parameters) to a file that `fastrnn.load` reads."""
        io.save(path, type(self).__name__, self.config, self.parameters())

    @classmethod
    def _blank(cls, config):
        """A layer without numbers yet: what a file says is compared with it before memory is taken."""
        layer = cls.__new__(cls)
        layer._setup(**config)
        return layer


def load(path):
    """Read a layer or model that `save` wrote.

    Nothing in the file is executed.  Raises OSError if it can't be read and fastrnn.io.ModelFileError
    if it is damaged, not a model of this library, or contradicts itself.
    """
    kind, config, arrays = io.load(path)
    if kind not in _KINDS:
        raise io.ModelFileError(f"{path}: holds a {kind!r}; this version knows {', '.join(sorted(_KINDS))}")
    try:
        # Every layer of several has arrays: this bounds the work on a file by its size.
        if isinstance(config.get("num_layers"), int) and config["num_layers"] > len(arrays):
            raise ValueError(f"num_layers: expected at most one for each of {len(arrays)} arrays, "
                             f"got {config['num_layers']}")
        layer = _KINDS[kind]._blank(config)
        layer.load_state_dict(arrays)
        return layer
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise io.ModelFileError(f"{path}: the {kind} in it contradicts itself ({error})") from error
