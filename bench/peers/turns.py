"""One process an engine, of which only one runs at any moment: the others are stopped, so that no idle pool spins."""

import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from .grid import LAYOUTS, difference, tolerance
from .quiet import Watch

ROOT = Path(__file__).resolve().parents[2]

# What limits each library to an instruction set; ONNX Runtime chooses by the CPU alone and has no such switch.  XLA heeds its
# limit only for what it compiles itself: of the libraries that it calls, YNNPACK has no switch but to be left out (no
# fusion types), and its products are then oneDNN's, which has one.
LIMITS = {
    "avx2": {"FASTRNN_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
             "MKL_ENABLE_INSTRUCTIONS": "AVX2", "OPENBLAS_CORETYPE": "Haswell",
             "XLA_FLAGS": "--xla_cpu_max_isa=AVX2 --xla_cpu_experimental_ynn_fusion_type="}
}  # fmt: skip
UNLIMITED = {"avx2": ("onnxruntime",)}
REASONS = ("absent", "unsupported", "failed", "wrong")
LEAST_TURNS = 3  # of long calls too: one second of a shared machine is no figure


def environment(threads, isa):
    """The settings of a worker's process on top of ours."""
    counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "FASTRNN_NUM_THREADS")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **dict.fromkeys(counts, str(threads)), "PYTHONPATH": path, "JAX_PLATFORMS": "cpu",
            "TF_CPP_MIN_LOG_LEVEL": "3", **LIMITS.get(isa, {})}  # fmt: skip


