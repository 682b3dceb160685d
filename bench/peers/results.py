"""From times to what they mean: the best peer, ratio, GFLOP/s, fraction of peak and of the lower bound."""

import math

from .bound import lower_bound
from .engines import PEERS
from .turns import UNLIMITED


def row(kind, case, threads, work, engines, isa=None, exchange=None, state=None, others=None):
    """One line of the report, without what depends on ceilings."""
    found = {"kind": kind, **case._asdict(), "threads": threads, "work": work, "exchange": exchange, "state": state,
             "others": others, "engines": engines, "best": None, "ratio": None}  # fmt: skip
    unlimited = UNLIMITED.get(isa, ())
    times = {name: engines[name]["median"] for name in PEERS if "median" in engines.get(name, ()) and name not in unlimited}
    ours = engines.get("fastrnn", {}).get("median")
    if times:
        found["best"] = min(times, key=times.get)
        if ours:
            found["ratio"] = times[found["best"]] / ours
    return found


def add_ceilings(found, case, ceilings):
    """gflops of fastrnn; fraction of FMA peak, of the best peer's too; lower bound and the fraction of it reached."""
    seconds = found["engines"].get("fastrnn", {}).get("median")
    work = {"forward": "inference", "forward + backward": "training"}.get(found["work"], found["work"])
    flops = case.flops(work)
    found["gflops"] = flops / seconds / 1e9 if seconds else None
    found["peak_fraction"] = found["best_peak_fraction"] = found["bound"] = found["bound_fraction"] = None
    if ceilings is None:
        return found
    peak = ceilings["fma"][case.dtype][str(found["threads"])]
    found["bound"] = lower_bound(case, work, found["threads"], {**ceilings, "exchange": found["exchange"] or ceilings["exchange"]})
    if seconds:
        found["peak_fraction"] = flops / seconds / peak
        found["bound_fraction"] = found["bound"] / seconds
    if found["best"]:
        found["best_peak_fraction"] = flops / found["engines"][found["best"]]["median"] / peak
    return found


def geometric_mean(values):
    values = [value for value in values if value]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def means(rows):
    """{"dtype work threads": (geometric mean of the ratios, how many)} over rows of kind layer."""
    groups = {}
    for found in rows:
        if found["kind"] == "layer" and found["ratio"]:
            for threads in (f"{found['threads']} thread{'s' * (found['threads'] > 1)}", "all"):
                groups.setdefault(f"{found['dtype']} {found['work']} {threads}", []).append(found["ratio"])
    return {name: [geometric_mean(ratios), len(ratios)] for name, ratios in sorted(groups.items())}
