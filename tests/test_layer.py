"""What all layers share: named parameters, how they are written, and their files."""

import copy
import pickle
import re
import tracemalloc

import numpy as np
import pytest

from fastrnn import io
from fastrnn.models import CharLM
from fastrnn.nn import GRU, LSTM, RNN, Embedding, Linear, load

LAYERS = {
    "rnn": lambda **o: RNN(3, 4, nonlinearity="relu", **o),
    "lstm": lambda **o: LSTM(3, 4, num_layers=2, bidirectional=True, layout="nmt", dropout=0.25, **o),
    "gru": lambda **o: GRU(3, 4, bias=False, reset_after=False, batch_first=True, dtype=np.float64, **o),
    "linear": lambda **o: Linear(3, 4, layout="nmt", **o),
}
each_layer = pytest.mark.parametrize("name", LAYERS)


def same(one, other):
    return list(one) == list(other) and all(np.array_equal(one[name], other[name]) for name in one)


@each_layer
def test_parameters_are_read_only(name):
    layer = LAYERS[name](seed=0)
    for array in layer.parameters().values():
        assert array.dtype == layer.dtype and array.flags.c_contiguous
        with pytest.raises(ValueError):
            array[...] = 0
    layer.parameters().clear()      # a dict of its own
    assert layer.parameters()


@each_layer
def test_parameters_of_a_copy_are_read_only_too(name):
    layer = LAYERS[name](seed=0)
    for twin in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert same(twin.parameters(), layer.parameters())
        assert not any(array.flags.writeable for array in twin.parameters().values())


class Slow(dict):
    """A mapping whose reading another thread's work comes between."""

    def __init__(self, arrays, meanwhile):
        super().__init__(arrays)
        self.meanwhile = meanwhile

    def get(self, name, default=None):
        found = super().get(name, default)
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return found


@each_layer
def test_what_is_written_while_weights_are_packed_is_not_lost(name):
    layer, new = LAYERS[name](seed=0), LAYERS[name](seed=1)
    x = np.ones((3, 5, 2) if layer.layout == "nmt" else (5, 2, 3), layer.dtype)
    layer._arrays = Slow(layer._arrays, lambda: layer.update(new.parameters()))
    layer(x)
    found, expected = layer(x), new(x)
    assert np.array_equal(found if name == "linear" else found[0], expected if name == "linear" else expected[0])


@each_layer
def test_state_dict_roundtrip(name):
    layer, other = LAYERS[name](seed=0), LAYERS[name](seed=1)
    state = layer.state_dict()
    assert same(state, layer.parameters()) and not same(state, other.parameters())
    other.load_state_dict(dict(reversed(state.items())))
    assert same(other.parameters(), layer.parameters())     # the order too
    for array in state.values():
        array[...] = 0          # copies, both ways
    assert any(array.any() for array in layer.parameters().values())
    assert same(other.parameters(), layer.parameters())


@each_layer
def test_writes_are_all_or_nothing(name):
    layer = LAYERS[name](seed=0)
    before = layer.parameters()
    names = list(before)
    bad = [
        ({names[0]: 0 * before[names[0]], "weight_ih_l9": np.zeros(3)}, ValueError, "weight_ih_l9"),
        ({names[0]: 0 * before[names[0]], names[1]: np.zeros((7, 7))}, ValueError, rf"^{names[1]}: expected shape .*\(7, 7\)"),
        ({names[0]: 0 * before[names[0]], names[1]: before[names[1]].astype(int)}, TypeError, rf"^{names[1]}: .*int64.*astype"),
    ]
    for mapping, error, match in bad:
        with pytest.raises(error, match=match):
            layer.update(mapping)
        assert same(layer.parameters(), before)
    with pytest.raises(ValueError, match=f"^mapping: expected also {names[-1]}"):
        layer.load_state_dict({name: before[name] for name in names[:-1]})
    layer.update({names[0]: 0 * before[names[0]]})
    assert not layer.parameters()[names[0]].any() and layer.parameters()[names[1]] is before[names[1]]


@each_layer
@pytest.mark.parametrize("mapping", [[1], None, "weight", 3], ids=repr)
def test_what_is_no_mapping(name, mapping):
    layer = LAYERS[name](seed=0)
    for write in (layer.update, layer.load_state_dict):
        with pytest.raises(TypeError, match=f"^mapping: expected a dict .*got {type(mapping).__name__}$"):
            write(mapping)


def test_messages_name_a_few_of_many():
    layer = LSTM(3, 4, num_layers=50)
    for mapping, names in [({}, 9), ({**layer.parameters(), "more": 1.0}, 9)]:
        with pytest.raises(ValueError, match="and 192 more") as caught:
            layer.load_state_dict(mapping)
        assert str(caught.value).count("_l") < names


def test_masked_parameters_are_refused():
    layer = Linear(3, 4)
    with pytest.raises(TypeError, match="^bias: .*mask"):
        layer.update({"bias": np.ma.zeros(4, np.float32)})


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU, Linear])
@pytest.mark.parametrize("dtype", [None, int, np.float16, "nonsense", {"names": 1}, ">f4", "(2f4,f4",
                                   {"names": ["a"], "formats": ["f4"], "offsets": [10**30]}], ids=str)
