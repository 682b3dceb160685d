"""What the compiler really wrote, and what a user really installs."""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from setuptools.errors import CompileError

ROOT = Path(__file__).resolve().parent.parent
TEMP = ROOT / "build" / f"temp.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"

x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="VEX and EVEX are x86's")


def built(pattern):
    """The objects of the build in place."""
    if not (TEMP / "flags.txt").exists():
        pytest.skip("no build in place: run `make build`")
    if not shutil.which("objdump"):
        pytest.skip("objdump is missing (package binutils)")
    found = sorted(TEMP.glob(pattern))
    assert found, f"no object {pattern} in {TEMP}"
    return found


def objdump(*arguments):
    return subprocess.run(["objdump", *map(str, arguments)], capture_output=True, text=True, check=True).stdout


# ---- instructions ----

# VEX without a vector register or a v in front: BMI.
BMI = {"andn", "bextr", "blsi", "blsmsk", "blsr", "bzhi", "mulx", "pdep", "pext", "rorx", "sarx", "shlx", "shrx"}
NOT_VECTOR = {"verr", "verw"}


def wide_instructions(path):
    """The instructions of an object that the x86-64 baseline has not."""
    wide = []
    for line in objdump("-d", "--no-show-raw-insn", path).splitlines():
        found = re.match(r"\s*[0-9a-f]+:\s+((?:(?:lock|rep\w*|data16|notrack|bnd|cs|ds)\s+)*)(\w+)(.*)", line)
        if found:
            mnemonic, operands = found[2], found[3]
            vector = mnemonic.startswith("v") and mnemonic not in NOT_VECTOR
            if vector or mnemonic.rstrip("lq") in BMI or mnemonic in BMI or re.search(r"%(ymm|zmm|k[0-7])", operands):
                wide.append(line.strip())
    return wide


@x86
def test_only_isa_objects_have_wide_instructions():
    paths = [path for path in built("**/*.o") if path.stem not in ("avx2", "avx512")]
    assert {"cpu", "pool", "choose", "scalar", "_core"} <= {path.stem for path in paths}
    wrong = {path.name: wide[:3] for path in paths if (wide := wide_instructions(path))}
    assert not wrong, f"VEX or EVEX instructions in baseline objects: {wrong}"


@x86
@pytest.mark.parametrize("bits", [32, 64])
def test_the_instruction_check_can_fail(bits):
    (avx2,) = built(f"isa/avx2_f{bits}/**/*.o")
    (avx512,) = built(f"isa/avx512_f{bits}/**/*.o")
    assert len(wide_instructions(avx2)) > 1000
    assert any("vfmadd" in line and "%ymm" in line for line in wide_instructions(avx2))
    assert not any(re.search(r"%(zmm|k[0-7])", line) for line in wide_instructions(avx2))
    assert any("vfmadd" in line and "%zmm" in line for line in wide_instructions(avx512))


@x86
def test_scalar_does_not_fuse():
    for path in built("isa/scalar_f*/**/*.o"):
        assert "vfmadd" not in objdump("-d", "--no-show-raw-insn", path)


# ---- symbols ----


def defined_globals(path):
    """{name: hidden} of the symbols an object offers to the linker."""
    found = {}
    for line in objdump("-t", path).splitlines():
        match = re.match(r"[0-9a-f]+ (?P<flags>.{7}) (?P<section>\S+)\t[0-9a-f]+ +(?P<hidden>\.hidden )?(?P<name>\S+)$", line)
        if match and match["section"] != "*UND*" and (match["flags"][0] in "gu!" or match["flags"][1] == "w"):
            found[match["name"]] = bool(match["hidden"])
    return found


def test_kernel_objects_hide_all_but_offer_one_table():
    paths = built("isa/*/**/*.o")
    assert len(paths) in (4, 6)
    for path in paths:
        isa_bits = path.relative_to(TEMP / "isa").parts[0]
        assert defined_globals(path) == {f"fr_table_{isa_bits}": True}


def test_the_extension_exports_its_entry_only():
    built("**/_core.o")
    (path,) = (ROOT / "fastrnn").glob("_core*.so")
    lines = [line for line in objdump("-T", path).splitlines() if re.match(r"[0-9a-f]{8,}", line)]
    names = {line.split()[-1] for line in lines if "*UND*" not in line}
    assert names == {"PyInit__core"}


