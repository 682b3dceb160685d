"""Schedules: callables from the number of finished steps (0, 1, …) to a factor of the learning rate."""
import math

from .arguments import count, number


def constant(factor=1.0):
    """The same factor, 0 or more, at every step.

    Raises ValueError or TypeError naming the argument that does not fit.

    >>> schedule = constant(0.5)
    >>> schedule(0), schedule(1000)
    (0.5, 0.5)
    """
    factor = number("factor", factor)
    return lambda step: factor


def step_decay(every, factor=0.1):
    """factor^⌊step / every⌋: multiplied by `factor` after each `every` steps.

    Raises ValueError or TypeError naming the argument that does not fit.

    >>> schedule = step_decay(2, 0.5)
    >>> [schedule(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    every, factor = count("every", every), number("factor", factor)
    return lambda step: factor ** (step // every)


def cosine(total, floor=0.0):
    """floor + (1 − floor) (1 + cos(π step / total)) / 2: from 1 to `floor` over `total` steps, then `floor`.

    Source: Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, one period.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> schedule = cosine(2, floor=0.5)
    >>> [round(schedule(step), 3) for step in range(4)]
    [1.0, 0.75, 0.5, 0.5]
    """
    total, floor = count("total", total), number("floor", floor, high=1, open_high=False)
    return lambda step: floor + (1 - floor) * (1 + math.cos(math.pi * min(step, total) / total)) / 2


def warm_up(steps, then=None):
    """(step + 1) / steps during the first `steps` steps, after them `then(step − steps)`, or 1.

    Raises ValueError or TypeError naming the argument that does not fit.

    >>> schedule = warm_up(2, cosine(2))
    >>> [round(schedule(step), 3) for step in range(5)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    steps, then = count("steps", steps), constant() if then is None else then
    if not callable(then):
        raise TypeError(f"then: expected a schedule, got {then!r}")
    return lambda step: (step + 1) / steps if step < steps else then(step - steps)
