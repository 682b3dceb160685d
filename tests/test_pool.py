"""The thread pool: the same results for everyone who calls, and no trace when nobody does."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import fastrnn
from fastrnn import _backend, ops

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(_backend._core is None, reason="the pool is in the C extension: run `make build`")
linux = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="reads /proc/self/task")

# Large enough that a second thread pays (csrc/sequence/plan.inc), small enough to repeat.
PROGRAM = """
import os, sys, threading, time
import numpy as np
import fastrnn
from fastrnn import ops

def problem(n=48, m=16, T=96):
    draw = np.random.default_rng(1).standard_normal
    weights = ops.pack("lstm", draw((4 * n, n)) / 7, draw((4 * n, n)) / 7)
    return weights, draw((T, m, n))

def run(threads, **sizes):
    weights, x = problem(**sizes)
    with fastrnn.num_threads(threads):
        return ops.forward(weights, x).y.tobytes()

def tasks():
    return set(os.listdir("/proc/self/task"))
"""


def python(text, timeout=120):
    env = {key: value for key, value in os.environ.items() if not key.startswith("FASTRNN_")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM + text],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@linux
def test_no_thread_until_the_first_large_call():
    python(
        """
before = tasks()
run(2, n=2, m=1, T=3)
assert tasks() == before, "a small call started a thread"
run(1)
assert tasks() == before, "one thread was allowed, and there are more"
run(2)
(worker,) = tasks() - before
run(2)
assert len(tasks() - before) == 1, "the second call started threads again"
"""
    )


@linux
def test_workers_leave_signals_to_the_program():
    python(
        """
before = tasks()
run(2)
(worker,) = tasks() - before
lines = open(f"/proc/self/task/{worker}/status").read().splitlines()
(blocked,) = [int(line.split()[1], 16) for line in lines if line.startswith("SigBlk")]
assert blocked >> (2 - 1) & 1 and blocked >> (15 - 1) & 1, f"{blocked:x}: SIGINT and SIGTERM reach the worker"
import signal
for fault in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL):
    assert not blocked >> (fault - 1) & 1, f"{blocked:x}: nobody is told that {fault.name} ended the program"
"""
    )


@pytest.mark.parametrize("call", [
    "live = fastrnn.GRU(128, 128, seed=0).stream(500); index, x = np.arange(400), np.ones((400, 128), 'f'); "
    "call = lambda: live.step(x, index)",
    "index, table = np.zeros((1000, 400), np.intp), np.ones((5, 4), 'f'); call = lambda: ops.take_rows(table, index)",
    "index, dy = np.zeros((1000, 40), np.intp), np.ones((1000, 40, 4), 'f'); call = lambda: ops.add_rows(5, index, dy)",
    "index, x = np.zeros((1000, 40), np.intp), np.ones((1000, 40, 4), 'f'); call = lambda: ops.loss('softmax', x, index=index)",
], ids=["step", "take", "add", "loss"])  # fmt: skip
def test_what_another_thread_writes_to_an_index_meanwhile(call):
    """It may be an error or any result, but nothing is read or written elsewhere: a second of this ended in a crash."""
    python(
        call + """
sys.setswitchinterval(1e-5)
last, stop = index.reshape(-1), threading.Event()
good = int(last[-1])
def write():
    while not stop.is_set(): last[-1] = 1 << 45; last[-1] = good
writer = threading.Thread(target=write, daemon=True)
writer.start()
end = time.monotonic() + 1
while time.monotonic() < end:
    try: call()
    except ValueError: pass
stop.set()
writer.join()
"""
    )


def test_idle_pool_uses_no_time():
    python(
        """
run(2)
time.sleep(0.05)
start = time.process_time()
time.sleep(0.5)
used = time.process_time() - start
assert used < 0.01, f"{used:.3f} s of processor time in 0.5 s of sleep"
"""
    )


def test_a_forked_child_computes():
    """The child has none of the parent's threads; it must neither wait for them nor differ."""
    python(
        """
import signal
right = run(2)
for attempt in range(3):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if run(2) == right and run(2) == right else 1)
    assert os.waitpid(child, 0)[1] == 0
assert run(2) == right
"""
    )


