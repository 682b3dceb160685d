"""The states of all blocks in one array of the layer's shape, and a tuple of ops for each block."""
import numpy as np

from .layer import plain


def taken_apart(name, state, blocks, m, single, pair):
    """`state` as one tuple (a,) or (a, c) of (m, n) arrays for each block, or None; ops checks the dtype."""
    if state is None:
        return [None] * len(blocks)
    if pair and (not isinstance(state, (tuple, list)) or len(state) != 2):
        raise TypeError(f"{name}: expected a pair (h, c), got {type(state).__name__}")
    checked = []
    for k, part in enumerate(state if pair else (state,)):
        label = f"{name} {'hc'[k]}" if pair else name
        part = plain(label, part)
        n, n_name = (blocks[0].n_c, "n_a") if k else (blocks[0].n_h, "n_a")
        if n != blocks[0].n_a:
            n_name = "3 n_a" if k else "proj_size"
        expected = (len(blocks), n) if single else (len(blocks), m, n)
        if part.shape != expected:
            raise ValueError(f"{label}: expected shape (num_layers * directions, {'' if single else 'm, '}{n_name}) = "
                             f"{expected}, got {part.shape}")
        checked.append(part[:, None] if single else part)
    return list(zip(*checked))


def joined(states, single, pair):
    """The reverse of taken_apart."""
    if len(states) == 1:
        parts = [part[None] for part in states[0]]
    else:
        parts = [np.stack(part) for part in zip(*states)]
    if single:
        parts = [part[:, 0] for part in parts]
    return tuple(parts) if pair else parts[0]
