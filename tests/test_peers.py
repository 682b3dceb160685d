"""The bench against peers: its logic, without timing anything and without any peer installed."""

import itertools
import os
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.peers import __main__ as command
from bench.peers import bound, ceilings, compare, demands, extras, grid, report, results
from bench.peers.grid import Case
from bench.peers.quiet import Watch
from bench.peers.turns import LIMITS, Turns, Worker, environment, failed
from bench.peers.worker import time_calls

# A machine of round numbers: 1 GHz; 100 GFLOP/s a core in float32; 100, 50, 20, 10 GB/s.
MACHINE = {
    "vector_bytes": 64, "clock": 1e9, "exchange": 100e-9,
    "fma": {"float32": {"1": 100e9, "2": 200e9}, "float64": {"1": 50e9, "2": 100e9}},
    "read": {"L1": {"1": 100e9, "2": 200e9}, "L2": {"1": 50e9, "2": 100e9}, "L3": {"1": 20e9, "2": 40e9},
             "DRAM": {"1": 10e9, "2": 10e9}},
    "sizes": {"L1": 32 << 10, "L2": 1 << 20, "L3": 32 << 20},
}  # fmt: skip


def row(case, work="inference", threads=1, state=None, kind="layer", exchange=None, **times):
    engines = {name: {"median": time} for name, time in times.items()}
    found = results.row(kind, case, threads, work, engines, None, exchange, state)
    return results.add_ceilings(found, case, MACHINE)


# ---- what is measured ----


def test_the_grid_is_the_one_of_the_plan():
    shapes = grid.full()
    square = {(n_x, m) for n_x, n_a, m, _ in shapes if n_x == n_a}
    assert square == {(n, m) for n in (16, 32, 64, 128, 256, 512, 1024) for m in (1, 8, 32, 128)} - {(1024, 128)}
    assert shapes[-5:] == ((27, 100, 1, 50), (24, 32, 1, 63), (40, 80, 5, 37), (3, 50, 64, 200), (256, 512, 16, 64))
    assert {T for n_x, n_a, _, T in shapes if n_x == n_a} == {25, 100}
    assert (1024, 1024, 1, 100) in shapes and (512, 512, 32, 25) in shapes and (128, 128, 128, 100) in shapes
    assert len(shapes) == len(set(shapes)) and set(grid.QUICK) <= set(shapes)
    assert grid.STEPS == (16, 64, 128, 256)
    assert len(grid.cases(shapes, grid.CELLS, grid.DTYPES)) == 3 * 2 * len(shapes)


def test_flops():
    assert Case("lstm", 3, 5, 2, 7).flops("inference") == 2 * 4 * 5 * (3 + 5) * 2 * 7
    assert Case("gru", 3, 5, 2, 7).flops("training") == 3 * 2 * 3 * 5 * (3 + 5) * 2 * 7


def test_both_dtypes_get_the_same_numbers():
    single, double = (grid.data(Case("gru", 3, 5, 2, 4, dtype)) for dtype in grid.DTYPES)
    assert single.W_x.shape == (15, 3) and single.W_a.shape == (15, 5) and single.b_a.shape == (15,)
    assert single.x.shape == (4, 2, 3) and single.dy.shape == (4, 2, 5)
    for a, b in zip(single, double, strict=True):
        assert a.dtype == np.float32 and b.dtype == np.float64 and np.array_equal(a, b)


def test_difference_sees_what_is_wrong():
    right = {"y": np.array([1.0, -4.0]), "dx": np.zeros(3)}
    assert grid.difference({"y": right["y"] + 4e-6}, right, 2e-6) is None
    assert "y: relative error" in grid.difference({"y": right["y"] + 4e-6}, right, 5e-7)
    assert "shape" in grid.difference({"y": np.zeros(3)}, right, 1)
    assert "nan" in grid.difference({"y": np.array([np.nan, -4.0])}, right, 1)
    assert grid.difference({}, right, 1) == "no answer"
    assert grid.tolerance(Case("lstm", 128, 128, 32, 100)) < 1e-4
    assert grid.tolerance(Case("lstm", 128, 128, 32, 100, "float64")) < 1e-12


# ---- the lower bound ----


def test_bound_by_arithmetic():
    # 32 rows: 2*4*64*64*32 = 1048576 flops in 10.48 us, elementwise 2 * 64 * 32 cycles = 4.096 us, weights 64 KiB faster
    case = Case("lstm", 64, 64, 32, 10)
    step = 1048576 / 100e9 + 4096e-9
    assert bound.lower_bound(case, "inference", 1, MACHINE) == pytest.approx(10 * step + 10 * 1048576 / 100e9)
    # training: two such passes, and four of six equal products parallel
    assert bound.lower_bound(case, "training", 1, MACHINE) == pytest.approx(20 * step + 40 * 1048576 / 100e9)


