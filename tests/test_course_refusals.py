"""The course's functions refuse what does not fit, and name it: the argument, what was expected, what came."""

import re

import numpy as np
import pytest

from course_data import BACKWARD, CELL_BACKWARD, CELL_FORWARD, FORWARD, STATE, each_kind, make
from fastrnn import course


@each_kind
@pytest.mark.parametrize("where", ["cell", "sequence"])
def test_wrong_parameters_are_named(kind, where):
    x, start, p, _ = make(kind)
    if where == "cell":
        states = (start, start) if kind == "lstm" else (start,)

        def call(parameters):
            return CELL_FORWARD[kind](x[:, :, 0], *states, parameters)
    else:
        def call(parameters):
            return FORWARD[kind](x, start, parameters)

    for key, value in p.items():
        named = rf'parameters\["{key}"\]: '
        with pytest.raises(ValueError, match=named + "expected shape .*missing"):
            call({k: v for k, v in p.items() if k != key})
        with pytest.raises(TypeError, match=named + r".*int64.*\.astype"):
            call(p | {key: value.astype(np.int64)})
        with pytest.raises(TypeError, match=named):
            call(p | {key: None})
        with pytest.raises(ValueError, match=named + r"expected shape \(n_"):
            call(p | {key: value[:, 0]})
        # a size that two arrays alone share may be laid to either: both are in the message
        with pytest.raises(ValueError, match=rf'parameters\["{key}"\].*expected shape|expected shape.*parameters\["{key}"\]'):
            call(p | {key: np.zeros((value.shape[0] + 1, value.shape[1]))})
        with pytest.raises(ValueError, match=rf'parameters\["{key}"\].*expected shape|expected shape.*parameters\["{key}"\]'):
            call(p | {key: np.zeros((value.shape[0], value.shape[1] + 1))})
    with pytest.raises(TypeError, match="^parameters: expected a dict"):
        call([p])


@each_kind
def test_wrong_data_is_named(kind):
    x, start, p, d = make(kind)
    s = STATE[kind]
    sources = rf'\(n_x is that of parameters\["W.+"\], m is that of {s}0\)'
    with pytest.raises(ValueError, match=rf"^x: expected shape \(n_x, m, T_x\) with n_x = 3, m = 10, got \(4, 10, 7\) {sources}$"):
        FORWARD[kind](np.zeros((4, 10, 7)), start, p)
    with pytest.raises(ValueError, match=r"^x: expected shape \(n_x, m, T_x\).*got \(3, 10\)"):
        FORWARD[kind](x[:, :, 0], start, p)
    with pytest.raises(ValueError, match=rf"^{s}0: expected shape \(n_a, m\) with n_a = 5, m = 10, got \(6, 10\)"):
        FORWARD[kind](x, np.zeros((6, 10)), p)
    with pytest.raises(TypeError, match=r"^x: expected an array of float32 or float64, got int64; convert it with x\.astype"):
        FORWARD[kind](np.zeros((3, 10, 7), int), start, p)
    with pytest.raises(TypeError, match="^x: .*float16"):
        FORWARD[kind](x.astype(np.float16), start, p)
    with pytest.raises(TypeError, match="^x: "):
        FORWARD[kind]([[1.0], [2.0, 3.0]], start, p)
    with pytest.raises(ValueError, match="^output: expected one of 'softmax', 'sigmoid', got 'linear'"):
        FORWARD[kind](x, start, p, output="linear")
    caches = FORWARD[kind](x, start, p)[-1]
    for again in (caches, (list(caches[0]), x)):
        with pytest.raises(ValueError, match=rf"^d{s}: expected shape \(n_a, m, T_x\) with n_a = 5, m = 10, got \(6, 10, 7\)"):
            BACKWARD[kind](np.zeros((6, 10, 7)), again)
        with pytest.raises(ValueError, match=rf"^d{s}: expected shape"):
            BACKWARD[kind](d[:, :, 0], again)
        with pytest.raises(TypeError, match=rf"^d{s}: .*int64"):
            BACKWARD[kind](np.ones(d.shape, int), again)
    extra = (d[:, :, 0],) if kind == "lstm" else ()
    with pytest.raises(ValueError, match=rf"^d{s}_next: expected shape \(n_a, m\)"):
        CELL_BACKWARD[kind](d, *extra, caches[0][0])


