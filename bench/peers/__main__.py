"""`python -m bench.peers`: fastrnn beside PyTorch, ONNX Runtime and JAX."""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import fastrnn

from . import chart, extras, report
from .ceilings import Ceilings, better, state, usable_cpus
from .compare import compare
from .demands import judge, misses
from .engines import NAMES
from .grid import CELLS, COURSE, DTYPES, LAYOUT_SHAPES, QUICK, WORKS, cases, full
from .results import add_ceilings, means, row
from .turns import LIMITS, UNLIMITED, Turns

# Seconds after which --quick skips what is left of the grid, and the other parts; the report names what was skipped.
QUICK_GRID, QUICK_REST = 180, 215
PARTS = ("grid", "steps", "layouts", "course", "memory")


def cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def shape(text):
    """`n` or `n_x,n_a,m,T`; a missing m is 1 and a missing T 100."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 4) or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"expected N or N_X,N_A,M,T, got {text!r}")
    return (numbers[0], numbers[0], 1, 100) if len(numbers) == 1 else tuple(numbers)


def parser():
    found = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    found.add_argument("--quick", action="store_true", help="a few shapes, float32, under four minutes")
    found.add_argument("--shapes", nargs="+", type=shape, metavar="SHAPE", help="N (m 1, T 100) or N_X,N_A,M,T")
    found.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    found.add_argument("--works", nargs="+", choices=WORKS, default=WORKS)
    found.add_argument("--dtype", nargs="+", choices=DTYPES, help="default both; with --quick float32")
    found.add_argument("--threads", nargs="+", type=int, help="default 1 2, where there are two CPUs")
    found.add_argument("--engines", nargs="+", choices=NAMES, default=NAMES)
    found.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default all)")
    found.add_argument("--isa", choices=sorted(LIMITS), help="limit fastrnn and its peers to an instruction set")
    found.add_argument("--seconds", type=float, help="time for each work of each engine (default 0.5, quick 0.12)")
    found.add_argument("--compare", type=Path, metavar="OLD.json", help="mark what got worse since; status 1 if anything did")
    found.add_argument("--json", type=Path, help="default build/peers.json")
    found.add_argument("--png", type=Path, help="default build/peers.png")
    found.add_argument("--readme", type=Path, help="also write the README's table, Markdown")
    return found


def measure(options, threads, cpus):
    """The document of one run, without its verdicts."""
    dtypes = options.dtype or (DTYPES[:1] if options.quick else DTYPES)
    shapes = options.shapes or (QUICK if options.quick else full())
    seconds = options.seconds or (0.12 if options.quick else 0.5)
    todo = cases(shapes, options.cells, dtypes) if "grid" in options.parts else []
    todo = [(case, count) for case in todo for count in threads]
    rows, started, begin = [], time.strftime("%Y-%m-%d %H:%M:%S"), time.monotonic()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None

    def say(text):
        print(f"{time.monotonic() - begin:5.0f} s  {text}", file=sys.stderr, flush=True)

    def late(limit):
        return options.quick and time.monotonic() > begin + limit

    say("starting the engines")
    isa = options.isa or fastrnn.config()["isa"]
    rounds = 3 if options.quick else 5
    with Turns(options.engines, threads, cpus, options.isa, seconds=seconds, rounds=rounds, pause=0.02) as turns:
        program = Ceilings(turns.folder.name, isa)
        ceilings, skipped = program.measure(cpus, threads), []
        turns.pace = None if program.why else program.pace
        for number, (case, count) in enumerate(todo, 1):
            if late(QUICK_GRID):
                skipped.append(f"{case} {count}t")
                continue
            exchange = program.exchange(cpus) if count > 1 else None
            watch = turns.watch()
            found = turns.measure("layer", case, count, options.works)
            others = watch.others()
            for work, engines in found.items():
                rows.append(row("layer", case, count, work, engines, options.isa, exchange, state(exchange), others))
            say(f"{number}/{len(todo)} {case}, {count} thread{'s' * (count > 1)}, ratios: "
                + ", ".join(f"{r['work']} {r['ratio'] or 0:.2f}" for r in rows[-len(found):]))  # fmt: skip
        for part in [part for part in PARTS[1:] if part in options.parts]:
            if late(QUICK_REST):
                skipped.append(part)
                continue
            say(part)
            rows += beside(part, options, turns, threads)
        engines = turns.engines()
        if ceilings is not None:
            ceilings = better(ceilings, program.measure(cpus, threads))
    for found in rows:
        if found["kind"] in ("layer", "course"):
            add_ceilings(found, extras.case_of(found), ceilings)
    whole = {(case, count) for case in cases(full(), CELLS, DTYPES) for count in (1, 2)} <= set(todo)
    whole = whole and set(options.works) == set(WORKS)
    return {"format": 1, "started": started, "machine": {"cpu": cpu_name(), "cpus": cpus, "python": platform.python_version()},
            "isa": options.isa, "unlimited": list(UNLIMITED.get(options.isa, ())), "engines": engines,
            "load": load, "skipped": skipped, "whole": whole, "ceilings": ceilings, "no_ceilings": program.why, "rows": rows}  # fmt: skip


def beside(part, options, turns, threads):
    """The rows of a part other than the grid; with --quick fewer shapes."""
    quick, cells = options.quick, options.cells
    if part == "steps":
        return extras.steps(turns, threads[0]) if "lstm" in cells else []
    if part == "layouts":
        shapes = ((16, 16, 1, 100), (64, 64, 32, 100)) if quick else LAYOUT_SHAPES
        return extras.layouts(turns, threads[-1], cells, shapes)
    if part == "course":
        return extras.course(turns, threads[-1], cells, COURSE[:1] if quick else COURSE)
    return extras.memory(turns, threads[-1], cells=cells[:1] if quick else cells)


def main(arguments=None):
    options = parser().parse_args(arguments)
    cpus = usable_cpus()
    threads = sorted(set(options.threads or [count for count in (1, 2) if count <= len(cpus)]))
    if threads[0] < 1 or threads[-1] > len(cpus):
        parser().error(f"--threads: expected 1 to {len(cpus)}, the CPUs of this process, got {threads}")
    old = json.loads(options.compare.read_text()) if options.compare else None
    if old and old["isa"] != options.isa:
        parser().error(f"--compare: expected a run with the same --isa, {options.isa}, got one with {old['isa']}")
    document = measure(options, threads, cpus)
    document["means"] = means(document["rows"])
    document["demands"], document["misses"] = judge(document["rows"]), misses(document["rows"])
    marks, gone = compare(old, document) if old else (None, ())
    where, picture = options.json or Path("build/peers.json"), options.png or Path("build/peers.png")
    for path in (where, picture):
        path.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(json.dumps(document, indent=1) + "\n")
    print(report.text(document, marks, gone), end="")
    print(chart.draw(document, picture) or f"wrote {where} and {picture}")
    if options.readme:
        options.readme.write_text(report.readme(document))
    return 1 if marks and {"worse", "wrong", "gone"} & set(marks.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
