"""The arguments of one call: checked against each other, brought to one float type.

The course passes its weights in a dict, so a mistake in one of them surfaces far from where it was
made.  Here every array has a shape in letters, and a message names the array, the shape and the size.
"""

import numpy as np

from .. import ops

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def as_float(name, value):
    """`value` as a float32 or float64 array; other types are refused by name, never cast."""
    array = ops.as_array(name, value)
    if array.dtype in FLOATS:
        return array
    if array.dtype.kind == "f" and array.dtype.newbyteorder("=") in FLOATS:
        return array.astype(array.dtype.newbyteorder("="))      # foreign byte order, same numbers
    raise TypeError(f"{name}: expected an array of float32 or float64, got {array.dtype}; "
                    f"convert it with {name}.astype(np.float64)")


def one_of(name, value, allowed):
    """Refuse a keyword whose value is not one of `allowed`."""
    # an array compares element by element, so that only a plain value may meet `in`
    if not isinstance(value, (str, type(None))) or value not in allowed:
        got = type(value).__name__ if isinstance(value, np.ndarray) else repr(value)
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, allowed))}, got {got}")


class Arguments:
    """Collects arrays with their shapes in letters, then hands them out in the widest float.

    >>> import numpy as np
    >>> given = Arguments()
    >>> given.add("a_prev", np.zeros((5, 2), np.float32), "n_a", "m")
    >>> given.add_parameters({"ba": np.zeros((5, 1))}, {"ba": ("n_a", 1)})
    >>> given.settle()["a_prev"].dtype, given.sizes
    (dtype('float64'), {'n_a': 5, 'm': 2})
    """

    def __init__(self, known=None, owner=None):
        """`known`: sizes by letter that are settled already, by what a message calls `owner`."""
        self.arrays, self.dims, self.dtype = {}, {}, None
        self.known, self.owner = known or {}, owner

    def add(self, name, value, *dims):
        self.arrays[name] = as_float(name, value)
        self.dims[name] = dims

    def add_parameters(self, parameters, shapes):
        if not hasattr(parameters, "keys"):
            raise TypeError(f"parameters: expected a dict of arrays, got {type(parameters).__name__}")
        for key, dims in shapes.items():
            if key not in parameters:
                raise ValueError(f'parameters["{key}"]: expected shape {letters(dims)}, got nothing: the key is missing')
            self.add(f'parameters["{key}"]', parameters[key], *dims)

    def settle(self, at_least=np.float32):
        """Arrays by name (a parameter by its key) in the widest float; sizes and dtype are set."""
        self.sizes, _, bad = self._bind()
        if bad is not None:
            self._complain()
        self.dtype = np.result_type(at_least, *(a.dtype for a in self.arrays.values()))
        return {name.removeprefix('parameters["').removesuffix('"]'): a if a.dtype == self.dtype else a.astype(self.dtype)
                for name, a in self.arrays.items()}

    def _bind(self, skip=None):
        """Give each letter the size of the first array that has it; the first array that disagrees is `bad`."""
        sizes, owner = dict(self.known), dict.fromkeys(self.known, self.owner)
        for name, array in self.arrays.items():
            if name == skip:
                continue
            dims = self.dims[name]
            if array.ndim != len(dims):
                return sizes, owner, name
            for dim, size in zip(dims, array.shape):
                if dim == "n_a+n_x" and "n_x" not in sizes:
                    dim, size = "n_x", size - sizes.get("n_a", 0)
                expected = sizes["n_a"] + sizes["n_x"] if dim == "n_a+n_x" else dim if dim == 1 else sizes.get(dim)
                if expected is None and size >= 0:
                    sizes[dim], owner[dim] = size, name
                elif expected != size:
                    return sizes, owner, name
        return sizes, owner, None

    def _complain(self):
        """Blame the one array without which all others agree; failing that, the first that disagrees."""
        culprit = next((name for name in self.arrays if self._bind(skip=name)[2] is None), None)
        sizes, owner, bad = self._bind(skip=culprit)
        name = culprit if culprit is not None else bad
        dims = self.dims[name]
        known = [letter for letter in ("n_x", "n_a", "n_y", "m", "T_x")
                 if letter in sizes and any(letter in str(d).split("+") for d in dims)]
        values = ", ".join(f"{letter} = {sizes[letter]}" for letter in known)
        sources = ", ".join(f"{letter} is that of {owner[letter]}" for letter in known)
        raise ValueError(f"{name}: expected shape {letters(dims)}" + (f" with {values}" if known else "")
                         + f", got {self.arrays[name].shape}" + (f" ({sources})" if known else ""))


def letters(dims):
    """A shape in letters as it stands in messages and docstrings."""
    return "(" + ", ".join(map(str, dims)) + ("," if len(dims) == 1 else "") + ")"

