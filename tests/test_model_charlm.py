"""The character language model: gradients, sampling, files, and that it learns more than counting does."""

import math
import time
from collections import Counter, defaultdict

import numpy as np
import pytest

from fastrnn import data
from fastrnn.io import ModelFileError
from fastrnn.models import CharLM, load
from fastrnn.models.charlm import PAD, pad
from fastrnn.models.training import SHORTEST, Training, cut, new_model, split


def small(**options):
    return CharLM("\nabc", hidden_size=5, **{"num_layers": 2, "dropout": 0.0, "dtype": np.float64, "seed": 0, **options})


# ---- the order-2 model that has to be beaten --------------------------------------------------------

class Interpolated:
    """Characters predicted from the two before, smoothed by Witten and Bell: p_k = (c + u p_(k-1)) / (n + u).

    n is how often a context was seen and u by how many different characters it was followed; p_-1 is uniform.
    """

    def __init__(self, pieces, vocabulary, order=2):
        self.size, self.order = len(vocabulary), order
        self.counts = defaultdict(Counter)
        for piece in pieces:
            for context, character in self.contexts(piece):
                for k in range(order + 1):
                    self.counts[context[len(context) - min(k, len(context)):], k][character] += 1

    def contexts(self, piece):
        for t in range(1, len(piece)):
            yield piece[max(0, t - self.order):t], piece[t]

    def p(self, context, character):
        p = 1 / self.size
        for k in range(self.order + 1):
            seen = self.counts.get((context[len(context) - min(k, len(context)):], k))
            if seen:
                n, u = seen.total(), len(seen)
                p = (seen[character] + u * p) / (n + u)
        return p

    def bits(self, pieces):
        each = [-math.log2(self.p(*pair)) for piece in pieces for pair in self.contexts(piece)]
        return sum(each) / len(each)


def test_the_order_2_model_is_a_distribution_that_learns():
    parts = split(data.load("dinosaurs"))
    model = Interpolated(parts.train + parts.dev, parts.vocabulary)
    for context in ("\n", "\nt", "ty", "us", "qq"):
        assert sum(model.p(context, character) for character in parts.vocabulary) == pytest.approx(1)
    lower = [Interpolated(parts.train + parts.dev, parts.vocabulary, k).bits(parts.held_out) for k in (0, 1)]
    assert model.bits(parts.held_out) < lower[1] < lower[0] < math.log2(len(parts.vocabulary))


@pytest.mark.slow
def test_training_beats_the_order_2_model():
    parts = split(data.load("dinosaurs"))
    # Witten-Bell has nothing to choose by, so the counts may use the dev part too.
    order_2 = Interpolated(parts.train + parts.dev, parts.vocabulary).bits(parts.held_out)
    model = new_model(parts)
    training = Training(model, parts.train, parts.dev)
    reports = list(training)
    assert reports[-1].characters == reports[-1].total == training.total
    training.finish()
    ours = model.bits_per_character([model.encode(piece) for piece in parts.held_out])
    print(f"held out: {ours:.3f} bits per character, order 2: {order_2:.3f}")
    assert ours < order_2 - 0.1


# ---- the model --------------------------------------------------------------------------------------

def test_gradients_are_central_differences(engine):
    model = small()
    inputs, targets = pad([model.encode(word) for word in ("\nabca\n", "\nb\n", "\ncab\n")])
    weights = model.state_dict()

    def loss():
        model.update(weights)
        return model.gradients(inputs, targets)[0]

    value, gradients = model.gradients(inputs, targets)
    assert list(gradients) == list(model.parameters()) == list(weights)
    assert value == pytest.approx(model.loss(inputs, targets) / (targets != PAD).sum(), rel=1e-12)
    rng = np.random.default_rng(0)
    for name, array in weights.items():
        for index in [tuple(rng.integers(array.shape)) for _ in range(4)]:
            before, ends = array[index], []
            for h in (1e-6, -1e-6):
                array[index] = before + h
                ends.append(loss())
            array[index] = before
            assert gradients[name][index] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8), (name, index)


