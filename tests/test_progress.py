"""What a long training says to whoever watches."""

import pytest

from fastrnn import _progress
from fastrnn.models.training import Report


class Screen:
    """A stream that says whether it is a terminal and keeps what was written."""

    def __init__(self, terminal):
        self.terminal, self.text = terminal, ""

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_without_tqdm(monkeypatch, terminal):
    monkeypatch.setattr(_progress, "tqdm", None)
    clock = iter(range(0, 10000, 1))
    monkeypatch.setattr(_progress.time, "monotonic", lambda: float(next(clock)))
    screen = Screen(terminal)
    with _progress.Progress(1000, stream=screen) as progress:
        for k in range(1, 11):
            progress.show(Report(100 * k, 1000, k, 3 - k / 10, None))
    lines = screen.text.splitlines()
    assert "\r" not in screen.text and len(lines) == (6 if terminal else 3)
    assert lines[-1].startswith("100 %  2.00 bits/char, 91 char/s, 0 s left")


def test_progress_with_tqdm():
    pytest.importorskip("tqdm")
    screen = Screen(True)
    with _progress.Progress(1000, stream=screen) as progress:
        progress.show(Report(500, 1000, 1, 2.5, None))
    assert "50%" in screen.text and "2.50 bits/char" in screen.text and "char/s" in screen.text and "left" in screen.text


def test_progress_that_never_began():
    screen = Screen(False)
    with _progress.Progress(1000, stream=screen):
        pass
    assert screen.text == ""


def test_the_end_may_come_closer(monkeypatch):
    monkeypatch.setattr(_progress, "tqdm", None)
    clock = iter([0.0, 10.0, 10.0])
    monkeypatch.setattr(_progress.time, "monotonic", lambda: next(clock))
    screen = Screen(True)
    progress = _progress.Progress(1000, stream=screen)
    progress.show(Report(100, 200, 1, 2.5, None))
    assert screen.text == " 50 %  2.50 bits/char, 10 char/s, 10 s left\n"
