"""exp, sigmoid and tanh of the native backend: bounds, exact points, symmetry, order, and the same bits everywhere."""

import hashlib
import os

import numpy as np
import pytest

from fastrnn import ops

# The bounds that csrc/kernels/activations.inc states, in units in the last place.
BOUND = {
    "exp": {"float32": 1.1, "float64": 1.1},
    "sigmoid": {"float32": 2.5, "float64": 2.5},
    "tanh": {"float32": 2.1, "float64": 2.3},
}
EXACT = {"exp": np.exp, "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh}
LOG_SIGMOID_BOUND = {"float32": 2.65, "float64": 2.6}
names = pytest.mark.parametrize("name", list(BOUND))

# The start of a sha256 over the results for `sample`: every instruction set with FMA gives these bits, on any machine.
# They change only with the arithmetic of activations.inc.
DIGEST = {
    ("exp", "float32"): "50b6284751d796d199f2ce8d6d5d1002",
    ("exp", "float64"): "93ecad4b67e813ea91b5ba1910c1df6e",
    ("sigmoid", "float32"): "bd06a3dc68aea9c4cae3305db652bd68",
    ("sigmoid", "float64"): "330bf7dc0de7c42ee1be63bcadffb634",
    ("tanh", "float32"): "b2db5a7e01e1b328bef1b9a0bd169bf6",
    ("tanh", "float64"): "179cfe0c5bbcb303f2c88420ab9d8ea7",
}


def wider(dtype):
    """A type to compute expected values in."""
    if dtype == np.float32:
        return np.float64
    if np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant:
        pytest.skip("no type wider than float64 here to compare with")
    return np.longdouble


def check(name, x):
    """Compare with the exact function: bound, overflow, order. x ascends."""
    info, wide = np.finfo(x.dtype), wider(x.dtype)
    y = ops.activate(name, x)
    assert y.dtype == x.dtype and not np.isnan(y).any()
    falls = np.flatnonzero(y[1:] < y[:-1])
    assert falls.size == 0, f"{name} falls after {x[falls[:3]]!r}"
    with np.errstate(over="ignore", under="ignore"):
        exact = EXACT[name](x.astype(wide))
    largest, too_large = wide(info.max), exact >= wide(info.max) * (1 + wide(info.eps) / 4)
    assert np.isposinf(y[too_large]).all()
    some = exact <= largest
    ulp = np.ldexp(wide(1), np.maximum(np.frexp(exact[some])[1], info.minexp + 1) - info.nmant - 1)
    error = np.abs(y[some].astype(wide) - exact[some]) / ulp
    wrong = error > BOUND[name][x.dtype.name]
    assert not wrong.any(), f"{name} is off by up to {error.max()} ulp, first at {x[some][wrong][:3]!r}"


def sample(dtype):
    """Finite values of every exponent, and many where the three functions are neither 0 nor 1. Same bits everywhere."""
    random = np.random.RandomState(20)  # its stream is frozen, unlike a Generator's
    anywhere = np.frombuffer(random.bytes(60_000 * dtype.itemsize), dtype.newbyteorder("<")).astype(dtype)
    steps = np.frombuffer(random.bytes(720_000), "<i4").reshape(6, -1) / 2.0**31
    scales = [2.0**-12, 0.5, 1, 8, 20, 128 if dtype == np.float32 else 1024]
    x = np.concatenate([anywhere, (steps * np.array(scales)[:, None]).astype(dtype).reshape(-1)])
    return np.sort(x[np.isfinite(x)] + dtype.type(0))  # adding 0 leaves one zero, whose place can't depend on the sort


@names
def test_within_the_stated_bound_and_monotone(name, isa, dtype):
    check(name, sample(dtype))


def test_log_sigmoid_within_the_stated_bound(isa, dtype):
    x = sample(dtype)
    y, wide = ops.activate("log_sigmoid", x), x.astype(wider(dtype))
    with np.errstate(under="ignore"):
        exact = np.minimum(wide, 0) - np.log1p(np.exp(-np.abs(wide)))
    info = np.finfo(dtype)
    ulp = np.ldexp(np.ones_like(wide), np.maximum(np.frexp(exact)[1], info.minexp + 1) - info.nmant - 1)
    assert np.max(np.abs(y.astype(wide.dtype) - exact) / ulp) <= LOG_SIGMOID_BOUND[dtype.name]
    far = ops.activate("log_sigmoid", np.array([-np.inf, np.inf, np.nan], dtype))
    assert np.array_equal(far, [-np.inf, 0, np.nan], equal_nan=True)


@names
def test_monotone_where_the_reduced_argument_jumps(name, isa, dtype):
    """Between x = (n - 1/2) ln 2 and its neighbours, n changes and the polynomial starts from its other end."""
    signed = np.dtype(f"i{dtype.itemsize}")
    jumps = (np.arange(0, 150) + 0.5) * np.log(2) / (2 if name == "tanh" else 1)
    near = jumps.astype(dtype).view(signed)[:, None] + np.arange(-300, 300, dtype=signed)
    for x in near.view(dtype):
        check(name, x)
        check(name, -x[::-1])


@names
def test_instruction_sets_with_fma_give_the_same_bits(name, isa, dtype):
    if isa == "scalar":
        pytest.skip("the baseline has no FMA: other roundings, same bounds")
    found = hashlib.sha256(ops.activate(name, sample(dtype)).tobytes()).hexdigest()[:32]
    assert found == DIGEST[name, dtype.name]


@names
def test_a_tail_gives_the_same_bits(name, isa, dtype):
    x = np.linspace(-9, 9, 70).astype(dtype)
    whole = ops.activate(name, x)
    for n in range(71):
        np.testing.assert_array_equal(ops.activate(name, x[:n]), whole[:n])
        np.testing.assert_array_equal(ops.activate(name, x[70 - n :]), whole[70 - n :])


def test_exact_points(isa, dtype):
    inf, tiny = np.inf, np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, -0.0, inf, -inf, tiny, -tiny], dtype)
    np.testing.assert_array_equal(ops.activate("exp", x), [1, 1, inf, 0, 1, 1])
    np.testing.assert_array_equal(ops.activate("sigmoid", x), [0.5, 0.5, 1, 0, 0.5, 0.5])
    tanh = ops.activate("tanh", x)
    np.testing.assert_array_equal(tanh, [0, 0, 1, -1, tiny, -tiny])
    np.testing.assert_array_equal(np.signbit(tanh), np.signbit(x))


