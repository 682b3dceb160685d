"""Tapes of layers: what a training forward keeps."""


class Once:
    """A tape of `layer` for one backward: whoever is inside `with tape` has it alone, and uses it up by leaving without an error.

    A subclass names in `_kept` what a used one lets go; its constructor sets `layer` and `free`.
    """

    __slots__ = ("layer", "free")
    _kept = ()

    def __enter__(self):
        try:
            del self.free           # of several threads only one can
        except AttributeError:
            raise ValueError("tape: expected one that was not used yet, got one that backward has used up") from None

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self.free = True
            return
        for name in self._kept:
            setattr(self, name, None)


def tape_of(layer, tape, kind):
    """`tape`, if it is one that forward of this layer returned."""
    if not isinstance(tape, kind) or tape.layer is not layer:
        raise ValueError(f"tape: expected what forward of this layer returned, got {type(tape).__name__}"
                         + (" of another layer" if isinstance(tape, kind) else ""))
    return tape
