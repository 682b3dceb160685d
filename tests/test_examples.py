"""Every program in examples/ runs by itself, prints what it promises, and uses only what is public."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastrnn

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

# What the last lines must hold: results of training leave room for other processors and versions of NumPy.
PRINTS = {
    "charlm": r"(?m)\A(step +\d+: \d\.\d\d bits per character\n){4}([A-Z][a-z]+ .*\n){8}\Z",
    "course_lstm": r"symbols repeated rightly: (9[5-9]|100) %\nforget gates of the last step: \(24, 64\)\n\Z",
    "one_to_many": r"1 -> one\n4 -> four\n7 -> seven\n\Z",
    "streaming": r"same outputs, bit for bit: True\nsame state, bit for bit: True\n\Z",
    "train_sensor": r"right on 1000 new recordings: (9[5-9]|100)\.\d %\n\Z",
    "translate": r"right on 200 numbers never seen: (9\d|100) %\n\Z",
}

_example = pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])


def test_the_list_is_complete():
    assert sorted(PRINTS) == [path.stem for path in EXAMPLES]


@_example
def test_runs(path, tmp_path):
    if path.stem == "streaming" and fastrnn.get_backend() != "native":
        pytest.skip("the same bits are promised by the native backend alone")
    # NumPy's BLAS with threads of its own takes many times as long when the machine is busy with other tests.
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-W", "error", path], cwd=tmp_path, env=environ, capture_output=True, text=True,
                         timeout=120)  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert re.search(PRINTS[path.stem], run.stdout), run.stdout
    assert list(tmp_path.iterdir()) == [], "an example leaves no file behind"


@_example
def test_is_short_and_public(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 60
    assert ast.get_docstring(tree), "says what it shows"
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert modules <= {"numpy", "fastrnn", "fastrnn.nn", "fastrnn.optim"}
    private = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")]
    assert not private
