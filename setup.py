"""The build.  Metadata is in pyproject.toml; here is what it cannot say.

Every file of csrc/isa/ is compiled once per element type with the flags of its instruction set, each into a directory
of its own; all other C is compiled for the platform's baseline.

FASTRNN_BUILD=pure      leave the extension out: the package runs on its NumPy backend
FASTRNN_SANITIZE=LIST   address, undefined, thread, …: adds -fsanitize=LIST everywhere
"""

import glob
import os
import subprocess
import sysconfig
from concurrent.futures import ThreadPoolExecutor

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

ISA_FLAGS = {
    "scalar": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": [
        "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma",
        # gcc prefers 32-byte vectors for loops it vectorises itself; ours want their own width everywhere.
        "-mprefer-vector-width=512",
    ],
    "neon": [],
}  # fmt: skip
ISAS = {"x86_64": ["scalar", "avx2", "avx512"], "aarch64": ["scalar", "neon"], "arm64": ["scalar", "neon"]}

C_FLAGS = ["-O3", "-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden", "-pthread", "-Icsrc"]
WARNINGS = ["-Wall", "-Wextra"]
# Intel's processors from Skylake to Cascade Lake, since the microcode against erratum JCC, decode a loop anew in every round
# if its jump touches a multiple of 32 bytes: a kernel loses up to a tenth by where it happens to be put.  Assemblers before
# binutils 2.34, and those of other processors, don't know the flag.
PADDED_JUMPS = "-Wa,-mbranches-within-32B-boundaries"

# Wrong results (and, at link time, flushed subnormals for the whole process).
REFUSED_FLAGS = ("-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-fassociative-math", "-ffinite-math-only",
                 "-freciprocal-math", "-mdaz-ftz")  # fmt: skip
# Instructions above the baseline where no check of the processor guards them.
NATIVE_FLAGS = ("-march=", "-mcpu=", "-mavx", "-mfma")


def targets():
    """The instruction sets of the platform that is built for, which may not be the one that builds."""
    return ISAS.get(sysconfig.get_platform().rsplit("-", 1)[-1], ["scalar"])


def isa_macros():
    """What csrc/isa/choose.c must know: the instruction sets beside scalar that are compiled."""
    return [(f"FR_WITH_{isa.upper()}", "1") for isa in targets() if isa != "scalar"]


def sources():
    """C files for the baseline; those of csrc/isa/ that are compiled per instruction set are not among them."""
    found = glob.glob("csrc/*.c") + glob.glob("csrc/base/*.c") + glob.glob("csrc/sequence/*.c")
    return sorted(found) + ["csrc/isa/choose.c"]


def headers():
    return sorted(glob.glob("csrc/**/*.h", recursive=True) + glob.glob("csrc/**/*.inc", recursive=True))


