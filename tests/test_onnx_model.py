"""ONNX models: initialisers, stacks of layers, the operators between them, refusals."""

import builtins

import numpy as np
import pytest
from onnx_cases import drawn
from onnx_equations import evaluate

import fastrnn
from fastrnn.onnx import prepare

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

_TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float64): TensorProto.DOUBLE,
          np.dtype(np.int32): TensorProto.INT32}  # fmt: skip


def model_of(nodes, inputs, outputs, constants, opset=14, dtype=np.float64):
    """inputs {name: array whose type and rank it has}, outputs names, constants {name: array}."""
    graph = helper.make_graph(
        nodes, "test",
        [helper.make_tensor_value_info(name, _TYPES[array.dtype], array.shape) for name, array in inputs.items()],
        [helper.make_tensor_value_info(name, _TYPES[np.dtype(dtype)], None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def one_lstm(seed=0, opset=14, as_inputs=("X",), **changes):
    """A model of one LSTM, what to feed it, and the truth."""
    attributes, inputs, wanted = drawn("LSTM", seed, "float64", True)
    attributes, inputs = {**attributes, **changes}, dict(inputs)
    names = [slot if slot in inputs else "" for slot in fastrnn.onnx._node.SLOTS["LSTM"]]
    node = helper.make_node("LSTM", names, ["Y", "Y_h", "Y_c"], **attributes)
    fed = {name: array for name, array in inputs.items() if name in as_inputs}
    constants = {name: array for name, array in inputs.items() if name not in as_inputs}
    return model_of([node], fed, ["Y", "Y_h", "Y_c"], constants, opset), fed, wanted


def same(given, wanted, atol=1e-6):
    # attributes are float32 in a model: clip differs in the eighth digit
    assert len(given) == len(wanted)
    for mine, theirs in zip(given, wanted.values() if isinstance(wanted, dict) else wanted):
        np.testing.assert_allclose(mine, theirs, atol=atol)


@pytest.mark.parametrize("seed", range(8))
def test_initialisers_are_inputs(seed, engine):
    for as_inputs in (("X",), ("X", "W", "sequence_lens", "initial_h")):
        model, fed, wanted = one_lstm(seed, as_inputs=as_inputs)
        ready = prepare(model)
        assert set(ready.inputs) == set(fed) and ready.outputs == ("Y", "Y_h", "Y_c")
        for form in (fed, [fed[name] for name in ready.inputs]):
            same(ready.run(form), wanted)


def test_a_prepared_model_computes_anew_each_time():
    """Weights stay packed only while they are the initialisers, and for one backend."""
    model, fed, wanted = one_lstm(1)
    value = model.graph.input.add()
    value.CopyFrom(helper.make_tensor_value_info("W", TensorProto.DOUBLE, None))  # with a default from now on
    ready = prepare(model)
    assert ready.inputs == ("X",)
    same(ready.run(fed), wanted)
    W = numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == "W"))
    other = {name: numpy_helper.to_array(t) for t in model.graph.initializer for name in [t.name]}
    attributes, _, _ = drawn("LSTM", 1, "float64", True)
    truth = evaluate("LSTM", attributes, {**other, **fed, "W": 2 * W})
    same(ready.run({**fed, "W": 2 * W}), truth)
    same(ready.run([fed["X"], 2 * W]), truth)
    with fastrnn.backend("numpy"):
        same(ready.run(fed), wanted)
    same(ready.run(fed), wanted)


def test_two_layers_as_exporters_write_them():
    """Bidirectional GRU, Transpose and Reshape between, then an LSTM and Squeeze."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 2, 3))
    constants = {"W1": (2, 12, 3), "R1": (2, 12, 4), "B1": (2, 24), "W2": (1, 8, 8), "R2": (1, 8, 2)}
    constants = {name: rng.standard_normal(shape) for name, shape in constants.items()}
    first = evaluate("GRU", {"direction": "bidirectional", "linear_before_reset": 1},
                     {"X": X, **{slot: constants[slot + "1"] for slot in "WRB"}})  # fmt: skip
    middle = first["Y"].transpose(0, 2, 1, 3).reshape(5, 2, 8)
    second = evaluate("LSTM", {}, {"X": middle, **{slot: constants[slot + "2"] for slot in "WR"}})
    for opset in (7, 13, 14, 22, onnx.defs.onnx_opset_version()):
        extra, squeeze = ({"axes": np.array([1])}, {}) if opset >= 13 else ({}, {"axes": [1]})
        nodes = [
            helper.make_node("GRU", ["X", "W1", "R1", "B1"], ["Y1", ""], direction="bidirectional", hidden_size=4,
                             linear_before_reset=1),
            helper.make_node("Transpose", ["Y1"], ["T1"], perm=[0, 2, 1, 3]),
            helper.make_node("Constant", [], ["shape"], value=numpy_helper.from_array(np.array([0, 0, -1]))),
            helper.make_node("Reshape", ["T1", "shape"], ["X2"]),
            helper.make_node("LSTM", ["X2", "W2", "R2"], ["Y2", "h", "c"], hidden_size=2),
            helper.make_node("Squeeze", ["Y2", *extra], ["Y"], **squeeze),
            helper.make_node("Unsqueeze", ["h", *extra], ["h_up"], **squeeze),
            helper.make_node("Identity", ["c"], ["c_last"]),
            helper.make_node("Concat", ["h", "c_last"], ["both"], axis=0),
        ]  # fmt: skip
        model = model_of(nodes, {"X": X}, ["Y", "h_up", "both"], {**constants, **extra}, opset)
        Y, h_up, both = prepare(model).run([X])
        same((Y, h_up[:, 0]), (second["Y"][:, 0], second["Y_h"]), 1e-12)
        same((both,), (np.concatenate((second["Y_h"], second["Y_c"])),), 1e-12)


@pytest.mark.parametrize("opset", [9, 17])
def test_initial_states_of_the_size_of_the_input(opset):
    """As PyTorch's exporter makes them, and one layer's states cut out of all."""
    rng = np.random.default_rng(0)
    X, H = rng.standard_normal((5, 2, 3)), rng.standard_normal((3, 2, 4))
    constants = {"W": rng.standard_normal((1, 12, 3)), "R": rng.standard_normal((1, 12, 4)), "one": np.ones((1, 1, 1))}
    constants |= {name: np.array(value) for name, value in {"k": 1, "axes": [0], "start": [1], "end": [2]}.items()}
    new = opset >= 13
    nodes = [
        helper.make_node("Shape", ["X"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "k"], ["m"], axis=0),
        helper.make_node("Unsqueeze", ["m", *["axes"] * new], ["ms"], **({} if new else {"axes": [0]})),
        helper.make_node("Constant", [], ["n"], value=numpy_helper.from_array(np.array([4]))),
        helper.make_node("Constant", [], ["D"], value=numpy_helper.from_array(np.array([1]))),
        helper.make_node("Concat", ["D", "ms", "n"], ["wanted"], axis=0),
        helper.make_node("Expand", ["one", "wanted"], ["h0"]),
        helper.make_node("GRU", ["X", "W", "R", "", "", "h0"], ["Y"], hidden_size=4),
        helper.make_node("Slice", ["H", *["start", "end", "axes"] * new], ["h1"],
                         **({} if new else {"starts": [1], "ends": [2], "axes": [0]})),
        helper.make_node("GRU", ["X", "W", "R", "", "", "h1"], ["", "Y_h"], hidden_size=4),
    ]  # fmt: skip
    Y, Y_h = prepare(model_of(nodes, {"X": X, "H": H}, ["Y", "Y_h"], constants, opset)).run([X, H])
    given = {"X": X, "W": constants["W"], "R": constants["R"]}
    same((Y,), (evaluate("GRU", {}, {**given, "initial_h": np.ones((1, 2, 4))})["Y"],), 1e-12)
    same((Y_h,), (evaluate("GRU", {}, {**given, "initial_h": H[1:2]})["Y_h"],), 1e-12)


def test_refused_models():
    model, _, _ = one_lstm(opset=6)
    with pytest.raises(ValueError, match="model: expected LSTM of opset 7 to 22, got that of opset 1$"):
        prepare(model)
    X = np.ones((2, 3))
    nodes = [helper.make_node("Relu", ["X"], ["Z"]), helper.make_node("Gemm", ["Z", "Z"], ["Y"], transB=1)]
    with pytest.raises(ValueError, match="model: expected the operators RNN, LSTM, GRU, .* got also Gemm, Relu"):
        prepare(model_of(nodes, {"X": X}, ["Y"], {}))
    swap = [helper.make_node("Identity", ["Z"], ["Y"]), helper.make_node("Transpose", ["X"], ["Z"])]
    with pytest.raises(ValueError, match="model: expected every value to be computed before it is read, got 'Z'"):
        prepare(model_of(swap, {"X": X}, ["Y"], {}))
    with pytest.raises(ValueError, match="model: expected outputs that its nodes compute, got 'Y'"):
        prepare(model_of(swap[1:], {"X": X}, ["Y"], {}))
    with pytest.raises(ValueError, match="Concat: expected the attribute axis"):
        prepare(model_of([helper.make_node("Concat", ["X", "X"], ["Y"])], {"X": X}, ["Y"], {}))
    with pytest.raises(TypeError, match=r"model: expected an onnx\.ModelProto \(onnx\.load reads a file\), got str"):
        prepare("model.onnx")
    with pytest.raises(ValueError, match="device: expected 'CPU'"):
        prepare(model, "CUDA:0")
    model, _, _ = one_lstm(clip=-1.0)
    with pytest.raises(ValueError, match="clip: expected a finite number above 0"):
        prepare(model)


def test_refused_inputs():
    model, fed, _ = one_lstm()
    ready = prepare(model)
    for wrong in ([], [1, 2, 3], {}, {**fed, "W": 1}):
        with pytest.raises(ValueError, match="inputs: expected"):
            ready.run(wrong)
    with pytest.raises(TypeError, match="inputs: expected a list of arrays or a dict by name, got ndarray"):
        ready.run(fed["X"])
    with pytest.raises(TypeError, match="W: expected float32 like X, got float64") as caught:
        ready.run([fed["X"].astype(np.float32)])
    assert any("LSTM" in note for note in caught.value.__notes__)


def test_without_the_package(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name.partition(".")[0] == "onnx" and not (rest and len(rest) > 3 and rest[3]):
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest)

    model, _, _ = one_lstm()
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match="pip install onnx"):
        prepare(model)
