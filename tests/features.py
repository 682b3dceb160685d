"""Cells and runs with any of the features beyond the plain ones: made data, and the equations once more by hand."""

from types import SimpleNamespace

import numpy as np
from cases import BLOCKS, GATES, sensible
from independent import sigmoid

from fastrnn import ops

OF_CELLS = ("peephole", "coupled", "clip", "projection", "norm")
OF_RUNS = ("lengths", "reset", "reverse", "drop", "masks", "zoneout")
ONLY_LSTM = ("peephole", "coupled", "projection")
NOT_SLSTM = (*ONLY_LSTM, "clip", "norm", "masks", "zoneout")
EPS = 1e-5


def features(cell):
    """The names of all that a cell and its run can be asked for."""
    without = {"lstm": (), "slstm": NOT_SLSTM}.get(cell, ONLY_LSTM)
    return [name for name in OF_CELLS + OF_RUNS if name not in without]


def build(cell, asked, sizes=(3, 4, 3, 6), dtype="float64", seed=0):
    """A cell with the features `asked`, a run and the gradients that come back to it; arrays time-major.

    `arrays` holds all that has a gradient, by name. Past the ends of rows, if there are any, stands NaN.
    """
    n_x, n_a, m, T = sizes
    rng = np.random.default_rng([seed, len(asked), *sizes])
    rows, lstm, n_c = GATES[cell] * n_a, cell == "lstm", BLOCKS.get(cell, 0) * n_a
    n_h = n_a // 2 + 1 if "projection" in asked else n_a

    def normal(*shape, scale=1.0):
        return (scale * rng.standard_normal(shape)).astype(dtype)

    arrays = {
        "x": normal(T, m, n_x), "a0": normal(m, n_h), "c0": normal(m, n_c),
        "W_x": normal(rows, n_x, scale=n_x**-0.5), "W_a": normal(rows, n_h, scale=n_h**-0.5),
        "b_x": normal(rows, scale=0.3), "b_a": normal(rows, scale=0.3),
    }  # fmt: skip
    if not n_c:
        del arrays["c0"]
    if cell == "slstm":
        arrays["c0"][:, n_a : 2 * n_a] = sensible(arrays["c0"][:, n_a : 2 * n_a])
    if "peephole" in asked:
        arrays["peephole"] = normal(3, n_a)
    if "projection" in asked:
        arrays["projection"] = normal(n_h, n_a, scale=n_a**-0.5)
    if "norm" in asked:
        for side, n in (("x", rows), ("a", rows), ("c", n_a))[: 2 + lstm]:
            arrays["gain_" + side] = 1 + normal(n, scale=0.3)
            arrays["shift_" + side] = normal(n, scale=0.3)
    dy, dcells = normal(T, m, n_h), normal(T, m, n_c) if n_c else None
    run = {}
    if "lengths" in asked:
        run["lengths"] = rng.integers(0, T + 1, m)
        run["lengths"][rng.integers(0, m)] = 0 if T == 0 else T
        for array in (arrays["x"], dy, dcells):
            if array is not None:
                array[np.arange(T)[:, np.newaxis] >= run["lengths"]] = np.nan
    if "reset" in asked:
        run["reset"] = rng.random((T, m)) < 0.3
    if "reverse" in asked:
        run["reverse"] = True
    if "drop" in asked:
        run["drop"] = (rng.random((m, n_h)) < 0.7).astype(dtype) / np.dtype(dtype).type(0.7)
    if "masks" in asked:
        run["zoneout"] = rng.random((T, m, n_h)) < 0.3, rng.random((T, m, n_a)) < 0.3 if lstm else None
    elif "zoneout" in asked:
        run["zoneout"] = 0.3
    return SimpleNamespace(
        cell=cell, sizes=sizes, n_h=n_h, arrays=arrays, run=run, coupled="coupled" in asked,
        clip=0.6 if "clip" in asked else None, dy=dy, dcells=dcells,
        dstate=(normal(m, n_h), normal(m, n_c))[: 1 + (n_c > 0)],
    )  # fmt: skip


def pack(case, arrays=None):
    arrays = {**case.arrays, **(arrays or {})}
    norm = {name: arrays[name] for name in arrays if name.startswith(("gain", "shift"))}
    return ops.pack(
        case.cell, *(arrays[name] for name in ("W_x", "W_a", "b_x", "b_a")), peephole=arrays.get("peephole"),
        coupled=case.coupled, clip=case.clip, projection=arrays.get("projection"), norm=norm or None,
    )  # fmt: skip


def forward(case, arrays=None, training=False):
    """The Result of ops.forward, with other values in some arrays."""
    arrays = {**case.arrays, **(arrays or {})}
    state = tuple(arrays[name] for name in ("a0", "c0") if name in arrays)
    cells = case.cell in BLOCKS
    return ops.forward(pack(case, arrays), arrays["x"], state, training=training, cells=cells, **case.run)


