"""Ctrl-C on the command line: what was learned is saved, and what is said is true."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastrnn
from fastrnn import cli
from fastrnn.models import CharLM, load
from fastrnn.models.training import Training

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGINT reaches only consoles there")

RUN = [sys.executable, "-m", "fastrnn"]
TRAIN = ["train", "text", "--out", "model.npz", "--hidden", "4", "--epochs", "1", "--batch", "8"]


@pytest.fixture
def environment():
    where = os.path.dirname(os.path.dirname(fastrnn.__file__))
    path = os.pathsep.join(filter(None, [where, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a text to learn from, and Python's own handler for Ctrl-C."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("".join(f"{'abc'[k % 3]}{'xy' * (k % 5)}\n" for k in range(200)))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield tmp_path
    signal.signal(signal.SIGINT, before)


def pressing(function, times, when=lambda: True):
    """`function`, but Ctrl-C is pressed so many times before it runs, once `when` says so."""
    def pressed(*args, **kwargs):
        if when():
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return function(*args, **kwargs)
    return pressed


@pytest.mark.parametrize("wait_for_an_epoch", [False, True])
def test_ctrl_c_saves(folder, environment, wait_for_an_epoch):
    out = folder / f"interrupted-{wait_for_an_epoch}.npz"
    hidden = "4" if wait_for_an_epoch else "64"
    process = subprocess.Popen([*RUN, "train", "--out", str(out), "--hidden", hidden, "--epochs", "100000"], cwd=folder,
                               env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
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
    assert "stopping after this batch; again to stop now" in errors
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize("times", [1, 2])
def test_a_second_ctrl_c_saves_too(folder, monkeypatch, capfd, times):
    steps = iter(range(100))
    monkeypatch.setattr(Training, "step", pressing(Training.step, times, lambda: next(steps) == 3))
    assert cli.main(TRAIN) == 130
    seen = capfd.readouterr()
    lines = seen.err.splitlines()
    assert lines[0] == "stopping after this batch; again to stop now"
    assert lines[-1].startswith("Interrupted after ") and lines[-1].endswith("the weights so far saved to model.npz")
    assert load("model.npz").sample(2, seed=0) and next(steps) == 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("times, end", [(1, "saved to model.npz"), (2, "fastrnn: interrupted, nothing was saved")])
def test_ctrl_c_while_saving(folder, monkeypatch, capfd, times, end):
    monkeypatch.setattr(CharLM, "save", pressing(CharLM.save, times))
    assert cli.main(TRAIN) == 130
    seen = capfd.readouterr()
    assert "saving to model.npz; again to stop without" in seen.err and seen.err.splitlines()[-1].endswith(end)
    assert Path("model.npz").exists() == (times == 1)


@pytest.mark.parametrize("method", ["bits_per_character", "sample"])
def test_ctrl_c_after_the_save(folder, monkeypatch, capfd, method):
    monkeypatch.setattr(CharLM, method, pressing(getattr(CharLM, method), 1, Path("model.npz").exists))
    assert cli.main(TRAIN) == 130
    seen = capfd.readouterr()
    assert "Saved to model.npz" in seen.out.splitlines()
    assert seen.err.splitlines()[-1] == "fastrnn: interrupted; the model is saved to model.npz"
    assert load("model.npz")


def test_ctrl_c_before_the_training(folder, monkeypatch, capfd):
    monkeypatch.setattr(cli, "new_model", pressing(cli.new_model, 1))
    assert cli.main(TRAIN) == 130
    assert capfd.readouterr().err == "fastrnn: interrupted, nothing was saved\n"


def test_ctrl_c_where_nothing_is_to_be_saved(folder, monkeypatch, capfd):
    CharLM("\nab", 4, seed=0).save("model.npz")
    monkeypatch.setattr(CharLM, "sample", pressing(CharLM.sample, 1))
    monkeypatch.setattr(cli, "_weights", pressing(cli._weights, 1))
    for command in ("sample", "info"):
        assert cli.main([command, "model.npz"]) == 130
        assert capfd.readouterr().err == "fastrnn: interrupted\n"
