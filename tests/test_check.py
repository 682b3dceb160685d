"""Checks of arguments: what passes untouched, what is copied, what is refused and with which words."""

import numpy as np
import pytest

from fastrnn import _check


def test_a_good_array_is_itself(dtype):
    array = np.arange(24, dtype=dtype).reshape(4, 6)
    for good in (array, array.T, array[::-2, 1::3], np.broadcast_to(array, (3, 4, 6)), array[:0]):
        assert _check.floats("x", good) is good
        assert _check.floats("x", good, dtype) is good
    array.flags.writeable = False
    assert _check.floats("x", array, dtype) is array


def foreign(array):
    """`array` big-endian, or little-endian where that is foreign."""
    return array.astype(array.dtype.newbyteorder())


def unaligned(array):
    raw = np.empty(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned
    return view


@pytest.mark.parametrize("spoil", [foreign, unaligned])
def test_foreign_and_unaligned_arrays_are_copied(spoil, dtype):
    array = np.arange(6, dtype=dtype).reshape(2, 3)
    spoilt = spoil(array)
    found = _check.floats("x", spoilt, dtype)
    assert found.dtype is dtype and found.dtype.isnative and found.flags.aligned
    assert np.array_equal(found, array) and not np.shares_memory(found, spoilt)


def test_what_becomes_an_array_may_pass():
    assert _check.floats("x", [[1.0, 2.0]]).shape == (1, 2)
    assert _check.floats("x", np.float32(3)).dtype == np.float32


class Untouchable:
    def __array__(self, *args, **kwargs):
        raise RuntimeError("call .detach() first")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros(3, np.int64), r"x: expected float32 or float64, got int64; convert it with \.astype\(np\.float32\)"),
        (np.zeros(3, ">i2"), r"x: expected float32 or float64, got int16; .*astype"),
        (np.zeros(3, np.float16), r"x: expected float32 or float64, got float16; .*astype"),
        (np.zeros(3, bool), r"x: expected float32 or float64, got bool; .*astype"),
        (np.zeros(3, complex), r"x: expected float32 or float64, got complex128; .*astype"),
        (np.zeros(3, np.longdouble), r"x: expected float32 or float64, got (float|longdouble).*astype"),
        ([1, 2], r"x: expected float32 or float64, got int64; .*astype"),
        (np.ma.array([1.0]), r"x: expected an array without a mask, .*filled"),
        (None, r"x: expected an array of float32 or float64, got NoneType$"),
        ("text", r"x: expected an array of float32 or float64, got str$"),
        ([[1.0], [1.0, 2.0]], r"x: expected an array, got list \(.*\)"),
        (Untouchable(), r"x: expected an array, got Untouchable \(call \.detach\(\) first\)"),
    ],
    ids=lambda v: "" if isinstance(v, str) else type(v).__name__,
)
def test_what_is_no_array_of_floats_is_refused(value, text):
    with pytest.raises(TypeError, match="^" + text):
        _check.floats("x", value)


def test_another_float_than_asked_for_is_refused():
    text = r"^dy: expected float32 like the weights, got float64; convert it with \.astype\(np\.float32\)$"
    with pytest.raises(TypeError, match=text):
        _check.floats("dy", np.zeros(2), np.dtype("float32"))
    with pytest.raises(TypeError, match=r"^dy: expected float64 like the weights, got int"):
        _check.floats("dy", np.zeros(2, int), np.dtype("float64"))


def test_shapes():
    array = np.zeros((4, 10, 7))
    _check.shape("x", array, ("n_x", "m", "T_x"), {"n_x": 4})
    _check.shape("x", array, ("n_x", "m", "T_x"), {})
    with pytest.raises(ValueError) as caught:
        _check.shape("x", array, ("n_x", "m", "T_x"), {"n_x": 3})
    assert str(caught.value) == "x: expected shape (n_x, m, T_x) with n_x = 3, got (4, 10, 7)"
    with pytest.raises(ValueError) as caught:
        _check.shape("b_x", array, ("4 n_a",), {"4 n_a": 20})
    assert str(caught.value) == "b_x: expected shape (4 n_a,) with 4 n_a = 20, got (4, 10, 7)"
    with pytest.raises(ValueError) as caught:
        _check.shape("x", array[0], ("T", "m", "n"), {})
    assert str(caught.value) == "x: expected shape (T, m, n), got (10, 7)"


@pytest.mark.parametrize("value", ["LSTM", None, 3, ["lstm"]])
def test_choices(value):
    _check.one_of("cell", "lstm", ("lstm", "rnn"))
    with pytest.raises(ValueError) as caught:
        _check.one_of("cell", value, ("lstm", "rnn"))
    assert str(caught.value) == f"cell: expected one of lstm, rnn, got {value!r}"
