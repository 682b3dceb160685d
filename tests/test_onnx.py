"""ONNX nodes: the published fixtures, the package's own node tests, random ones against the equations, refusals."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
from onnx_cases import OUTPUTS, drawn, node, published

from fastrnn.onnx import _compute, prepare, run_node, supports_device

_SEEDS = 40
_ops = pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])


def check(op, attributes, inputs, wanted, atol):
    before = {slot: array.copy() for slot, array in inputs.items()}
    names = [slot if slot in wanted else "" for slot in OUTPUTS[op]]
    given = run_node(node(op, inputs, names, **attributes), inputs)
    assert len(given) == len(wanted)
    for slot, array in zip(filter(None, names), given):
        assert array.dtype == inputs["X"].dtype
        np.testing.assert_allclose(array, wanted[slot], rtol=0, atol=atol, err_msg=slot)
    for slot, array in inputs.items():
        np.testing.assert_array_equal(array, before[slot])


# ---- numbers ----


@pytest.mark.parametrize("name", published())
def test_published(name, engine):
    op, attributes, inputs, outputs, atol = published()[name]
    check(op, attributes, inputs, outputs, atol)


def test_all_57_published_cases_are_here():
    assert len(published()) == 57


@_ops
@pytest.mark.parametrize("usual", [True, False], ids=["usual", "any"])
def test_against_the_equations(op, usual, engine, dtype):
    """Every option drawn at random, with the activations that the backends have and with all eleven."""
    for seed in range(_SEEDS):
        attributes, inputs, wanted = drawn(op, seed, dtype.name, usual)
        # At most 6 steps of sums of at most 21 terms; unbounded activations grow what comes before them.
        scale = max(1.0, *(float(np.abs(value).max()) for value in wanted.values()))
        check(op, attributes, inputs, wanted, 400 * np.finfo(dtype).eps * scale)


@_ops
def test_usual_activations_never_go_through_the_loop(op, engine, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("the loop in NumPy")

    monkeypatch.setattr(_compute, "loop_forward", refuse)
    for seed in range(_SEEDS):
        attributes, inputs, _ = drawn(op, seed, "float32", True)
        run_node(node(op, inputs, **attributes), inputs)


def node_tests():
    """What the package's modules for these operators export; its own collector would run those of all operators."""
    node = pytest.importorskip("onnx.backend.test.case.node")
    for name in ("rnn", "gru", "lstm"):
        importlib.import_module(f"{node.__name__}.{name}")
    return [case for case in node._NodeTestCases if case.model.graph.node[0].op_type in OUTPUTS]


def test_node_tests_of_the_package(engine):
    found = node_tests()
    assert len(found) >= 11 and {case.model.graph.node[0].op_type for case in found} == set(OUTPUTS)
    for case in found:
        (one,) = case.model.graph.node
        for inputs, outputs in case.data_sets:
            for given in (run_node(one, inputs), prepare(case.model).run(inputs)):
                assert len(given) == len(outputs)
                for array, wanted in zip(given, outputs):
                    np.testing.assert_allclose(array, wanted, rtol=case.rtol, atol=case.atol, err_msg=case.name)


@_ops
def test_a_node_of_the_package_is_read_as_a_plain_object(op):
    helper = pytest.importorskip("onnx.helper")
    attributes, inputs, _ = drawn(op, 3, "float64", False)
    one = node(op, inputs, **attributes)
    real = helper.make_node(op, one.input, one.output, **attributes)
    for mine, theirs in zip(run_node(one, inputs), run_node(real, inputs)):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)  # theirs has its attributes in float32


# ---- forms of inputs and outputs ----


def simple(op="LSTM", **more):
    rng = np.random.default_rng(0)
    G = {"RNN": 1, "GRU": 3, "LSTM": 4}[op]
    shapes = {"X": (5, 2, 3), "W": (1, 4 * G, 3), "R": (1, 4 * G, 4), "B": (1, 8 * G), "initial_h": (1, 2, 4)}
    return {slot: rng.standard_normal(shape) for slot, shape in shapes.items()} | more


def test_three_forms_of_inputs():
    inputs = simple()
    one = node("LSTM", inputs)
    assert one.input == ["X", "W", "R", "B", "", "initial_h"]
    wanted = run_node(one, inputs)
    packed = list(inputs.values())
    for form in (packed, tuple(packed), [*packed[:4], None, packed[4]], inputs | {"P": None}):
        for mine, theirs in zip(run_node(one, form), wanted):
            np.testing.assert_array_equal(mine, theirs)


