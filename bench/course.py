"""`python -m bench.course`: the course's functions against plain NumPy, side by side in one process.

Answers are compared first.  Then calls of the two take turns, after two of each that are not counted, so that a
slow moment of the machine falls on both.  Prints medians and their ratio.

NumPy's BLAS has its own threads: both sides run with what the environment gives them (OPENBLAS_NUM_THREADS,
FASTRNN_NUM_THREADS).
"""

import argparse
import statistics
import time

import numpy as np

import fastrnn
from bench import course_numpy
from fastrnn import course

# (n_x, n_a, m, T_x): a small batch; names, one at a time; larger; at the arithmetic limit
SHAPES = [(64, 64, 32, 100), (27, 100, 1, 50), (128, 256, 32, 100), (128, 512, 64, 50)]
KINDS = ("rnn", "lstm", "gru")
_GATES = {"lstm": "fico", "gru": "urc"}


def make(kind, shape, dtype=np.float64, seed=0):
    """x, initial state, parameters and upstream gradients; weights scaled by 1/sqrt(n_a); n_y = n_x."""
    n_x, n_a, m, T_x = shape
    rng = np.random.default_rng(seed)

    def normal(*size, scale=1.0):
        return (scale * rng.standard_normal(size)).astype(dtype)

    scale = n_a**-0.5
    if kind == "rnn":
        p = {"Waa": normal(n_a, n_a, scale=scale), "Wax": normal(n_a, n_x, scale=scale), "ba": normal(n_a, 1),
             "Wya": normal(n_x, n_a, scale=scale), "by": normal(n_x, 1)}
    else:
        p = {f"W{gate}": normal(n_a, n_a + n_x, scale=scale) for gate in _GATES[kind]}
        p |= {f"b{gate}": normal(n_a, 1) for gate in _GATES[kind]}
        p |= {"Wy": normal(n_x, n_a, scale=scale), "by": normal(n_x, 1)}
    return normal(n_x, m, T_x), normal(n_a, m), p, normal(n_a, m, T_x)


def works(kind, shape, dtype=np.float64):
    """{work: (ours, plain NumPy)}, functions without arguments."""
    x, start, parameters, d = make(kind, shape, dtype)

    def pair(module):
        run, back = getattr(module, f"{kind}_forward"), getattr(module, f"{kind}_backward")
        return lambda: run(x, start, parameters), lambda: back(d, run(x, start, parameters)[-1])

    (forward, both), (plain_forward, plain_both) = pair(course), pair(course_numpy)
    return {"forward": (forward, plain_forward), "forward + backward": (both, plain_both)}


def check(kind, shape, dtype=np.float64):
    """Raise AssertionError unless both sides give the same numbers."""
    found = works(kind, shape, dtype)
    tolerance = 1e-10 if dtype == np.float64 else 1e-3
    ours, plain = (function() for function in found["forward"])
    named = dict(zip("ayc", zip(ours[:-1], plain[:-1], strict=True)))
    ours, plain = (function() for function in found["forward + backward"])
    assert ours.keys() == plain.keys()
    named |= {key: (ours[key], plain[key]) for key in ours}
    for name, (actual, expected) in named.items():
        error = np.max(np.abs(actual - expected)) / max(np.max(np.abs(expected)), 1)
        assert actual.shape == expected.shape and error <= tolerance, f"{kind} {shape} {name}: {error:.3g}"


# OpenBLAS's threads spin for 2^28 ticks after a product, a tenth of a second or more: what comes next should have the
# processors to itself.
QUIET = 0.3
TURN = 0.3  # seconds that one side then goes on: a processor that slept is slow at first


def median_times(functions, seconds):
    """Median seconds of each of `functions`, called in turns for about that long together, at least five times.

    A turn starts when the other's threads have gone quiet, with two calls that are not counted.
    """
    times = [[] for _ in functions]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for function, found in zip(functions, times):
            time.sleep(QUIET)
            function()
            function()
            turn = time.perf_counter() + TURN
            while time.perf_counter() < turn or len(found) < 5:
                start = time.perf_counter()
                function()
                found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in times]


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.course", description=__doc__.split("\n")[0])
    parser.add_argument("--shape", type=int, nargs=4, action="append", metavar=("N_X", "N_A", "M", "T"))
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    parser.add_argument("--seconds", type=float, default=6.0, help="time for each line (default 6)")
    options = parser.parse_args()
    dtype = np.dtype(options.dtype)
    settings = fastrnn.config()
    print(f"{options.dtype}, backend {settings['backend']}, {settings['isa']}, {settings['threads']} threads, medians in ms")
    print(f"{'cell':5s}{'n_x, n_a, m, T_x':22s}{'work':20s}{'NumPy':>9s}{'fastrnn':>9s}{'ratio':>7s}")
    for kind in options.kind or KINDS:
        for shape in map(tuple, options.shape or SHAPES):
            check(kind, shape, dtype)
            for work, functions in works(kind, shape, dtype).items():
                ours, plain = median_times(functions, options.seconds)
                sizes = ", ".join(map(str, shape))
                print(f"{kind:5s}{sizes:22s}{work:20s}{plain * 1e3:9.2f}{ours * 1e3:9.2f}{plain / ours:7.2f}", flush=True)


if __name__ == "__main__":
    main()
