"""How much of the machine others used while something was measured: on a shared one a figure may be theirs."""

import os
import time
from pathlib import Path

DISTURBED = 0.1  # CPUs; one other process that computes is 1.0


class Watch:
    """From its making on: CPU time that went neither to this process nor to `pids`, stolen time included."""

    def __init__(self, pids, proc="/proc"):
        self._pids, self._proc = list(pids), Path(proc)
        self._begin = self._seconds()

    def _seconds(self):
        """(wall, busy time of all CPUs, busy time of ours) in seconds, or None where the system does not tell."""
        try:
            tick = 1 / os.sysconf("SC_CLK_TCK")
            total = (self._proc / "stat").read_text().splitlines()[0].split()
            # user nice system, not idle iowait, irq softirq steal
            busy = tick * sum(map(int, total[1:4] + total[6:9]))
            ours = 0.0
            for pid in [os.getpid(), *self._pids]:
                fields = (self._proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
                ours += tick * (int(fields[11]) + int(fields[12]))
        except (OSError, ValueError, IndexError):
            return None
        return time.monotonic(), busy, ours

    def others(self):
        """CPUs that others used on average since the start, 0.0 if none; None if it is not known."""
        end = self._seconds()
        if self._begin is None or end is None or end[0] - self._begin[0] < 0.1:
            return None
        wall, busy, ours = (after - before for before, after in zip(self._begin, end))
        return max(0.0, (busy - ours) / wall)
