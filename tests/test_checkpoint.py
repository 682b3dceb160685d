"""Checkpoints: the bits of a plain run, from the states of every k-th step."""

import copy
import tracemalloc

import numpy as np
import pytest
from layers import FROM_TMN, M, N_X, each_layout, initial, inputs, make, numbers, same

import fastrnn
from fastrnn import ops
from fastrnn.nn import LSTM
from fastrnn.nn.axes import turned

STEPS = 69          # four blocks of 16 steps, and some: of the chunks of 16, the first two run again
LENGTHS = {"whole": None, "ragged": np.array([20, 69, 0]), "some end with chunks": np.array([16, 33, 32])}


def resets(layout):
    reset = np.zeros((STEPS, M), bool)
    # At the first step, inside chunks, at the starts of chunks and just before; past an end, too.
    reset[[0, 5, 16, 15, 32, 16, 20, 33, 53, 37], [0, 1, 1, 2, 0, 0, 0, 1, 1, 1]] = True
    return reset if layout == "tmn" else reset.T


def both(layer, checkpoint, lengths, reset, dy_of=numbers, need_dx=True):
    """All results of forward and backward, plain and with checkpoints, from the same state of the generator."""
    x, state = inputs(layer.layout, layer.dtype, STEPS), initial(layer)
    for m, length in enumerate([] if lengths is None else lengths):
        turned = x.transpose(FROM_TMN[layer.layout])
        turned[length:, m] = np.nan
    generator, found = layer._rng.bit_generator.state, []
    for k in (None, checkpoint):
        layer._rng.bit_generator.state = generator
        y, last, tape = layer.forward(x, state, lengths, reset, k)
        dy = dy_of(3, *y.shape, dtype=layer.dtype)
        found.append((y, last, *layer.backward(dy, tape, initial(layer, seed=20), need_dx=need_dx)))
    return found