def test_bound_by_dependency_and_exchange():
    case = Case("rnn", 16, 16, 1, 100)
    alone = 100 * 77e-9 + 100 * 2 * 256 / 100e9
    assert bound.lower_bound(case, "inference", 1, MACHINE) == pytest.approx(alone)
    # two threads would only add their exchange, so the bound is that of one
    assert bound.lower_bound(case, "inference", 2, MACHINE) == pytest.approx(alone)


def test_bound_by_reading():
    case = Case("lstm", 512, 512, 1, 10)
    weights, parallel = 4 * 512 * 512 * 4, 10 * 2 * 4 * 512 * 512
    l1, l2 = 32 << 10, 1 << 20
    one = l1 / 100e9 + l2 / 50e9 + (weights - l1 - l2) / 20e9
    assert bound.reading_time(weights, 1, MACHINE) == pytest.approx(one)
    two = 2 * l1 / 200e9 + 2 * l2 / 100e9 + (weights - 2 * l1 - 2 * l2) / 40e9
    expected = 10 * (two + 100e-9) + parallel / 200e9
    assert bound.lower_bound(case, "inference", 2, MACHINE) == pytest.approx(expected)
    assert bound.reading_time(40 << 20, 1, MACHINE) > bound.reading_time(32 << 20, 1, MACHINE)


def test_narrow_vectors_and_float64_have_slower_elementwise_work():
    case, narrow = Case("gru", 64, 64, 128, 1), {**MACHINE, "vector_bytes": 32}
    more = bound.lower_bound(case, "inference", 1, narrow) - bound.lower_bound(case, "inference", 1, MACHINE)
    assert more == pytest.approx(1.5 * 64 * 128e-9)


# ---- rows ----


def test_ratio_is_to_the_best_peer():
    found = row(Case("lstm", 16, 16, 1, 100), fastrnn=10e-6, torch=40e-6, onnxruntime=25e-6, jax=30e-6)
    assert found["best"] == "onnxruntime" and found["ratio"] == pytest.approx(2.5)
    assert found["gflops"] == pytest.approx(2 * 4 * 16 * 32 * 100 / 10e-6 / 1e9)
    assert found["peak_fraction"] == pytest.approx(found["gflops"] / 100)
    assert found["bound_fraction"] == pytest.approx(found["bound"] / 10e-6)


def test_ratios_are_taken_within_a_round():
    slow = {"median": 3.0, "turns": [2.0, 6.0, 3.0]}  # the second round was a slow second of the machine
    assert results.times_as_long(slow, {"median": 1.1, "turns": [1.0, 3.0, 1.1]}) == 2.0
    assert results.times_as_long(slow, {"median": 1.0, "turns": [1.0]}) == 2.0  # long calls take fewer turns
    assert results.times_as_long({"median": 3.0}, {"median": 2.0}) == 1.5
    engines = {"fastrnn": {"median": 1.1, "turns": [1.0, 3.0, 1.1]}, "torch": slow, "jax": {"median": 2.0, "turns": [1.9, 9.0, 2.3]}}
    found = results.row("layer", Case("lstm", 16, 16, 1, 100), 1, "inference", engines)
    assert (found["best"], found["ratio"]) == ("torch", 2.0)


def test_fractions_of_peak_are_taken_within_a_round():
    case = Case("lstm", 64, 64, 32, 100)
    seconds = case.flops("inference") / 100e9  # at the peak of MACHINE; the machine ran at half and at three quarters of it
    ours = {"median": 2.5 * seconds, "turns": [2.5 * seconds, 4 * seconds, 2 * seconds], "paces": [80e9, 50e9, 75e9]}
    engines = {"fastrnn": ours, "torch": {"median": 5 * seconds, "turns": [5 * seconds, 8 * seconds, 9 * seconds]}}
    found = results.add_ceilings(results.row("layer", case, 1, "inference", engines), case, MACHINE)
    assert found["peak_fraction"] == pytest.approx(0.5) and found["top_fraction"] == pytest.approx(0.4)
    assert found["best_peak_fraction"] == pytest.approx(0.25)