def test_wrong_keywords_are_named():
    x, start, p, _ = make("gru")
    with pytest.raises(ValueError, match="^simplified: expected one of None, 'reset', 'update', got 'both'"):
        course.gru_forward(x, start, p, simplified="both")
    x, start, p, _ = make("rnn")
    with pytest.raises(ValueError, match="^activation: expected one of 'tanh', 'relu', got 'elu'"):
        course.rnn_forward(x, start, p, activation="elu")
    caches = course.rnn_forward(x, start, p)[-1]
    for again in (caches, (list(caches[0]), x)):
        with pytest.raises(ValueError, match="^activation: expected one of None, 'tanh', 'relu', got 'elu'"):
            course.rnn_backward(x, again, activation="elu")
    with pytest.raises(ValueError, match="^activation: expected one of None, 'tanh', 'relu', got 'elu'"):
        course.rnn_cell_backward(x[:, :, 0], caches[0][0], activation="elu")


@pytest.mark.parametrize(("value", "got"), [(np.array([1, 2]), "ndarray"), (np.array("softmax"), "ndarray"), (1, "1"),
                                            (["softmax"], "['softmax']")], ids=str)  # fmt: skip
def test_keywords_of_any_type_are_named(value, got):
    x, start, p, _ = make("rnn")
    for keyword in ("output", "activation"):
        with pytest.raises(ValueError, match=f"^{keyword}: expected one of .*, got {re.escape(got)}$"):
            course.rnn_forward(x, start, p, **{keyword: value})


@each_kind
@pytest.mark.parametrize("cells", [5, None], ids=str)
def test_caches_that_are_none(kind, cells):
    x, _, _, d = make(kind)
    with pytest.raises(TypeError, match=rf"^caches: expected a pair \(cell caches, x\) with a list .*got {type(cells).__name__}"):
        BACKWARD[kind](d, (cells, x))


@each_kind
def test_caches_of_another_cell(kind):
    x, start, p, d = make(kind)
    caches = FORWARD[kind](x, start, p)[-1]
    for other, backward in BACKWARD.items():
        if other != kind:
            with pytest.raises(ValueError, match=f"^caches: expected those of {other}_forward, got those of {kind}_forward$"):
                backward(d, caches)


@each_kind
def test_no_steps_of_a_wider_gradient(kind):
    x, start, p, d = make(kind)
    narrow = {key: value.astype(np.float32) for key, value in p.items()}
    caches = FORWARD[kind](x.astype(np.float32), start.astype(np.float32), narrow)[-1]
    found = BACKWARD[kind](np.zeros((*d.shape[:2], 0)), caches)
    assert all(not array.any() for array in found.values()) and found["dx"].shape == (*x.shape[:2], 0)


@each_kind
def test_masked_arrays_are_refused(kind):
    x, start, p, _ = make(kind)
    with pytest.raises(TypeError, match="^x: expected an array without a mask"):
        FORWARD[kind](np.ma.array(x, mask=x > 0), start, p)


@each_kind
def test_caches_without_parameters(kind):
    x, start, p, d = make(kind)
    cells = [(*cell[:-1], None) for cell in FORWARD[kind](x, start, p)[-1][0]]
    with pytest.raises(TypeError, match="^cache of step 0: parameters: expected a dict of arrays, got NoneType"):
        BACKWARD[kind](d, (cells, x))


@pytest.mark.parametrize("beside", [("Waa",), ("Wax",), ("Waa", "Wax")], ids=" ".join)
def test_weights_given_twice(beside):
    x, start, p, _ = make("rnn")
    twice = {key: value for key, value in p.items() if key not in ("Waa", "Wax") or key in beside}
    twice["Wa"] = np.hstack([p["Waa"], p["Wax"]])
    said = f"^parameters: expected either Wa, or Waa and Wax, got Wa beside {' and '.join(beside)}$"
    with pytest.raises(ValueError, match=said):
        course.rnn_forward(x, start, twice)
    with pytest.raises(ValueError, match=said):
        course.rnn_cell_forward(x[:, :, 0], start, twice)
