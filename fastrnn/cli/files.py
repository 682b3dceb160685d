"""Reading what the command line is given, and a look at where it shall write."""
import os
from pathlib import Path

from .. import data
from ..models import ModelFileError, load


class Refusal(Exception):
    """Input that can't be used; the message is the one line that the user sees."""


def read_text(name):
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


def read_model(name):
    """The layer or model in file `name`."""
    try:
        return load(name)
    except ModelFileError as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(f"{name}: {error.strerror or error}") from error


def writable(name, text=None):
    """Refuse a place where the model can't be saved now, not after the training; `text` is what it learns from."""
    path = Path(os.path.realpath(name))     # a link is followed, not replaced
    if path.is_dir() or not os.path.basename(name):
        raise Refusal(f"{name}: expected a file to save the model to, got a folder")
    if path.exists() and not path.is_file():
        raise Refusal(f"{name}: expected a file to save the model to, got a device, pipe or socket")
    if not path.parent.is_dir():
        raise Refusal(f"{name}: there is no folder {path.parent if os.path.islink(name) else os.path.dirname(name)}")
    if not os.access(path.parent, os.W_OK):     # the file itself is replaced, not written
        raise Refusal(f"{name}: no permission to write there")
    if text is not None and path.exists() and os.path.exists(text) and path.samefile(text):
        raise Refusal(f"{name}: is the text itself; name another file for the model with --out")
    return name
