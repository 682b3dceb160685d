"""Which backend, instruction set and number of threads are in force, and who may say so."""

import inspect
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import ISAS

import fastrnn
from fastrnn import _backend, ops, reference

native = pytest.mark.skipif(_backend._core is None, reason="the C extension is not built: `make test` builds it")
ROOT = Path(fastrnn.__file__).resolve().parents[1]


def python(code, **environ):
    """Run `code` in a new interpreter; its standard output, or on failure the last line it complained with."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("FASTRNN_", "OMP_"))}
    env["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**env, **environ}, capture_output=True, text=True, timeout=120
    )
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def test_the_extension_is_there():
    if _backend._core is None:
        if os.environ.get("CI") and os.environ.get("FASTRNN_BUILD") != "pure":
            pytest.fail("in CI the C extension must be built, so that its tests don't pass by not running")
        pytest.skip("the C extension is not built: `make test` builds it")
    assert fastrnn.config()["extension"] is True


# ---- the two backends are one contract ----

FUNCTIONS = ("forward", "backward", "forward_many", "backward_many", "activate", "linear_forward", "linear_backward", "loss", "take_rows", "add_rows",
             "scan", "scan_backward", "chance")


@native
@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_are_the_same(name):
    assert inspect.signature(getattr(_backend._core, name)) == inspect.signature(getattr(reference, name))


@native
@pytest.mark.parametrize("name", ["Weights", "Tape", "Linear", "Stream", "Evaluation", "Training"])
def test_constructors_are_the_same(name):
    ours, theirs = getattr(reference, name), getattr(_backend._core, name)
    assert inspect.signature(theirs) == inspect.signature(ours)


@native
def test_tables_are_the_same():
    assert tuple(_backend._core.CELLS) == reference.CELLS
    assert dict(_backend._core.TAPE_NAMES) == reference.TAPE_NAMES


@native
@pytest.mark.parametrize("kind, names", [("Tape", ["read"]), ("Stream", ["step", "clear", "read", "write", "take", "put"])])
def test_methods_are_the_same(kind, names):
    for name in names:
        ours, theirs = (inspect.signature(getattr(getattr(m, kind), name)) for m in (reference, _backend._core))
        assert [(p.name, p.default) for p in ours.parameters.values()] == [(p.name, p.default) for p in theirs.parameters.values()]


def test_weights_stay_with_their_backend(engine):
    weights = ops.pack("lstm", np.ones((8, 3)), np.ones((8, 2)))
    assert (weights.cell, weights.n_x, weights.n_a, weights.gates, weights.dtype) == ("lstm", 3, 2, 4, "float64")
    assert _backend.owner("weights", weights) is _backend.active()
    with fastrnn.backend("numpy"):
        tape = ops.forward(weights, np.ones((2, 1, 3)), training=True).tape
    assert type(tape).__module__ == type(weights).__module__
    assert tape.weights is weights and (tape.T, tape.m) == (2, 1)


# ---- instruction sets ----


def test_a_forced_instruction_set_is_in_force(isa):
    assert _backend._core.isa() == isa
    assert fastrnn.config()["isa"] == isa and fastrnn.get_backend() == "native"
    assert isa in fastrnn.config()["isas"]


def test_weights_run_on_the_kernels_of_the_forced_instruction_set(isa, dtype):
    """Lanes come from the table that the kernels are called through: 16, 32 or 64 bytes of vector."""
    weights = ops.pack("lstm", np.ones((8, 3), dtype), np.ones((8, 2), dtype))
    assert weights.lanes * np.dtype(dtype).itemsize == {"scalar": 16, "neon": 16, "avx2": 32, "avx512": 64}[isa]


def test_scalar_differs_from_the_fused_ones_in_bits():
    """The proof that a forced instruction set computes: a sum that rounds once with FMA and twice without."""
    if len(ISAS) < 2:
        pytest.skip("one instruction set only")
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in ((40, 50), (40, 40))]
    x = rng.standard_normal((3, 4, 50)).astype(np.float32)
    bits, before = {}, _backend._core.isa()
    try:
        with fastrnn.backend("native"):
            for isa in ISAS:
                _backend._core.use_isa(isa)
                bits[isa] = ops.forward(ops.pack("rnn_tanh", *arrays), x).y.tobytes()
    finally:
        _backend._core.use_isa(before)
    assert all(bits[isa] != bits["scalar"] for isa in ISAS if isa != "scalar")


def test_use_isa_refuses_others(isa):
    with pytest.raises(ValueError, match=isa):
        _backend._core.use_isa("sse9")
    assert _backend._core.isa() == isa


@pytest.mark.parametrize("name", ["avx1024", "AVX2 "])
def test_environment_forces_no_unknown_instruction_set(name):
    said = python("import fastrnn", FASTRNN_ISA=name)
    assert said.startswith("ValueError: FASTRNN_ISA: expected ") and said.endswith(f"got {name.strip()!r}")
    for isa in ISAS:
        assert isa in said


def test_environment_forces_an_instruction_set(isa):
    assert python("import fastrnn; print(fastrnn.config()['isa'])", FASTRNN_ISA=isa) == isa


def test_the_strongest_instruction_set_is_the_default():
    if not ISAS:
        pytest.skip("the C extension is not built: `make test` builds it")
    assert python("import fastrnn; print(fastrnn.config()['isa'])") == ISAS[-1]


# ---- switching backends ----


def test_switching(engine):
    name = engine.partition(":")[0]
    assert fastrnn.get_backend() == name
    with fastrnn.backend("numpy"):
        assert fastrnn.get_backend() == "numpy" and _backend.active() is reference
    assert fastrnn.get_backend() == name


def test_a_with_ends_when_its_block_fails():
    before = fastrnn.get_backend(), fastrnn.get_num_threads()
    with pytest.raises(KeyError), fastrnn.backend("numpy"), fastrnn.num_threads(7):
        assert (fastrnn.get_backend(), fastrnn.get_num_threads()) == ("numpy", 7)
        raise KeyError
    assert (fastrnn.get_backend(), fastrnn.get_num_threads()) == before


def test_a_with_holds_for_its_own_thread_only():
    inside, seen = threading.Event(), []
    before = fastrnn.get_num_threads()

    def other():
        inside.wait(10)
        seen.append(fastrnn.get_num_threads())

    thread = threading.Thread(target=other)
    thread.start()
    with fastrnn.num_threads(before + 5):
        inside.set()
        thread.join(10)
    assert seen == [before]


@pytest.mark.parametrize("name", ["torch", "", "Native", None, 1])
def test_unknown_backends(name):
    text = f"backend: expected one of native, numpy, got {name!r}"
    for switch in (fastrnn.set_backend, lambda name: fastrnn.backend(name).__enter__()):
        with pytest.raises(ValueError) as caught:
            switch(name)
        assert str(caught.value) == text


def test_native_without_the_extension_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(_backend._MODULES, "native", None)
    with pytest.raises(ValueError, match="^backend: 'native' is not available, .* has no C extension .*`make build`"):
        fastrnn.set_backend("native")


HIDDEN = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name == "fastrnn._core":
            raise ModuleNotFoundError("gone", name=name)
sys.meta_path.insert(0, Hide())
"""


