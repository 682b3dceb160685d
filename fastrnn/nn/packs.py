"""The weights of a layer's blocks, packed, for as long as nobody writes to them."""
from .. import ops


class Packs:
    """Of each block: its weights packed for the backend in force, and what runs these chunk after chunk.

    `arrays`, the layer's parameters by name, come with each call.  Which of them a pack was made of is asked each time, since
    another thread may write some while this one packs.
    """

    def __init__(self, blocks):
        self._blocks = blocks
        self._packs = [None] * len(blocks)      # or (backend, arrays, weights)
        self._runs = [None] * len(blocks)       # or an ops.Again, which knows its weights

    def forget(self, names):
        """What was made of parameters of these names goes."""
        for j, block in enumerate(self._blocks):
            if any(name in names for name in block.names.values()):
                self._packs[j] = self._runs[j] = None

    def weights(self, arrays, j, factors=None):
        """The weights of block j; with `factors`, those of DropConnect, a copy of their own, which nobody else gets."""
        block = self._blocks[j]
        if factors is not None:
            return block.pack(arrays, factors)
        backend, own, pack = ops.active(), [arrays[name] for name in block.names.values()], self._packs[j]
        if pack is None or pack[0] is not backend or any([a is not b for a, b in zip(pack[1], own)]):
            pack = self._packs[j] = backend, own, block.pack(arrays)
        return pack[2]

    def again(self, arrays, j, layouts, factors=None):
        """What runs block j chunk after chunk, between arrays in these layouts, which are the same in every call."""
        weights, run = self.weights(arrays, j, factors), self._runs[j]
        if run is None or run.weights is not weights:
            run = ops.Again(weights, layouts, self._blocks[j].reverse)
            if factors is None:
                self._runs[j] = run
        return run
