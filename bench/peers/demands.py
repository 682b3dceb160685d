"""What the bench must show, row by row: met, or missing and by how much."""

from .results import geometric_mean

MET, MISSING, UNMEASURED = "met", "missing", "not measured"


class Demand:
    """`need(row)` is the least `value(row)`, or None where the demand says nothing about that row.  `section` of
    docs/performance.md says what was tried for it, and what the limit is."""

    def __init__(self, title, section, kind, need, value):
        self.title, self.section, self.kind, self.need, self.value = title, section, kind, need, value

    def measured(self, rows):
        """[(row, need, value)] of what it says something about; the value is None where there is none."""
        found = [(row, self.need(row)) for row in rows if row["kind"] == self.kind]
        return [(row, need, self.value(row)) for row, need in found if need is not None]

    def misses(self, rows):
        """A line for each row that falls short, worst first."""
        found = [entry for entry in self.measured(rows) if entry[2] is not None and entry[2] < entry[1]]
        found.sort(key=lambda entry: entry[2] / entry[1])
        return [f"{name(row)}: {value:.3g} of {need:.3g}" for row, need, value in found]

    def judge(self, rows):
        """(title, verdict, detail): the detail names how many rows miss it and the worst of them."""
        found = self.measured(rows)
        wrong = [row for row, _, value in found if value is None and "wrong" in row["engines"].get("fastrnn", {})]
        found = [entry for entry in found if entry[2] is not None]
        short = self.misses(rows)
        if wrong:
            return self.title, MISSING, f"wrong answers at {len(wrong)}: {', '.join(map(name, wrong[:4]))}"
        if not found:
            return self.title, UNMEASURED, ""
        if not short:
            row, need, value = min(found, key=lambda entry: entry[2] / entry[1])
            return self.title, MET, f"{len(found)} row(s), closest {name(row)}: {value:.3g} of {need:.3g}"
        return self.title, MISSING, f"{len(short)} of {len(found)} row(s), worst {'; '.join(short[:5])}"


def name(row):
    return f"{row['cell']} {row['n_x']}->{row['n_a']} m={row['m']} {row['work']} {row['dtype']} {row['threads']}t"


def _square(row, dtype="float32", work=None):
    return row["n_x"] == row["n_a"] and row["dtype"] == dtype and work in (None, row["work"])


def _near(row):
    return row["threads"] == 1 or row["state"] != "far"


def _never_slower(row):
    if row["dtype"] != "float32":
        return None
    return 0.97 if (row["best_peak_fraction"] or 0) > 0.8 else 1.0


def _table(cell, work, table):
    def need(row):
        fits = row["cell"] == cell and _square(row, work=work) and _near(row)
        return table.get((row["n_a"], row["m"])) if fits else None

    return need


def _small_training(row):
    fits = row["cell"] in ("rnn", "gru") and _square(row, work="training") and row["n_a"] <= 256 and row["m"] <= 32
    return 1.0 if fits and _near(row) else None


def _either(row):
    """The better of ratio / 2.5 and fraction of peak / 0.75: either is enough."""
    return max(row["ratio"] / 2.5, (row["peak_fraction"] or 0) / 0.75) if row["ratio"] else None


def _float64(row):
    return (2.0 if row["n_a"] <= 128 else 1.6) if row["dtype"] == "float64" and _near(row) else None


def _peak(row):
    if not (_square(row) and row["m"] >= 32 and _near(row)):
        return None
    inference, n = row["work"] == "inference", row["n_a"]
    if n >= 256:
        return 0.85 if inference else 0.80
    return {128: 0.80 if inference else 0.70, 64: 0.73 if inference else None}.get(n)


def _bound(row):
    fits = row["m"] == 1 and _square(row, work="inference") and _near(row)
    return {128: 0.65, 256: 0.8, 512: 0.8, 1024: 0.8}.get(row["n_a"]) if fits else None


def _microseconds(row):
    """Steps a microsecond, so that more is better as everywhere."""
    ours = row["engines"].get("fastrnn", {}).get("median")
    return 1e-6 / ours if ours else None


def _layout(row):
    if not row["work"].endswith("nmt"):
        return None
    return 1 / 1.06 if row["n_a"] >= 64 else 1 / 1.15


def _course(row):
    if row["work"] != "forward + backward":
        return None
    return {(100, 1): 8.0, (512, 64): 2.5}.get((row["n_a"], row["m"]))


def _course_peak(row):
    return 0.65 if row["work"] == "forward + backward" and row["m"] >= 32 else None


