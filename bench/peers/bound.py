"""The least time a sequence can take, by the formula of the project's performance notes.

One step takes at least

    max(serial flops / peak + elementwise, weight bytes / bandwidth, dependency floor) + exchange

where the serial work is the product with the recurrent weights; everything else (the projection of x, and in
training dx and dW) is parallel over time and runs at peak.  Three readings, each making the bound the lower one:

- of the recurrent weights, what fits a cache level is read at that level's speed, only the rest at the next one's
  (sweeping back and forth over them reaches that);
- a program that was given two threads may use one, so the bound for two is the lower of both;
- training has two serial passes, forward and backward, each at least as long as a step of inference.
"""

CYCLES_A_UNIT = {"rnn": 0.45, "gru": 1.5, "lstm": 2.0}  # elementwise work, float32 in 64-byte vectors
DEPENDENCY = {"rnn": 77, "gru": 140, "lstm": 144}  # cycles from one state to the next that nothing can hide


def reading_time(total, threads, ceilings):
    """Seconds to read `total` bytes that `threads` cores keep between them."""
    left, seconds = total, 0.0
    for level, each in (("L1", threads), ("L2", threads), ("L3", 1)):
        part = min(left, ceilings["sizes"][level] * each)
        seconds += part / ceilings["read"][level][str(threads)]
        left -= part
    return seconds + left / ceilings["read"]["DRAM"][str(threads)]


def _with(case, work, threads, ceilings):
    peak, clock = ceilings["fma"][case.dtype][str(threads)], ceilings["clock"]
    serial = 2 * case.gates * case.n_a**2 * case.m
    slower = case.itemsize / 4 * 64 / ceilings["vector_bytes"]
    elementwise = CYCLES_A_UNIT[case.cell] * slower * case.n_a * case.m / threads / clock
    weights = case.gates * case.n_a**2 * case.itemsize
    step = max(serial / peak + elementwise, reading_time(weights, threads, ceilings), DEPENDENCY[case.cell] / clock)
    if threads > 1:
        step += ceilings["exchange"] or 0.0
    passes = 2 if work == "training" else 1
    parallel = case.flops(work) - passes * serial * case.T
    return passes * step * case.T + parallel / peak


def lower_bound(case, work, threads, ceilings):
    """Seconds that `work` on `case` takes at least on `threads` threads."""
    counts = {1, threads} & {int(count) for count in ceilings["fma"][case.dtype]}
    return min(_with(case, work, count, ceilings) for count in counts)
