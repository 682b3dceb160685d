"""Recurrences without products over time: ops.scan, and the layers on it."""

import numpy as np
import pytest
from cases import assert_sum

import fastrnn
from fastrnn import ops, reference
from fastrnn.nn import LinearRecurrence, minGRU, minLSTM

KINDS = {"linear": 2, "min_gru": 2, "min_lstm": 3}
SIZES = [(1, 1, 1), (5, 3, 7), (2, 1, 33), (70, 2, 17), (3, 9, 16), (130, 1, 600), (0, 2, 3), (3, 0, 4)]     # T, m, n
each_kind = pytest.mark.parametrize("kind", KINDS)
each_layout = pytest.mark.parametrize("layout", ["tmn", "mtn", "nmt"])
each_layer = pytest.mark.parametrize("kind", [minGRU, minLSTM])
AXES = {"tmn": (0, 1, 2), "mtn": (1, 0, 2), "nmt": (2, 1, 0)}


def numbers(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def operands(kind, sizes, dtype=np.float64):
    """Time-major operands, with |keep| < 1 for the linear kind too, states, and gradients."""
    T, m, n = sizes
    inputs = [numbers(k, T, m, n, dtype=dtype) for k in range(KINDS[kind])]
    if kind == "linear":
        inputs[0] = np.tanh(inputs[0])
    return inputs, numbers(5, m, n, dtype=dtype), numbers(6, T, m, n, dtype=dtype), numbers(7, m, n, dtype=dtype)


def run(kind, inputs, h0, dh, dlast, layout="tmn"):
    """Everything a scan gives, time-major."""
    def to(x):
        return np.ascontiguousarray(x.transpose(AXES[layout]))

    inputs = tuple(to(x) for x in inputs)
    h, last = ops.scan(kind, inputs, h0, layout=layout)
    dinputs, dh0 = ops.scan_backward(kind, inputs, h, h0, to(dh), dlast, layout=layout)
    return [h.transpose(AXES[layout]), *(d.transpose(AXES[layout]) for d in dinputs), last, dh0]


def same(found, expected):
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@each_kind
def test_against_the_specification_in_the_longest_float(engine, dtype, threads, kind, sizes):
    inputs, h0, dh, dlast = operands(kind, sizes, dtype)
    found = run(kind, inputs, h0, dh, dlast)
    long = [x.astype(np.longdouble) for x in inputs]
    h, last, dh0 = np.empty(sizes, np.longdouble), *(np.empty(sizes[1:], np.longdouble) for _ in range(2))
    dinputs = [np.empty(sizes, np.longdouble) for _ in inputs]
    reference.scan(kind, long, h0.astype(np.longdouble), h, last, 1)
    reference.scan_backward(kind, long, h0.astype(np.longdouble), h, dh.astype(np.longdouble),
                            dlast.astype(np.longdouble), dinputs, dh0, 1)
    for a, b in zip(found, [h, *dinputs, last, dh0], strict=True):
        assert_sum(a, b, 20 + 4 * min(sizes[0], 30), kind)


@each_kind
def test_gradients_by_central_differences(engine, kind):
    inputs, h0, dh, dlast = operands(kind, (4, 2, 3))

    def value(*arrays):
        h, last = ops.scan(kind, arrays[:-1], arrays[-1])
        return float((h * dh).sum() + (last * dlast).sum())

    found = run(kind, inputs, h0, dh, dlast)
    for k, (array, gradient) in enumerate(zip([*inputs, h0], [*found[1:-2], found[-1]], strict=True)):
        for index in np.ndindex(*array.shape):
            ends = []
            for step in (1e-6, -1e-6):
                arrays = [x.copy() for x in (*inputs, h0)]
                arrays[k][index] += step
                ends.append(value(*arrays))
            assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("sizes", [(70, 5, 37), (33, 1, 300), (20, 2, 16)], ids=str)
@each_kind
def test_bits_depend_on_neither_threads_nor_layout_nor_chunks(isa, dtype, kind, sizes):
    inputs, h0, dh, dlast = operands(kind, sizes, dtype)
    with fastrnn.num_threads(1):
        whole = run(kind, inputs, h0, dh, dlast)
    for count in (2, 3):
        with fastrnn.num_threads(count):
            for layout in AXES:
                assert same(run(kind, inputs, h0, dh, dlast, layout), whole), (count, layout)
    cut = 13
    first, last = ops.scan(kind, tuple(x[:cut] for x in inputs), h0)
    second, _ = ops.scan(kind, tuple(x[cut:] for x in inputs), last)
    late, carried = ops.scan_backward(kind, tuple(x[cut:] for x in inputs), second, last, dh[cut:], dlast)
    early, dh0 = ops.scan_backward(kind, tuple(x[:cut] for x in inputs), first, h0, dh[:cut], carried)
    assert same([np.concatenate([first, second]), *(np.concatenate(parts) for parts in zip(early, late)), dh0],
                [*whole[:-2], whole[-1]])


@each_kind
def test_one_array_of_all_operands(engine, threads, kind):
    inputs, h0, dh, dlast = operands(kind, (6, 2, 5))
    apart, joined = run(kind, inputs, h0, dh, dlast), np.concatenate(inputs, axis=2)
    h, last = ops.scan(kind, joined, h0, out="nmt")
    assert np.array_equal(h.transpose(2, 1, 0), apart[0]) and np.array_equal(last, apart[-2])
    d, dh0 = ops.scan_backward(kind, joined, h, h0, np.ascontiguousarray(dh.transpose(2, 1, 0)), dlast, out="nmt")
    assert np.array_equal(d, np.concatenate(apart[1:-2], axis=2)) and np.array_equal(dh0, apart[-1])


def test_shares_of_extreme_gates(engine, dtype):
    """f / (f + i) where both are far below the smallest number."""
    p = np.array([-500, -500, -500, 500, -500, 0, np.nan], dtype).reshape(1, 1, -1)
    q = np.array([-500, -499, 500, -500, -600, 0, 0], dtype).reshape(1, 1, -1)
    h, _ = ops.scan("min_lstm", (p, q, np.zeros_like(p)), np.ones((1, 7), dtype))
    expected = [0.5, 1 / (1 + np.e), np.exp(-500.0), 1, 1, 0.5, np.nan]
    np.testing.assert_allclose(h[0, 0], expected, rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)


@pytest.mark.parametrize("call, error, name", [
    (lambda x: ops.scan("none", (x, x)), ValueError, "kind"),
    (lambda x: ops.scan("linear", (x,)), ValueError, "inputs"),
    (lambda x: ops.scan("linear", (x, x[:1])), ValueError, r"inputs\[1\]"),
    (lambda x: ops.scan("linear", (x, x.astype(np.float32))), TypeError, r"inputs\[1\]"),
    (lambda x: ops.scan("linear", (x[0], x[0])), ValueError, r"inputs\[0\]"),
    (lambda x: ops.scan("linear", x[..., :3]), ValueError, "inputs"),
    (lambda x: ops.scan("linear", (x, x), x[0, :1]), ValueError, "h0"),
    (lambda x: ops.scan("linear", (x, x), layout="tn"), ValueError, "layout"),
    (lambda x: ops.scan_backward("linear", (x, x), x[:1]), ValueError, "h"),
])
def test_wrong_arguments(call, error, name):
    with pytest.raises(error, match=f"^{name}: "):
        call(np.ones((2, 3, 4)))


# ---- layers ----

def layer_run(layer, x, state, dy, dstate):
    y, last, tape = layer.forward(x, state)
    dx, d, grads = layer.backward(dy, tape, dstate)
    return y, last, dx, d, grads


def by_hand(layer, x, h):
    """Equations of the paper, one step at a time; x (T, m, n_x)."""
    W, b = (layer.parameters()[name] for name in ("weight_ih_l0", "bias_ih_l0"))
    steps = []
    for z in x @ W.T + b:
        gates = [1 / (1 + np.exp(-part)) for part in np.split(z, len(b) // layer.hidden_size, axis=1)[:-1]]
        new = np.split(z, len(b) // layer.hidden_size, axis=1)[-1]
        if len(gates) == 1:
            h = (1 - gates[0]) * h + gates[0] * new
        else:
            f, i = gates
            h = f / (f + i) * h + i / (f + i) * new
        steps.append(h)
    return np.array(steps)


@each_layout
@each_layer
def test_a_layer_is_the_paper_s_equations(engine, kind, layout):
    layer = kind(3, 5, layout=layout, dtype=np.float64, seed=0)
    x, h0 = numbers(1, 7, 2, 3), numbers(2, 1, 2, 5)
    expected = by_hand(layer, x, h0[0])
    y, state = layer(x.transpose(AXES[layout]), h0)
    np.testing.assert_allclose(y.transpose(AXES[layout]), expected, rtol=1e-13, atol=1e-14)
    assert state.shape == (1, 2, 5) and np.array_equal(state[0], y.transpose(AXES[layout])[-1])
    one, last = layer(x[:, 0].T if layout == "nmt" else x[:, 0], h0[:, 0])
    assert np.array_equal(one.T if layout == "nmt" else one, y.transpose(AXES[layout])[:, 0]) and last.shape == (1, 5)


@each_layer
def test_gradients_of_a_layer(engine, kind):
    layer = kind(2, 3, dtype=np.float64, seed=0)
    x, h0, dy, dstate = numbers(1, 4, 2, 2), numbers(2, 1, 2, 3), numbers(3, 4, 2, 3), numbers(4, 1, 2, 3)
    _, _, dx, dh0, grads = layer_run(layer, x, h0, dy, dstate)
    assert list(grads) == list(layer.parameters())

    def value(x, h0, **parameters):
        layer.update(parameters)
        y, last = layer(x, h0)
        return float((y * dy).sum() + (last * dstate).sum())

    start = {"x": x, "h0": h0, **layer.state_dict()}
    for name, gradient in {"x": dx, "h0": dh0, **grads}.items():
        for index in np.ndindex(*gradient.shape):
            ends = []
            for step in (1e-6, -1e-6):
                arrays = {key: array.copy() for key, array in start.items()}
                arrays[name][index] += step
                ends.append(value(**arrays))
            assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8), name


@each_layout
@each_layer
def test_layouts_and_threads_of_a_layer(isa, dtype, kind, layout):
    x, h0, dy = numbers(1, 40, 9, 33, dtype=dtype), numbers(2, 1, 9, 20, dtype=dtype), numbers(3, 40, 9, 20, dtype=dtype)
    found = []
    for count, way in ((1, "tmn"), (2, layout)):
        layer, axes = kind(33, 20, layout=way, dtype=dtype, seed=0), AXES[way]
        with fastrnn.num_threads(count):
            y, last, dx, dh0, grads = layer_run(layer, x.transpose(axes), h0, dy.transpose(axes), None)
        found.append([y.transpose(axes), last, dx.transpose(axes), dh0, *grads.values()])
    assert same(*found)


@each_layer
def test_in_chunks(isa, dtype, kind):
    layer, x = kind(3, 17, dtype=dtype, seed=0), numbers(1, 40, 2, 3, dtype=dtype)
    whole, last = layer(x)
    state, parts = None, []
    for chunk in (x[:1], x[1:18], x[18:]):
        y, state = layer(chunk, state)
        parts.append(y)
    assert np.array_equal(np.concatenate(parts), whole) and np.array_equal(state, last)


def test_linear_recurrence(engine, dtype):
    layer = LinearRecurrence(5, layout="mtn", dtype=dtype)
    a, b, h0, dh = (numbers(k, 2, 6, 5, dtype=dtype) / 2 for k in range(4))
    h0 = h0[:, 0][None]
    y, last, tape = layer.forward(a, b, h0)
    h = h0[0]
    for t in range(6):
        h = a[:, t] * h + b[:, t]
        assert_sum(y[:, t], h, 10)
    assert np.array_equal(last[0], y[:, -1]) and np.array_equal(layer(a, b, h0)[0], y)
    y[...] = 0      # the tape has a copy
    (da, db), dstate, grads = layer.backward(dh, tape)
    want, want_h0 = ops.scan_backward("linear", (a, b), layer(a, b, h0)[0], h0[0], dh, layout="mtn")
    assert np.array_equal(da, want[0]) and np.array_equal(db, want[1]) and np.array_equal(dstate[0], want_h0) and grads == {}
    one, state = layer(a[0], b[0], h0[:, 0])
    assert np.array_equal(one, layer(a, b, h0)[0][0]) and state.shape == (1, 5)


@pytest.mark.parametrize("layer", [minGRU(3, 4, batch_first=True, seed=1), minLSTM(3, 4, False, dtype=np.float64),
                                   LinearRecurrence(4, layout="nmt")], ids=lambda layer: type(layer).__name__)
def test_files(tmp_path, layer):
    layer.save(tmp_path / "layer")
    other = fastrnn.load(tmp_path / "layer")
    assert type(other) is type(layer) and repr(other) == repr(layer) and other.config == layer.config
    assert same(list(other.parameters().values()), list(layer.parameters().values()))


@each_layer
def test_a_tape_outlives_a_write(engine, kind):
    layer, x = kind(3, 4, dtype=np.float64, seed=0), numbers(1, 5, 2, 3)
    y, _, tape = layer.forward(x)
    wanted = layer.backward(y, tape)[0]
    tape = layer.forward(x)[2]
    layer.update({name: 0 * array for name, array in layer.parameters().items()})
    assert np.array_equal(layer.backward(y, tape)[0], wanted)


@each_layer
def test_weights_never_go_stale_and_a_tape_is_used_once(engine, kind):
    layer, x = kind(3, 4, dtype=np.float64, seed=0), numbers(1, 5, 2, 3)
    y, _, tape = layer.forward(x)
    with pytest.raises(ValueError, match="^dy: "):
        layer.backward(y[:1], tape)
    with pytest.raises(ValueError, match="^dstate: "):
        layer.backward(y, tape, y[:2])
    layer.backward(None, tape, y[-1:])
    with pytest.raises(ValueError, match="^tape: .*used"):
        layer.backward(y, tape)
    layer.update({"bias_ih_l0": layer.parameters()["bias_ih_l0"] + 1})
    assert not np.array_equal(layer(x)[0], y)


@pytest.mark.parametrize("call, error, name", [
    (lambda: minGRU(3, 4)(np.ones((2, 3))), TypeError, "x"),
    (lambda: minGRU(3, 4)(np.ones((2, 4), np.float32)), ValueError, "x"),
    (lambda: minGRU(3, 4)(np.ones((2, 1, 3), np.float32), np.ones((1, 4), np.float32)), ValueError, "state"),
    (lambda: minLSTM(0, 4), ValueError, "input_size"),
    (lambda: minLSTM(3, 4, dtype=int), TypeError, "dtype"),
    (lambda: minLSTM(3, 4).backward(None, None), ValueError, "tape"),
    (lambda: LinearRecurrence(3)(np.ones((2, 3), np.float32), np.ones((1, 3), np.float32)), ValueError, "b"),
])
def test_wrong_arguments_of_layers(call, error, name):
    with pytest.raises(error, match=f"^{name}: "):
        call()