DEMANDS = [
    Demand("float32: never slower than the best peer", "The whole grid, float32", "layer", _never_slower, lambda row: row["ratio"]),
    Demand("lstm inference, float32, against the best peer", "LSTM, and training of RNN and GRU", "layer",
           _table("lstm", "inference", {(16, 1): 2.5, (64, 1): 2.5, (128, 1): 1.7, (512, 1): 1.2, (64, 32): 1.25,
                                        (128, 32): 1.1}), lambda row: row["ratio"]),
    Demand("lstm training, float32, against the best peer", "LSTM, and training of RNN and GRU", "layer",
           _table("lstm", "training", {(128, 1): 2.5, (64, 32): 1.3, (128, 32): 1.18, (512, 32): 1.18}),
           lambda row: row["ratio"]),
    Demand("rnn and gru training, n <= 256, m <= 32: 2.5 times or 75 % of peak", "LSTM, and training of RNN and GRU", "layer",
           _small_training, _either),
    Demand("float64: 2 times the better of PyTorch and JAX up to n = 128, 1.6 above", "float64", "layer", _float64,
           lambda row: row["ratio"]),
    Demand("fraction of the FMA rate measured beside it, float32, m >= 32", "The fraction of peak", "layer", _peak,
           lambda row: row["peak_fraction"]),
    Demand("m = 1 inference, float32: fraction of the lower bound", "One sequence, and two threads", "layer", _bound,
           lambda row: row["bound_fraction"]),
    Demand("one streaming step from Python: 1.2, 2, 4 us at n = 16, 64, 128 (as steps a us)", "A stream's step", "step",
           lambda row: {16: 1 / 1.2, 64: 1 / 2, 128: 1 / 4}.get(row["n_a"]), _microseconds),
    Demand("course layout against time-major: 1.06 times at n >= 64, 1.15 at 16 (as its inverse)", "Layouts", "layouts", _layout,
           lambda row: 1 / row["against"] if row["against"] else None),
    Demand("course functions, float64, against plain NumPy", "The course's functions", "course", _course,
           lambda row: row["against"]),
    Demand("course functions, float64, m >= 32: fraction of peak", "The course's functions", "course", _course_peak,
           lambda row: row.get("peak_fraction")),
]  # fmt: skip


THREADS = Demand("two threads against one", "One sequence, and two threads", "threads", lambda row: row["need"],
                 lambda row: row["value"])  # fmt: skip


def judge(rows):
    """[(title, verdict, detail)] for every row of the table that this bench can measure."""
    verdicts = [demand.judge(rows) for demand in DEMANDS]
    verdicts[1:1] = [_mean(rows, "inference", 1.8), _mean(rows, "training", 2.6)]
    return [*verdicts, THREADS.judge(thread_rows(rows)), _memory(rows),
            ("bits: the same for any batch, chunking, layout and number of threads", UNMEASURED, "tests/test_bits.py holds them")]


def misses(rows):
    """[(title, section, lines)]: every row that falls short of a demand that several rows are judged by."""
    found = [(demand, demand.misses(rows)) for demand in DEMANDS] + [(THREADS, THREADS.misses(thread_rows(rows)))]
    return [(demand.title, demand.section, lines) for demand, lines in found if lines]


def _mean(rows, work, need):
    title = f"geometric mean of the ratios, float32, {work}"
    ratios = [row["ratio"] for row in rows if row["kind"] == "layer" and row["dtype"] == "float32" and row["work"] == work
              and row["ratio"]]  # fmt: skip
    if not ratios:
        return title, UNMEASURED, ""
    mean = geometric_mean(ratios)
    return title, MET if mean >= need else MISSING, f"{mean:.3g} of {need} over {len(ratios)} row(s)"


def thread_rows(rows):
    """Rows of kind "threads": time with one thread divided by that with two, and the least it should be."""
    layers = {(*(row[part] for part in ("cell", "n_x", "n_a", "m", "T", "dtype", "work")), row["threads"]): row
              for row in rows if row["kind"] == "layer"}  # fmt: skip
    found = []
    for key, row in layers.items():
        if key[-1] != 2:
            continue
        times = [layers.get((*key[:-1], count), {"engines": {}})["engines"].get("fastrnn", {}).get("median") for count in (1, 2)]
        need = _two_threads(row)
        if need and all(times):
            found.append({**row, "kind": "threads", "need": need, "value": times[0] / times[1]})
    return found


def _two_threads(row):
    if not (_square(row, work="inference")):
        return None
    if row["state"] == "far":
        return 1.0
    if row["m"] == 1 and 128 <= row["n_a"] <= 512:
        return 1.6 if row["cell"] == "lstm" else 1.4
    return 1.75 if (row["m"], row["n_a"]) == (32, 128) else None


def _memory(rows):
    """A training step within its allowance and below PyTorch's; the workspace of inference the same at four times T."""
    title, found, wrong = "memory of a training step, and of inference beside its outputs", 0, []
    for row in rows:
        ours, torch = (row.get("peaks", {}).get(engine, {}).get("bytes") for engine in ("fastrnn", "torch"))
        if row["kind"] != "memory" or ours is None:
            continue
        found += 1
        if ours > row["allowed"]:
            wrong.append(f"{row['cell']}: {ours / 2**20:.1f} MiB, allowed {row['allowed'] / 2**20:.1f}")
        if torch is not None and ours >= torch:
            wrong.append(f"{row['cell']}: {ours / 2**20:.1f} MiB, PyTorch {torch / 2**20:.1f}")
        short, long = row["workspace"]
        if None not in (short, long) and long > short + (256 << 10):
            wrong.append(f"{row['cell']} inference: {short / 2**10:.0f} KiB at T, {long / 2**10:.0f} at 4 T")
    if not found:
        return title, UNMEASURED, ""
    return title, MISSING if wrong else MET, "; ".join(wrong) or f"{found} row(s)"