def test_the_build_in_place_is_a_limited_one():
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("free-threaded interpreters have no limited interface")
    built("**/_core.o")
    assert [path.name for path in (ROOT / "fastrnn").glob("_core*.so")] == ["_core.abi3.so"]


# ---- flags ----


@pytest.fixture(scope="module")
def setup_module_():
    spec = importlib.util.spec_from_file_location("fastrnn_setup", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_flags(module, *flags):
    command = SimpleNamespace(compiler=SimpleNamespace(compiler_so=["cc", *flags], linker_so=["cc"]))
    module.BuildExt.check_flags(command)


@pytest.mark.parametrize("flag", ["-ffast-math", "-Ofast", "-funsafe-math-optimizations"])
def test_fast_math_is_refused(setup_module_, flag):
    with pytest.raises(CompileError, match=flag):
        check_flags(setup_module_, "-O2", flag)


@pytest.mark.parametrize("flag", ["-march=native", "-mcpu=native", "-mavx2"])
def test_native_flags_bring_a_warning(setup_module_, capsys, flag):
    check_flags(setup_module_, "-O2", flag)
    assert f"WARNING: {flag}" in capsys.readouterr().out
    check_flags(setup_module_, "-O2")
    assert capsys.readouterr().out == ""


# ---- instruction sets ----


CHOICE = """
#include <stdio.h>
#include "isa/choose.h"
#include "base/cpu.h"
unsigned fr_cpu_features(void) { return ~0u; }
int main(void) { for (int isa = 0; isa < fr_isa_count(); isa++) puts(fr_isa_name(isa)); return !fr_table(0, 32); }
"""


@pytest.mark.parametrize("name", ["linux-x86_64", "linux-aarch64", "macosx-11.0-arm64", "macosx-11.0-universal2",
                                  "linux-riscv64"])  # fmt: skip
def test_what_is_chosen_from_is_what_is_compiled(setup_module_, tmp_path, monkeypatch, name):
    """choose.c links with tables for the compiled instruction sets and no others, whatever the compiler's platform."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler `cc`")
    monkeypatch.setattr(setup_module_.sysconfig, "get_platform", lambda: name)
    expected = setup_module_.targets()
    assert expected[0] == "scalar" and (len(expected) == 1) == name.endswith(("universal2", "riscv64"))
    tables = "".join(f"const int fr_table_{isa}_f{bits} = 1;\n" for isa in expected for bits in (32, 64))
    (tmp_path / "main.c").write_text(CHOICE)
    (tmp_path / "tables.c").write_text(tables)
    macros = [f"-D{macro}={value}" for macro, value in setup_module_.isa_macros()]
    succeed("cc", "-std=c11", "-Icsrc", *macros, "csrc/isa/choose.c", tmp_path / "main.c", tmp_path / "tables.c",
            "-o", tmp_path / "choice", cwd=ROOT)  # fmt: skip
    assert succeed(tmp_path / "choice", cwd=ROOT).split() == expected


def test_aarch64_compiles_without_warnings(setup_module_, monkeypatch):
    """What no build on x86 reads: the NEON vocabulary above all.  docs/hacking.md says how to run it, too."""
    if not shutil.which("aarch64-linux-gnu-gcc"):
        pytest.skip("no cross compiler (package gcc-aarch64-linux-gnu)")
    monkeypatch.setattr(setup_module_.sysconfig, "get_platform", lambda: "linux-aarch64")
    monkeypatch.chdir(ROOT)
    compiler = "aarch64-linux-gnu-gcc", "-fsyntax-only", "-Werror", *setup_module_.C_FLAGS, *setup_module_.WARNINGS
    macros = [f"-D{macro}={value}" for macro, value in setup_module_.isa_macros()]
    succeed(*compiler, *macros, *setup_module_.sources(), cwd=ROOT)
    kernels = [f"csrc/isa/{isa}.c" for isa in setup_module_.targets()]
    for bits in (32, 64):
        succeed(*compiler, f"-DFR_BITS={bits}", *kernels, cwd=ROOT)


# ---- what a user installs ----


def run(*command, cwd, **environment):
    env = {key: value for key, value in os.environ.items() if not key.startswith("FASTRNN_")} | environment
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def succeed(*command, cwd, **environment):
    status, output = run(*command, cwd=cwd, **environment)
    assert status == 0, output[-5000:]
    return output


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    succeed(
        sys.executable, "setup.py", "-q", "egg_info", "--egg-base", folder, "sdist", "--dist-dir", folder, cwd=ROOT
    )  # fmt: skip
    (path,) = folder.glob("*.tar.gz")
    return path


def install(source, folder, **environment):
    """Builds a wheel with nothing but what is installed here; returns it and the folder it was installed into."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    succeed(*pip, "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", folder, source,
            cwd=folder, **environment)  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    succeed(*pip, "install", "--no-deps", "--no-index", "--target", folder / "site", wheel, cwd=folder)
    return wheel, folder / "site"