def agree(engine, layer, plain, kept):
    """The same bits.  NumPy's backend steps through times: of reversed ragged rows it puts others together."""
    if engine != "numpy" or not layer.bidirectional:
        assert same(plain, kept)
        return
    eps = 2000 * np.finfo(layer.dtype).eps      # a layer norm over four units amplifies much
    for one, other in zip(flat(kept), flat(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=eps, atol=eps * np.abs(other).max(initial=0))


def flat(nest):
    if isinstance(nest, dict):
        nest = nest.values()
    return [nest] if isinstance(nest, np.ndarray) else [array for part in nest for array in flat(part)]


@pytest.mark.parametrize("kind", ["tanh", "lstm", "gru", "gru_before"])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("options", [
    {}, {"num_layers": 3, "dropout": 0.4}, {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "dropout": 0.3, "merge": "mul"},
], ids=["one", "deep", "both", "deep-both"])
def test_the_same_bits(engine, kind, lengths, options):
    layer = make(kind, np.float32, **options)
    for checkpoint, reset in ((16, None), (16, resets("tmn")), (20, resets("tmn")), (100, None)):
        plain, kept = both(layer, checkpoint, LENGTHS[lengths], reset)
        agree(engine, layer, plain, kept)
        assert lengths != "whole" or same(plain, kept)


@each_layout
def test_layouts_threads_and_cells(engine, threads, layout):
    layer = make("lstm", layout=layout, bidirectional=True, num_layers=2, merge="ave")
    plain, kept = both(layer, 1, LENGTHS["ragged"], resets(layout))
    agree(engine, layer, plain, kept)
    assert kept[0].flags.c_contiguous and kept[2].flags.c_contiguous
    x, found = inputs(layout, steps=STEPS), []
    for k in (None, 16):
        y, _, tape = layer.forward(x, None, None, None, k)
        shape = np.concatenate((y, y), axis=0 if layout == "nmt" else 2).shape      # cells are side by side
        found.append(layer.backward(None, tape, None, numbers(4, *shape)))
    assert same(*found)


@pytest.mark.parametrize("kind, options", [
    ("lstm", {"proj_size": 2, "peephole": True, "input_forget": True, "clip": 0.8, "layer_norm": True}),
    ("gru_before", {"layer_norm": True, "clip": 0.5}),
    ("tanh", {}),
], ids=str)
@pytest.mark.parametrize("directions", [1, 2])
def test_masks_are_those_of_forward(engine, kind, options, directions):
    layer = make(kind, np.float32, num_layers=2, bidirectional=directions == 2, dropout=0.3, zoneout=0.2,
                 recurrent_dropout=0.3, weight_dropout=0.4, **options)  # fmt: skip
    agree(engine, layer, *both(layer, 16, LENGTHS["ragged"], resets("tmn")))


@pytest.mark.parametrize("kind", ["tanh", "lstm", "gru", "gru_before"])
def test_many_normalised_sequences_of_different_lengths(engine, threads, kind):
    """In chunks that all of them outlive they have one length."""
    layer, m = make(kind, np.float32, layer_norm=True), 17
    x, lengths, found = inputs(dtype=np.float32, steps=STEPS, m=m), 33 + 2 * np.arange(m), []
    for k in (None, 16, 48):
        y, last, tape = layer.forward(x, None, lengths, None, k)
        found.append((y, last, *layer.backward(y, tape)))
    assert same(*found[:2]) and same(*found[1:])


def test_one_sequence_and_nothing_to_do(engine):
    layer = make("gru", num_layers=2, bidirectional=True)
    x = inputs(steps=STEPS)
    found = []
    for k in (None, 16):
        y, last, tape = layer.forward(x[:, 0], None, 30, None, k)
        found.append((y, last, *layer.backward(y, tape)))
    agree(engine, layer, *found)
    for shape in ((0, M, N_X), (STEPS, 0, N_X)):
        found = []
        for k in (None, 16):
            y, last, tape = layer.forward(np.zeros(shape), initial(layer, shape[1]), checkpoint=k)
            found.append((y, last, *layer.backward(y, tape, last)))
        assert same(*found)


def test_without_dx(engine):
    plain, kept = both(make("lstm", num_layers=2), 16, None, None, need_dx=False)
    assert same(plain, kept) and kept[2] is None


def test_a_tape_is_used_once(engine):
    layer = make("lstm")
    y, _, tape = layer.forward(inputs(steps=STEPS), checkpoint=16)
    with pytest.raises(TypeError, match="^dy: "):
        layer.backward(y.astype(np.float32), tape)
    layer.backward(y, tape)         # what was refused did not use it up
    with pytest.raises(ValueError, match="^tape: .*used"):
        layer.backward(y, tape)


@pytest.mark.parametrize("checkpoint, error", [(0, ValueError), (-3, ValueError), (2.0, TypeError), (True, TypeError)])
def test_wrong_checkpoints(checkpoint, error):
    with pytest.raises(error, match="^checkpoint: expected .*got"):
        make("gru").forward(inputs(), checkpoint=checkpoint)


def test_memory_is_that_of_a_chunk():
    """What is kept grows with T / k, beside two chunks; NumPy's backend, whose memory can be counted."""
    with fastrnn.backend("numpy"):
        layer = LSTM(2, 64, num_layers=2, seed=0)
        x = np.zeros((160, 8, 2), np.float32)
        sizes = {}
        for k in (None, 16):
            tracemalloc.start()
            y, _, tape = layer.forward(x, checkpoint=k)
            del y
            kept = tracemalloc.get_traced_memory()[0]
            layer.backward(None, tape, need_dx=False)
            sizes[k] = kept, tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    one_quantity = 160 * 8 * 64 * 4
    assert sizes[None][0] > 12 * one_quantity       # two layers of a, c, i, f, g, o
    assert sizes[16][0] < (0.6 + 12 * 32 / 160) * one_quantity and sizes[16][1] < sizes[None][1] / 3


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}], ids=["one", "deep", "both"])
def test_the_state_may_be_written_over_before_backward(engine, kind, options):
    layer = make(kind, **options)
    x, state = inputs(steps=STEPS), initial(layer)
    y, _, tape = layer.forward(x, state, checkpoint=16)
    for part in state if isinstance(state, tuple) else [state]:
        part[...] = 7
    dy = numbers(3, *y.shape)
    plain = layer.forward(x, initial(layer))[2]
    agree(engine, layer, layer.backward(dy, plain), layer.backward(dy, tape))


