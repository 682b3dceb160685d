"""What only the sLSTM promises: any gate, however large, and states that remember nothing."""

import numpy as np
import pytest
from cases import data
from test_ops import Run

import fastrnn
from fastrnn import ops

N = 5


def gates(i, f, g, o, dtype="float64", n=N):
    """Weights of n units without products: x (T, m, 4) brings the sums of the gates, the same for all units."""
    W_x = np.kron(np.eye(4), np.ones((n, 1))).astype(dtype)
    columns = np.broadcast_arrays(*(np.asarray(gate, dtype) for gate in (i, f, g, o)))
    x = np.stack([np.atleast_1d(column) for column in columns], axis=1)[:, np.newaxis]
    return ops.pack("slstm", W_x, np.zeros((4 * n, n), dtype)), np.ascontiguousarray(x)


def plainly(i, f, g, o):
    """The outputs for numbers, from the equations without m, in the longest float and from logarithms of weights."""
    sums, found = [], []
    for z_i, z_f, z_g, z_o in np.array(np.broadcast_arrays(i, f, g, o), np.longdouble).T:
        keep = -np.logaddexp(0, -z_f)
        sums = [(weight + keep, value) for weight, value in sums] + [(z_i, np.tanh(z_g))]
        top = max(weight for weight, _ in sums)
        total = sum(np.exp(weight - top) for weight, _ in sums)
        found.append(sum(np.exp(weight - top) * value for weight, value in sums) / total * np.exp(-np.logaddexp(0, -z_o)))
    return np.array(found)


@pytest.mark.parametrize("size", [1, 30, 300, 1e4])
def test_large_gates_stay_finite_and_right(engine, dtype, size):
    rng = np.random.default_rng(3)
    z = np.round(size * rng.standard_normal((4, 60))).astype(dtype)
    weights, x = gates(*z, dtype=dtype)
    result = ops.forward(weights, x, training=True, cells=True)
    g = ops.backward(result.tape, np.ones_like(result.y), tuple(map(np.ones_like, result.state)))
    for array in (result.y, result.cells, *result.state, g.dx, *g.dstate, *g[2:6]):
        assert np.isfinite(array).all()
    # m is as large as the gates: that is how exact the exponents are.
    allowed = 16 * max(size, 4) * np.finfo(dtype).eps
    np.testing.assert_allclose(result.y[:, 0], np.repeat(plainly(*z)[:, None], N, axis=1), rtol=0, atol=allowed)


def test_a_first_step_puts_out_its_candidate_whatever_its_weight(engine, dtype):
    """There is nothing yet to weigh it against; n would be 0 and h 0 / 0 if m began at 0."""
    for z_i in (-1e4, -200, -1, 0, 200, 1e4):
        for z_f in (-1e4, 0, 1e4):
            weights, x = gates(z_i, z_f, 0.5, 1.0, dtype)
            y, (_, c), _, tape = ops.forward(weights, x, training=True)
            np.testing.assert_allclose(y, np.tanh(0.5) / (1 + np.exp(-1.0)), rtol=1e-6)
            assert c.reshape(3, N).tolist() == [[c[0, 0]] * N, [1] * N, [z_i] * N]
            g = ops.backward(tape, np.ones_like(y))
            assert np.isfinite(g.dstate[1]).all()
            np.testing.assert_allclose(g.dx[0, 0, :2], 0, atol=1e-6)


@pytest.mark.parametrize("z_i", [0.3, -2.0])
def test_gradient_of_a_state_that_remembers_nothing(engine, z_i):
    """Zeros are a state like any other for whoever learns it: central differences of y, with n on either side of 0."""
    weights, x = gates(np.array([z_i, -0.4]), np.array([1.2, 0.1]), np.array([0.7, -0.9]), 0.2)
    c0, dy, h = np.zeros((1, 3 * N)), np.random.default_rng(0).standard_normal((2, 1, N)), 1e-6
    tape = ops.forward(weights, x, (None, c0), training=True).tape
    found = ops.backward(tape, dy).dstate[1]
    for k in range(3 * N):
        step = h * (np.arange(3 * N) == k)
        above, below = (np.sum(ops.forward(weights, x, (None, c0 + way * step)).y * dy) for way in (1, -1))
        assert abs(found[0, k] - (above - below) / (2 * h)) < 1e-8
    assert not found[0, 2 * N :].any()  # m alone says nothing


def test_the_scale_of_a_state_says_nothing(engine):
    """c, n and m stand for exp(m) c and exp(m) n: y and the gradients of weights don't see how that is divided."""
    d = data("slstm", (3, N, 2, 9), "float64")
    one = Run(d)
    c, n, m = np.split(d.state[1], 3, axis=1)
    other = type(d)(**vars(d))
    other.state = d.state[0], np.concatenate([c * np.exp(1.5), n * np.exp(1.5), m - 1.5], axis=1)
    other.dcells, other.dstate = np.zeros_like(d.dcells), (d.dstate[0], np.zeros_like(d.dstate[1]))
    same = type(d)(**{**vars(other), "state": d.state})
    one, two = Run(same), Run(other)
    np.testing.assert_allclose(two.y, one.y, rtol=1e-13)
    for name in ("dx", "da0", "dW_x", "dW_a", "db_x", "db_a"):
        np.testing.assert_allclose(getattr(two, name), getattr(one, name), rtol=1e-10, atol=1e-13, err_msg=name)
    # and dm0 is what moves both: dc0 c0 + dn0 n0
    dc0, dn0, dm0 = np.split(one.dc0, 3, axis=1)
    np.testing.assert_allclose(dm0, dc0 * c + dn0 * n, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name, value", [("clip", 1.0), ("norm", {}), ("peephole", np.ones((3, N))), ("coupled", True),
                                         ("projection", np.ones((2, N)))])  # fmt: skip
def test_what_it_does_not_have(name, value):
    W_x, W_a = np.ones((4 * N, 3)), np.ones((4 * N, N))
    with pytest.raises(ValueError, match=f"^{name}: expected (None|False)"):
        ops.pack("slstm", W_x, W_a, **{name: value})


def test_zoneout_is_refused():
    weights, x = gates(0.0, 0.0, 0.0, 0.0)
    keep = np.ones((1, 1, N), bool)
    for zoneout in (0.5, (keep, keep), (keep, None)):
        with pytest.raises(ValueError, match="^zoneout: expected None for an slstm"):
            ops.forward(weights, x, zoneout=zoneout)
    with pytest.raises(ValueError, match="^zoneout: expected None for an slstm"):
        ops.stream(weights, zoneout=0.5)


@pytest.mark.parametrize("option", [{"clip": 1.0}, {"layer_norm": True}, {"zoneout": 0.5}], ids=str)
def test_options_that_the_layer_refuses(option):
    (name,) = option
    with pytest.raises(ValueError, match=f"^{name}: expected .* as an sLSTM does not have it"):
        fastrnn.sLSTM(3, 4, **option)


def test_states_of_other_widths_are_refused():
    weights, x = gates(0.0, 0.0, 0.0, 0.0)
    a = np.zeros((1, N))
    with pytest.raises(ValueError, match=r"^state\[1\]: expected shape \(m, 3 n_a\) with m = 1, 3 n_a = 15, got \(1, 5\)"):
        ops.forward(weights, x, (a, a))
    with pytest.raises(ValueError, match=r"^state c: expected shape .*3 n_a\) = \(1, 1, 12\), got \(1, 1, 4\)"):
        fastrnn.sLSTM(3, 4)(np.zeros((2, 1, 3), np.float32), (np.zeros((1, 1, 4), np.float32),) * 2)