def test_outputs_follow_their_names():
    inputs = simple()
    Y, Y_h, Y_c = run_node(node("LSTM", inputs), inputs)
    assert (Y.shape, Y_h.shape, Y_c.shape) == ((5, 1, 2, 4), (1, 2, 4), (1, 2, 4))
    (only,) = run_node(node("LSTM", inputs, ["", "", "c"]), inputs)
    np.testing.assert_array_equal(only, Y_c)
    first, last = run_node(node("LSTM", inputs, ["y", "", "c"]), inputs)
    np.testing.assert_array_equal(first, Y)
    np.testing.assert_array_equal(last, Y_c)
    assert run_node(node("LSTM", inputs, []), inputs) == ()


@_ops
def test_rows_of_length_0_end_in_zeros(op, engine):
    inputs = simple(op, sequence_lens=np.array([0, 3], np.int32))
    Y, Y_h, *_ = run_node(node(op, inputs), inputs)
    assert not Y_h[0, 0].any() and not Y[:, 0, 0].any() and Y_h[0, 1].all()
    inputs = simple(op, X=np.zeros((0, 2, 3)))
    Y, Y_h, *_ = run_node(node(op, inputs), inputs)
    assert Y.shape == (0, 1, 2, 4) and not Y_h.any()


def test_activations_that_take_nothing_may_have_a_value_where_readings_agree():
    inputs = simple("GRU")
    names = ["Sigmoid", "LeakyRelu"]
    plain = run_node(node("GRU", inputs, activations=names, activation_alpha=[0.3]), inputs)
    same = run_node(node("GRU", inputs, activations=names, activation_alpha=[0.3, 0.3]), inputs)
    np.testing.assert_array_equal(plain[0], same[0])


def test_two_names_for_one_direction_of_an_rnn_are_its_default():
    inputs = simple("RNN")
    two = run_node(node("RNN", inputs, activations=["Tanh", "Tanh"]), inputs)
    np.testing.assert_array_equal(two[0], run_node(node("RNN", inputs), inputs)[0])


# ---- what is refused ----


@pytest.mark.parametrize(
    "op, attributes, text",
    [
        ("LSTM", {"direction": "sideways"}, "direction: expected one of forward, reverse, bidirectional"),
        ("LSTM", {"direction": "bidirectional"}, r"W: expected shape .* = \(2, 16, 3\), got \(1, 16, 3\)"),
        ("LSTM", {"layout": 2}, "layout: expected 0 or 1, got 2"),
        ("LSTM", {"clip": 0.0}, "clip: expected a finite number above 0"),
        ("LSTM", {"clip": -1.0}, "clip: expected a finite number above 0"),
        ("LSTM", {"hidden_size": 5}, r"R: expected 3 axes, the last of hidden_size = 5, got \(1, 16, 4\)"),
        ("LSTM", {"hidden_size": 0}, "hidden_size: expected at least 1"),
        ("LSTM", {"input_forget": 2}, "input_forget: expected 0 or 1"),
        ("LSTM", {"linear_before_reset": 1}, "LSTM: expected no attribute but .* got 'linear_before_reset'"),
        ("RNN", {"output_sequence": 1}, "RNN: expected no attribute but .* got 'output_sequence'"),
        ("LSTM", {"activations": ["Tanh"]}, "activations: expected 3 names, got 1"),
        ("RNN", {"activations": ["Tanh", "Relu"]}, "activations: expected 1 names, got 2"),
        ("RNN", {"activations": ["Swish"]}, "activations: expected names of affine, .* got 'Swish'"),
        ("RNN", {"activations": ["ScaledTanh"]}, "activation_alpha: expected a value for scaledtanh"),
        ("RNN", {"activations": ["ScaledTanh"], "activation_alpha": [1.0]}, "activation_beta: expected a value"),
        ("RNN", {"activations": ["LeakyRelu"], "activation_alpha": [0.1, 0.2]}, "activation_alpha: expected at most"),
        ("GRU", {"activations": ["Sigmoid", "Elu"], "activation_alpha": [0.1, 0.2]}, "activation_alpha: expected at"),
        ("RNN", {"activation_beta": [1.0]}, "activation_beta: expected at most one value for each of the 0"),
    ],
)
def test_attributes_are_refused_by_name(op, attributes, text):
    inputs = simple(op)
    if text.startswith("activation_beta: expected at most"):
        attributes = attributes | {"activation_beta": [1.0, 2.0]}
    with pytest.raises(ValueError, match=text):
        run_node(node(op, inputs, **attributes), inputs)


