"""The command line: train a character model, sample from it, look at what runs here."""
import os
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .. import _backend, data
from .._progress import Progress, ctrl_c, duration
from ..models import CharLM
from ..models.training import Diverged, Training, new_model, split
from . import arguments
from .files import Refusal, read_model, read_text, writable

INTERRUPTED = 130       # what a shell reports for a program that Ctrl-C ended


def train(options):
    """Train on a text, report on a part kept aside, save, and invent."""
    with _interrupted("interrupted, nothing was saved"):
        text = read_text(options.text)
        out = writable(options.out or f"{Path(options.text).stem}.npz", options.text)
        model, parts, training = _prepare(text, options)
        stopped = _learn(training, out)
    if stopped:
        return INTERRUPTED
    with _interrupted(f"interrupted; the model is saved to {out}"):
        held_out = model.bits_per_character([model.encode(piece) for piece in parts.held_out])
        print(f"Held out: {held_out:.3f} bits per character on the {parts.unit}s kept aside.", flush=True)
        _invent(model, parts, options)
    return 0


@contextmanager
def _interrupted(words):
    """Let Ctrl-C end the program with these words, which say what became of the work."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(words) from None


def _prepare(text, options):
    """Split the text and make the model and its training; tells what they are."""
    try:
        parts = split(text, options.seed, options.unit, options.window)
    except ValueError as error:
        raise Refusal(f"{options.text}: {str(error).removeprefix('text: ')}") from error
    print(f"Text: {options.text}, {len(text):,} characters of {len(parts.vocabulary)} kinds.")
    print(f"{parts.unit.capitalize()}s: {len(parts.train):,} to learn from, {len(parts.dev):,} to choose by, "
          f"{len(parts.held_out):,} kept aside.")
    model = new_model(parts, hidden_size=options.hidden, num_layers=options.layers, dropout=options.dropout,
                      seed=options.seed)
    print(f"Model: LSTM, {options.layers} x {options.hidden} units, {_weights(model):,} weights.")
    print(f"Engine: {_engine()}.", flush=True)
    return model, parts, Training(model, parts.train, parts.dev, epochs=options.epochs, batch_size=options.batch,
                                  learning_rate=options.rate, seconds=options.seconds, seed=options.seed)


def _learn(training, out):
    """Run the training and save the model; True if Ctrl-C ended it early."""
    start = time.monotonic()
    stopped = _run(training)
    spent = duration(time.monotonic() - start)
    with ctrl_c(f"saving to {out}; again to stop without") as pressed:      # until it has been said, too
        training.finish().save(out)
        best = f"weights of epoch {training.best_epoch}" if training.best_epoch else "weights so far"
        if stopped or pressed():
            print(f"Interrupted after {spent}: the {best} saved to {out}", file=sys.stderr)
            return True
        print(f"Trained in {spent}; kept the {best}.\nSaved to {out}", flush=True)
    return pressed()


def _run(training):
    """Run the training; True if Ctrl-C ended it, at once if it was pressed twice: the weights are whole even then."""
    try:
        with ctrl_c("stopping after this batch; again to stop now") as pressed, Progress(training.total) as progress:
            for report in training:
                progress.show(report)
                if pressed():
                    return True
    except KeyboardInterrupt:
        return True
    return False


def _invent(model, parts, options):
    """Print samples, marking those that stand in the text learned from."""
    known = {piece.strip("\n") for piece in parts.train + parts.dev}
    samples = model.sample(options.n, temperature=options.temperature, seed=options.seed)
    what = "names (* stands in the training list):" if parts.unit == "line" else "passages:"
    print(f"{options.n} invented {what}")
    for sample in samples:
        print(f"  {sample}{' *' if sample in known else ''}")


def sample(options):
    """Print texts that a trained model invents."""
    model = read_model(options.model)
    if not isinstance(model, CharLM):
        raise Refusal(f"{options.model}: expected a character model, got {type(model).__name__}")
    try:
        lines = model.sample(options.n, options.prime, options.temperature, options.seed, options.length)
    except ValueError as error:
        raise Refusal(str(error)) from error
    print("\n".join(lines))
    return 0


def info(options):
    """Print what runs here, or what a model file holds."""
    if options.model is None:
        _backend.show_config()
        return 0
    model = read_model(options.model)
    print(f"{options.model}: {type(model).__name__}, {os.path.getsize(options.model):,} bytes")
    for key, value in model.config.items():
        print(f"  {key:14s} {value!r}")
    print(f"  {_weights(model):,} weights:")
    for name, array in model.parameters().items():
        print(f"    {name:28s} {' x '.join(map(str, array.shape))}")
    return 0


def demo(options):
    """Train on the dinosaurs, invent ten names, and measure the native backend against NumPy."""
    out = options.out
    if out is None:
        folder = "build" if os.access("build", os.W_OK) else tempfile.mkdtemp(prefix="fastrnn-")
        out = os.path.join(folder, "dinosaurs.npz")
    print("fastrnn demo, 1 of 2: learn dinosaur names, invent some.")
    arguments = ["--out", out, "--seconds", str(options.seconds), "--seed", str(options.seed)]
    if status := train(_parser().parse_args(["train", *arguments])):
        return status
    print(f"More: python -m fastrnn sample {out} --prime tyr\n")
    print("fastrnn demo, 2 of 2: the same steps on NumPy, in turns.", flush=True)
    compare()
    return 0


def compare(rounds=5, steps=3):
    """Time the same training steps on both backends in turns, after checking that both find the same losses."""
    if not _backend.config()["extension"]:
        return print("This fastrnn was built without its C extension: there is nothing to compare.")
    parts = split(data.load("dinosaurs"))

    def turn(name):
        with _backend.backend(name):
            training = Training(new_model(parts), parts.train, parts.dev)
            batches = [batch for batch, _ in zip(training.batches(), range(steps))]
            start = time.perf_counter()
            losses = [training.step(batch) for batch in batches]
            return time.perf_counter() - start, losses, sum(len(piece) - 1 for batch in batches for piece in batch)

    seconds = {"native": [], "numpy": []}
    for k in range(rounds + 1):
        for name, measured in seconds.items():
            spent, losses, characters = turn(name)
            if k == 0:      # the first round warms up and checks
                expected = losses if name == "native" else expected
                if not np.allclose(losses, expected, rtol=1e-3):
                    raise RuntimeError(f"the backends disagree: losses {expected} and {losses}")
            else:
                measured.append(spent)
    ratio = statistics.median(slow / fast for fast, slow in zip(*seconds.values()))
    rate = {name: characters / statistics.median(times) for name, times in seconds.items()}
    print("Training steps, batches of 32 names, LSTM of 128 units:")
    for name, characters in rate.items():
        print(f"  {name:6s}  {characters:9,.0f} characters a second")
    print(f"  native is {ratio:.1f} times as fast (median of {rounds} rounds)")


def _weights(model):
    return sum(array.size for array in model.parameters().values())


def _engine():
    facts = _backend.config()
    isa = f" ({facts['isa']})" if facts["backend"] == "native" else ""
    return f"{facts['backend']} backend{isa}, {facts['threads']} thread{'s' if facts['threads'] > 1 else ''} at most"


def _parser():
    return arguments.parser(train, sample, info, demo)


def main(arguments=None):
    """Run one command; returns the exit status: 0, 2 for input that can't be used, 130 after Ctrl-C."""
    if hasattr(sys.stdout, "reconfigure"):      # what the terminal has no letters for is escaped, not fatal
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except Refusal as refusal:
        print(f"fastrnn: {refusal}", file=sys.stderr)
        return 2
    except Diverged:
        print("fastrnn: training diverged; try a lower --rate", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"fastrnn: {str(stop) or 'interrupted'}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (MemoryError, OSError) as error:     # too much asked for, or a disk that is full
        print(f"fastrnn: {str(error) or 'not enough memory'}", file=sys.stderr)
        return 2
