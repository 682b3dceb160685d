"""From times to what they mean: the best peer, ratio, GFLOP/s, fraction of peak and of the lower bound."""

import math
import statistics

from .bound import lower_bound
from .engines import PEERS
from .turns import UNLIMITED


def times_as_long(one, other):
    """By how much `one` result took longer than `other`: the median over rounds of the ratio in each, so that a slow second of
    the machine, which falls on both, falls out."""
    rounds = [a / b for a, b in zip(one.get("turns", ()), other.get("turns", ()))]
    return statistics.median(rounds) if rounds else one["median"] / other["median"]


def fraction(flops, result, paces, peak):
    """Of the FMA rate that the machine had in the same seconds: the median over rounds; of `peak` where none was measured."""
    rounds = [flops / seconds / pace for seconds, pace in zip(result.get("turns", ()), paces)]
    return statistics.median(rounds) if rounds else flops / result["median"] / peak


def row(kind, case, threads, work, engines, isa=None, exchange=None, state=None, others=None):
    """One line of the report, without what depends on ceilings."""
    found = {"kind": kind, **case._asdict(), "threads": threads, "work": work, "exchange": exchange, "state": state,
             "others": others, "engines": engines, "best": None, "ratio": None}  # fmt: skip
    unlimited = UNLIMITED.get(isa, ())
    ours = engines.get("fastrnn", {})
    peers = [name for name in PEERS if "median" in engines.get(name, ()) and name not in unlimited]
    if "median" in ours:
        ratios = {name: times_as_long(engines[name], ours) for name in peers}
        found["best"] = min(ratios, key=ratios.get, default=None)
        found["ratio"] = ratios.get(found["best"])
    elif peers:
        found["best"] = min(peers, key=lambda name: engines[name]["median"])
    return found


def add_ceilings(found, case, ceilings):
    """gflops of fastrnn; fraction of FMA peak, of the best peer's too; lower bound and the fraction of it reached.

    Fractions of peak are of the rate measured beside each turn, `top_fraction` is of the best second of the whole run.
    """
    ours = found["engines"].get("fastrnn", {})
    seconds, paces = ours.get("median"), ours.get("paces", ())
    work = {"forward": "inference", "forward + backward": "training"}.get(found["work"], found["work"])
    flops = case.flops(work)
    found["gflops"] = flops / seconds / 1e9 if seconds else None
    for name in ("peak_fraction", "top_fraction", "best_peak_fraction", "bound", "bound_fraction"):
        found[name] = None
    if ceilings is None:
        return found
    peak = ceilings["fma"][case.dtype][str(found["threads"])]
    found["bound"] = lower_bound(case, work, found["threads"], {**ceilings, "exchange": found["exchange"] or ceilings["exchange"]})
    if seconds:
        found["peak_fraction"] = fraction(flops, ours, paces, peak)
        found["top_fraction"] = flops / seconds / peak
        found["bound_fraction"] = found["bound"] / seconds
    if found["best"]:
        found["best_peak_fraction"] = fraction(flops, found["engines"][found["best"]], paces, peak)
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