def test_a_peer_that_cannot_be_limited_is_shown_but_not_the_best():
    engines = {"fastrnn": {"median": 2.0}, "torch": {"median": 3.0}, "onnxruntime": {"median": 1.0}}
    found = results.row("layer", Case("lstm", 16, 16, 1, 100), 1, "inference", engines, "avx2")
    assert found["best"] == "torch" and found["ratio"] == 1.5


def test_a_row_without_peers_or_without_an_answer():
    alone = row(Case("lstm", 16, 16, 1, 100), fastrnn=10e-6)
    assert alone["ratio"] is None and alone["best"] is None and alone["bound_fraction"]
    engines = {"fastrnn": {"wrong": "y: relative error 1"}, "torch": {"median": 1.0}, "jax": {"absent": "no module"}}
    found = results.add_ceilings(results.row("layer", alone_case := Case("rnn", 16, 16, 1, 9), 1, "inference", engines),
                                 alone_case, MACHINE)  # fmt: skip
    assert found["best"] == "torch" and found["ratio"] is None and found["gflops"] is None


def test_means():
    rows = [row(Case("lstm", 16, 16, 1, 100), fastrnn=1.0, torch=2.0), row(Case("rnn", 16, 16, 1, 100), fastrnn=1.0, torch=8.0)]
    assert results.means(rows)["float32 inference all"] == [pytest.approx(4.0), 2]
    assert results.geometric_mean([]) is None


# ---- comparing runs ----


@pytest.mark.parametrize(
    "before, after, same_machine, mark",
    [
        ({"fastrnn": 1.0, "jax": 2.0}, {"fastrnn": 1.3, "jax": 2.0}, True, "worse"),
        ({"fastrnn": 1.0, "jax": 2.0}, {"fastrnn": 0.8, "jax": 2.0}, True, "better"),
        ({"fastrnn": 1.0, "jax": 2.0}, {"fastrnn": 1.05, "jax": 2.0}, True, "same"),
        ({"fastrnn": 1.0, "jax": 2.0}, {"fastrnn": 1.0, "jax": 1.5}, True, "same"),  # the peer's lucky day
        ({"fastrnn": 1.0, "jax": 2.0}, {"fastrnn": 1.0, "jax": 1.5}, False, "worse"),
        ({"fastrnn": 1.0, "jax": 2.0}, {"fastrnn": 2.0, "jax": 4.0}, False, "same"),  # ratios travel
        ({"fastrnn": 1.0}, {"fastrnn": 1.5}, True, "worse"),
        ({"fastrnn": 1.0}, {"jax": 1.0}, True, "gone"),
        ({"jax": 1.0}, {"fastrnn": 1.0}, True, None),
    ],
)
def test_marks(before, after, same_machine, mark):
    case = Case("gru", 16, 16, 1, 100)
    assert compare.mark(row(case, **before), row(case, **after), same_machine) == mark


def test_marks_of_states_and_wrong_answers():
    case = Case("gru", 16, 16, 1, 100)
    near, far = (row(case, threads=2, state=state, fastrnn=1.0, jax=2.0) for state in ("near", "far"))
    assert compare.mark(near, far, True) == "other state"
    assert compare.mark(near, {**near, "others": 1.0}, True) == "disturbed"
    assert compare.mark(near, {**far, "engines": {"fastrnn": {"wrong": "y"}}}, True) == "wrong"


def test_compare_documents():
    cases = [Case("gru", n, n, 1, 100) for n in (16, 32, 64)]
    documents = [{"machine": {"cpu": "x"}, "rows": [row(case, fastrnn=time, jax=2.0) for case, time in zip(cases[k:], times)]}
                 for k, times in enumerate([(1.0, 1.0), (1.5, 1.0)])]  # fmt: skip
    marks, gone = compare.compare(*documents)
    assert list(marks.values()) == ["worse"] and [key[2] for key in gone] == [16]


# ---- what it must show ----


def verdict(rows, words):
    (found,) = [found for found in demands.judge(rows) if words in found[0]]
    return found[1:]


def test_losses_are_reported():
    rows = [row(Case("lstm", 16, 16, 1, 100), fastrnn=1.0, jax=3.0), row(Case("rnn", 16, 16, 1, 100), fastrnn=1.0, jax=0.9)]
    state, detail = verdict(rows, "never slower")
    assert state == demands.MISSING and "1 of 2" in detail and "rnn 16->16" in detail and "0.9 of 1" in detail
    assert verdict(rows[:1], "never slower")[0] == demands.MET
    assert verdict(rows[:1], "lstm inference")[0] == demands.MET
    assert verdict(rows[:1], "float64: 2 times")[0] == demands.UNMEASURED
    assert verdict(rows, "geometric mean of the ratios, float32, inference")[0] == demands.MISSING


