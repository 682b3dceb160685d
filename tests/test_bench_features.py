"""The bench of features, at a tiny size and without time: that it runs, checks answers, and judges as it says."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import fastrnn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import features

TINY = ["--size", "8", "2", "20", "--seconds", "0"]


def test_every_row_is_there(tmp_path, capsys):
    assert features.main([*TINY, "--json", str(tmp_path / "rows.json")]) == 0
    rows = {line["name"]: line for line in json.loads((tmp_path / "rows.json").read_text())["rows"]}
    assert set(rows) == set(features.NAMES)
    shown = capsys.readouterr().out
    for name, line in rows.items():
        assert f"\n{name} " in shown, name
        if line["verdict"] in (features.ABSENT, features.UNMEASURED):
            assert line["note"] and line["value"] is None, name
        else:
            assert line["value"] > 0 and line["minima"] > 0 and line["time"] > 0, name
            assert line["verdict"] in ((features.MET, features.MISSING) if line["need"] else ("",)), name
    if sys.platform == "linux":
        assert rows["checkpoint"]["note"].startswith("peak ")


def test_a_wrong_answer_is_named_and_not_timed(monkeypatch, capsys):
    plain = features.trained

    def wrong(layer, x, dy, **arguments):
        y, *rest = plain(layer, x, dy, **arguments)
        return y + np.float32(0.1 if fastrnn.get_backend() == "native" else 0), *rest

    monkeypatch.setattr(features, "trained", wrong)
    if fastrnn.get_backend() == "native":
        assert features.main([*TINY, "--only", "clip"]) == 1
        assert "wrong, result 0: relative error" in capsys.readouterr().out
    with fastrnn.backend("numpy"):
        assert features.main([*TINY, "--only", "clip"]) == 0


def test_what_a_backend_lacks_is_not_there(monkeypatch):
    def lacking(*_):
        raise NotImplementedError("peephole: not by this backend")

    monkeypatch.setattr(features, "make", lacking)
    line = features.feature_row(features.Feature("peephole", 1.15, {"peephole": True}), (8, 2, 20), 0)
    assert line["verdict"] == features.ABSENT and line["value"] is None
    assert "not there, peephole: not by this backend" in features.text(line)


@pytest.mark.parametrize(
    "need, value, verdict",
    [(("<=", 1.05), 1.05, "met"), (("<=", 1.05), 1.06, "missing"), ((">=", 4.0), 4.0, "met"), ((">=", 4.0), 3.9, "missing"),
     (None, 2.0, ""), (("<=", 1.0), None, "not measured")],
)  # fmt: skip
def test_verdicts(need, value, verdict):
    assert features.judged(features.row("x", "training", need=need, value=value))["verdict"] == verdict