def jobs():
    """The cores that this process may use (the affinity mask is Linux's)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def newest(paths):
    return max(os.path.getmtime(path) for path in paths)


def is_fresh(path, inputs):
    return os.path.exists(path) and os.path.getmtime(path) >= newest(inputs)


class BuildExt(build_ext):
    def build_extension(self, ext):
        self.check_flags()
        sanitize = os.environ.get("FASTRNN_SANITIZE", "")
        # -O1 overrides -O3 before it: the kernels under a sanitizer would take many minutes.
        extra = ["-O1", "-g", "-fno-omit-frame-pointer", f"-fsanitize={sanitize}"] if sanitize else []
        if not sanitize and "-g" not in os.environ.get("CFLAGS", "").split():
            extra = ["-g0"]  # the interpreter's own flags ask for -g, which makes a wheel several times larger
        padded = [PADDED_JUMPS] if self.takes(PADDED_JUMPS) else []
        stamp = self.stamp(extra + padded)
        units = self.units(ext, extra, padded)

        stale = [unit for unit in units if self.force or not is_fresh(unit["object"], unit["inputs"] + [stamp])]
        with ThreadPoolExecutor(jobs()) as pool:
            list(pool.map(self.compile_unit, stale))

        objects = [unit["object"] for unit in units]
        path = self.get_ext_fullpath(ext.name)
        if stale or not is_fresh(path, objects):
            print(f"fastrnn: linking {path}", flush=True)
            self.compiler.link_shared_object(objects, path, extra_postargs=["-pthread", *extra])

    def units(self, ext, extra, padded):
        """Everything to compile: source, flags, and the one directory its object goes to."""
        from Cython.Build import cythonize

        (cython,) = cythonize([ext], build_dir=self.build_temp, force=self.force, quiet=True)
        units = [self.unit(path, "cython", C_FLAGS + extra, ext.define_macros) for path in cython.sources]
        for path in sources():
            macros = isa_macros() if path == "csrc/isa/choose.c" else []
            units.append(self.unit(path, "baseline", C_FLAGS + WARNINGS + extra, macros))
        for isa in targets():
            for bits in (32, 64):
                flags = C_FLAGS + WARNINGS + ISA_FLAGS[isa] + padded + extra
                units.append(self.unit(f"csrc/isa/{isa}.c", f"isa/{isa}_f{bits}", flags, [("FR_BITS", str(bits))]))
        # The kernels take longest: started first, they leave no core waiting at the end.
        return units[::-1]

    def unit(self, source, folder, flags, macros=()):
        folder = os.path.join(self.build_temp, folder)
        (path,) = self.compiler.object_filenames([source], output_dir=folder)
        return {"source": source, "folder": folder, "object": path, "flags": flags, "macros": list(macros),
                "inputs": [source, *headers()]}  # fmt: skip

    def compile_unit(self, unit):
        macros = " ".join(f"{name}={value}" for name, value in unit["macros"])
        print(f"fastrnn: compiling {unit['source']} {macros}", flush=True)
        self.compiler.compile(
            [unit["source"]], output_dir=unit["folder"], macros=unit["macros"], extra_postargs=unit["flags"]
        )

    def takes(self, flag):
        """Whether compiler and assembler know a flag."""
        path = os.path.join(self.build_temp, "flag.c")
        os.makedirs(self.build_temp, exist_ok=True)
        with open(path, "w") as file:
            file.write("int fr_flag;\n")
        command = [*self.compiler.compiler_so, flag, "-c", path, "-o", os.path.join(self.build_temp, "flag.o")]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def stamp(self, extra):
        """A file that is newer than every object when compiler or flags have changed since."""
        path = os.path.join(self.build_temp, "flags.txt")
        text = repr((self.compiler.compiler_so, self.compiler.linker_so, C_FLAGS, WARNINGS, ISA_FLAGS, isa_macros(), extra))
        if not os.path.exists(path) or open(path).read() != text:
            os.makedirs(self.build_temp, exist_ok=True)
            with open(path, "w") as file:
                file.write(text)
        return path

    def check_flags(self):
        """The environment's flags come before ours and reach every file."""
        given = [*self.compiler.compiler_so, *self.compiler.linker_so]
        refused = sorted({flag for flag in given if flag in REFUSED_FLAGS})
        if refused:
            raise CompileError(f"fastrnn cannot be built with {' '.join(refused)}: take it out of CFLAGS and LDFLAGS")
        native = sorted({flag for flag in given if flag.startswith(NATIVE_FLAGS)})
        if native:
            print(f"fastrnn: WARNING: {' '.join(native)} in CFLAGS reaches every file, so this build may not run "
                  "on other processors; without it the kernels are chosen at run time", flush=True)  # fmt: skip


def extension():
    # Free-threaded interpreters have no limited interface yet and get a wheel of their own.
    macros = [] if sysconfig.get_config_var("Py_GIL_DISABLED") else [("Py_LIMITED_API", "0x030B0000")]
    return Extension(
        "fastrnn._core",
        ["fastrnn/_core.pyx"],
        depends=sorted(glob.glob("fastrnn/*.px[di]") + sources() + glob.glob("csrc/isa/*.c")) + headers(),
        define_macros=macros,
        py_limited_api=bool(macros),
    )


def main():
    kind = os.environ.get("FASTRNN_BUILD", "")
    if kind not in ("", "pure"):
        raise SystemExit(f"FASTRNN_BUILD: expected pure or nothing, got {kind!r}")
    if kind == "pure":
        setup()
        return
    ext = extension()
    options = {"bdist_wheel": {"py_limited_api": "cp311"}} if ext.py_limited_api else {}
    setup(ext_modules=[ext], cmdclass={"build_ext": BuildExt}, options=options)


if __name__ == "__main__":
    main()
