"""The process of one engine: `python -m bench.peers.worker ENGINE THREADS CPU...`, JSON lines in and out.

Commands: {"do": "prepare", "kind": "layer", "case": [...]} answers with the works there are; {"do": "answers", "work":
..., "file": ...} writes arrays to a .npz; {"do": "time", "work": ..., "seconds": ...} discards two calls and answers
with the times of the others; {"do": "memory", "work": ..., "case": [...]} runs one call with its peak.  The parent stops
this process (SIGSTOP) between commands, so nothing here needs to know of the others.
"""

import ctypes
import gc
import json
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1


def time_calls(run, seconds, least=2, clock=time.perf_counter):
    """Seconds of each call of `run` for about `seconds`, after two that are discarded, at least `least` of them.

    Where a call takes over a tenth of a second one is enough: there is nothing left to warm up.
    """
    start = clock()
    run()
    run()
    end = clock()
    times, least, end = [], 1 if end - start > 0.2 else least, end + seconds
    while len(times) < least or clock() < end:
        start = clock()
        run()
        times.append(clock() - start)
    return times


def _status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


def peak_of(run):
    """Bytes by which the memory of this process rose at most during run(); needs Linux."""
    gc.collect()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the peak so far
    before = _status("VmRSS")
    kept = run()
    peak = _status("VmHWM")
    del kept
    return peak - before


class Server:
    def __init__(self, engine):
        self.engine, self.works = engine, {}

    def prepare(self, kind, case):
        from .grid import Case

        self.works = {}  # free what the last case held first
        gc.collect()
        if not hasattr(self.engine, kind):
            return {"unsupported": f"nothing for {kind}"}
        self.works = getattr(self.engine, kind)(Case(*case))
        return {"works": list(self.works), "note": self.engine.note}

    def answers(self, work, file):
        import numpy as np

        np.savez(file, **self.works[work][1]())
        return {}

    def time(self, work, seconds):
        gc.collect()
        gc.disable()
        try:
            return {"times": time_calls(self.works[work][0], seconds)}
        finally:
            gc.enable()

    def memory(self, case, work, kind="layer"):
        """The peak of one call, after a much shorter one of the same shape that loads code and starts threads."""
        from .grid import Case

        if "linux" not in sys.platform:
            return {"unsupported": "needs Linux"}
        case = Case(*case)
        prepare = getattr(self.engine, kind)
        prepare(case._replace(T=1))[work][0]()
        return {"bytes": peak_of(prepare(case)[work][0])}


def main():
    name, threads, *cpus = sys.argv[1:]
    if "linux" in sys.platform:  # a stopped process would outlive a parent that was killed
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if hasattr(os, "sched_setaffinity"):  # before any library counts CPUs
        os.sched_setaffinity(0, set(map(int, cpus)))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers

    def reply(message):
        print(json.dumps(message), file=out, flush=True)

    from .engines import Unsupported, open_engine

    try:
        engine = open_engine(name, int(threads))
    except ImportError as error:
        reply({"absent": str(error)})
        return
    gc.freeze()  # collecting what a library made when it was imported would take longer than many a turn
    reply({"version": engine.version})
    server = Server(engine)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            reply(getattr(server, command.pop("do"))(**command))
        except Unsupported as reason:
            reply({"unsupported": str(reason)})
        except Exception as error:  # an engine's failure is a result of the bench: it goes into the report
            reply({"failed": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
