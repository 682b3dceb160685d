"""What is compared with PyTorch's layers: options, and numbers that are drawn the same everywhere.

All numbers can be written in float32, so that one set serves both element types.
"""

import itertools
from typing import NamedTuple

import numpy as np

N_X, N_A, P, T, M = 2, 3, 2, 4, 3
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}


class Case(NamedTuple):
    cell: str
    layers: int
    bidirectional: bool
    projection: bool
    packed: bool
    batch_first: bool

    @property
    def name(self):
        flags = zip(("bidirectional", "projection", "packed", "batch_first"), self[2:])
        return "-".join([self.cell, f"{self.layers}layer", *(flag for flag, on in flags if on)])

    @property
    def lstm(self):
        return self.cell == "lstm"


CASES = [
    Case(cell, layers, both, projection, packed, packed != both)  # batch_first with every other option, on and off
    for cell, layers, both, projection, packed in itertools.product(GATES, (1, 2), *[(False, True)] * 3)
    if cell == "lstm" or not projection
]


def shapes(case):
    """{PyTorch's name: shape} of all parameters."""
    found, width, rows = {}, P if case.projection else N_A, GATES[case.cell] * N_A
    for k in range(case.layers):
        n_x = width * (1 + case.bidirectional) if k else N_X
        for ending in [f"_l{k}", f"_l{k}_reverse"][: 1 + case.bidirectional]:
            found |= {f"weight_ih{ending}": (rows, n_x), f"weight_hh{ending}": (rows, width)}
            found |= {f"bias_ih{ending}": (rows,), f"bias_hh{ending}": (rows,)}
            if case.projection:
                found[f"weight_hr{ending}"] = (P, N_A)
    return found


def draw(case, seed):
    """Parameters, x, first states, lengths or None, and the gradients of y and of the last states."""
    rng = np.random.RandomState(seed)  # its stream is frozen, unlike default_rng's
    width, blocks = P if case.projection else N_A, case.layers * (1 + case.bidirectional)

    def normal(*shape, size=1.0):
        return (size * rng.standard_normal(shape)).astype(np.float32)

    parameters = {name: normal(*shape, size=0.6) for name, shape in shapes(case).items()}
    states = [normal(blocks, M, width)] + [normal(blocks, M, N_A)] * case.lstm
    ends = [normal(*state.shape) for state in states]
    axes = (M, T) if case.batch_first else (T, M)
    x, dy = normal(*axes, N_X), normal(*axes, width * (1 + case.bidirectional))
    return parameters, x, states, rng.permutation([T, 1, 3]) if case.packed else None, dy, ends


def by_torch(case, drawn, dtype):
    """PyTorch's y, last states, and gradients of x, of the first states and of the parameters, by name."""
    import torch

    parameters, x, states, lengths, dy, ends = drawn
    kind = getattr(torch.nn, {"lstm": "LSTM", "gru": "GRU"}.get(case.cell, "RNN"))
    options = {"num_layers": case.layers, "bidirectional": case.bidirectional, "batch_first": case.batch_first}
    options |= {"nonlinearity": case.cell.partition("_")[2]} if case.cell.startswith("rnn") else {}
    options |= {"proj_size": P} if case.projection else {}

    def tensor(array):
        return torch.tensor(np.asarray(array, dtype), requires_grad=True)

    layer = kind(N_X, N_A, dtype=getattr(torch, dtype), **options)
    layer.load_state_dict({name: tensor(array) for name, array in parameters.items()})
    x, states = tensor(x), [tensor(state) for state in states]
    first = tuple(states) if case.lstm else states[0]
    if lengths is None:
        y, last = layer(x, first)
    else:
        run = torch.nn.utils.rnn
        packed = run.pack_padded_sequence(x, torch.tensor(lengths), case.batch_first, enforce_sorted=False)
        y, last = layer(packed, first)
        y, _ = run.pad_packed_sequence(y, case.batch_first, total_length=T)
    last = last if case.lstm else (last,)
    loss = sum((one * torch.tensor(np.asarray(d, dtype))).sum() for one, d in zip((y, *last), (dy, *ends)))
    loss.backward()
    found = {"y": y, **dict(zip(("h", "c"), last)), "dx": x.grad}
    found |= {name: state.grad for name, state in zip(("dh0", "dc0"), states)}
    found |= {f"d_{name}": value.grad for name, value in layer.named_parameters()}
    return {name: value.detach().numpy() for name, value in found.items()}