def test_dropout_is_for_training():
    model = small(dropout=0.5)
    batch = pad([model.encode("\nabcabcabc\n")] * 4)
    assert model.loss(*batch) == model.loss(*batch)
    assert model.gradients(*batch)[0] != model.gradients(*batch)[0]


def test_bits_per_character_do_not_depend_on_batches():
    model = small()
    pieces = [model.encode(f"\n{word}\n") for word in ("a", "abc", "cccc", "ba", "abcabcab")]
    alone = sum(model.loss(*pad([piece])) for piece in pieces) / math.log(2) / sum(len(piece) - 1 for piece in pieces)
    for size in (1, 2, 128):
        assert model.bits_per_character(pieces, batch_size=size) == pytest.approx(alone, rel=1e-12)


def test_files(tmp_path):
    model = small(unit="window", length=33)
    model.save(tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    assert type(loaded) is CharLM and loaded.config == model.config
    assert loaded.sample(5, "ab", seed=1) == model.sample(5, "ab", seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(loaded.parameters().values(), model.parameters().values()))


@pytest.mark.parametrize("change", [{"vocabulary": "\nab"}, {"vocabulary": "\naab"}, {"vocabulary": 7}, {"unit": "word"},
                                    {"hidden_size": 10**8}, {"length": 0}, {"dropout": "0"}], ids=str)
def test_files_that_contradict_themselves(change, tmp_path):
    from fastrnn import io

    model = small()
    io.save(tmp_path / "bad.npz", "CharLM", {**model.config, **change}, model.parameters())
    with pytest.raises(ModelFileError, match="bad.npz: the CharLM in it contradicts itself"):
        load(tmp_path / "bad.npz")


@pytest.mark.parametrize("call, name", [
    (lambda: CharLM("abc"), "vocabulary"), (lambda: CharLM("\naab"), "vocabulary"), (lambda: CharLM("\nab", dropout=1), "dropout"),
    (lambda: small().encode("abd"), "text"), (lambda: small().sample(prime="x"), "prime"), (lambda: small().sample(0), "n"),
    (lambda: small().sample(temperature=0), "temperature"), (lambda: small().sample(temperature=math.nan), "temperature"),
    (lambda: small().sample(temperature=math.inf), "temperature"), (lambda: small().sample(temperature="1"), "temperature"),
    (lambda: small().sample(length=0), "length"),
    (lambda: CharLM("\nab", seed=-1), "seed"),
    (lambda: small()(np.array([[-1]])), "inputs"), (lambda: small()(np.array([[99]])), "inputs"),
])
def test_wrong_arguments(call, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call()


@pytest.mark.parametrize("call, name", [
    (lambda: small().sample(prime=5), "prime"), (lambda: small().sample(seed="x"), "seed"),
    (lambda: CharLM("\nab", seed="x"), "seed"), (lambda: CharLM("\nab", dtype="foo"), "dtype"),
    (lambda: small()(np.ones((2, 1))), "inputs"),
])
def test_wrong_types(call, name):
    with pytest.raises(TypeError, match=f"^{name}: "):
        call()


# ---- sampling ---------------------------------------------------------------------------------------

def test_samples_follow_the_seed_and_the_prime():
    model = small()
    ten = model.sample(10, "ab", seed=3)
    assert model.sample(4, "ab", seed=3) == ten[:4] and model.sample(10, "ab", seed=4) != ten
    assert all(text.startswith("ab") and "\n" not in text and len(text) <= model.length for text in ten)
    assert len(set(map(len, ten))) > 1
    assert max(map(len, model.sample(10, seed=3, length=3))) == 3
    assert model.sample(2, "abcabc", length=3) == ["abcabc"] * 2


def test_running_text_does_not_end_at_a_newline():
    texts = small(unit="window", length=50).sample(10, seed=0)
    assert all(len(text) == 50 for text in texts) and "\n" in "".join(texts)


def test_temperature():
    model = small()
    cold = model.sample(20, seed=0, temperature=1e-9, length=8)
    assert len(set(cold)) == 1
    logits, state = model(model.encode("\n")[:, None])
    assert not cold[0] or cold[0][0] == model.vocabulary[logits[0, 0].argmax()]
    assert model.sample(3, seed=0, temperature=1e-320)       # too small to divide by; still the best character


def test_frequencies_are_the_models():
    model = small()
    model.update({"linear.weight": np.zeros((4, 5)), "linear.bias": np.log([0.1, 0.2, 0.3, 0.4])})
    text = "".join(text + "\n" for text in model.sample(3000, seed=0, length=1))
    for character, p in zip("abc", (0.2, 0.3, 0.4)):
        # four standard deviations of a binomial
        assert abs(text.count(character) / 3000 - p) < 4 * math.sqrt(p * (1 - p) / 3000)


# ---- texts ------------------------------------------------------------------------------------------

def test_lines():
    unit, pieces = cut("ab\n\nc\nd")
    assert unit == "window"         # too few lines for a list
    assert cut("ab\n\nc\nd", "line") == ("line", ["\nab\n", "\nc\n", "\nd\n"])
    assert cut("name\n" * 30)[0] == "line" and cut(("word " * 30 + "\n") * 30)[0] == "window"


def test_windows_cover_the_text():
    text = "".join(chr(97 + k * k % 26) for k in range(1003))
    _, pieces = cut(text, "window", 20)
    assert "".join(piece[1:] for piece in pieces) == text and pieces[0][0] == "\n"
    assert all(before[-1] == piece[0] for before, piece in zip(pieces, pieces[1:]))
    assert {len(piece) for piece in pieces} == {21, 4}


def test_split():
    text = data.load("dinosaurs")
    parts, again, other = split(text, seed=0), split(text, seed=0), split(text, seed=1)
    assert parts == again and parts.held_out != other.held_out
    assert parts.unit == "line" and sorted(parts.train + parts.dev + parts.held_out) == sorted(cut(text)[1])
    assert len(parts.held_out) == round(0.1 * len(cut(text)[1]))
    for bad in ("", "\n", "aaaa\n" * 30, "ab\n", "ab" * (SHORTEST // 2 - 1)):
        with pytest.raises(ValueError, match="^text: "):
            split(bad)
    shortest = split("ab" * (SHORTEST // 2))
    assert shortest.train and shortest.dev and shortest.held_out


def test_pad():
    inputs, targets = pad([np.array([0, 1, 2, 0]), np.array([0, 3])])
    assert inputs.tolist() == [[0, 0], [1, 0], [2, 0]] and targets.tolist() == [[1, 3], [2, PAD], [0, PAD]]


def test_an_epoch_sees_every_piece_once():
    parts = split("".join(f"{'abc'[k % 3]}{'x' * (k % 7)}\n" for k in range(100)))
    training = Training(new_model(parts, hidden_size=4), parts.train, parts.dev, epochs=2, batch_size=8)
    model = training.model
    seen = sorted(model.decode(piece) for batch in training.batches() for piece in batch)
    assert seen == sorted(parts.train)
    reports = list(training)
    assert reports[-1].epoch == 2 and reports[-1].characters == training.total == reports[-1].total
    assert [report.epoch for report in reports if report.dev is not None] == [1, 2]
    best = min(report.dev for report in reports if report.dev is not None)
    training.finish()
    assert model.bits_per_character([model.encode(piece) for piece in parts.dev]) == pytest.approx(best)


def test_time_that_is_short_ends_the_training():
    parts = split("".join(f"{'abc'[k % 3]}{'x' * (k % 7)}\n" for k in range(100)))
    training = Training(new_model(parts, hidden_size=4), parts.train, parts.dev, epochs=10**6, seconds=0.5)
    start = time.monotonic()
    reports = list(training)
    assert 0.4 < time.monotonic() - start < 30
    assert reports[-1].dev is not None and reports[-1].total < training.total / 100
    assert training._optimiser.schedule(training._optimiser.steps) < 0.1      # the rate had fallen by then
    assert training.best_epoch > 0


def test_time_that_is_not_short_changes_nothing():
    parts = split("".join(f"{'abc'[k % 3]}{'x' * (k % 7)}\n" for k in range(100)))
    a, b = (Training(new_model(parts, hidden_size=4), parts.train, parts.dev, epochs=12, seconds=seconds)
            for seconds in (None, 1e6))
    assert list(a) == list(b)
