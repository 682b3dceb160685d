"""The transpose under every layout and packed matrix: all bits, no byte outside."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ISAS

ROOT = Path(__file__).resolve().parent.parent


def isa_flags(isa):
    spec = importlib.util.spec_from_file_location("fastrnn_setup", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ISA_FLAGS[isa]


@pytest.mark.parametrize("sanitize", ["", "address,undefined"])
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("isa", ISAS)
def test_transpose(tmp_path, isa, bits, sanitize):
    """transpose_check.c: all sizes up to a few vectors, strides of both signs, between two guard pages."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler")
    program = tmp_path / "transpose_check"
    flags = ["-O1", "-g", f"-fsanitize={sanitize}", "-fno-sanitize-recover"] if sanitize else ["-O3"]
    command = [
        compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-ffp-contract=off", *flags,
        *isa_flags(isa), f"-DFR_BITS={bits}", f'-DSIMD="simd/{isa}.h"', f"-I{ROOT / 'csrc'}",
        str(ROOT / "tests" / "transpose_check.c"), "-o", str(program),
    ]  # fmt: skip
    built = subprocess.run(command, capture_output=True, text=True)
    if sanitize and "cannot find" in built.stderr:
        pytest.skip(f"the compiler has no run-time library for -fsanitize={sanitize}")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.returncode, done.stdout + done.stderr)
