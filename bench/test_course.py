"""The course's functions, native and in plain NumPy: `python -m pytest bench --benchmark-only`.

For ratios from one process in turns: `python -m bench.course`.
"""

import pytest

from bench.course import KINDS, SHAPES, check, works

WORKS = ("forward", "forward + backward")


@pytest.mark.parametrize("side", ["fastrnn", "numpy"])
@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x{}a{}m{}T{}".format(*s))
@pytest.mark.parametrize("kind", KINDS)
def test_course(benchmark, kind, shape, work, side):
    check(kind, shape)
    benchmark.group = f"{kind} {shape} {work}"
    benchmark(works(kind, shape)[work][side == "numpy"])
