"""One module an engine.  Each has a class Engine; `open_engine` imports that module and nothing of the others.

An Engine is made with the number of threads its process may use and offers
- `version`: what is measured;
- `layer(case)`: {work: (run, answers)} for the works "inference" and "training" of one case.  `run()` is what is
  timed; `answers()` runs once and returns {name: array}, in time-major layout with PyTorch's gate order;
- optionally `step(case)`, `layouts(case)`, `course(case)`: the same for the other kinds of work.
What an engine has not got it answers with Unsupported, which names the reason.
"""

import importlib

NAMES = ("fastrnn", "torch", "onnxruntime", "jax")
PEERS = NAMES[1:]


class Unsupported(Exception):
    """This engine has no such work; the message says why."""


def open_engine(name, threads):
    return importlib.import_module(f"{__name__}.{name}").Engine(threads)