def test_three_percent_are_forgiven_only_beside_a_peer_near_the_peak():
    case = Case("lstm", 512, 512, 32, 25)
    fast = case.flops("inference") / 100e9 / 0.9  # 90 % of peak
    assert verdict([row(case, fastrnn=fast / 0.98, torch=fast)], "never slower")[0] == demands.MET
    assert verdict([row(case, fastrnn=fast * 2 / 0.98, torch=fast * 2)], "never slower")[0] == demands.MISSING


def test_a_wrong_answer_is_not_met():
    found = row(Case("lstm", 16, 16, 1, 100), jax=1.0)
    found["engines"]["fastrnn"] = {"wrong": "y: relative error 1"}
    found["ratio"] = None
    good = row(Case("lstm", 64, 64, 1, 100), fastrnn=1e-6, jax=1.0)
    assert verdict([found, good], "lstm inference, float32")[0] == demands.MISSING
    assert verdict([found, good], "never slower")[0] == demands.MISSING


def test_every_row_that_misses_is_named():
    rows = [row(Case("rnn", n, n, 1, 100), fastrnn=1.0, torch=n / 100) for n in (16, 32, 64, 128)]
    found = {title: lines for title, _, lines in demands.misses(rows)}
    (slower,) = (lines for title, lines in found.items() if "never slower" in title)
    assert [line.split(" m=")[0] for line in slower] == ["rnn 16->16", "rnn 32->32", "rnn 64->64"]
    assert slower[0].endswith("0.16 of 1")
    assert not any("float64" in title for title in found)


def test_what_was_tried_is_where_the_report_says():
    pages = (Path(__file__).parents[1] / "docs" / "performance.md").read_text().splitlines()
    for demand in (*demands.DEMANDS, demands.THREADS):
        assert f"### {demand.section}" in pages, demand.title


def test_two_threads_against_one():
    case = Case("lstm", 256, 256, 1, 100)
    one, near, far = row(case, fastrnn=1.0), row(case, threads=2, state="near", fastrnn=0.7), row(case, threads=2, state="far", fastrnn=0.9)
    assert verdict([one, near], "two threads")[0] == demands.MISSING
    assert verdict([one, far], "two threads")[0] == demands.MET


def test_memory():
    case = Case("lstm", 128, 128, 32, 100)
    allowed = extras.allowed_memory(case)
    assert allowed > 1.15 * 7 * 100 * 32 * 128 * 4
    found = {**row(case, "training", kind="memory"), "allowed": allowed, "workspace": [1000, 2000],
             "peaks": {"fastrnn": {"bytes": allowed - 1}, "torch": {"bytes": 2 * allowed}}}  # fmt: skip
    assert verdict([found], "memory")[0] == demands.MET
    assert verdict([{**found, "workspace": [1000, 10**7]}], "memory")[0] == demands.MISSING
    assert verdict([{**found, "peaks": {"fastrnn": {"bytes": allowed + 1}, "torch": {"absent": ""}}}], "memory")[0] == demands.MISSING


# ---- processes and the report ----


def test_the_table_of_the_readme():
    shape = (16, 16, 1, 100)
    rows = [row(Case("lstm", *shape), threads=2, fastrnn=10e-6, torch=25e-6), row(Case("lstm", *shape), fastrnn=1.0, torch=1.0),
            row(Case("gru", *shape), threads=2, fastrnn=20e-6), row(Case("rnn", 17, 16, 1, 100), threads=2, fastrnn=1.0)]  # fmt: skip
    document = {"machine": {"cpu": "x"}, "engines": {"torch": {"version": "1"}, "jax": {"absent": ""}}, "rows": rows}
    title, _, *table = report.readme(document).splitlines()
    assert "2 threads, x" in title and "PyTorch" in title and "JAX" not in title
    assert table == ["| work | n | m | T | rnn | lstm | gru |", "|---|---|---|---|---|---|---|",
                     "| inference | 16 | 1 | 100 | - | 10.0 (2.50×) | 20.0 |"]  # fmt: skip


def test_settings_of_a_worker():
    found = environment(1, "avx2")
    assert found["FASTRNN_NUM_THREADS"] == found["OMP_NUM_THREADS"] == "1"
    assert LIMITS["avx2"].items() <= found.items()
    assert found["FASTRNN_ISA"] == "avx2" and found["XLA_FLAGS"].startswith("--xla_cpu_max_isa=AVX2")


