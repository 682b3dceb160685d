"""The command line, in processes of its own: results, and refusals in one line."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import fastrnn
from fastrnn import cli, data
from fastrnn.models import load
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


@pytest.mark.parametrize("name", ["FASTRNN_NUM_THREADS", "FASTRNN_ISA", "FASTRNN_BACKEND"])
def test_an_environment_that_cannot_be_used_is_one_line(environment, folder, name):
    script = folder / "fastrnn"      # as pip writes it
    script.write_text("import sys\nfrom fastrnn.cli import main\nsys.exit(main())\n")
    for program in (["-m", "fastrnn"], ["-mfastrnn"], [script]):
        done = subprocess.run([sys.executable, *program, "info"], cwd=folder, env={**environment, name: "nonsense"},
                              capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"fastrnn: {name}: ") and "'nonsense'" in done.stderr and done.stderr.count("\n") == 1


def test_info(trained, run):
    done = run("info")
    assert done.returncode == 0 and "backend" in done.stdout and fastrnn.__version__ in done.stdout
    done = run("info", "dinosaurs.npz")
    assert done.returncode == 0 and "CharLM" in done.stdout and "lstm.weight_hh_l0" in done.stdout


def test_version(run):
    said = run("--version")
    assert (said.returncode, said.stdout, said.stderr) == (0, f"fastrnn {fastrnn.__version__}\n", "")


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


def refused(capsys, arguments, message):
    """The command ends with 2 and one line before it trains."""
    assert cli.main(["train", *QUICK, *map(str, arguments)]) == 2
    seen = capsys.readouterr()
    assert seen.out == "" and seen.err == f"fastrnn: {message}\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_what_is_no_file_is_refused_before_training(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in (tmp_path / "pipe", tmp_path / "link", os.devnull):
        refused(capsys, ["--out", name], f"{name}: expected a file to save the model to, got a device, pipe or socket")
    for name in (f"{tmp_path}", f"{tmp_path}/new/"):
        refused(capsys, ["--out", name], f"{name}: expected a file to save the model to, got a folder")
    (tmp_path / "lost").symlink_to("no/model.npz")
    refused(capsys, ["--out", tmp_path / "lost"], f"{tmp_path}/lost: there is no folder {tmp_path}/no")


def test_the_text_is_not_overwritten(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = "".join(f"{'abc'[k % 3]}{'xy' * (k % 5)}\n" for k in range(60))
    (tmp_path / "names.npz").write_text(text)
    (tmp_path / "link").symlink_to("names.npz")
    words = "is the text itself; name another file for the model with --out"
    refused(capsys, ["names.npz"], f"names.npz: {words}")
    refused(capsys, ["names.npz", "--out", "link"], f"link: {words}")
    assert (tmp_path / "names.npz").read_text() == text
    assert cli.main(["train", *QUICK, "names.npz", "--out", "model.npz"]) == 0


@pytest.mark.parametrize("rate", ["1e30", "1e300", "100"])
def test_diverged_training_is_not_saved(tmp_path, monkeypatch, capsys, rate):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("".join(f"{'abc'[k % 3]}{'xy' * (k % 5)}\n" for k in range(200)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        status = cli.main(["train", "text", "--hidden", "8", "--epochs", "20", "--rate", rate])
    seen = capsys.readouterr()
    assert status == 2 and seen.err.splitlines()[-1] == "fastrnn: training diverged; try a lower --rate"
    assert "Saved" not in seen.out and not (tmp_path / "text.npz").exists()


def test_letters_that_the_terminal_lacks_are_escaped(folder, environment):
    (folder / "ö.txt").write_text("".join(f"{'äöü'[k % 3]}{'xy' * (k % 5)}\n" for k in range(60)), encoding="utf-8")
    ascii_only = {**environment, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "1"}
    for arguments in (["train", "ö.txt", *QUICK, "--out", "ascii.npz"], ["sample", "ascii.npz", "--prime", "ö"]):
        done = subprocess.run([*RUN, *arguments], cwd=folder, env=ascii_only, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "\\xf6" in done.stdout


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(run, folder):
    locked = folder / "locked"
    locked.mkdir(mode=0o500)
    done = run("train", "--out", "locked/model.npz")
    assert done.returncode == 2 and "no permission" in done.stderr


def test_the_reader_may_leave(trained, folder, environment):
    process = subprocess.Popen([*RUN, "sample", "dinosaurs.npz", "-n", "5000"], cwd=folder, env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) != 0 and process.stderr.read() == ""
    process.stderr.close()


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
