"""One layer in one direction: its parameters under PyTorch's names, and their way into ops and back."""
from .. import ops

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru_after": 3, "gru_before": 3, "slstm": 4}
_CELLS = {"lstm": 1, "slstm": 3}      # blocks of n_a values in a row of cell states

# What ops calls a parameter, and what it is called here, in the order of files and of state_dict.
_NAMES = {
    "W_x": "weight_ih", "W_a": "weight_hh", "b_x": "bias_ih", "b_a": "bias_hh",
    "projection": "weight_hr", "peephole": "weight_peephole",
    "gain_x": "weight_norm_ih", "shift_x": "bias_norm_ih", "gain_a": "weight_norm_hh", "shift_a": "bias_norm_hh",
    "gain_c": "weight_norm_c", "shift_c": "bias_norm_c",
}  # fmt: skip
_PLAIN = ("W_x", "W_a", "b_x", "b_a")


class Block:
    """Sizes, shapes and names of one block. `names` and `shapes` have the keys of _NAMES, as far as it has them."""

    def __init__(self, cell, k, reverse, n_x, n_a, bias, options):
        self.cell, self.n_x, self.n_a, self.n_h = cell, n_x, n_a, options.proj_size or n_a
        self.n_c = _CELLS.get(cell, 0) * n_a
        self.k, self.reverse, self._options, self._plain = k, reverse, options, not options.changed()
        rows = GATES[cell] * n_a
        shapes = {"W_x": (rows, n_x), "W_a": (rows, self.n_h)}
        if bias:
            shapes |= {"b_x": (rows,), "b_a": (rows,)}
        if options.proj_size:
            shapes["projection"] = (self.n_h, n_a)
        if options.peephole:
            shapes["peephole"] = (3, n_a)
        self._norms = []
        if options.layer_norm:
            sides = {"x": rows, "a": rows, "c": n_a} if cell == "lstm" else {"x": rows, "a": rows}
            norms = {f"{what}_{side}": (size,) for side, size in sides.items() for what in ("gain", "shift")}
            shapes |= norms
            self._norms = list(norms)
        self.shapes = shapes
        self.names = {role: f"{_NAMES[role]}_l{k}{'_reverse' * reverse}" for role in shapes}

    def norms(self):
        """The names of the parameters of layer_norm, with their first values."""
        return {self.names[role]: 1 if role.startswith("gain") else 0 for role in self._norms}

    def pack(self, arrays, factors=None):
        """Pack what `arrays` has under this block's names; `factors` multiply weight_hh."""
        names = self.names
        W_x, W_a, b_x, b_a = [arrays.get(names.get(role)) for role in _PLAIN]
        if factors is not None:
            W_a = W_a * factors
        if self._plain:
            return ops.pack(self.cell, W_x, W_a, b_x, b_a)
        return ops.pack(
            self.cell, W_x, W_a, b_x, b_a,
            peephole=arrays.get(names.get("peephole")),
            coupled=self._options.input_forget,
            clip=self._options.clip,
            projection=arrays.get(names.get("projection")),
            norm={role: arrays[names[role]] for role in self._norms} or None,
        )  # fmt: skip

    def gradients(self, g, factors=None):
        """The parameters' gradients among what ops.backward returned, under this block's names."""
        dW_a = g.dW_a if factors is None else g.dW_a * factors
        if len(self.names) == 4 and not g.extras:
            return zip(self.names.values(), (g.dW_x, dW_a, g.db_x, g.db_a))
        found = {**g.named(), "W_a": dW_a}
        return [(name, found[role]) for role, name in self.names.items()]
