"""The report in words: ceilings, tables, means, demands, and the table of the README."""

import textwrap

from .compare import key
from .engines import NAMES, PEERS
from .grid import CELLS, QUICK, WORKS
from .quiet import DISTURBED
from .turns import REASONS

_SHORT = {"fastrnn": "fastrnn", "torch": "PyTorch", "onnxruntime": "ORT", "jax": "JAX", "numpy": "NumPy"}


def microseconds(seconds):
    """Three digits of a time in microseconds, or - ."""
    if seconds is None:
        return "-"
    value = seconds * 1e6
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _time(result):
    """The median; a dash for what an engine has not got, the reason in one word for what went wrong."""
    if "median" in result:
        return microseconds(result["median"])
    return next((r for r in REASONS if r in result and r not in ("absent", "unsupported")), "-")


def _percent(value):
    return "-" if value is None else f"{100 * value:.0f} %"


def heading(document):
    """Machine, engines (the absent ones by name) and ceilings."""
    machine, ceilings = document["machine"], document["ceilings"]
    lines = [f"{machine['cpu']}, CPUs {machine['cpus']}, {document['started']}"]
    if document["isa"]:
        lines.append(f"limited to {document['isa']}; not limited, so not counted as best peer: {', '.join(document['unlimited']) or 'none'}")
    for name, found in document["engines"].items():
        reason = next((f"{r}: {found[r]}" for r in REASONS if r in found), None)
        lines.append(f"  {name:12s} {found['version'] if reason is None else reason}")
    if document["load"] is not None and document["load"] > 0.5:
        lines.append(f"  NOT ALONE: the load of this machine was {document['load']:.1f} before the start; times are unsure")
    if ceilings is None:
        return [*lines, f"  no ceilings: {document['no_ceilings']}"]
    lines.append(f"  clock {ceilings['clock'] / 1e9:.2f} GHz, vectors of {ceilings['vector_bytes']} bytes")
    for what, table, unit in (("FMA peak", ceilings["fma"], "GFLOP/s"), ("read", ceilings["read"], "GB/s")):
        for label, rates in table.items():
            figures = ", ".join(f"{count} thread{'s' * (count != '1')} {rate / 1e9:.0f}" for count, rate in rates.items())
            lines.append(f"  {what} {label}: {figures} {unit}")
    exchange = ceilings["exchange"]
    if exchange is None:
        return [*lines, "  exchange: needs two CPUs"]
    seen = sorted({row["state"] for row in document["rows"] if row.get("state")})
    return [*lines, f"  exchange there and back {exchange * 1e9:.0f} ns at the start; states seen: {', '.join(seen) or '-'}"]


def _layer_table(rows, marks):
    lines = [f"{'cell':5s}{'n_x':>5s}{'n_a':>5s}{'m':>4s}{'T':>4s}{'thr':>4s}" + "".join(f"{_SHORT[n]:>10s}" for n in NAMES)
             + f"{'ratio':>7s}  {'best':8s}{'GF/s':>7s}{'peak':>7s}{'top':>7s}{'bound':>7s}  note"]
    for row in rows:
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
        gflops = "-" if row["gflops"] is None else f"{row['gflops']:.1f}"
        notes = ["SLOWER"] if row["ratio"] and row["ratio"] < 1 else []
        notes += ["far"] if row["state"] == "far" else []
        notes += [f"others used {row['others']:.1f} CPU"] if (row["others"] or 0) > DISTURBED else []
        mark = marks.get(key(row))
        notes += [mark] if mark not in (None, "same", "disturbed") else []
        lines.append(f"{row['cell']:5s}{row['n_x']:5d}{row['n_a']:5d}{row['m']:4d}{row['T']:4d}{row['threads']:4d}"
                     + "".join(f"{_time(row['engines'].get(n, {})):>10.10s}" for n in NAMES)
                     + f"{ratio:>7s}  {_SHORT.get(row['best'], '-'):8s}{gflops:>7s}{_percent(row['peak_fraction']):>7s}"
                     + f"{_percent(row['top_fraction']):>7s}"
                     + f"{_percent(row['bound_fraction']):>7s}  {' '.join(notes)}".rstrip())
    return lines


