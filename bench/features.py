"""`python -m bench.features`: what each feature of the layers costs beside the plain layer, side by side in one process.

Answers come first: each is compared with that of the same layer on the NumPy backend.  Then calls of the two take
turns, one each, so that a slow moment of the machine falls on both.  Prints medians, the ratio of medians and that of
minima, and what is needed of the former.  Variable lengths are then measured beside PyTorch, if it is there, and the
peak memory of checkpoints, each in a process of its own, as bench.peers does it.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastrnn
from bench.peers.ceilings import usable_cpus
from bench.peers.demands import MET, MISSING, UNMEASURED
from bench.peers.grid import Case, difference, ragged_lengths
from bench.peers.quiet import DISTURBED, Watch
from bench.peers.turns import Turns, failed

ABSENT, WRONG = "not there", "wrong"
CHECKPOINT = 10
ENSEMBLE_STEPS = (100, 10, 1)  # the shorter the call, the more of it is what an ensemble does once
# memory that is freed goes back to the system at once, else what follows would seem to need none
RETURNING = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


class Feature(NamedTuple):
    """most: of the plain layer's time, None for information · options of the layer · arguments of its call, by name."""

    name: str
    most: Any
    options: dict = {}
    arguments: tuple = ()
    work: str = "training"


def features(n):
    return (
        Feature("lengths", 1.0, arguments=("lengths",)),
        Feature("reset", 1.05, arguments=("reset",)),
        Feature("peephole", 1.15, {"peephole": True}),
        Feature("clip", 1.15, {"clip": 2.0}),
        Feature("zoneout", 1.15, {"zoneout": 0.1}),
        Feature("layer_norm", 1.6, {"layer_norm": True}),
        Feature("checkpoint", 1.45, arguments=("checkpoint",)),
        Feature("recurrent_dropout", None, {"recurrent_dropout": 0.25}),
        Feature("weight_dropout", None, {"weight_dropout": 0.25}),
        Feature("proj_size", None, {"proj_size": n // 2}),
        Feature("input_forget", None, {"input_forget": True}),
        Feature("bidirectional", None, {"bidirectional": True}),
        Feature("return_cells", None, arguments=("return_cells",), work="inference"),
    )


PLAIN = {work: Feature("plain", None, work=work) for work in ("training", "inference")}
NAMES = (*(feature.name for feature in features(64)), "packed", "padded", "pool", "ensemble", "bidirectional_call")


# ---- what is timed: functions that return nested tuples and dicts of arrays ----


def drawn(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def trained(layer, x, dy, **arguments):
    y, state, tape = layer.forward(x, **arguments)
    return y, state, layer.backward(dy, tape)


def make(feature, n, m, T):
    """The function of one feature, of a new layer: masks are drawn anew from the same seed."""
    layer = fastrnn.LSTM(n, n, seed=0, **feature.options)
    if layer.layer_norm:  # with the first gain, 1, the recurrence is chaotic: no two ways to round agree after 100 steps
        layer.update({"weight_norm_hh_l0": np.full(4 * n, 0.3)})
    width = (1 + layer.bidirectional) * (layer.proj_size or n)
    x, dy = drawn(1, (T, m, n), (T, m, width))
    rng = np.random.default_rng(2)
    given = {"lengths": ragged_lengths(m, T), "reset": rng.random((T, m)) < 0.05, "checkpoint": CHECKPOINT,
             "return_cells": True}  # fmt: skip
    arguments = {name: given[name] for name in feature.arguments}
    if feature.work == "inference":
        return lambda: layer(x, **arguments)
    return lambda: trained(layer, x, dy, **arguments)


def make_pool(n=64, capacity=1000, rows=32):
    """(`rows` single steps, one step of as many ids) of two pools with the same weights and states."""
    layer = fastrnn.LSTM(n, n, seed=0)
    ids = np.random.default_rng(1).permutation(capacity)[:rows].astype(np.intp)
    (x,), together = drawn(2, (rows, n)), np.empty((rows, n), np.float32)
    apart = np.empty_like(together)
    pool, other = layer.stream(capacity), layer.stream(capacity)
    parts = [(x[k : k + 1], ids[k : k + 1], apart[k : k + 1]) for k in range(rows)]

    def single():
        for part in parts:
            other.step(*part)
        return apart

    return single, lambda: pool.step(x, ids, together)


def make_ensemble(work, K=8, n=32, m=8, T=100):
    """(K calls, one call of their ensemble)."""
    layers = [fastrnn.LSTM(n, n, seed=k) for k in range(K)]
    together = fastrnn.Ensemble(layers)
    xs, dys = drawn(K, (K, T, m, n), (K, T, m, n))
    if work == "inference":
        return lambda: [layer(x) for layer, x in zip(layers, xs)], lambda: together(xs)
    return lambda: [trained(*each) for each in zip(layers, xs, dys)], lambda: trained(together, xs, dys)


def make_bidirectional():
    layer = fastrnn.LSTM(24, 32, bidirectional=True, seed=0)
    (x,) = drawn(1, (63, 1, 24))
    return lambda: layer(x)


# ---- answers ----


def flat(result, name="result"):
    """{name: copy} of all arrays in nested tuples, lists and dicts."""
    if result is None or isinstance(result, np.ndarray):
        return {} if result is None else {name: result.copy()}
    items = result.items() if isinstance(result, dict) else enumerate(result)
    return {key: array for k, part in items for key, array in flat(part, f"{name} {k}").items()}


def stacked(results):
    """The results of several calls of one form as flat() gives those of an ensemble."""
    each = [flat(result) for result in results]
    return {name: np.stack([one[name] for one in each]) for name in each[0]}


def check(actual, made, terms):
    """What is wrong with {name: array} in words, or None; `made()` gives the right ones, on the NumPy backend."""
    with fastrnn.backend("numpy"):
        expected = made()
    if actual.keys() != expected.keys():
        return f"expected {', '.join(expected)}, got {', '.join(actual)}"
    return difference(actual, expected, terms * float(np.finfo(np.float32).eps))


# ---- time ----


def take_turns(functions, seconds, least=5):
    """The seconds of all calls of each function, called in turns for about that long together."""
    times = [[] for _ in functions]
    for function in functions:
        function()
        function()
    gc.collect()
    gc.disable()
    try:
        end = time.perf_counter() + seconds
        while len(times[0]) < least or time.perf_counter() < end:
            for function, found in zip(functions, times):
                start = time.perf_counter()
                function()
                found.append(time.perf_counter() - start)
    finally:
        gc.enable()
    return times


def row(name, work, **found):
    """One line: `value` is what `need`, ("<=" or ">=", a number), says something about; times are in seconds."""
    blank = dict.fromkeys(("beside", "time", "value", "minima", "need", "note", "others"))
    return {"name": name, "work": work, "unit": "x", **blank, "verdict": UNMEASURED, **found}


def judged(line):
    if line["value"] is not None and line["need"]:
        sign, limit = line["need"]
        line["verdict"] = MET if (line["value"] <= limit if sign == "<=" else line["value"] >= limit) else MISSING
    elif line["value"] is not None:
        line["verdict"] = ""
    return line


def compared(name, work, beside, ours, seconds, most=None, least=None):
    """The row of `ours` beside another function: at most so many times its time, or that many times as fast."""
    watch = Watch([])
    times = take_turns((beside, ours), seconds)
    (base, took), (base_min, took_min) = map(statistics.median, times), map(min, times)
    value, minima = (base / took, base_min / took_min) if least else (took / base, took_min / base_min)
    need = (">=", least) if least else ("<=", most) if most else None
    return judged(row(name, work, beside=base, time=took, value=value, minima=minima, need=need, others=watch.others()))


# ---- rows ----


def feature_row(feature, sizes, seconds):
    n, m, T = sizes
    need = ("<=", feature.most) if feature.most else None
    try:
        ours = make(feature, *sizes)
        wrong = check(flat(ours()), lambda: flat(make(feature, *sizes)()), 2 * n + m * T)
    except NotImplementedError as error:
        return row(feature.name, feature.work, need=need, verdict=ABSENT, note=str(error))
    if wrong:
        return row(feature.name, feature.work, need=need, verdict=WRONG, note=wrong)
    return compared(feature.name, feature.work, make(PLAIN[feature.work], *sizes), ours, seconds, most=feature.most)


def pool_row(seconds):
    def answers():
        single, together = make_pool()
        return {str(step): np.stack([single().copy(), together().copy()]) for step in range(3)}

    wrong = check(answers(), answers, 128)
    if wrong:
        return row("pool", "step", verdict=WRONG, note=wrong)
    return compared("pool", "step", *make_pool(), seconds, least=4.0)


def ensemble_row(work, T, seconds):
    apart, together = make_ensemble(work, T=T)
    wrong = check(flat(together()), lambda: stacked(apart()), 64 + 8 * T)
    if wrong:
        return row("ensemble", work, verdict=WRONG, note=wrong)
    found = compared("ensemble", work, apart, together, seconds, least=1.5)
    with fastrnn.num_threads(1):
        (alone,) = take_turns([apart], seconds / 4)
    shared = fastrnn.get_num_threads() * found["beside"] / statistics.median(alone)
    return {**found, "note": f"T = {T}, the calls shared out without loss {shared:.2f}"}


def bidirectional_row(seconds):
    """Microseconds of one call with two threads."""
    found = row("bidirectional_call", "inference", unit="us", need=("<=", 20.0))
    if len(usable_cpus()) < 2:
        return {**found, "note": "needs two CPUs"}
    with fastrnn.num_threads(2):
        ours = make_bidirectional()
        wrong = check(flat(ours()), lambda: flat(make_bidirectional()()), 56)
        if wrong:
            return {**found, "verdict": WRONG, "note": wrong}
        watch = Watch([])
        (times,) = take_turns([ours], seconds)
    middle = statistics.median(times)
    return judged({**found, "time": middle, "value": middle * 1e6, "minima": min(times) * 1e6, "others": watch.others()})


def ragged_rows(turns, case, threads, names):
    """Training on random lengths beside PyTorch's ways to do it, each engine in a process of its own."""
    rows = []
    needs = {"packed": 10.0, "padded": 1.5}
    watch = turns.watch()
    measured = turns.measure("ragged", case, threads, works=names)
    for name, engines in measured.items():
        line = row(name, "training", need=(">=", needs[name]), others=watch.others())
        for engine, result in engines.items():
            if failed(result):
                line["note"] = f"{engine}: " + "; ".join(f"{why} {text}" for why, text in result.items())
                line["verdict"] = WRONG if "wrong" in result else UNMEASURED
        if line["note"] is None:
            beside, ours = engines["torch"], engines["fastrnn"]
            line |= {"beside": beside["median"], "time": ours["median"], "value": beside["median"] / ours["median"],
                     "minima": min(beside["turns"]) / min(ours["turns"])}  # fmt: skip
        rows.append(judged(line))
    return rows


def checkpoint_peaks(turns, case, threads):
    """The peak memory of a training step without and with checkpoints, in words."""
    peaks = []
    for work in ("plain", "checkpoint"):
        worker = turns.start("fastrnn", threads, RETURNING)
        try:
            reply = worker.ask(do="memory", kind="checkpointed", case=list(case), work=work)
        finally:
            turns.stop(worker)
        if failed(reply):
            return f"peak: {reply}"
        peaks.append(reply["bytes"] / 2**20)
    return "peak {1:.2f} MiB, plain {0:.2f}".format(*peaks)


def measure(only, sizes, seconds, rounds=3, say=lambda line: None):
    """The rows of the features that `only` names, told to `say` one by one."""
    threads, rows = fastrnn.get_num_threads(), []

    def add(*lines):
        for line in lines:
            rows.append(line)
            say(line)

    apart = [name for name in ("packed", "padded") if name in only]
    with Turns(["fastrnn", "torch"] if apart else [], [threads], usable_cpus(), None, seconds=seconds, rounds=rounds,
               pause=min(seconds, 0.05)) as turns:  # fmt: skip
        n, m, T = sizes
        case = Case("lstm", n, n, m, T)
        for feature in features(n):
            if feature.name in only:
                line = feature_row(feature, sizes, seconds)
                if feature.name == "checkpoint":
                    line["note"] = line["note"] or checkpoint_peaks(turns, case, threads)
                add(line)
        if apart:
            add(*ragged_rows(turns, case, threads, apart))
    if "pool" in only:
        add(pool_row(seconds))
    if "ensemble" in only:
        add(*(ensemble_row(work, T, seconds) for T in ENSEMBLE_STEPS for work in ("training", "inference")))
    if "bidirectional_call" in only:
        add(bidirectional_row(seconds))
    return rows


def text(line):
    """A row as a line of the table."""
    beside, took = (f"{line[key] * 1e3:9.4f}" if line[key] else " " * 9 for key in ("beside", "time"))
    values = "".join(f"{line[key]:9.3g}" if line[key] else " " * 9 for key in ("value", "minima"))
    need = "{} {:g}".format(*line["need"]) if line["need"] else ""
    notes = [line["verdict"], line["note"], (line["others"] or 0) > DISTURBED and "NOT ALONE"]
    words = ", ".join(str(note) for note in notes if note)
    return f"{line['name']:19s}{line['work']:10s}{beside}{took}{values} {line['unit']:3s}{need:8s}{words}".rstrip()


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m bench.features", description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--size", type=int, nargs=3, default=(64, 32, 100), metavar=("N", "M", "T"))
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each line (default 3)")
    parser.add_argument("--json", type=Path, help="also write the rows to a file")
    options = parser.parse_args(arguments)
    settings = fastrnn.config()
    print(f"backend {settings['backend']}, {settings['isa']}, {settings['threads']} threads; float32 lstm, n = {options.size[0]}, "
          f"m = {options.size[1]}, T = {options.size[2]} unless bench/README.md says otherwise; medians in ms")  # fmt: skip
    print(f"{'feature':19s}{'work':10s}{'beside':>9s}{'time':>9s}{'value':>9s}{'minima':>9s}    {'need':8s}")
    rows = measure(options.only, options.size, options.seconds, say=lambda line: print(text(line), flush=True))
    if options.json:
        settings = {"backend": settings["backend"], "isa": settings["isa"], "threads": settings["threads"]}
        document = {"format": 1, **settings, "size": list(options.size), "seconds": options.seconds, "rows": rows}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if any(line["verdict"] == WRONG for line in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