def everything(case):
    """All results by name: y, cells, aT, cT, and the gradient of each of `arrays` under its name with a d before it."""
    y, state, cells, tape = forward(case, training=True)
    g = ops.backward(tape, case.dy, case.dstate, case.dcells)
    found = {"y": y, "cells": cells, "dx": g.dx, **dict(zip(("aT", "cT"), state)), **dict(zip(("da0", "dc0"), g.dstate))}
    found.update({"d" + name: getattr(g, "d" + name) for name in ("W_x", "W_a", "b_x", "b_a")})
    found.update({"d" + name: value for name, value in g.extras.items()})
    return {name: value for name, value in found.items() if value is not None}


# ---- the equations by hand: one sequence, one step at a time, vectors ----


def by_hand(case):
    """y, cells and the final states, from the equations alone."""
    n_x, n_a, m, T = case.sizes
    lstm = case.cell in BLOCKS
    y, cells = np.zeros((T, m, case.n_h)), np.zeros((T, m, BLOCKS.get(case.cell, 1) * n_a))
    last = [array.copy() for name, array in case.arrays.items() if name in ("a0", "c0")]
    lengths, reset = case.run.get("lengths", [T] * m), case.run.get("reset")
    backwards = case.run.get("reverse", False)
    for j in range(m):
        a, c = last[0][j], last[1][j] if lstm else None
        steps = list(range(lengths[j]))
        for t in reversed(steps) if backwards else steps:
            starts = t + 1 if backwards else t
            if reset is not None and starts < lengths[j] and reset[starts, j]:
                a, c = 0 * a, 0 * c if lstm else None
            new_a, new_c = _step(case, case.arrays["x"][t, j], a, c, j)
            a, c = _zoned(case, t, j, 0, a, new_a), _zoned(case, t, j, 1, c, new_c) if lstm else None
            y[t, j] = a
            if lstm:
                cells[t, j] = c
        for array, value in zip(last, (a, c)):
            array[j] = value
    return {"y": y, "aT": last[0], **({"cells": cells, "cT": last[1]} if lstm else {})}


def _zoned(case, t, j, which, old, new):
    zoneout = case.run.get("zoneout")
    if isinstance(zoneout, tuple):
        return np.array([o if keep else n for keep, o, n in zip(zoneout[which][t, j], old, new)])
    return new if zoneout is None else zoneout * old + (1 - zoneout) * new


def _step(case, x, a, c, j):
    w, n_a = case.arrays, case.sizes[1]
    seen = a * case.run["drop"][j] if "drop" in case.run else a

    def bound(v):
        return v if case.clip is None else np.minimum(np.maximum(v, -case.clip), case.clip)

    def normal(v, which, rows=slice(None)):
        if "gain_" + which not in w:
            return v
        mean = sum(v) / len(v)
        variance = sum((e - mean) ** 2 for e in v) / len(v)
        return (v - mean) / np.sqrt(variance + EPS) * w["gain_" + which][rows] + w["shift_" + which][rows]

    def side(which, v, rows=slice(None)):
        return normal(w["W_" + which][rows] @ v, which, rows) + w["b_" + which][rows]

    def gate(k):
        return range(k * n_a, (k + 1) * n_a)

    if case.cell.startswith("rnn"):
        z = bound(side("x", x) + side("a", seen))
        return np.tanh(z) if case.cell == "rnn_tanh" else np.maximum(z, 0), None
    if case.cell == "lstm":
        rows = [*gate(0), *gate(2), *gate(3)] if case.coupled else slice(None)
        z = (side("x", x, rows) + side("a", seen, rows)).reshape(-1, n_a)
        z = dict(zip("igo" if case.coupled else "ifgo", z))
        p = dict(zip("ifo", w.get("peephole", np.zeros((3, n_a)))))
        i, g = sigmoid(bound(z["i"] + p["i"] * c)), np.tanh(bound(z["g"]))
        f = 1 - i if case.coupled else sigmoid(bound(z["f"] + p["f"] * c))
        c = f * c + i * g
        a = sigmoid(bound(z["o"] + p["o"] * c)) * np.tanh(normal(c, "c"))
        return w["projection"] @ a if "projection" in w else a, c
    if case.cell == "slstm":
        z_i, z_f, z_g, z_o = (side("x", x) + side("a", seen)).reshape(4, n_a)
        c, n, m = c.reshape(3, n_a)
        f, i = sigmoid(z_f) * np.exp(m), np.exp(z_i)  # the sums themselves, and only then in units of exp(m)
        c, n, unit = f * c + i * np.tanh(z_g), f * n + i, np.where(n == 0, i, np.maximum(f, i))
        return sigmoid(z_o) * c / n, np.concatenate([c / unit, n / unit, np.log(unit)])
    x_r, x_z, x_n = side("x", x).reshape(3, n_a)
    if case.cell == "gru_after":
        a_r, a_z, a_n = side("a", seen).reshape(3, n_a)
        r, z = sigmoid(bound(x_r + a_r)), sigmoid(bound(x_z + a_z))
        n = np.tanh(bound(x_n + r * a_n))
    else:
        a_r, a_z = side("a", seen, [*gate(0), *gate(1)]).reshape(2, n_a)
        r, z = sigmoid(bound(x_r + a_r)), sigmoid(bound(x_z + a_z))
        n = np.tanh(bound(x_n + side("a", r * seen, [*gate(2)])))
    return (1 - z) * n + z * a, None