class Worker:
    """The process of one engine; `why` is None or {reason: text} once nothing more can be asked of it."""

    def __init__(self, name, threads, cpus, isa, extra=None):
        self.name, self.threads, self.why, self.version = name, threads, None, None
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.peers.worker", name, str(threads), *map(str, cpus[:threads])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, cwd=ROOT, bufsize=1,
            env={**environment(threads, isa), **(extra or {})}, start_new_session=True,
        )  # fmt: skip
        hello = self._read(120)
        self.version = hello.get("version")
        if self.version is None:
            self.why = hello
        self._stop()

    @property
    def pid(self):
        return self._process.pid

    def _stop(self):
        """Stop the process and wait until all its threads stand still (or it has ended)."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGSTOP)
            if hasattr(os, "waitid"):
                os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def _continue(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)

    def _read(self, timeout):
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        line = self._process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        if ready:
            self._process.wait(10)
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        end = f"ended with {self._process.returncode}" if ready else f"no answer in {timeout:.0f} s"
        self.why = {"failed": f"{end}{': ' + said[-1][:200] if said else ''}"}
        if not ready:
            self._process.kill()
        return self.why

    def ask(self, timeout=300, pause=0.0, **command):
        """The answer to one command; the process runs only until it has answered."""
        if self.why:
            return self.why
        self._continue()
        time.sleep(pause)
        try:
            print(json.dumps(command), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            pass  # it died while idle: reading says how
        answer = self._read(timeout)
        self._stop()
        return answer

    def close(self):
        self._continue()
        try:
            self._process.stdin.close()
            self._process.wait(5)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()


class Turns:
    """All workers of a run, and measuring with them.  `pace(dtype, cpus)`, where it is set, says how fast the machine is right now;
    "paces" of a result of fastrnn has what it said right after each of its turns."""

    def __init__(self, engines, threads, cpus, isa, *, seconds, rounds, pause):
        self.seconds, self.rounds, self.pause = seconds, rounds, pause
        self.cpus, self.isa, self._started = cpus, isa, []
        self.folder = tempfile.TemporaryDirectory()
        self._expected, self.pace = (None, None), None
        try:
            self.judge = self.start("numpy", len(cpus))
            self.workers = {count: [self.start(name, count) for name in engines] for count in threads}
        except BaseException:
            self.close()
            raise

    def start(self, name, threads, extra=None):
        worker = Worker(name, threads, self.cpus, self.isa, extra)
        self._started.append(worker)
        return worker

    def watch(self):
        """A Watch on what runs beside all workers of this run."""
        return Watch(worker.pid for worker in self._started if not worker.why)

    def stop(self, worker):
        self._started.remove(worker)
        worker.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for worker in self._started:
            worker.close()
        self.folder.cleanup()

    def engines(self):
        """{name: {"version": ...} or why it takes no part}."""
        found = {}
        for worker in (worker for group in self.workers.values() for worker in group):
            found.setdefault(worker.name, worker.why or {"version": worker.version})
        return found

    def answers(self, worker, work):
        """{name: array} of one work that was prepared, or a reason."""
        file = os.path.join(self.folder.name, "answers.npz")
        reply = worker.ask(do="answers", work=work, file=file)
        if failed(reply):
            return None, reply
        with np.load(file) as arrays:
            return {name: arrays[name] for name in arrays.files}, None

    def expected(self, kind, case):
        """Answers of the specification in float64 for every work of a case, remembered for the last case."""
        kind = "layer" if kind == "layouts" else kind
        key = kind, case._replace(dtype="float64")
        if self._expected[0] != key:
            reply = self.judge.ask(do="prepare", kind=kind, case=list(key[1]))
            if failed(reply):
                raise RuntimeError(f"no answers to compare with for {case}: {reply}")
            self._expected = key, {work: self.answers(self.judge, work)[0] for work in reply["works"]}
        return self._expected[1]

    def measure(self, kind, case, threads, works=None, workers=None):
        """{work: {engine: {"median", "turns", "paces", "calls"} or a reason}}; nothing is timed before its answer is right."""
        expected, found, ready = self.expected(kind, case), {}, []
        works = [work for work in expected if works is None or work in works]
        if kind == "layouts":
            works = [f"{work} {layout}" for work in works for layout in LAYOUTS]
        for worker in self.workers[threads] if workers is None else workers:
            reply = worker.ask(do="prepare", kind=kind, case=list(case))
            for work in works:
                right = expected[work.split(" ")[0] if kind == "layouts" else work]
                result = reply if failed(reply) else self._admit(worker, work, right, case, reply)
                found.setdefault(work, {})[worker.name] = result
                if not failed(result):
                    ready.append((worker, work, result))
        self._take_turns(ready, case.dtype)
        return found

    def _admit(self, worker, work, right, case, prepared):
        """An empty result if the worker's answer is right, or the reason why it is not timed."""
        if work not in prepared["works"]:
            return {"unsupported": f"has no {work}"}
        answers, why = self.answers(worker, work)
        if why is None:
            wrong = difference(answers, right, tolerance(case))
            why = {"wrong": wrong} if wrong else None
        return why or {"turns": [], "paces": [], "calls": 0, "note": prepared["note"]}

    def _take_turns(self, ready, dtype):
        """Every work by all workers one right after the other, `rounds` times, LEAST_TURNS times where a call takes longer than
        all turns should: what slows the machine for a second or more falls on all of a round."""
        works = list(dict.fromkeys(work for _, work, _ in ready))
        groups = [[entry for entry in ready if entry[1] == work] for work in works]
        for k in range(self.rounds):
            for group in groups:
                turned = k % len(group)  # nobody always follows the same neighbour
                for worker, work, result in group[turned:] + group[:turned]:
                    if failed(result) or (k >= LEAST_TURNS and result["turns"][-1] > self.seconds):
                        continue
                    reply = worker.ask(do="time", work=work, seconds=self.seconds / self.rounds, pause=self.pause)
                    if failed(reply):
                        result.clear()
                        result.update(reply)
                        continue
                    result["turns"].append(statistics.median(reply["times"]))
                    result["calls"] += len(reply["times"])
                    if self.pace and worker.name == "fastrnn":
                        result["paces"].append(self.pace(dtype, self.cpus[: worker.threads]))
        for _, _, result in ready:
            if not failed(result):
                result["median"] = statistics.median(result["turns"])


def failed(reply):
    return any(reason in reply for reason in REASONS)