def test_a_pure_build_computes_and_says_so():
    said = python(HIDDEN + "import fastrnn; fastrnn.show_config()")
    assert "NumPy computes" in said and "numpy" in said and "not built yet: run `make build`" in said
    assert python(HIDDEN + "import fastrnn; print(fastrnn.get_backend())") == "numpy"
    for variable in ("FASTRNN_BACKEND", "FASTRNN_ISA"):
        value = {"FASTRNN_ISA": "scalar"}.get(variable, "native")
        said = python(HIDDEN + "import fastrnn", **{variable: value})
        assert said.startswith(f"ValueError: {variable}: {value!r} is not available") and "no C extension" in said


def test_an_extension_that_does_not_load_is_heard_of():
    broken = HIDDEN.replace("ModuleNotFoundError", "ImportError")
    assert python(broken + "import fastrnn") == "ImportError: gone"


def test_environment_chooses_the_backend():
    assert python("import fastrnn; print(fastrnn.get_backend())", FASTRNN_BACKEND="numpy") == "numpy"
    said = python("import fastrnn", FASTRNN_BACKEND="mkl")
    assert said == "ValueError: FASTRNN_BACKEND: expected one of native, numpy, got 'mkl'"


# ---- threads ----


def test_threads_are_set(threads):
    assert fastrnn.get_num_threads() == threads
    with fastrnn.num_threads(np.int64(3)):
        assert fastrnn.get_num_threads() == 3
    assert fastrnn.get_num_threads() == threads


