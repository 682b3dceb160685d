"""Training of a character model: how a text is cut and split, and the loop."""
import math
import time
from typing import NamedTuple, Optional

import numpy as np

from ..nn.layer import count
from ..optim import AdamW, clip_by_norm, cosine
from .charlm import CharLM, pad

HELD_OUT = 0.1      # of the pieces, to report on
DEV = 0.08          # of the rest, to choose the best weights by
SHORTEST = 40       # characters; less can't be split in three
HOPELESS = 2        # times the bits of guessing evenly: no training that gets anywhere costs so many


class Diverged(ArithmeticError):
    """A training whose weights are of no use: it left the numbers there are, or predicts far worse than guessing."""


class Split(NamedTuple):
    """A text cut into pieces: `train` to learn from, `dev` to choose by, `held_out` to report on."""

    unit: str               # "line" or "window"
    vocabulary: str
    train: list             # of str, as dev and held_out: the characters to predict, with what stands before them
    dev: list
    held_out: list


def cut(text, unit=None, window=100):
    """Cut `text` into pieces of which each begins with the character before its first prediction.

    "line": every line that is not empty, as newline + line + newline.  "window": running text in windows of `window`
    characters.  None decides: a list of short lines is learned by lines, anything else as running text.
    Returns the unit and the list of pieces.
    """
    lines = [line for line in text.split("\n") if line]
    if unit is None:
        unit = "line" if len(lines) >= 20 and sum(map(len, lines)) <= 40 * len(lines) else "window"
    if unit == "line":
        return unit, [f"\n{line}\n" for line in lines]
    if unit != "window":
        raise ValueError(f"unit: expected 'line' or 'window', got {unit!r}")
    window = max(1, min(count("window", window), len(text) // 20))
    text = "\n" + text
    return unit, [text[i:i + window + 1] for i in range(0, len(text) - 1, window)]


def split(text, seed=0, unit=None, window=100):
    """Cut `text` and keep parts of it aside: a seeded shuffle, 10 % held out, then 8 % of the rest for dev.

    Raises ValueError for a text that is too short or has fewer than two different characters besides newline.
    """
    symbols = sorted(set(text) - {"\n"})
    if len(symbols) < 2:
        raise ValueError(f"text: expected at least two different characters, got {''.join(symbols)!r} only" if symbols
                         else "text: expected characters, got an empty text")
    if len(text) < SHORTEST:
        raise ValueError(f"text: expected at least {SHORTEST} characters, got {len(text)}")
    unit, pieces = cut(text, unit, window)
    if len(pieces) < 3:
        raise ValueError(f"text: expected at least 3 {unit}s, one each to train, choose and report, got {len(pieces)}")
    order = np.random.default_rng(seed).permutation(len(pieces))
    shuffled = [pieces[i] for i in order]
    held_out = max(1, round(HELD_OUT * len(pieces)))
    dev = held_out + max(1, round(DEV * (len(pieces) - held_out)))
    return Split(unit, "\n" + "".join(symbols), shuffled[dev:], shuffled[held_out:dev], shuffled[:held_out])


class Report(NamedTuple):
    """Where a training stands after a batch."""

    characters: int         # learned from so far, epochs counted again
    total: int              # at the end: fewer than all epochs have when time is short
    epoch: int              # from 1
    bits: float             # per character, mean over the last batches
    dev: Optional[float]    # bits per character on dev, after an epoch


class Training:
    """AdamW on mini-batches of pieces, with the rate falling to zero; the best averaged weights on dev win.

    Weights are averaged over the last batches (exponentially): on small texts that is worth more than any single
    point of the path.  The defaults were chosen on the shipped names, without the part held out.
    Iterate over it, for as long as wanted, then call `finish`.  With `seconds` it ends after so long, and once it is
    clear that the epochs take longer, the rate falls to zero by then instead: only in that case the results depend
    on the clock.
    """

    def __init__(self, model, train, dev, *, epochs=None, batch_size=32, learning_rate=0.012, weight_decay=0.1,
                 max_norm=1.0, average=0.99, seconds=None, seed=0):
        self._train, self._dev = ([model.encode(piece) for piece in pieces] for pieces in (train, dev))
        if epochs is None:      # enough for small texts, and an end for large ones
            epochs = max(1, min(30, round(10e6 / sum(map(len, self._train)))))
        self.model, self.epochs, self.batch_size = model, count("epochs", epochs), count("batch_size", batch_size)
        self._max_norm, self._average = max_norm, average
        self.total = self.epochs * sum(len(piece) - 1 for piece in self._train)     # characters
        self._seconds, self._steps = seconds, self.epochs * math.ceil(len(self._train) / self.batch_size)
        self._horizon = self._steps     # where the rate is zero
        self._optimiser = AdamW(lr=learning_rate, weight_decay=weight_decay,
                                schedule=lambda step: cosine(self._horizon)(step))
        self._rng = np.random.default_rng(seed)
        self._smooth = model.parameters()
        self._bits = None       # per character, mean over the last batches
        self.best_epoch, self.best_bits, self._best = 0, math.inf, None

    def batches(self):
        """Yield one epoch of batches: shuffled, but neighbours in length together, so that little is padding."""
        order = self._rng.permutation(len(self._train))
        near = 8 * self.batch_size
        groups = []
        for i in range(0, len(order), near):
            group = sorted((self._train[k] for k in order[i:i + near]), key=len)
            groups += [group[k:k + self.batch_size] for k in range(0, len(group), self.batch_size)]
        for i in self._rng.permutation(len(groups)):
            yield groups[i]

    def step(self, batch):
        """Learn from one batch of pieces; returns the mean loss in nats before it.  Raises Diverged."""
        with _quiet():
            loss, gradients = self.model.gradients(*pad(batch))
            gradients, norm = clip_by_norm(gradients, self._max_norm)
            if math.isfinite(norm):     # one bad step would spoil all weights for good
                self.model.update(self._optimiser.step(self.model.parameters(), gradients))
            elif not _finite(self.model.parameters()):
                raise Diverged("training diverged")
        return loss

    def __iter__(self):
        """Yield a Report after every batch."""
        start, steps, characters = time.monotonic(), 0, 0
        for epoch in range(1, self.epochs + 1):
            last, late = None, False
            for batch in self.batches():
                if last:
                    yield last
                loss = self.step(batch) / math.log(2)
                steps, characters = steps + 1, characters + sum(len(piece) - 1 for piece in batch)
                self._bits = loss if self._bits is None else 0.95 * self._bits + 0.05 * loss
                self._follow()
                late = self._hurry(time.monotonic() - start, steps)
                total = max(characters, round(self.total * self._horizon / self._steps))
                last = Report(characters, total, epoch, self._bits, None)
                if late:
                    break
            yield last._replace(dev=self._judge(epoch))
            if late:
                return

    def _follow(self):
        """Let the average of the weights follow them."""
        keep = self._average
        with _quiet():
            self._smooth = {name: keep * self._smooth[name] + (1 - keep) * value
                            for name, value in self.model.parameters().items()}

    def _hurry(self, spent, steps):
        """Bring the end closer if time is short; True when it is up."""
        if self._seconds is None:
            return False
        if steps >= 20:     # the first ones say little about the speed
            self._horizon = min(self._steps, max(steps, int(steps * self._seconds / spent)))
        return spent >= self._seconds

    def _judge(self, epoch):
        current = self.model.parameters()
        self.model.update(self._smooth)
        with _quiet():
            bits = self.model.bits_per_character(self._dev)
        self.model.update(current)
        if bits < self.best_bits:
            self._best, self.best_bits, self.best_epoch = self._smooth, bits, epoch
        return bits

    def finish(self):
        """Give the model the weights that were best on dev; before the first whole epoch, the last ones.

        Raises Diverged if those are of no use.
        """
        bits = self._bits
        if self._best is not None:
            self.model.update(self._best)
            bits = self.best_bits
        hopeless = bits is not None and not bits <= HOPELESS * math.log2(len(self.model.vocabulary))     # or NaN
        if hopeless or not _finite(self.model.parameters()):
            raise Diverged("training diverged")
        return self.model


def _quiet():
    """Without NumPy's warnings: whether numbers have left their range is looked at, and told in one place."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def _finite(arrays):
    return all(np.isfinite(array).all() for array in arrays.values())


def new_model(split, *, hidden_size=128, num_layers=1, dropout=0.5, length=None, dtype=np.float32, seed=0):
    """A CharLM of the right vocabulary and unit for a split text."""
    if length is None:
        length = 60 if split.unit == "line" else 200
    return CharLM(split.vocabulary, hidden_size, num_layers, dropout, unit=split.unit, length=length, dtype=dtype,
                  seed=seed)
