"""What this machine can do at best, measured in the same run as everything else, by ceilings.c."""

import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("ceilings.c")
FAR = 250e-9  # an exchange slower than this is the "far" state; "near" is 70 to 120 ns
_CACHES = {"L1": (1, 32 << 10), "L2": (2, 1 << 20), "L3": (3, 32 << 20)}  # what is assumed where the system won't say


def usable_cpus():
    """CPUs of this process, one of each core first: two threads are to be two cores."""
    if not hasattr(os, "sched_getaffinity"):
        return list(range(os.cpu_count() or 1))
    cpus, seen, first, rest = sorted(os.sched_getaffinity(0)), set(), [], []
    for cpu in cpus:
        try:
            core = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text().strip()
        except OSError:
            core = str(cpu)
        (rest if core in seen else first).append(cpu)
        seen.add(core)
    return first + rest


def cache_sizes(folder="/sys/devices/system/cpu/cpu0/cache"):
    """{"L1": bytes of a core, "L2": of a core, "L3": shared}."""
    sizes = {name: assumed for name, (_, assumed) in _CACHES.items()}
    for index in Path(folder).glob("index*"):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if kind != "Instruction" and f"L{level}" in sizes:
            sizes[f"L{level}"] = int(size.rstrip("KMG")) << {"K": 10, "M": 20, "G": 30}.get(size[-1], 0)
    return sizes


def vector_bytes(isa):
    return {"avx512": 64, "avx2": 32}.get(isa, 16)


class Ceilings:
    """The compiled program; `why` says why there is none, and then every figure is None."""

    def __init__(self, folder, isa):
        self.why, self.vector_bytes, self.sizes = None, vector_bytes(isa), cache_sizes()
        self._program = Path(folder) / "ceilings"
        compiler = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
        if compiler is None:
            self.why = "no C compiler (cc, gcc, clang): peak, bandwidths and exchange time not measured"
            return
        target = {"avx512": ["-mavx512f", "-mavx512vl", "-mfma"], "avx2": ["-mavx2", "-mfma"]}.get(isa, [])
        command = [compiler, "-std=gnu11", "-O3", "-ffp-contract=fast", *target, f"-DVEC={self.vector_bytes}",
                   str(SOURCE), "-o", str(self._program), "-pthread"]  # fmt: skip
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            self.why = f"{compiler} could not compile ceilings.c: {run.stderr.strip().splitlines()[-1:]}"

    def _measure(self, *words):
        command = [str(self._program), *map(str, words)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)

    def exchange(self, cpus):
        """Seconds for a cache line to the other core and back; None with one CPU or without the program."""
        return None if self.why or len(cpus) < 2 else self._measure("exchange", *cpus[:2])

    def pace(self, dtype, cpus):
        """Floating-point operations a second in this very moment; None without the program."""
        return None if self.why else self._measure("pace" + dtype[-2:], *cpus)

    def measure(self, cpus, threads):
        """All figures as a dict for JSON, or None: keys of threads are strings, rates a second, sizes bytes."""
        if self.why:
            return None
        working = {"L1": self.sizes["L1"] // 2, "L2": self.sizes["L2"] // 2,
                   "DRAM": min(4 * self.sizes["L3"], 256 << 20)}  # fmt: skip
        fma, read = {"float32": {}, "float64": {}}, {level: {} for level in ("L1", "L2", "L3", "DRAM")}
        for count in threads:
            fma["float32"][str(count)] = self._measure("fma32", *cpus[:count])
            fma["float64"][str(count)] = self._measure("fma64", *cpus[:count])
            # several times L2, and all threads together well inside L3, which other machines' guests may share
            working["L3"] = max(2 * self.sizes["L2"], min(4 * self.sizes["L2"], self.sizes["L3"] // (2 * count)))
            for level in read:
                read[level][str(count)] = self._measure("read", working[level], *cpus[:count])
        return {"vector_bytes": self.vector_bytes, "clock": self._measure("clock", cpus[0]), "fma": fma, "read": read,
                "sizes": self.sizes, "exchange": self.exchange(cpus)}  # fmt: skip


def better(one, other):
    """Of two measurements the better figure each: a ceiling is not lowered by what else ran meanwhile."""
    if not isinstance(one, dict):
        return max(one, other)
    return {name: one[name] if name in ("sizes", "exchange") else better(one[name], other[name]) for name in one}


def state(exchange):
    """ "near", "far" or None: figures of one state are not compared with those of the other."""
    return None if exchange is None else "far" if exchange > FAR else "near"