@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}], ids=["one", "deep", "both"])
def test_weights_written_between_passes(engine, options):
    """A tape goes back by the weights that it ran with, the next pass runs with those of now."""
    layer = make("lstm", **options)
    before, x = copy.deepcopy(layer), inputs(steps=STEPS)
    y, _, tape = layer.forward(x, checkpoint=16)
    dy = numbers(3, *y.shape)
    layer.update({name: 2 * value for name, value in layer.parameters().items()})
    agree(engine, layer, before.backward(dy, before.forward(x)[2]), layer.backward(dy, tape))
    for each in (layer, copy.deepcopy(layer)):
        plain, tape = each.forward(x), each.forward(x, checkpoint=16)
        agree(engine, layer, plain[:2], tape[:2])
        agree(engine, layer, each.backward(dy, plain[2]), each.backward(dy, tape[2]))


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "dropout": 0.4}, {"bidirectional": True}], ids=["one", "deep", "both"])
def test_a_second_try_after_backward_was_stopped(monkeypatch, engine, options, at):
    layer = make("gru", np.float32, **options)
    x, calls, run = inputs(dtype=np.float32, steps=STEPS), [], ops.Again.backward
    generator = layer._rng.bit_generator.state
    y, _, plain = layer.forward(x)
    layer._rng.bit_generator.state = generator
    tape = layer.forward(x, checkpoint=16)[2]

    def stopped(self, *arguments):
        calls.append(self)
        if len(calls) == at + 1:
            raise KeyboardInterrupt
        return run(self, *arguments)

    monkeypatch.setattr(ops.Again, "backward", stopped)
    dy = numbers(3, *y.shape, dtype=np.float32)
    if at < 4 * len(layer._blocks):
        with pytest.raises(KeyboardInterrupt):
            layer.backward(dy, tape)
    agree(engine, layer, layer.backward(dy, plain), layer.backward(dy, tape))


@pytest.mark.parametrize("layout", ["tmn", "mtn", "nmt"])
def test_results_into_parts_of_larger_arrays(engine, layout):
    """`out` of ops, which chunks write their y and dx to: the bits of new arrays, and nothing around them."""
    rng = np.random.default_rng(0)
    weights = ops.pack("lstm", *(rng.standard_normal(shape).astype(np.float32) for shape in ((20, 3), (20, 5))))
    T, m = 7, 2
    x, dy = (turned(rng.standard_normal((T, m, n)).astype(np.float32), layout) for n in (3, 5))
    plain = ops.forward(weights, x, layout=layout, training=True, lengths=[7, 4])
    grads = ops.backward(plain.tape, dy, layout=layout)
    wholes = [np.full((T + 2, m, n), 7, np.float32) for n in (5, 3)]
    y, dx = (turned(whole[1:-1], layout) for whole in wholes)
    again = ops.forward(weights, x, layout=layout, training=True, lengths=[7, 4], out=y)
    back = ops.backward(again.tape, dy, layout=layout, out=dx)
    assert again.y is y and back.dx is dx and same(plain.y, y) and same(grads.dx, dx)
    assert all((whole[[0, -1]] == 7).all() for whole in wholes)


def test_out_is_checked():
    weights, x = ops.pack("rnn_tanh", np.ones((1, 1)), np.ones((1, 1))), np.ones((4, 2, 1))
    fixed = np.empty((4, 2, 1))
    fixed.flags.writeable = False
    with pytest.raises(TypeError, match="out: expected float64 like the weights, got float32"):
        ops.forward(weights, x, out=np.empty((4, 2, 1), np.float32))
    with pytest.raises(TypeError, match="out: expected float64 like the weights, got list"):
        ops.forward(weights, x, out=[1.0])
    with pytest.raises(ValueError, match="out: expected an array that can be written to"):
        ops.forward(weights, x, out=fixed)
    with pytest.raises(ValueError, match="out: expected shape"):
        ops.forward(weights, x, out=np.empty((3, 2, 1)))