def test_a_child_forked_during_a_region_computes():
    python(
        """
import signal
right = run(2)
stop = threading.Event()
def busy():
    while not stop.is_set():
        run(2)
thread = threading.Thread(target=busy)
thread.start()
statuses = []
for attempt in range(10):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if run(2) == right else 1)
    statuses.append(os.waitpid(child, 0)[1])
stop.set()
thread.join()
assert statuses == [0] * 10, statuses
"""
    )


@linux
def test_workers_round_as_their_caller_does():
    """Rounding up is the mode that libm lets us set from here; flushing subnormals is in the same register."""
    python(
        """
import ctypes, ctypes.util
libm = ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")
upward = {"x86_64": 0x800, "aarch64": 0x400000}.get(os.uname().machine)
if upward is None: sys.exit()
nearest = run(2)
assert libm.fesetround(upward) == 0
alone, together = run(1), run(2)
libm.fesetround(0)
assert alone != nearest, "the mode changed nothing: this test proves nothing"
assert alone == together
assert run(2) == nearest
"""
    )


def test_while_other_programs_take_every_cpu():
    """Who waits then sleeps between looks (csrc/base/pool.c)."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]
    try:
        python("right = run(1)\nassert all(run(2) == right for _ in range(100))")
    finally:
        for other in others:
            other.kill()
            other.wait()


def problem():
    draw = np.random.default_rng(2).standard_normal
    n, m, T = 40, 24, 64
    weights = ops.pack("gru_after", draw((3 * n, n)) / 6, draw((3 * n, n)) / 6, draw(3 * n), draw(3 * n))
    return weights, draw((T, m, n)), draw((T, m, n))


def results(weights, x, dy):
    forward = ops.forward(weights, x, training=True)
    gradients = ops.backward(forward.tape, dy)
    return [part.tobytes() for part in (forward.y, gradients.dx, gradients.dW_x, gradients.dW_a, gradients.db_x)]


def test_more_threads_than_cores_same_bits(isa):
    given = problem()
    with fastrnn.num_threads(1):
        alone = results(*given)
    for threads in (2, 3, 7):
        with fastrnn.num_threads(threads):
            assert results(*given) == alone, threads


def test_many_python_threads_at_once(isa):
    given = problem()
    with fastrnn.num_threads(1):
        alone = results(*given)
    wrong = []

    def call():
        with fastrnn.num_threads(2):
            for _ in range(5):
                if results(*given) != alone:
                    wrong.append(threading.current_thread().name)

    callers = [threading.Thread(target=call) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=120)
    assert not [caller for caller in callers if caller.is_alive()], "some callers never came back"
    assert not wrong


@pytest.mark.parametrize("sanitize", ["", "thread", "address", "undefined"])
def test_the_pool_alone(tmp_path, sanitize):
    """pool_check.c: regions, barriers, nesting, several callers and forks, on the C interface."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler")
    program = tmp_path / "pool_check"
    sources = [ROOT / "tests" / "pool_check.c", ROOT / "csrc" / "base" / "pool.c", ROOT / "csrc" / "base" / "cpu.c"]
    flags = ["-O1", "-g", f"-fsanitize={sanitize}"] if sanitize else ["-O3"]
    command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-pthread", *flags, f"-I{ROOT / 'csrc'}"]
    built = subprocess.run([*command, *map(str, sources), "-o", str(program)], capture_output=True, text=True)
    if sanitize and "cannot find" in built.stderr:
        pytest.skip(f"the compiler has no run-time library for -fsanitize={sanitize}")
    assert built.returncode == 0, built.stderr

    # ThreadSanitizer does not follow a child of a process with threads; AddressSanitizer's own allocator may be locked by
    # another thread at the fork, and the child's new worker then waits for that lock for ever.
    sizes = {"thread": ["300", "0"], "address": ["2000", "0"]}.get(sanitize, ["2000", "10"])
    fixed = ["setarch", os.uname().machine, "-R"] if sanitize == "thread" and shutil.which("setarch") else []
    done = subprocess.run([*fixed, str(program), *sizes], capture_output=True, text=True, timeout=300)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("ThreadSanitizer cannot run with this kernel's address layout")
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stdout + done.stderr
