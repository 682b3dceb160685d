"""What is measured beside the grid: one streaming step, layouts, the course's functions, memory."""

from . import results
from .grid import CELLS, COURSE, LAYOUT_SHAPES, LAYOUTS, STEPS, Case
from .turns import failed

STEP_CALLS = 100
TAPE = {"rnn": 1, "gru": 5, "lstm": 7}  # values a unit-step that a training forward may keep


def case_of(row):
    return Case(*(row[name] for name in Case._fields))


def steps(turns, threads, sizes=STEPS):
    """One step of an LSTM from Python, m = 1; times are of one step."""
    rows = []
    for n in sizes:
        case = Case("lstm", n, n, 1, STEP_CALLS)
        engines = turns.measure("step", case, threads)["step"]
        for result in engines.values():
            if not failed(result):
                result["turns"] = [time / STEP_CALLS for time in result["turns"]]
                result["median"] /= STEP_CALLS
        rows.append(results.row("step", case._replace(T=1), threads, "step", engines, turns.isa))
    return rows


def layouts(turns, threads, cells=CELLS, shapes=LAYOUT_SHAPES):
    """Each layout against time-major; `against` is its time divided by that of time-major."""
    rows, ours = [], [worker for worker in turns.workers[threads] if worker.name == "fastrnn"]
    for case in (Case(cell, *shape) for cell in cells for shape in shapes):
        found = turns.measure("layouts", case, threads, workers=ours)
        for work in found:
            row = results.row("layouts", case, threads, work, found[work])
            kind, layout = work.split(" ")
            both = [found.get(f"{kind} {name}", {}).get("fastrnn", {}) for name in (layout, LAYOUTS[0])]
            row["against"] = results.times_as_long(*both) if all("median" in one for one in both) else None
            rows.append(row)
    return rows


def course(turns, threads, cells=CELLS, shapes=COURSE):
    """The course's functions against plain NumPy, float64; `against` is NumPy's time divided by ours."""
    rows, ours = [], [worker for worker in turns.workers[threads] if worker.name == "fastrnn"]
    plain = turns.start("numpy", threads)
    for case in (Case(cell, *shape, "float64") for cell in cells for shape in shapes):
        for work, engines in turns.measure("course", case, threads, workers=[*ours, plain]).items():
            row = results.row("course", case, threads, work, engines)
            both = [engines[name] for name in ("numpy", "fastrnn")]
            row["against"] = results.times_as_long(*both) if all("median" in one for one in both) else None
            rows.append(row)
    return rows


def allowed_memory(case):
    """Bytes a training step may take: tape, weights' packed copies (two), outputs, gradients, + 15 % + 256 KiB."""
    units, weights = case.T * case.m * case.n_a, case.gates * case.n_a * (case.n_x + case.n_a + 2)
    values = TAPE[case.cell] * units + 2 * weights + units + (case.T * case.m * case.n_x + weights)
    return 1.15 * values * case.itemsize + (256 << 10)


def memory(turns, threads, shape=(128, 128, 32, 100), cells=CELLS):
    """Peak memory of one training step in a fresh process; and of inference at T and 4 T without its outputs."""
    # memory that is freed goes back to the system at once, else what follows would seem to need none
    extra = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    rows = []

    def ask(engine, case, work):
        worker = turns.start(engine, threads, extra)
        try:
            return worker.ask(do="memory", case=list(case), work=work)
        finally:
            turns.stop(worker)

    for case in (Case(cell, *shape) for cell in cells):
        row = results.row("memory", case, threads, "training", {})
        row["allowed"] = allowed_memory(case)
        row["peaks"] = {engine: ask(engine, case, "training") for engine in ("fastrnn", "torch")}
        longer = case._replace(T=4 * case.T)
        row["workspace"] = []
        for one in (case, longer):
            reply = ask("fastrnn", one, "inference")
            outputs = (one.T + 2) * one.m * one.n_a * one.itemsize
            row["workspace"].append(None if failed(reply) else max(0, reply["bytes"] - outputs))
        rows.append(row)
    return rows
