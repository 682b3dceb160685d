"""The states of all blocks in one array of the layer's shape, with the block in front."""
import numpy as np

from .layer import floats


def check_pair(name, state):
    """Raise unless `state` is a pair."""
    several = isinstance(state, (tuple, list))
    if not several or len(state) != 2:
        raise TypeError(f"{name}: expected a pair (h, c), got {type(state).__name__}" + (f" of {len(state)}" if several else ""))


def checked(name, state, blocks, m, single, pair, dtype):
    """`state` as a tuple (a,) or (a, c) of arrays (blocks, m, n), or None."""
    if state is None:
        return None
    if pair:
        check_pair(name, state)
    found = []
    for k, part in enumerate(state if pair else (state,)):
        label = f"{name} {'hc'[k]}" if pair else name
        part = floats(label, part, dtype)
        n, n_name = (blocks[0].n_c, "n_a") if k else (blocks[0].n_h, "n_a")
        if n != blocks[0].n_a:
            n_name = "3 n_a" if k else "proj_size"
        expected = (len(blocks), n) if single else (len(blocks), m, n)
        if part.shape != expected:
            raise ValueError(f"{label}: expected shape (num_layers * directions, {'' if single else 'm, '}{n_name}) = "
                             f"{expected}, got {part.shape}")
        found.append(part[:, None] if single else part)
    return tuple(found)


def some(state, first, end):
    """The states of some blocks."""
    return None if state is None else tuple([part[first:end] for part in state])


def given(states, single, pair):
    """The states of all blocks as the caller has them, from those of the first, the next …"""
    parts = states[0] if len(states) == 1 else tuple([np.concatenate(part) for part in zip(*states)])
    if single:
        parts = tuple([part[:, 0] for part in parts])
    return parts if pair else parts[0]