def test_two_calls_are_discarded():
    for tick, expected in ((0.0625, 3), (4, 1)):  # of long calls one is enough
        calls, ticks = [], itertools.count(0, tick)
        times = time_calls(lambda calls=calls: calls.append(1), 0, least=3, clock=lambda ticks=ticks: next(ticks))
        assert times == [tick] * expected and len(calls) == 2 + expected


def test_what_others_used(tmp_path):
    pids = (os.getpid(), 7)
    for pid in pids:
        (tmp_path / str(pid)).mkdir()

    def write(total, ours):
        # cpu user nice system idle iowait irq softirq steal
        (tmp_path / "stat").write_text(f"cpu {total} 0 0 999 999 0 0 0 0 0\n")
        for pid in pids:
            (tmp_path / str(pid) / "stat").write_text(f"{pid} (a b) S " + "0 " * 10 + f"{ours} 0 0 0\n")

    write(1000, 100)
    watch = Watch([7], tmp_path)
    assert watch.others() is None  # too short to say
    watch._begin = (watch._begin[0] - 10, *watch._begin[1:])
    write(1000 + 600, 100 + 50)
    assert watch.others() == pytest.approx(500 / os.sysconf("SC_CLK_TCK") / 10, rel=0.01)
    assert Watch([8], tmp_path).others() is None


def test_an_absent_peer_is_named():
    worker = Worker("not_there", 1, ceilings.usable_cpus(), None)
    try:
        assert "not_there" in worker.why["absent"] and failed(worker.ask(do="prepare"))
    finally:
        worker.close()
    document = {"machine": {"cpu": "x", "cpus": [0]}, "started": "now", "isa": None, "load": None, "ceilings": None,
                "no_ceilings": "no C compiler", "engines": {"jax": worker.why}, "rows": []}  # fmt: skip
    heading = "\n".join(report.heading(document))
    assert "jax          absent: No module named" in heading and "no ceilings: no C compiler" in heading


@pytest.mark.skipif("linux" not in sys.platform, reason="reads /proc")
def test_a_worker_stands_still_between_commands():
    worker = Worker("numpy", 1, ceilings.usable_cpus(), None)
    try:
        assert worker.ask(do="prepare", kind="layer", case=list(Case("rnn", 3, 4, 2, 5)))["works"] == ["inference", "training"]
        assert len(worker.ask(do="time", work="inference", seconds=0)["times"]) == 2
        status = Path(f"/proc/{worker._process.pid}/status")
        assert "State:\tT" in status.read_text()
        assert "failed" in worker.ask(do="time", work="nothing", seconds=0)
    finally:
        worker.close()
    assert worker._process.returncode == 0


@pytest.mark.parametrize(("took", "turns"), [(0.1, 5), (2.0, 3)])
def test_long_calls_take_several_turns_too(took, turns):
    class Stub:
        name, threads = "torch", 1

        def ask(self, **command):
            return {"times": [took]}

    run, result = Turns([], [], ceilings.usable_cpus(), None, seconds=1.0, rounds=5, pause=0), {"turns": [], "paces": [], "calls": 0}
    with run:
        run._take_turns([(Stub(), "inference", result)], "float32")
    assert result["turns"] == [took] * turns and result["median"] == took


def test_shapes_of_the_command_line():
    options = command.parser().parse_args(["--shapes", "16", "27,100,1,50", "--threads", "1"])
    assert options.shapes == [(16, 16, 1, 100), (27, 100, 1, 50)]
    for wrong in ("0", "a", "1,2,3"):
        with pytest.raises(SystemExit):
            command.parser().parse_args(["--shapes", wrong])


def test_cache_sizes_are_read(tmp_path):
    for k, (level, kind, size) in enumerate([(1, "Data", "48K"), (1, "Instruction", "64K"), (2, "Unified", "1024K"), (3, "Unified", "32M")]):
        folder = tmp_path / f"index{k}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{text}\n")
    assert ceilings.cache_sizes(tmp_path) == {"L1": 48 << 10, "L2": 1 << 20, "L3": 32 << 20}
    assert ceilings.state(100e-9) == "near" and ceilings.state(500e-9) == "far" and ceilings.state(None) is None
    best = ceilings.better({"clock": 1.0, "fma": {"1": 5.0}, "sizes": {"L1": 9}, "exchange": 3.0},
                           {"clock": 2.0, "fma": {"1": 4.0}, "sizes": {"L1": 9}, "exchange": 1.0})  # fmt: skip
    assert best == {"clock": 2.0, "fma": {"1": 5.0}, "sizes": {"L1": 9}, "exchange": 3.0}