@names
def test_nan_gives_nan_and_leaves_its_neighbours_alone(name, isa, dtype):
    x = np.linspace(-2, 2, 40).astype(dtype)
    clean = ops.activate(name, x)
    for i in range(40):
        holed = x.copy()
        holed[i] = np.nan
        y = ops.activate(name, holed)
        assert np.isnan(y[i])
        np.testing.assert_array_equal(np.delete(y, i), np.delete(clean, i))


def test_tanh_is_odd_to_the_bit(isa, dtype):
    x = sample(dtype)
    np.testing.assert_array_equal(ops.activate("tanh", -x), -ops.activate("tanh", x))


def test_saturation(isa, dtype):
    far = np.array([45, 100, 1e4, np.finfo(dtype).max], dtype)
    np.testing.assert_array_equal(ops.activate("tanh", far), 1)
    np.testing.assert_array_equal(ops.activate("sigmoid", far), 1)
    np.testing.assert_array_equal(ops.activate("sigmoid", -far[2:]), 0)
    np.testing.assert_array_equal(ops.activate("exp", -far[2:]), 0)


def test_subnormals(isa, dtype):
    """tanh gives them back; exp and sigmoid reach them gradually instead of dropping to 0."""
    info = np.finfo(dtype)
    x = info.smallest_subnormal * np.arange(1, 200, dtype=dtype)
    np.testing.assert_array_equal(ops.activate("tanh", x), x)
    x = np.linspace(np.log(info.smallest_subnormal), np.log(info.smallest_normal), 500).astype(dtype)
    for name in ("exp", "sigmoid"):
        assert (ops.activate(name, x[1:-1]) > 0).all()
        check(name, x)


@pytest.mark.slow
@names
def test_all_of_float32(name, isa):
    """Every 127th float32 from -inf to inf. FASTRNN_TEST_STRIDE=1 takes them all, some minutes for each case."""
    stride = int(os.environ.get("FASTRNN_TEST_STRIDE", "127"))
    infinity, chunk = 0x7F800000, stride << 19
    for first in range(0, infinity, chunk):
        x = np.arange(first, min(first + chunk, infinity), stride, np.uint32).view(np.float32)
        check(name, x)
        check(name, -x[::-1])
