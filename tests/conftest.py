"""Fixtures that walk everything that computes here: backends, instruction sets, element types, threads."""

import numpy as np
import pytest

import fastrnn
from fastrnn import _backend

ISAS = tuple(_backend._core.isas()) if _backend._core else ()
_absent = pytest.mark.skip(reason="the C extension is not built: `make test` builds it")
_isas = ISAS or (pytest.param("none", marks=_absent),)
_engines = ("numpy", *(f"native:{isa}" for isa in ISAS)) if ISAS else ("numpy", pytest.param("native", marks=_absent))


@pytest.fixture(params=_isas)
def isa(request):
    """Each instruction set that this machine can run, in force for the test; native backend."""
    yield from _native(request.param)


@pytest.fixture(params=_engines)
def engine(request):
    """ "numpy", then "native:<isa>" for each instruction set that this machine can run, in force for the test."""
    kind, _, name = request.param.partition(":")
    if kind == "native":
        for _ in _native(name):
            yield request.param
        return
    before = fastrnn.get_backend()
    fastrnn.set_backend("numpy")
    yield request.param
    fastrnn.set_backend(before)


def _native(isa):
    # the process-wide switches, so that threads which a test starts run the same
    before, isa_before = fastrnn.get_backend(), _backend._core.isa()
    fastrnn.set_backend("native")
    _backend._core.use_isa(isa)
    yield isa
    _backend._core.use_isa(isa_before)
    fastrnn.set_backend(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(params=[1, 2], ids=["1thread", "2threads"])
def threads(request):
    before = fastrnn.get_num_threads()
    fastrnn.set_num_threads(request.param)
    yield request.param
    fastrnn.set_num_threads(before)
