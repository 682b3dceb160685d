"""A run against an older one: what got worse."""

import math

from .quiet import DISTURBED

LIMIT = 0.1  # a change of the ratio below this is noise
OWN_LIMIT = 0.05

_KEY = ("kind", "cell", "n_x", "n_a", "m", "T", "dtype", "threads", "work")

# figures of a row of which more is better; the first that both runs have is compared
_QUALITIES = {
    "layer": [lambda row: row["ratio"], lambda row: row["bound_fraction"]],
    "step": [lambda row: row["ratio"]],
    "course": [lambda row: row["against"]],
    "layouts": [lambda row: row["against"] and 1 / row["against"]],
}


def key(row):
    return tuple(row[name] for name in _KEY)


def mark(old, new, same_machine):
    """ "worse", "better", "same", "wrong", "gone", "other state" or "disturbed" for one row; None where there is nothing to compare.

    What is compared is a ratio measured side by side in each run: to the best peer, to plain NumPy, to time-major.
    Without it the fraction of the lower bound, and without that the time, on the same machine only.
    """
    if new["kind"] == "memory":
        return _of_change(*(1 / row["peaks"]["fastrnn"].get("bytes", math.nan) for row in (old, new)))
    ours_old, ours_new = (row["engines"].get("fastrnn", {}) for row in (old, new))
    if "wrong" in ours_new:
        return "wrong"
    if "median" not in ours_old:
        return None
    if "median" not in ours_new:
        return "gone"
    if new["threads"] > 1 and None not in (old["state"], new["state"]) and old["state"] != new["state"]:
        return "other state"
    if any((row.get("others") or 0) > DISTURBED for row in (old, new)):
        return "disturbed"
    own = ours_old["median"] / ours_new["median"]
    for quality in _QUALITIES[new["kind"]]:
        before, after = quality(old), quality(new)
        if before and after:
            found = _of_change(before, after)
            # on one machine the own time must have changed too: a peer's lucky day is no regression
            moved = {"worse": own < 1 - OWN_LIMIT, "better": own > 1 / (1 - OWN_LIMIT), "same": True}
            return found if not same_machine or moved[found] else "same"
    return _of_change(1.0, own) if same_machine else None


def _of_change(before, after):
    """A verdict on a figure of which more is better; None if one is missing."""
    change = after / before
    if math.isnan(change):
        return None
    return "worse" if change < 1 - LIMIT else "better" if change > 1 / (1 - LIMIT) else "same"


def compare(old, new):
    """{key: mark} for every row of the new document, and the keys of rows that only the old one has."""
    same = old["machine"]["cpu"] == new["machine"]["cpu"]
    before = {key(row): row for row in old["rows"]}
    marks = {key(row): mark(before[key(row)], row, same) for row in new["rows"] if key(row) in before}
    return marks, [name for name in before if name not in {key(row) for row in new["rows"]}]
