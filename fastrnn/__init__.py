"""fastrnn: recurrent networks at the speed of the CPU, for people who have NumPy and want nothing else."""

__version__ = "0.1.0"

from . import _backend, ops
from ._backend import (
    backend,
    config,
    get_backend,
    get_num_threads,
    num_threads,
    set_backend,
    set_num_threads,
    show_config,
)

_backend.facts["version"] = __version__

__all__ = [
    "backend",
    "config",
    "get_backend",
    "get_num_threads",
    "num_threads",
    "ops",
    "set_backend",
    "set_num_threads",
    "show_config",
]