def test_wrong_dtypes(kind, dtype):
    with pytest.raises(TypeError, match="^dtype: expected float32 or float64, got "):
        kind(3, 4, dtype=dtype)


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU, Linear])
def test_it_is_written_that_tapes_refer_to_x(kind):
    for text in (kind.__doc__, kind.forward.__doc__):
        assert re.search("x must not be changed before `?backward", " ".join(text.split()))


@pytest.mark.parametrize("seed, error", [("dice", TypeError), (1.5, TypeError), (-1, ValueError)])
@pytest.mark.parametrize("make", [*LAYERS.values(), lambda seed: Embedding(3, 4, seed=seed)])
def test_what_no_generator_can_start_from(make, seed, error):
    with pytest.raises(error, match=f"^seed: expected .*, got {seed!r}$"):
        make(seed=seed)


@each_layer
def test_repr_builds_such_a_layer(name):
    layer = LAYERS[name](seed=0)
    again = eval(repr(layer), {"RNN": RNN, "LSTM": LSTM, "GRU": GRU, "Linear": Linear})
    assert again.config == layer.config


def test_the_other_float_type_and_byte_order_are_stored_as_the_layers():
    layer = Linear(3, 4, seed=0)
    wide = {name: a.astype(">f8")[::1] for name, a in layer.parameters().items()}
    other = Linear(3, 4)
    other.load_state_dict(wide)
    assert same(other.parameters(), layer.parameters())
    assert all(a.dtype == np.float32 and a.dtype.isnative for a in other.parameters().values())


@each_layer
def test_save_and_load(name, tmp_path):
    layer = LAYERS[name](seed=0)
    path = tmp_path / "layer.npz"
    layer.save(path)
    loaded = load(path)
    assert type(loaded) is type(layer) and loaded.config == layer.config and loaded.dtype == layer.dtype
    assert same(loaded.parameters(), layer.parameters()) and repr(loaded) == repr(layer)
    x = np.ones((3, 5, 2) if loaded.layout == "nmt" else (5, 2, 3), layer.dtype)
    ours, theirs = layer(x), loaded(x)
    assert np.array_equal(ours if name == "linear" else ours[0], theirs if name == "linear" else theirs[0])


@pytest.mark.parametrize("change", [
    {"hidden_size": 10**9},         # must be found out before memory is taken
    {"hidden_size": "4"},
    {"num_layers": 2},
    {"num_layers": 0},
    {"num_layers": 10**400},
    {"num_layers": 2.0**40},
    {"dtype": None},
    {"cell": "gru_after"},
    {"cell": ["lstm"]},
    {"dtype": "int8"},
    {"layout": None, "extra": 1},
    {"dropout": 2},
], ids=str)
def test_files_that_contradict_themselves(change, tmp_path):
    layer = LSTM(3, 4, seed=0)
    io.save(tmp_path / "bad.npz", "LSTM", {**layer.config, **change}, layer.parameters())
    with pytest.raises(io.ModelFileError, match="bad.npz: the LSTM in it contradicts itself"):
        load(tmp_path / "bad.npz")


@pytest.mark.parametrize("kind", ["lstm", "model"])
def test_work_on_a_hostile_file_is_bounded_by_its_size(kind, tmp_path):
    layer = LSTM(3, 4, seed=0) if kind == "lstm" else CharLM("\nab", hidden_size=4)
    io.save(tmp_path / "bad.npz", type(layer).__name__, {**layer.config, "num_layers": 10**6}, layer.parameters())
    tracemalloc.start()
    try:
        with pytest.raises(io.ModelFileError, match="num_layers: expected at most .*got 1000000") as caught:
            load(tmp_path / "bad.npz")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20 and len(str(caught.value)) < 1000
    finally:
        tracemalloc.stop()


def test_a_name_of_the_library_stays_with_it(tmp_path):
    LSTM(3, 5, seed=0).save(tmp_path / "ours")
    own = type("LSTM", (LSTM,), {"__module__": "elsewhere"})
    assert type(load(tmp_path / "ours")) is LSTM
    own(3, 5).save(tmp_path / "own")
    assert type(load(tmp_path / "own")) is LSTM
    fresh = [type("Mine", (GRU,), {"__module__": "elsewhere"}) for _ in range(2)]     # a notebook's cell run twice
    fresh[0](3, 5).save(tmp_path / "mine")
    assert type(load(tmp_path / "mine")) is fresh[1]


def test_files_that_are_not_ours(tmp_path):
    layer = LSTM(3, 4, seed=0)
    io.save(tmp_path / "odd.npz", "Perceptron", layer.config, layer.parameters())
    with pytest.raises(io.ModelFileError, match="'Perceptron'.*LSTM"):
        load(tmp_path / "odd.npz")
    layer.save(tmp_path / "cut.npz")
    whole = (tmp_path / "cut.npz").read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(io.ModelFileError, match="cut.npz"):
            load(tmp_path / "cut.npz")
    with pytest.raises(OSError):
        load(tmp_path / "none.npz")