@pytest.mark.parametrize("n", [0, -1, 1.0, "2", None, True, np.array([1, 2]), 2**31], ids=str)
def test_bad_numbers_of_threads(n):
    before = fastrnn.get_num_threads()
    for switch in (fastrnn.set_num_threads, lambda n: fastrnn.num_threads(n).__enter__()):
        with pytest.raises(ValueError) as caught:
            switch(n)
        limit = "most 2147483647" if n is not None and type(n) is int and n > 1 else "least 1"
        assert str(caught.value).startswith(f"n: expected an integer of at {limit}, got")
        assert str(caught.value).endswith(f"got {n!r}")
    assert fastrnn.get_num_threads() == before


def test_environment_of_threads(monkeypatch):
    monkeypatch.setattr(_backend, "_usable_cpus", lambda: 9)
    threads = _backend._default_threads
    assert threads({}) == 9
    assert threads({"FASTRNN_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}) == 3
    assert threads({"FASTRNN_NUM_THREADS": "", "OMP_NUM_THREADS": "5"}) == 5
    assert threads({"OMP_NUM_THREADS": "4,2"}) == 4
    assert threads({"OMP_NUM_THREADS": "many"}) == 9
    for foreign in ("0", "99999999999", "9" * 5000, "99999999999,2", "-3", ""):
        assert threads({"OMP_NUM_THREADS": foreign}) == 9
    for bad in ("0", "-2", "two", "1.5", "99999999999", "9" * 5000):
        limit = "most 2147483647" if bad == "99999999999" else "least 1"
        with pytest.raises(ValueError, match=f"^FASTRNN_NUM_THREADS: expected an integer of at {limit}, got "):
            threads({"FASTRNN_NUM_THREADS": bad})


def test_a_bad_environment_is_heard_of_at_import():
    said = python("import fastrnn", FASTRNN_NUM_THREADS="two")
    assert said == "ValueError: FASTRNN_NUM_THREADS: expected an integer of at least 1, got 'two'"
    assert python("import fastrnn; print(fastrnn.get_num_threads())", FASTRNN_NUM_THREADS="3") == "3"


def test_cpus_are_those_we_may_use():
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity masks on this system")
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import fastrnn; "
    assert python(code + "print(fastrnn.get_num_threads())") == "1"


def group(tmp_path, membership, files):
    (tmp_path / "cgroup").write_text(membership)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return _backend._cgroup_limit(tmp_path / "cgroup", tmp_path / "fs")


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        ("0::/a/b\n", {"fs/a/b/cpu.max": "max 100000\n"}, math.inf),
        ("0::/a/b\n", {"fs/a/b/cpu.max": "350000 100000\n"}, 3),
        ("0::/a/b\n", {"fs/a/b/cpu.max": "max 100000", "fs/a/cpu.max": "200000 100000"}, 2),
        ("0::/\n", {"fs/cpu.max": "50000 100000\n"}, 1),
        ("0::/seen/from/outside\n", {"fs/cpu.max": "400000 100000\n"}, 4),
        ("4:cpu,cpuacct:/a\n", {"fs/cpu/a/cpu.cfs_quota_us": "250000", "fs/cpu/a/cpu.cfs_period_us": "100000"}, 2),
        ("4:cpu:/a\n", {"fs/cpu/a/cpu.cfs_quota_us": "-1", "fs/cpu/a/cpu.cfs_period_us": "100000"}, math.inf),
        ("4:memory:/a\n", {"fs/cpu/cpu.cfs_quota_us": "100000", "fs/cpu/cpu.cfs_period_us": "100000"}, math.inf),
        ("0::/\n", {"fs/cpu.max": "nonsense\n"}, math.inf),
        ("", {}, math.inf),
    ],
)
def test_control_groups(tmp_path, membership, files, limit):
    assert group(tmp_path, membership, files) == limit


def test_no_control_groups(tmp_path):
    assert _backend._cgroup_limit(tmp_path / "absent", tmp_path) == math.inf


# ---- the report ----


def test_config(capsys):
    config = fastrnn.config()
    assert config["version"] == fastrnn.__version__
    assert config["numpy"] == np.__version__
    assert config["isas"] == ISAS
    assert config["threads"] == fastrnn.get_num_threads() >= 1
    fastrnn.show_config()
    shown = capsys.readouterr().out
    for key in config:
        assert key.replace("_", " ") in shown
    assert fastrnn.__version__ in shown
