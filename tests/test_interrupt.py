"""Ctrl-C ends a call that would run for minutes, whichever way its threads share the work."""

import signal
import subprocess
import sys
import time

import pytest

# A shell that starts a program in the background has it ignore the signal, and so would all that it starts.
PROGRAM = """
import signal
import numpy as np, fastrnn
from fastrnn import ops
signal.signal(signal.SIGINT, signal.default_int_handler)
m, n, T = {m}, {n}, {T}
rng = np.random.default_rng(0)
weights = ops.pack("lstm", *(rng.standard_normal((4 * n, n)) for _ in range(2)))
x = np.broadcast_to(rng.standard_normal((1, m, n)), (T, m, n))
with fastrnn.num_threads({threads}):
    if {backward}:
        tape = ops.forward(weights, x, training=True).tape
    print("working", flush=True)
    try:
        while True:
            ops.backward(tape, need_dx=False) if {backward} else ops.forward(weights, x)
    except KeyboardInterrupt:
        print("stopped", flush=True)
print(float(ops.forward(weights, x[:3]).y.sum()) == float(ops.forward(weights, x[:3]).y.sum()))
"""


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize(("m", "n", "T"), [(64, 32, 20000), (1, 512, 6000)], ids=["by_sequences", "by_units"])
@pytest.mark.parametrize("threads", [1, 2])
def test_interrupt(backward, m, n, T, threads):
    if backward:
        T = T // 4  # its tape takes memory
    program = PROGRAM.format(m=m, n=n, T=T, threads=threads, backward=backward)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "working\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert out == "stopped\nTrue\n", err