@pytest.mark.parametrize(
    "error, change, text",
    [
        (TypeError, {"X": np.ones((5, 2, 3), int)}, r"X: expected float32 or float64, got int64; .*\.astype"),
        (TypeError, {"X": np.ones((5, 2, 3), np.float16)}, "X: expected float32 or float64, got float16"),
        (TypeError, {"W": np.ones((1, 16, 3), np.float32)}, "W: expected float64 like X, got float32"),
        (TypeError, {"sequence_lens": np.ones(2)}, "sequence_lens: expected integers, got float64"),
        (ValueError, {"sequence_lens": np.array([6, 1])}, "sequence_lens: expected values from 0 to 5"),
        (ValueError, {"sequence_lens": np.array([-1, 1])}, "sequence_lens: expected values from 0 to 5"),
        (ValueError, {"sequence_lens": np.array([1])}, r"sequence_lens: expected shape \(batch_size,\) = \(2,\)"),
        (ValueError, {"X": np.ones((5, 3))}, r"X: expected shape \(seq_length, batch_size, input_size\)"),
        (ValueError, {"X": np.ones((5, 2, 0)), "W": np.ones((1, 16, 0))}, "X: expected input_size >= 1"),
        (ValueError, {"B": np.ones((1, 16))}, r"B: expected shape \(num_directions, 8\*hidden_size\) = \(1, 32\)"),
        (ValueError, {"P": np.ones((1, 16))}, r"P: expected shape \(num_directions, 3\*hidden_size\) = \(1, 12\)"),
        (ValueError, {"initial_h": np.ones((2, 1, 4))}, r"initial_h: expected shape .* = \(1, 2, 4\)"),
        (ValueError, {"R": np.ones(4)}, "R: expected 3 axes"),
        (TypeError, {"B": [[1], [1, 2]]}, "B: expected an array"),
    ],
)
def test_arrays_are_refused_by_name(error, change, text):
    inputs = simple() | change
    with pytest.raises(error, match=text):
        run_node(node("LSTM", inputs), inputs)


def test_wrong_inputs_and_nodes():
    inputs = simple()
    one = node("LSTM", inputs)
    for wrong in (list(inputs.values())[:3], [*inputs.values(), np.ones(1), np.ones(1)], [None] * 6,
                  inputs | {"P": np.ones((1, 12))}, {"X": inputs["X"]}, [np.ones(1)] * 6):  # fmt: skip
        with pytest.raises(ValueError, match="inputs: expected"):
            run_node(one, wrong)
    for wrong in (inputs["X"], None, "X"):
        with pytest.raises(TypeError, match="inputs: expected a list of arrays or a dict"):
            run_node(one, wrong)
    one.op_type = "Conv"
    with pytest.raises(ValueError, match="node: expected an operator RNN, LSTM, GRU, got Conv"):
        run_node(one, inputs)
    one.op_type, one.domain = "LSTM", "com.example"
    with pytest.raises(ValueError, match="got com.example.LSTM"):
        run_node(one, inputs)
    with pytest.raises(ValueError, match=r"node\.input: expected a name for R, got none"):
        run_node(node("LSTM", {"X": 0, "W": 0}), [])
    with pytest.raises(ValueError, match=r"node\.output: expected at most 2 names"):
        run_node(node("GRU", simple("GRU"), ["a", "b", "c"]), simple("GRU"))
    with pytest.raises(ValueError, match="device: expected 'CPU', got 'CUDA'"):
        run_node(node("LSTM", inputs), inputs, device="CUDA")
    assert supports_device("CPU") and supports_device("cpu:0") and not supports_device("CUDA")


def test_an_attribute_of_another_type_is_refused():
    inputs = simple()
    one = node("LSTM", inputs, clip=1.0)
    one.attribute[0].type = 2
    with pytest.raises(TypeError, match="clip: expected an attribute with a FLOAT"):
        run_node(one, inputs)


def test_neighbours_are_imported_on_request_only():
    code = "import sys, fastrnn; print([m for m in sys.modules if m in ('fastrnn.onnx', 'fastrnn.keras', 'onnx')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    code = "import sys, fastrnn.onnx; print('onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
