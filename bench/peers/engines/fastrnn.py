"""fastrnn through its public layers."""

import numpy as np

import fastrnn

from ..grid import data, ragged_lengths


class Engine:
    def __init__(self, threads):
        fastrnn.set_num_threads(threads)
        settings = fastrnn.config()
        self.note = None  # how a work is done
        self.version = f"{fastrnn.__version__} ({settings['backend']}, {settings['isa']})"

    def _layer(self, case, weights, **options):
        kinds = {"rnn": fastrnn.RNN, "lstm": fastrnn.LSTM, "gru": fastrnn.GRU}
        layer = kinds[case.cell](case.n_x, case.n_a, dtype=np.dtype(case.dtype), **options)
        layer.load_state_dict({"weight_ih_l0": weights.W_x, "weight_hh_l0": weights.W_a,
                               "bias_ih_l0": weights.b_x, "bias_hh_l0": weights.b_a})  # fmt: skip
        return layer

    def layer(self, case):
        arrays = data(case)
        layer = self._layer(case, arrays)

        def inference():
            return layer(arrays.x)

        def training():
            y, _, tape = layer.forward(arrays.x)
            return y, layer.backward(arrays.dy, tape)

        def outputs():
            y, state = inference()
            h, *c = state if case.cell == "lstm" else (state,)
            return {"y": y, "h": h[0]} | ({"c": c[0][0]} if c else {})

        def gradients():
            y, (dx, _, grads) = training()
            return {"y": y, "dx": dx, "dW_x": grads["weight_ih_l0"], "dW_a": grads["weight_hh_l0"],
                    "db_x": grads["bias_ih_l0"], "db_a": grads["bias_hh_l0"]}  # fmt: skip

        return {"inference": (inference, outputs), "training": (training, gradients)}

    def ragged(self, case):
        """Training on sequences of unequal lengths: one way, beside each of PyTorch's two."""
        arrays, lengths = data(case), ragged_lengths(case.m, case.T)
        layer = self._layer(case, arrays)

        def training():
            y, _, tape = layer.forward(arrays.x, lengths=lengths)
            return y, layer.backward(arrays.dy, tape)

        def gradients():
            y, (dx, _, grads) = training()
            return {"y": y, "dx": dx, "dW_x": grads["weight_ih_l0"], "dW_a": grads["weight_hh_l0"],
                    "db_x": grads["bias_ih_l0"], "db_a": grads["bias_hh_l0"]}  # fmt: skip

        return dict.fromkeys(("packed", "padded"), (training, gradients))

    def checkpointed(self, case):
        """Training without and with the checkpoints of bench.features: what memory they save."""
        from bench.features import CHECKPOINT

        arrays = data(case)
        layer = self._layer(case, arrays)

        def training(checkpoint):
            y, _, tape = layer.forward(arrays.x, checkpoint=checkpoint)
            return y, layer.backward(arrays.dy, tape)

        return {"plain": (lambda: training(None), None), "checkpoint": (lambda: training(CHECKPOINT), None)}

    def layouts(self, case):
        """inference and training in every layout of the layer, each with its x and dy contiguous."""
        axes = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}
        arrays, works = data(case), {}

        def add(layout, order):
            layer = self._layer(case, arrays, layout=layout)
            x, dy = (np.ascontiguousarray(array.transpose(order)) for array in (arrays.x, arrays.dy))

            def training():
                y, _, tape = layer.forward(x)
                return y, layer.backward(dy, tape)

            def gradients():
                y, (dx, _, grads) = training()
                return {"y": y.transpose(order), "dx": dx.transpose(order), "dW_a": grads["weight_hh_l0"]}

            works[f"inference {layout}"] = lambda: layer(x), lambda: {"y": layer(x)[0].transpose(order)}
            works[f"training {layout}"] = training, gradients

        for layout, order in axes.items():
            add(layout, order)
        return works

    def step(self, case):
        """One call a step of a stream, the output in the same array each time."""
        self.note = "stream.step"
        arrays = data(case)
        stream, out = self._layer(case, arrays).stream(capacity=1), np.empty((1, case.n_a), case.dtype)
        xs = [np.ascontiguousarray(x) for x in arrays.x]

        def steps():
            for x in xs:
                stream.step(x, out=out)
            return out

        def last():
            stream.reset()
            return {"y": steps().copy()}

        return {"step": (steps, last)}

    def course(self, case):
        return course_works(case, 0)


def course_works(case, side):
    """The works of bench.course for one side: 0 is fastrnn, 1 plain NumPy."""
    from bench.course import works

    def pair(run):
        def answers():
            found = run()
            return found if isinstance(found, dict) else {"a": found[0], "y": found[1]}

        return run, answers

    found = works(case.cell, (case.n_x, case.n_a, case.m, case.T), np.dtype(case.dtype))
    return {work: pair(sides[side]) for work, sides in found.items()}
