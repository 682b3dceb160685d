"""The command line, in processes of its own: results, refusals in one line, and Ctrl-C."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fastrnn
from fastrnn import _progress, cli, data
from fastrnn.models import load
from fastrnn.models.training import Report
from fastrnn.nn import LSTM

RUN = [sys.executable, "-m", "fastrnn"]
QUICK = ["--hidden", "8", "--epochs", "1", "--batch", "64"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def environment():
    where = os.path.dirname(os.path.dirname(fastrnn.__file__))
    path = os.pathsep.join(filter(None, [where, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(scope="module")
def run(folder, environment):
    def run(*arguments, **options):
        return subprocess.run([*RUN, *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True,
                              timeout=120, **options)
    return run


@pytest.fixture(scope="module")
def trained(run):
    """What `train` did with the default text; the model is dinosaurs.npz."""
    return run("train", *QUICK)


def test_train(trained, folder):
    assert trained.returncode == 0, trained.stderr
    lines = trained.stdout.splitlines()
    assert lines[0].startswith("Text: dinosaurs, ") and lines[1].startswith("Lines: ") and "kept aside" in lines[1]
    assert any(line.startswith("Held out: ") and " bits per character" in line for line in lines)
    assert "Saved to dinosaurs.npz" in lines
    assert "bits/char" in trained.stderr and "char/s" in trained.stderr and " left" in trained.stderr
    assert "\r" not in trained.stderr and len(trained.stderr.splitlines()) < 20     # no bar in a log
    assert len(lines[lines.index(next(line for line in lines if "invented names" in line)) + 1:]) == 10
    assert load(folder / "dinosaurs.npz").config["hidden_size"] == 8


def test_the_same_seed_trains_the_same_model(trained, run, folder):
    run("train", *QUICK, "--out", "again.npz")
    run("train", *QUICK, "--out", "other.npz", "--seed", "1")
    first, again, other = (load(folder / name).parameters() for name in ("dinosaurs.npz", "again.npz", "other.npz"))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["linear.weight"], other["linear.weight"])


def test_sample(trained, run):
    done = run("sample", "dinosaurs.npz", "--prime", "tyr", "--temperature", "0.8", "-n", "5", "--seed", "1")
    assert done.returncode == 0 and done.stderr == ""
    names = done.stdout.splitlines()
    assert len(names) == 5 and all(name.startswith("tyr") for name in names)
    assert run("sample", "dinosaurs.npz", "--prime", "tyr", "-n", "3", "--seed", "1").stdout.splitlines() == names[:3]


def test_info(trained, run):
    done = run("info")
    assert done.returncode == 0 and "backend" in done.stdout and fastrnn.__version__ in done.stdout
    done = run("info", "dinosaurs.npz")
    assert done.returncode == 0 and "CharLM" in done.stdout and "lstm.weight_hh_l0" in done.stdout


def test_help(run):
    for command in ([], ["train"], ["sample"], ["info"], ["demo"]):
        done = run(*command, "--help")
        assert done.returncode == 0 and "usage: python -m fastrnn" in done.stdout and done.stderr == ""


def test_marks_what_stands_in_the_list(trained, run, folder):
    (folder / "two.txt").write_text("ab\nba\n" * 40)
    done = run("train", "two.txt", "--hidden", "8", "--epochs", "20", "-n", "20")
    assert done.returncode == 0, done.stderr
    names = done.stdout.splitlines()[-20:]
    assert any(name.endswith(" *") for name in names)
    assert all(name.endswith(" *") == (name.split()[0] in ("ab", "ba")) for name in names if name.split())


def test_other_texts(run, folder):
    (folder / "prose.txt").write_bytes(("\ufeff" + "Es war einmal … ein König,\r\nder hatte drei Töchter. " * 40).encode())
    done = run("train", "prose.txt", *QUICK, "-n", "2", "--layers", "2")
    assert done.returncode == 0, done.stderr
    assert "\nWindows: " in done.stdout and "\r" not in load(folder / "prose.npz").vocabulary
    assert "\ufeff" not in load(folder / "prose.npz").vocabulary
    done = run("train", "places", *QUICK)
    assert done.returncode == 0 and "Saved to places.npz" in done.stdout


BAD_FILES = {
    "empty.txt": b"",
    "blank.txt": b"\n  \n",
    "one.txt": b"aaaa\n" * 50,
    "short.txt": b"ab\nba\n",
    "latin.txt": "Zürich\n".encode("latin-1") * 50,
    "notes.npz": b"this is no model",
    "nothing.npz": b"",
}


@pytest.fixture(scope="module")
def bad(trained, folder):
    for name, content in BAD_FILES.items():
        (folder / name).write_bytes(content)
    whole = (folder / "dinosaurs.npz").read_bytes()
    (folder / "truncated.npz").write_bytes(whole[:len(whole) // 2])
    np.savez(folder / "foreign.npz", a=np.zeros(3))
    LSTM(2, 3).save(folder / "layer.npz")


@pytest.mark.parametrize("arguments, message", [
    (["train", "missing.txt"], "missing.txt: No such file"),
    (["train", "."], ".: Is a directory"),
    (["train", "empty.txt"], "empty.txt: the file is empty"),
    (["train", "blank.txt"], "blank.txt: the file is empty"),
    (["train", "one.txt"], "one.txt: expected at least two different characters, got 'a' only"),
    (["train", "short.txt"], "short.txt: expected at least"),
    (["train", "latin.txt"], "latin.txt: not UTF-8 text (byte 1)"),
    (["train", "--out", "no/such/folder.npz"], "there is no folder no/such"),
    (["train", "--out", "."], ".: expected a file"),
    (["train", "--hidden", "0"], "--hidden: expected an integer of at least 1, got '0'"),
    (["train", "--dropout", "1"], "--dropout: expected"),
    (["train", "--seconds", "nan"], "--seconds: expected"),
    (["train", "--unit", "word"], "--unit: invalid choice"),
    (["sample", "missing.npz"], "missing.npz: No such file"),
    (["sample", "notes.npz"], "notes.npz"),
    (["sample", "nothing.npz"], "nothing.npz"),
    (["sample", "truncated.npz"], "truncated.npz"),
    (["sample", "foreign.npz"], "foreign.npz"),
    (["sample", "layer.npz"], "layer.npz: expected a character model, got LSTM"),
    (["sample", "dinosaurs.npz", "--prime", "T-Rex"], "prime: expected characters of the vocabulary"),
    (["sample", "dinosaurs.npz", "--temperature", "0"], "--temperature: expected a number above 0, got '0'"),
    (["sample", "dinosaurs.npz", "--temperature", "warm"], "--temperature: expected"),
    (["sample", "dinosaurs.npz", "--temperature", "inf"], "--temperature: expected"),
    (["sample", "dinosaurs.npz", "-n", "0"], "-n: expected an integer of at least 1, got '0'"),
    (["sample", "dinosaurs.npz", "-n", "2.5"], "-n: expected"),
    (["sample", "dinosaurs.npz", "--seed", "-1"], "--seed: expected"),
    (["sample"], "required: MODEL"),
    (["info", "truncated.npz"], "truncated.npz"),
    (["demo", "--out", "no/such/folder.npz"], "there is no folder"),
    (["dance"], "invalid choice: 'dance'"),
    ([], "required: COMMAND"),
], ids=" ".join)
def test_bad_input_is_one_clear_line(bad, arguments, message, folder, monkeypatch, capsys):
    # In this process, for speed; one through a real one below.
    monkeypatch.chdir(folder)
    assert cli.main(arguments) == 2
    seen = capsys.readouterr()
    assert len(seen.err.splitlines()) == 1 and seen.err.startswith("fastrnn: ") and message in seen.err
    assert "Traceback" not in seen.err


@pytest.mark.parametrize("error, words", [(MemoryError(), "not enough memory"), (OSError(28, "No space left"), "No space left")])
def test_what_the_machine_lacks_is_one_line(monkeypatch, capsys, error, words):
    def fail():
        raise error

    monkeypatch.setattr(cli._backend, "show_config", fail)
    assert cli.main(["info"]) == 2
    assert words in capsys.readouterr().err


def test_bad_input_in_a_process(bad, run):
    done = run("sample", "truncated.npz")
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(run, folder):
    locked = folder / "locked"
    locked.mkdir(mode=0o500)
    done = run("train", "--out", "locked/model.npz")
    assert done.returncode == 2 and "no permission" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="SIGINT reaches only consoles there")
@pytest.mark.parametrize("wait_for_an_epoch", [False, True])
def test_ctrl_c_saves(folder, environment, wait_for_an_epoch):
    out = folder / f"interrupted-{wait_for_an_epoch}.npz"
    hidden = "4" if wait_for_an_epoch else "64"
    process = subprocess.Popen([*RUN, "train", "--out", str(out), "--hidden", hidden, "--epochs", "100000"], cwd=folder,
                               env={**environment, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    try:
        assert [process.stdout.readline().split()[0] for _ in range(4)] == ["Text:", "Lines:", "Model:", "Engine:"]
        time.sleep(6 if wait_for_an_epoch else 0.5)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert f"saved to {out}" in errors.splitlines()[-1] and "Interrupted" in errors and "Traceback" not in errors
    assert load(out).sample(2, "tyr", seed=0)
    assert not list(folder.glob("interrupted*tmp*"))


def test_the_reader_may_leave(trained, folder, environment):
    process = subprocess.Popen([*RUN, "sample", "dinosaurs.npz", "-n", "5000"], cwd=folder, env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) != 0 and process.stderr.read() == ""
    process.stderr.close()


# ---- progress ---------------------------------------------------------------------------------------

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


def test_lists_that_ship_are_named_in_the_help():
    text = cli._parser().format_help()
    assert "train" in text and all(name in data.NAMES for name in ("dinosaurs", "places"))


def test_compare_says_when_there_is_nothing_to_compare(monkeypatch, capsys):
    monkeypatch.setattr(cli._backend, "config", lambda: {"extension": False})
    cli.compare()
    assert "without its C extension" in capsys.readouterr().out


def test_compare(isa, capsys):
    cli.compare(rounds=1, steps=1)
    assert "times as fast" in capsys.readouterr().out
