"""PyTorch: nn.RNN, nn.LSTM, nn.GRU under inference_mode; autograd for training; nn.LSTMCell for one step."""

import torch

from ..grid import data, ragged_lengths
from . import Unsupported


class Engine:
    def __init__(self, threads):
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self.version, self.note = torch.__version__, None

    def layer(self, case):
        arrays = data(case)
        kinds = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
        layer = kinds[case.cell](case.n_x, case.n_a, dtype=getattr(torch, case.dtype))
        _load(layer, arrays, "_l0")
        parameters = dict(layer.named_parameters())
        x, dy = torch.from_numpy(arrays.x), torch.from_numpy(arrays.dy)
        wanted = {"dx": x.clone().requires_grad_(), "dW_x": parameters["weight_ih_l0"],
                  "dW_a": parameters["weight_hh_l0"], "db_x": parameters["bias_ih_l0"],
                  "db_a": parameters["bias_hh_l0"]}  # fmt: skip
        inputs = list(wanted.values())

        def inference():
            with torch.inference_mode():
                return layer(x)

        def training():
            y, _ = layer(wanted["dx"])
            return y, torch.autograd.grad(y, inputs, dy)

        def outputs():
            y, state = inference()
            h, *c = state if case.cell == "lstm" else (state,)
            return {"y": y.numpy(), "h": h[0].numpy()} | ({"c": c[0][0].numpy()} if c else {})

        def gradients():
            y, grads = training()
            return {"y": y.detach().numpy()} | {name: g.numpy() for name, g in zip(wanted, grads)}

        return {"inference": (inference, outputs), "training": (training, gradients)}

    def ragged(self, case):
        """Training on sequences of unequal lengths: packed, or padded with a gradient that is zero past their ends."""
        arrays, lengths = data(case), torch.from_numpy(ragged_lengths(case.m, case.T))
        layer = torch.nn.LSTM(case.n_x, case.n_a, dtype=getattr(torch, case.dtype))
        _load(layer, arrays, "_l0")
        parameters, x = dict(layer.named_parameters()), torch.from_numpy(arrays.x).clone().requires_grad_()
        inside = (torch.arange(case.T)[:, None] < lengths)[:, :, None]
        dy = torch.from_numpy(arrays.dy) * inside
        wanted = {"dx": x, "dW_x": parameters["weight_ih_l0"], "dW_a": parameters["weight_hh_l0"],
                  "db_x": parameters["bias_ih_l0"], "db_a": parameters["bias_hh_l0"]}  # fmt: skip
        inputs = list(wanted.values())

        def packed():
            pack = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(layer(pack)[0], total_length=case.T)
            return y, torch.autograd.grad(y, inputs, dy)

        def padded():
            y, _ = layer(x)
            return y, torch.autograd.grad(y, inputs, dy)

        def answers(training):
            y, grads = training()
            y = (y * inside).detach().numpy()
            return {"y": y} | {name: g.numpy() for name, g in zip(wanted, grads)}

        return {"packed": (packed, lambda: answers(packed)), "padded": (padded, lambda: answers(padded))}

    def step(self, case):
        if case.cell != "lstm":
            raise Unsupported("only the LSTM's step is measured")
        arrays = data(case)
        cell = torch.nn.LSTMCell(case.n_x, case.n_a, dtype=getattr(torch, case.dtype))
        _load(cell, arrays, "")
        xs, zero = list(torch.from_numpy(arrays.x)), torch.zeros(1, case.n_a, dtype=getattr(torch, case.dtype))
        self.note = "LSTMCell"

        def steps():
            with torch.inference_mode():
                state = zero, zero
                for x in xs:
                    state = cell(x, state)
            return state[0]

        return {"step": (steps, lambda: {"y": steps().numpy()})}


def _load(layer, arrays, suffix):
    names = {"weight_ih": arrays.W_x, "weight_hh": arrays.W_a, "bias_ih": arrays.b_x, "bias_hh": arrays.b_a}
    layer.load_state_dict({name + suffix: torch.from_numpy(array) for name, array in names.items()})
