"""The arguments of the command line, and the one line for those that can't be used."""
import argparse
import math

from .. import _backend, data
from .files import Refusal


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


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        # argparse would print the usage first; one clear line is enough.
        raise Refusal(f"{message} (see {self.prog} --help)")


def parser(train, sample, info, demo):
    """The parser of the whole command line; the option `run` is the function of the command."""
    made = _Parser(prog="python -m fastrnn", description="Recurrent networks at the speed of the CPU: a character "
                     "language model to train and to sample from.")
    made.add_argument("--version", action="version", version=f"fastrnn {_backend.facts['version']}")
    commands = made.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def command(run, **extra):
        text = run.__doc__
        one = commands.add_parser(run.__name__, help=text[0].lower() + text[1:].rstrip("."), description=text, **extra)
        one.set_defaults(run=run)
        return one.add_argument

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
    return made
