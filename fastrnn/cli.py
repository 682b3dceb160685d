"""The command line: train a character model, sample from it, look at what runs here."""
import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from . import _backend, data
from ._progress import Progress, ctrl_c, duration
from .models import CharLM, ModelFileError, load
from .models.training import Training, new_model, split

INTERRUPTED = 130       # what a shell reports for a program that Ctrl-C ended


class Refusal(Exception):
    """Input that can't be used; the message is the one line that the user sees."""


# ---- reading and checking -------------------------------------------------------------------------

def _read_text(name):
    """The text in file `name`, or of the shipped list of that name."""
    if not os.path.exists(name) and name in data.NAMES:
        return data.load(name)
    try:
        raw = Path(name).read_bytes()
    except OSError as error:
        raise Refusal(f"{name}: {error.strerror or error}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"{name}: not UTF-8 text (byte {error.start})") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise Refusal(f"{name}: the file is empty")
    return text


def _read_model(name):
    """The layer or model in file `name`."""
    try:
        return load(name)
    except ModelFileError as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(f"{name}: {error.strerror or error}") from error


def _writable(name):
    """Refuse a place where the model can't be saved now, not after the training."""
    path, folder = Path(name), Path(name).parent
    if path.is_dir():
        raise Refusal(f"{name}: expected a file to save the model to, got a folder")
    if not folder.is_dir():
        raise Refusal(f"{name}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):      # the file itself is replaced, not written
        raise Refusal(f"{name}: no permission to write there")
    return name


def _number(kind, low, high, words):
    """An argparse type: a number in low ... high, or an error that says so in `words`."""
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected {words}, got {text!r}")
        return value
    return parse


_COUNT = _number(int, 1, 10**9, "an integer of at least 1")
_SEED = _number(int, 0, 2**63, "an integer of at least 0")
_POSITIVE = _number(float, 1e-300, 1e300, "a number above 0")
_PART = _number(float, 0, 0.99, "a number from 0 to 0.99")


# ---- commands -------------------------------------------------------------------------------------

def train(options):
    """Train on a text, report on a part kept aside, save, and invent."""
    text = _read_text(options.text)
    out = _writable(options.out or f"{Path(options.text).stem}.npz")
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
    training = Training(model, parts.train, parts.dev, epochs=options.epochs, batch_size=options.batch,
                        learning_rate=options.rate, seconds=options.seconds, seed=options.seed)
    start = time.monotonic()
    stopped = _learn(training)
    spent = duration(time.monotonic() - start)
    training.finish().save(out)
    best = f"weights of epoch {training.best_epoch}" if training.best_epoch else "weights so far"
    if stopped:
        print(f"Interrupted after {spent}: the {best} saved to {out}", file=sys.stderr)
        return INTERRUPTED
    print(f"Trained in {spent}; kept the {best}.")
    held_out = model.bits_per_character([model.encode(piece) for piece in parts.held_out])
    print(f"Held out: {held_out:.3f} bits per character on the {parts.unit}s kept aside.")
    print(f"Saved to {out}")
    _invent(model, parts, options)
    return 0


def _learn(training):
    """Run the training; True if Ctrl-C ended it."""
    with ctrl_c() as pressed, Progress(training.total) as progress:
        for report in training:
            progress.show(report)
            if pressed():
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
    model = _read_model(options.model)
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
    model = _read_model(options.model)
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


# ---- arguments ------------------------------------------------------------------------------------

class _Parser(argparse.ArgumentParser):
    def error(self, message):
        # argparse would print the usage first; one clear line is enough.
        raise Refusal(f"{message} (see {self.prog} --help)")


def _parser():
    parser = _Parser(prog="python -m fastrnn", description="Recurrent networks at the speed of the CPU: a character "
                     "language model to train and to sample from.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def command(run, **extra):
        text = run.__doc__
        made = commands.add_parser(run.__name__, help=text[0].lower() + text[1:].rstrip("."), description=text, **extra)
        made.set_defaults(run=run)
        return made.add_argument

    add = command(train, epilog="Ctrl-C saves what was learned so far.")
    add("text", nargs="?", default="dinosaurs", metavar="TEXT",
        help=f"a UTF-8 text file, or a list that comes with fastrnn: {', '.join(data.NAMES)}")
    add("--out", metavar="PATH", help="where to save the model (TEXT's name with .npz if not given)")
    add("--hidden", type=_COUNT, default=128, metavar="N", help="LSTM units a layer (%(default)s)")
    add("--layers", type=_COUNT, default=1, metavar="N", help="LSTM layers (%(default)s)")
    add("--dropout", type=_PART, default=0.5, metavar="P", help="part of the units silenced in a step (%(default)s)")
    add("--epochs", type=_COUNT, metavar="N", help="passes over the text (30, fewer for long texts, if not given)")
    add("--seconds", type=_POSITIVE, metavar="S", help="stop after so long even if epochs are left")
    add("--batch", type=_COUNT, default=32, metavar="N", help="lines or windows a training step (%(default)s)")
    add("--rate", type=_POSITIVE, default=0.012, metavar="R", help="learning rate; falls to zero (%(default)s)")
    add("--unit", choices=("line", "window"), help="learn each line by itself, or running text in windows (by the "
        "look of the text if not given)")
    add("--window", type=_COUNT, default=100, metavar="N", help="characters in a window (%(default)s)")
    add("--seed", type=_SEED, default=0, metavar="N", help="of split, weights, order and samples (%(default)s)")
    add("-n", type=_COUNT, default=10, metavar="N", help="how many texts to invent at the end (%(default)s)")
    add("--temperature", type=_POSITIVE, default=0.8, metavar="T", help="of these: low is careful (%(default)s)")

    add = command(sample)
    add("model", metavar="MODEL", help="a file that train saved")
    add("--prime", default="", metavar="TEXT", help="how each text begins")
    add("--temperature", type=_POSITIVE, default=0.8, metavar="T", help="low is careful, high is wild (%(default)s)")
    add("-n", type=_COUNT, default=10, metavar="N", help="how many (%(default)s)")
    add("--length", type=_COUNT, metavar="N", help="most characters of each (the model's own if not given)")
    add("--seed", type=_SEED, metavar="N", help="the same seed invents the same texts")

    add = command(info)
    add("model", nargs="?", metavar="MODEL", help="a model file; without it, the library itself")

    add = command(demo)
    add("--out", metavar="PATH", help="where to save the model (in build/, or in a temporary folder, if not given)")
    add("--seconds", type=_POSITIVE, default=35, metavar="S", help="longest training (%(default)s)")
    add("--seed", type=_SEED, default=0, metavar="N", help="of everything random (%(default)s)")
    return parser


def main(arguments=None):
    """Run one command; returns the exit status: 0, 2 for input that can't be used, 130 after Ctrl-C."""
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except Refusal as refusal:
        print(f"fastrnn: {refusal}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fastrnn: interrupted, nothing was saved", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (MemoryError, OSError) as error:     # too much asked for, or a disk that is full
        print(f"fastrnn: {str(error) or 'not enough memory'}", file=sys.stderr)
        return 2
