"""How a long training speaks to whoever watches: a bar with tqdm, plain lines otherwise; and Ctrl-C as a request."""
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None

_EVERY = {True: 2.0, False: 5.0}        # seconds between lines, on a terminal and in a log


def duration(seconds):
    """Seconds as a person says them.

    >>> duration(7.4), duration(83), duration(7325)
    ('7 s', '1 min 23 s', '2 h 2 min')
    """
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


class Progress:
    """Shows bits per character, characters a second and the time left, on stderr."""

    def __init__(self, total, stream=None):
        self._stream = sys.stderr if stream is None else stream
        self._total, self._start = total, time.monotonic()
        self._shown = self._start
        self._bits, self._done, self._bar = None, 0, None
        terminal = self._stream.isatty()
        self._every = _EVERY[terminal]
        if terminal and tqdm is not None:
            self._bar = tqdm(total=total, file=self._stream, dynamic_ncols=True, leave=True,
                             bar_format="{percentage:3.0f}%|{bar}| {desc}", mininterval=0.2)

    def show(self, report):
        self._done, self._total, self._bits = report.characters, report.total, report.bits
        now = time.monotonic()
        if self._bar is not None:
            if now - self._shown >= 0.1:
                self._shown = now
                self._bar.set_description_str(self._text(now), refresh=False)
            self._bar.total = report.total
            self._bar.update(report.characters - self._bar.n)
        elif now - self._shown >= self._every:
            self._shown = now
            self._line(now)

    def _text(self, now):
        spent = max(now - self._start, 1e-9)
        rate = self._done / spent
        left = (self._total - self._done) / rate if rate else 0
        return f"{self._bits:.2f} bits/char, {rate:,.0f} char/s, {duration(left)} left"

    def _line(self, now):
        print(f"{100 * self._done / self._total:3.0f} %  {self._text(now)}", file=self._stream, flush=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *error):
        """Leave the last state standing; an error speaks for itself."""
        now = time.monotonic()
        if self._bits is None or kind not in (None, KeyboardInterrupt):
            if self._bar is not None:
                self._bar.close()
        elif self._bar is not None:
            self._bar.set_description_str(self._text(now), refresh=False)
            self._bar.close()
        else:
            self._line(now)


@contextmanager
def ctrl_c(answer):
    """Turn the first Ctrl-C into a flag, answered on stderr, so that no step is cut in half; the second interrupts.

    Yields a function that says whether Ctrl-C was pressed.
    """
    pressed = threading.Event()

    def note(number, frame):
        signal.signal(signal.SIGINT, before)
        pressed.set()
        _answer(answer)

    before = signal.getsignal(signal.SIGINT)
    # A process that was started to ignore it (nohup, a shell's background job) goes on doing so; and Python lets
    # only the main thread set handlers.
    if before != signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _answer(text):
    """Say something from within a signal handler."""
    try:
        # Not through sys.stderr: the signal may have come in the middle of a write, and a second would be an error.
        start = "\n" if os.isatty(2) else ""       # a bar or ^C stands in the line
        os.write(2, f"{start}{text}\n".encode(errors="backslashreplace"))
    except OSError:
        return      # no stderr, nobody to answer