def tables(document, marks):
    lines, rows = [], sorted(document["rows"], key=lambda row: CELLS.index(row["cell"]))
    layer = [row for row in rows if row["kind"] == "layer"]
    for dtype, work in sorted({(row["dtype"], row["work"]) for row in layer}):
        lines += ["", f"{work}, {dtype}: median us a sequence; peak: of the FMA rate beside each turn, top: of its best second"]
        lines += _layer_table([row for row in layer if (row["dtype"], row["work"]) == (dtype, work)], marks)
    for kind, title in (("step", "one streaming step of an LSTM from Python, m = 1, float32: median us"),
                        ("layouts", "each layout against time-major, float32: median us"),
                        ("course", "the course's functions, float64: median us")):
        found = [row for row in rows if row["kind"] == kind]
        lines += ["", title] if found else []
        for row in found:
            times = ", ".join(f"{_SHORT[name]} {_time(result)}" + (f" ({result['note']})" if result.get("note") else "")
                              for name, result in row["engines"].items())
            against = {"step": row["ratio"], "course": row.get("against"), "layouts": row.get("against")}[kind]
            mark = marks.get(key(row))
            lines.append(f"{row['cell']:5s}{row['n_x']:5d}{row['n_a']:5d}{row['m']:4d} {row['threads']}t {row['work']:19s} {times}"
                         + (f"; ratio {against:.2f}" if against else "") + (f"; {mark}" if mark not in (None, "same") else ""))
    memory = [row for row in rows if row["kind"] == "memory"]
    lines += ["", "peak memory of a training step, MiB; of inference beside its outputs at T and 4 T, KiB"] if memory else []
    for row in memory:
        peaks = ", ".join(f"{_SHORT[n]} " + (f"{r['bytes'] / 2**20:.1f}" if "bytes" in r else next(iter(r)))
                          for n, r in row["peaks"].items())
        space = " and ".join("-" if b is None else f"{b / 2**10:.0f}" for b in row["workspace"])
        lines.append(f"{row['cell']:5s}{row['n_a']:5d}{row['m']:4d}{row['T']:4d} {peaks}, allowed {row['allowed'] / 2**20:.1f}; {space}")
    return lines


def reasons(document):
    """Every wrong answer and failure in full, and each thing an engine has not got once."""
    lines = []
    for row in document["rows"]:
        for name, result in row.get("engines", {}).items():
            for reason in ("wrong", "failed"):
                if reason in result:
                    lines.append(f"{name}, {reason}: {row['cell']} {row['n_x']}->{row['n_a']} m={row['m']} {row['dtype']} "
                                 f"{row['work']} {row['threads']}t: {result[reason]}")
            if "unsupported" in result:
                lines.append(f"{name}: {result['unsupported']}")
    return list(dict.fromkeys(lines))


def text(document, marks=None, gone=()):
    """The whole report."""
    lines = [*heading(document), *tables(document, marks or {}), ""]
    lines += [f"ratio, geometric mean: {group}: {mean:.2f} over {count}" for group, (mean, count) in document["means"].items()]
    lines += ["", f"what it must show, over {'the whole grid' if document['whole'] else 'these rows, which are not the whole grid'}"] + [f"  {verdict:12s} {title}" + (f": {detail}" if detail else "")
                                          for title, verdict, detail in document["demands"]]
    for title, section, short in document["misses"]:
        lines += ["", f"what misses \"{title}\", worst first (tried, and the limit: docs/performance.md, \"{section}\")"]
        lines += textwrap.wrap(" · ".join(short), 128, initial_indent="  ", subsequent_indent="  ")
    lines += [""] + reasons(document)
    lines += [f"skipped for lack of time: {', '.join(document['skipped'])}"] if document["skipped"] else []
    if marks is not None:
        counts = {mark: list(marks.values()).count(mark) for mark in ("worse", "wrong", "gone", "better", "same", "other state", "disturbed")}
        lines.append("against the older run: " + ", ".join(f"{count} {mark}" for mark, count in counts.items()))
        lines += [f"only in the older run: {len(gone)} rows"] if gone else []
    return "\n".join(lines).rstrip() + "\n"


def readme(document):
    """A Markdown table of the quick shapes, float32, with the most threads that were measured: a line a shape."""
    rows = [row for row in document["rows"] if row["kind"] == "layer" and row["dtype"] == "float32"]
    most = max((row["threads"] for row in rows), default=0)
    found = {(row["work"], row["cell"], row["n_x"], row["n_a"], row["m"], row["T"]): row for row in rows if row["threads"] == most}
    peers = [_SHORT[name] for name in PEERS if "version" in document["engines"].get(name, ())]
    head = ["work", "n", "m", "T", *CELLS]
    lines = [f"Median µs, float32, {most} threads, {document['machine']['cpu']}, and by how many times the best of "
             f"{', '.join(peers)} takes longer:", "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]  # fmt: skip
    for work in WORKS:
        for shape in QUICK:
            here = [found.get((work, cell, *shape)) for cell in CELLS]
            cells = [work, *shape[1:], *("-" if row is None else _beside(row) for row in here)]
            lines += [f"| {' | '.join(map(str, cells))} |"] if any(here) else []
    return "\n".join(lines) + "\n"


def _beside(row):
    ratio = f" ({row['ratio']:.2f}×)" if row["ratio"] else ""
    return _time(row["engines"].get("fastrnn", {})) + ratio
