"""ONNX Runtime: one session a shape, its model made with onnx.helper.  It has no training and no float64."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ..grid import data
from . import Unsupported

_GATES = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}  # ONNX has i o f c, and z r h


class Engine:
    def __init__(self, threads):
        self.threads, self.note = threads, None
        self.version = onnxruntime.__version__

    def _session(self, case, steps, with_state):
        """A session of one node; outputs Y_h (and Y_c), and Y unless the state goes in and out."""
        if case.dtype != "float32":
            raise Unsupported("its recurrent kernels are float32 only")
        arrays, n, G = data(case), case.n_a, case.gates

        def ordered(array):
            parts = array.reshape(G, n, *array.shape[1:])
            return np.concatenate([parts[gate] for gate in _GATES[case.cell]])[None]

        weights = {"W": ordered(arrays.W_x), "R": ordered(arrays.W_a),
                   "B": np.concatenate([ordered(arrays.b_x), ordered(arrays.b_a)], axis=1)}  # fmt: skip
        states = ["h", "c"][: 2 if case.cell == "lstm" else 1]
        shape = [1, case.m, n]
        node = helper.make_node(
            case.cell.upper(), ["X", *weights, "", *(f"initial_{s}" for s in states if with_state)],
            ["" if with_state else "Y", *(f"Y_{s}" for s in states)], hidden_size=n,
            **({"linear_before_reset": 1} if case.cell == "gru" else {}),
        )  # fmt: skip
        inputs = {"X": [steps, case.m, case.n_x]} | {f"initial_{s}": shape for s in states if with_state}
        outputs = ({} if with_state else {"Y": [steps, 1, case.m, n]}) | {f"Y_{s}": shape for s in states}

        def values(shapes):
            return [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in shapes.items()]

        graph = helper.make_graph([node], "layer", values(inputs), values(outputs),
                                  [numpy_helper.from_array(array, name) for name, array in weights.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
        onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        return arrays, onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])

    def layer(self, case):
        arrays, session = self._session(case, case.T, False)
        feed, names = {"X": arrays.x}, [output.name for output in session.get_outputs()]

        def inference():
            return session.run(names, feed)

        def outputs():
            y, h, *c = inference()
            return {"y": y[:, 0], "h": h[0]} | ({"c": c[0][0]} if c else {})

        return {"inference": (inference, outputs)}

    def step(self, case):
        if case.cell != "lstm":
            raise Unsupported("only the LSTM's step is measured")
        arrays, session = self._session(case, 1, True)
        names = [output.name for output in session.get_outputs()]
        xs, zero = [np.ascontiguousarray(x[None]) for x in arrays.x], np.zeros((1, case.m, case.n_a), np.float32)
        self.note = "session.run, T = 1"

        def steps():
            h, c = zero, zero
            for x in xs:
                h, c = session.run(names, {"X": x, "initial_h": h, "initial_c": c})
            return h

        return {"step": (steps, lambda: {"y": steps()[0]})}
