"""Which backend computes, with which instruction set, on how many threads; and the report of all that.

`set_backend` and `set_num_threads` hold for the process; `with backend(...)` and `with num_threads(...)` go before
them, in their own thread or task only.
"""

import math
import operator
import os
import platform
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from . import reference

try:
    import fastrnn._core as _core
except ModuleNotFoundError as error:
    # Only its absence is allowed: one that does not load must be heard of.
    if error.name != "fastrnn._core":
        raise
    _core = None

_NO_EXTENSION = "has no C extension (a pure build, or not built yet: run `make build`)"
_MODULES = {"native": _core, "numpy": reference}
_OWNERS = {
    "weights": {module.Weights: module for module in (reference, _core) if module},
    "linear": {module.Linear: module for module in (reference, _core) if module},
    "tape": {module.Tape: module for module in (reference, _core) if module},
    "stream": {module.Stream: module for module in (reference, _core) if module},
}

_MAX_THREADS = 2**31 - 1  # that of a C int

# What only others know about the package (its version), for config().
facts = {}


def _module(name, asked):
    """The backend called `name`, or an error that starts with who asked for it."""
    if not isinstance(name, str) or name not in _MODULES:
        raise ValueError(f"{asked}: expected one of native, numpy, got {name!r}")
    if _MODULES[name] is None:
        raise ValueError(f"{asked}: {name!r} is not available, as this fastrnn {_NO_EXTENSION}")
    return _MODULES[name]


def _decimal(text):
    """The number that decimal digits spell, else `text`.  Those too long for a count are no number either."""
    return int(text) if text.isdecimal() and len(text) <= 20 else text


def _integer(n, asked):
    """`n` as a number of threads, or an error that starts with who asked for it."""
    try:
        count = 0 if isinstance(n, (bool, np.bool_)) else operator.index(n)
    except TypeError:
        count = 0
    if not 1 <= count <= _MAX_THREADS:
        wanted = f"of at most {_MAX_THREADS}" if count > _MAX_THREADS else "of at least 1"
        raise ValueError(f"{asked}: expected an integer {wanted}, got {n!r}")
    return count


def _name_of(module):
    return "numpy" if module is reference else "native"


_local_backend = ContextVar("fastrnn_backend", default=None)
_local_threads = ContextVar("fastrnn_threads", default=None)


def active():
    """The backend module in force here."""
    return _local_backend.get() or _process_backend


def owner(name, thing):
    """The backend module that made `thing`, which is to be a `name`: "weights", "linear", "tape" or "stream"."""
    try:
        return _OWNERS[name][type(thing)]
    except KeyError:
        wanted = {"weights": "weights made by fastrnn.ops.pack", "linear": "weights made by fastrnn.ops.pack_linear"}
        label = "weights" if name in wanted else name
        made = wanted.get(name, f"a {name} made by fastrnn.ops")
        raise TypeError(f"{label}: expected {made}, got {type(thing).__name__}") from None


def set_backend(name):
    """Compute with "native" (the C extension) or "numpy" (the specification, slower) from now on.

    Weights that exist already stay with the backend that packed them.
    """
    global _process_backend
    _process_backend = _module(name, "backend")


def get_backend():
    """The name of the backend in force: "native" or "numpy"."""
    return _name_of(active())


@contextmanager
def backend(name):
    """Compute with another backend inside a `with`, in this thread or task only."""
    token = _local_backend.set(_module(name, "backend"))
    try:
        yield
    finally:
        _local_backend.reset(token)


def set_num_threads(n):
    """Let each call use up to n threads, the caller's included. Results are the same for any n."""
    global _process_threads
    _process_threads = _integer(n, "n")


def get_num_threads():
    """How many threads a call may use."""
    return _local_threads.get() or _process_threads


@contextmanager
def num_threads(n):
    """Allow another number of threads inside a `with`, in this thread or task only."""
    token = _local_threads.set(_integer(n, "n"))
    try:
        yield
    finally:
        _local_threads.reset(token)


def config():
    """What runs here, as a dict: versions, backend, instruction sets, CPU features, threads."""
    return {
        **facts,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "backend": get_backend(),
        "extension": _core is not None,
        "isa": _core.isa() if _core else None,
        "isas": tuple(_core.isas()) if _core else (),
        "cpu_features": _core.cpu_features() if _core else (),
        "threads": get_num_threads(),
        "cpus": _usable_cpus(),
    }


def show_config():
    """Print what `config` returns."""
    for key, value in config().items():
        if key == "extension":
            value = "yes" if value else f"no: this fastrnn {_NO_EXTENSION}; NumPy computes, slower"
        elif isinstance(value, (tuple, list, set, frozenset)):
            value = ", ".join(map(str, value)) or "none"
        print(f"{key.replace('_', ' '):13s} {'none' if value is None else value}")


def _usable_cpus():
    """CPUs that this process may keep busy: the affinity mask, within the cgroup's limit."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(count, _cgroup_limit(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")))


def _cgroup_limit(membership, root):
    """The CPU quota of our control group and those above it, in whole CPUs; infinite if there is none.

    Rounded down: a thread that waits for one that the kernel has put to sleep waits for most of a period.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return math.inf
    limit = math.inf
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            base = root
        elif "cpu" in controllers.split(","):  # version 1
            base = root / "cpu"
        else:
            continue
        # In a container the path may be the host's, of which we see only the end: try it and all above it.
        group = base / path.lstrip("/")
        for folder in (group, *group.parents):
            limit = min(limit, _quota(folder))
            if folder == base:
                break
    return limit


def _quota(folder):
    """CPUs that the quota files in one cgroup folder allow."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        if quota in ("max", "-1"):
            return math.inf
        return max(1, int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _default_threads(environ):
    """FASTRNN_NUM_THREADS, else OMP_NUM_THREADS, else the usable CPUs."""
    if text := environ.get("FASTRNN_NUM_THREADS", "").strip():
        return _integer(_decimal(text), "FASTRNN_NUM_THREADS")
    # OpenMP's variable may be a list, one number a nesting level. It is not ours: like OpenMP, pass over nonsense.
    first = _decimal(environ.get("OMP_NUM_THREADS", "").split(",")[0].strip())
    return first if isinstance(first, int) and 1 <= first <= _MAX_THREADS else _usable_cpus()


def _default_backend(environ):
    if name := environ.get("FASTRNN_BACKEND", "").strip():
        return _module(name, "FASTRNN_BACKEND")
    return _core or reference


def _force_isa(environ):
    if not (name := environ.get("FASTRNN_ISA", "").strip()):
        return
    if _core is None:
        raise ValueError(f"FASTRNN_ISA: {name!r} is not available, as this fastrnn {_NO_EXTENSION}")
    if name not in (usable := tuple(_core.isas())):
        raise ValueError(f"FASTRNN_ISA: expected one of {', '.join(usable)}, got {name!r}")
    _core.use_isa(name)


def _is_command():
    """Whether this is the command line, `python -m fastrnn` or `fastrnn`, before any code of its own has run.

    Until it has found its module, Python calls the program "-m"; the module's name stands before the program's arguments.
    """
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    return program in ("fastrnn", "fastrnn.exe") or program == "-m" and sys.orig_argv[-len(sys.argv)] in ("fastrnn", "-mfastrnn")


try:
    _process_backend = _default_backend(os.environ)
    _process_threads = _default_threads(os.environ)
    _force_isa(os.environ)
except ValueError as error:
    if not _is_command():
        raise
    print(f"fastrnn: {error}", file=sys.stderr)  # what can't be used ends the command line in one line, with status 2
    raise SystemExit(2) from None
