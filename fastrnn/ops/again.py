"""One set of weights run again and again: the quicker way, and `forward` and `backward` where that can't be gone."""

from .group import Group, training
from .sequence import Gradients, Result, backward, forward


class Again:
    """`forward` and `backward` with weights, layout and direction that stay: chunk after chunk of a sequence.

    layouts: of x and y, and of dy and dx.
    """

    __slots__ = ("weights", "layouts", "reverse", "_quick")

    def __init__(self, weights, layouts, reverse):
        self.weights, self.layouts, self.reverse = weights, layouts, reverse
        roles = ("W_x", "W_a", "b_x", "b_a", *(weights.extras.shapes() if weights.extras else ()))
        self._quick = training(Group([weights], [reverse]), layouts[0], [{role: role for role in roles}])

    def forward(self, x, state, lengths, reset, drop, zoneout, out, keep):
        """As `forward`, with a tape if `keep`. zoneout: masks or None."""
        given = state if state is None else tuple([part[None] for part in state])
        masks = None if drop is None and zoneout is None else [(drop, *(zoneout or (None, None)))]
        found = self._quick.forward(x, given, lengths, reset, masks, out, keep)
        if found is not None:
            y, last, tapes = found
            return Result(y, tuple([part[0] for part in last]), None, tapes[0] if keep else None)
        return forward(
            self.weights, x, state, layout=self.layouts[0], training=keep, lengths=lengths, reset=reset, reverse=self.reverse,
            drop=drop, zoneout=zoneout, out=out,
        )  # fmt: skip

    def backward(self, tape, dy, dstate, dcells, need_dx, accumulate, out):
        """As `backward`."""
        if dy is not None and dcells is None and self.layouts[0] == self.layouts[1]:
            given = dstate if dstate is None else tuple([part[None] for part in dstate])
            sums = None if accumulate is None else accumulate.named()
            found = self._quick.backward([tape], dy, need_dx, given, out, sums)
            if found is not None:
                dx, first, sums = found
                own = [sums.pop(role) for role in ("W_x", "W_a", "b_x", "b_a")]
                return Gradients(dx[0] if need_dx else None, tuple([part[0] for part in first]), *own, sums)
        return backward(
            tape, dy, dstate, dcells, layout=self.layouts[1], need_dx=need_dx, accumulate=accumulate, out=out
        )