def python(site, text):
    """Runs a program that sees the installed package before any other."""
    text = f"import sys; sys.path.insert(0, {str(site)!r})\nimport fastrnn, numpy as np\n{text}"
    return succeed(sys.executable, "-c", text, cwd=site.parent)


WORK = """
assert fastrnn.__file__.startswith(sys.path[0]), fastrnn.__file__
layer = fastrnn.LSTM(3, 5, seed=1)
y, (h, c) = layer(np.ones((7, 2, 3), np.float32))
assert y.shape == (7, 2, 5) and np.isfinite(y).all()
print(fastrnn.get_backend())
fastrnn.show_config()
"""


@pytest.mark.slow
def test_the_sdist_has_all_that_is_tracked(sdist):
    try:
        tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git working tree")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    missing = set(tracked.splitlines()) - packed - {".gitignore"}
    assert not {name for name in missing if (ROOT / name).exists()}


LEFT = ["tests/core", "tests/.hypothesis/examples/1", "tests/.pytest_cache/README.md", "tests/peers.json",
        "bench/peers.png", "bench/.ipynb_checkpoints/course-checkpoint.py", "bench/ceilings", "bench/peers/a.o",
        "docs/.DS_Store", "docs/notes.md~", "examples/model.npz", "examples/__pycache__/a.py", ".ci/log",
        "tests/.#cases.py"]  # fmt: skip


@pytest.mark.slow
def test_the_sdist_has_nothing_that_was_left_lying(sdist, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    for name in LEFT:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("left")
    succeed(sys.executable, "setup.py", "-q", "sdist", cwd=source)
    (again,) = (source / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as before, tarfile.open(again) as after:
        # the sdist's own description of itself apart
        was, now = ({n.partition("/")[2] for n in a.getnames() if ".egg-info" not in n} for a in (before, after))
    assert not (now - was) & set(LEFT) and now >= was


@pytest.mark.slow
def test_a_wheel_from_the_sdist_works(sdist, tmp_path):
    wheel, site = install(sdist, tmp_path)
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert "-cp311-abi3-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert any(re.fullmatch(r"fastrnn/_core\S*\.so", name) for name in names)
    assert "fastrnn/data/dinosaurs.txt" in names and "fastrnn/data/places.txt" in names
    assert not [name for name in names if name.endswith((".pyx", ".pxd", ".pxi", ".c", ".h", ".inc"))]
    assert not [name for name in names if name.startswith(("tests", "bench", "csrc"))]
    assert python(site, WORK).splitlines()[0] == "native"


@pytest.mark.slow
def test_a_pure_package_works_and_says_so(sdist, tmp_path):
    wheel, site = install(sdist, tmp_path, FASTRNN_BUILD="pure")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")]
    output = python(site, WORK)
    assert output.splitlines()[0] == "numpy"
    assert "pure" in output or "without the extension" in output, output
    output = python(site, "try: fastrnn.set_backend('native')\nexcept Exception as error: print('refused:', error)")
    assert output.startswith("refused:")


@pytest.mark.slow
def test_a_failed_compile_stops_the_build(sdist, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    for isa in (source / "csrc" / "isa").glob("*.c"):
        isa.write_text("#error stop here\n")
    status, output = run(sys.executable, "setup.py", "build_ext", cwd=source)
    assert status != 0 and "stop here" in output
    status, output = run(sys.executable, "setup.py", "build_ext", cwd=source, FASTRNN_BUILD="fast")
    assert status != 0 and "FASTRNN_BUILD: expected pure" in output
