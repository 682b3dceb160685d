"""The eleven activation functions of the specification, in NumPy, with their alpha and beta."""

import numpy as np

from .. import ops

# lower-case name: (function of x, alpha, beta; default of alpha; default of beta). A parameter that a function does
# not have is None here; one that it has and the specification gives no default for is REQUIRED. Defaults are those of
# the operators of the same names; Affine's are of the time when it was one.
REQUIRED = "required"
TABLE = {
    "affine": (lambda x, alpha, beta: alpha * x + beta, 1.0, 0.0),
    "elu": (lambda x, alpha, _: np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0))), 1.0, None),
    "hardsigmoid": (lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1), 0.2, 0.5),
    "leakyrelu": (lambda x, alpha, _: np.where(x >= 0, x, alpha * x), 0.01, None),
    "relu": (lambda x, *_: np.maximum(x, 0), None, None),
    "scaledtanh": (lambda x, alpha, beta: alpha * ops.activate("tanh", beta * x), REQUIRED, REQUIRED),
    "sigmoid": (lambda x, *_: ops.activate("sigmoid", x), None, None),
    "softplus": (lambda x, *_: np.logaddexp(x.dtype.type(0), x), None, None),
    "softsign": (lambda x, *_: x / (1 + np.abs(x)), None, None),
    "tanh": (lambda x, *_: ops.activate("tanh", x), None, None),
    # NaN is not below alpha: it passes through, as everywhere.
    "thresholdedrelu": (lambda x, alpha, _: np.where(x < alpha, x.dtype.type(0), x), 1.0, None),
}


class Activation:
    """One function with its alpha and beta in place."""

    def __init__(self, name, alpha, beta):
        self.name, self.alpha, self.beta = name, alpha, beta

    def __call__(self, x):
        return TABLE[self.name][0](x, self.alpha, self.beta)


def choose(names, alphas, betas):
    """An Activation for each of `names` (in any case), with the values that `alphas` and `betas` have for them."""
    lower = [name.lower() if isinstance(name, str) else name for name in names]
    for name, given in zip(lower, names):
        if name not in TABLE:
            raise ValueError(f"activations: expected names of {', '.join(TABLE)}, got {given!r}")
    alpha = _deal("activation_alpha", lower, alphas, [TABLE[name][1] for name in lower])
    beta = _deal("activation_beta", lower, betas, [TABLE[name][2] for name in lower])
    return [Activation(*one) for one in zip(lower, alpha, beta)]


def _deal(attribute, names, values, defaults):
    """Hand `values` in order to the functions that take one; the rest have their default.

    The specification only says that values are consumed in the order of the functions. Lists with a value for every
    function, also for those that take none, exist too; they are taken where both readings mean the same.
    """
    values, takers = list(values), [k for k, default in enumerate(defaults) if default is not None]
    dealt = dict(zip(takers, values))
    if len(values) > len(takers) and (len(values) != len(names) or any(values[k] != dealt[k] for k in takers)):
        raise ValueError(f"{attribute}: expected at most one value for each of the {len(takers)} activations that have "
                         f"one, got {len(values)}")
    for k in takers:
        if defaults[k] is REQUIRED and k not in dealt:
            raise ValueError(f"{attribute}: expected a value for {names[k]}, which has no default, got none")
    return [dealt.get(k, default) for k, default in enumerate(defaults)]
