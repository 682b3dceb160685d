"""The tree is the architecture: who may include or import whom, how long a file may be, what appears nowhere."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
PACKAGE = ROOT / "fastrnn"

TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "bench", "csrc", "docs",
    "examples", "fastrnn", "pyproject.toml", "setup.py", "tests",
}  # fmt: skip

# ---- C ----

# The first pattern that fits a file decides which headers of ours it may include, and which of the system's.
C_RULES = [
    (r"base/arena\.c", [r"base/.*\.h"], ["stdatomic.h", "stdlib.h", "sys/mman.h"]),
    (r"base/pool\.c", [r"base/.*\.h"], ["pthread.h", "sched.h", "signal.h", "stdatomic.h", "time.h", "unistd.h"]),
    (r"base/cpu\.c", [r"base/.*\.h"], ["cpuid.h"]),
    (r"base/clock\.c", [r"base/.*\.h"], ["time.h"]),
    (r"base/.*", [r"base/.*\.h"], ["stddef.h", "stdint.h"]),
    (r"simd/avx.*\.h", [r"base/.*\.h"], ["immintrin.h"]),
    (r"simd/neon\.h", [r"base/.*\.h"], ["arm_neon.h"]),
    (r"simd/.*\.h", [r"base/.*\.h"], []),
    (r"kernels/kernels\.h", [r"base/.*\.h"], ["stddef.h"]),
    (r"kernels/table\.inc", [r"kernels/.*\.inc"], []),  # the one .inc that gathers the others
    (r"isa/choose\.[ch]", [r"base/.*\.h", r"isa/choose\.h", r"kernels/kernels\.h"], []),
    (r"isa/(?P<isa>\w+)\.c", [r"base/.*\.h", r"kernels/kernels\.h", r"kernels/table\.inc", r"simd/{isa}\.h"], []),
    (r"sequence/.*\.h", [r"fastrnn\.h", r"base/.*\.h"], ["stddef.h", "stdint.h"]),
    (r"sequence/.*\.c", [r"fastrnn\.h", r"base/.*\.h", r"kernels/kernels\.h", r"isa/choose\.h", r"sequence/.*"],
     ["math.h", "stdatomic.h", "string.h", "stddef.h", "stdint.h"]),
    (r".*\.inc", [], []),
    (r"fastrnn\.h", [], ["stddef.h", "stdint.h"]),
    (r"[^/]*\.c", [r"fastrnn\.h", r"base/.*\.h", r"isa/choose\.h", r"sequence/.*\.h"], ["stddef.h", "stdint.h"]),
]  # fmt: skip

# word: the files where it may stand
C_WORDS = {
    r"\b(malloc|calloc|realloc|aligned_alloc|free)\s*\(": ["base/arena.c", "base/pool.c"],
    r"\b(printf|fprintf|puts|perror|abort|exit)\s*\(": [],
    r"\bassert\s*\(": [],
    r"__attribute__": ["base/config.h"],
    r"\b_mm\d*_": ["simd/avx2.h", "simd/avx512.h"],
}


def c_files():
    return sorted(path for path in CSRC.rglob("*") if path.suffix in (".c", ".h", ".inc"))


def name_of(path):
    return path.relative_to(CSRC).as_posix()


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def forbidden_includes(name, text):
    """Lines that say which include is against the rules, and what the rules allow."""
    for pattern, ours, system in C_RULES:
        found = re.fullmatch(pattern, name)
        if found:
            ours = [rule.replace("{isa}", found.groupdict().get("isa") or "") for rule in ours]
            break
    else:
        return [f"csrc/{name} has no place in the tree: no rule of C_RULES fits it"]
    wrong = []
    for bracket, included in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)', without_comments(text), re.M):
        allowed = included in system if bracket == "<" else any(re.fullmatch(rule, included) for rule in ours)
        if not allowed:
            wrong.append(f"csrc/{name} -> {included}; allowed: {' '.join(ours + system) or 'nothing'}")
    return wrong


def test_c_includes():
    assert c_files()
    wrong = [line for path in c_files() for line in forbidden_includes(name_of(path), path.read_text())]
    assert not wrong, "\n".join(["forbidden includes:", *wrong])


@pytest.mark.parametrize(
    "name, line",
    [
        ("base/pool.c", '#include "kernels/kernels.h"'),
        ("kernels/lstm.inc", '#include "kernels/tile.inc"'),
        ("sequence/f32.c", "#include <immintrin.h>"),
        ("isa/avx2.c", '#include "simd/avx512.h"'),
        ("sequence/f32.c", '#include "kernels/lstm.inc"'),
        ("kernels/kernels.h", "#  include <stdio.h>"),
        ("elsewhere/a.c", ""),
    ],
)
def test_the_include_check_can_fail(name, line):
    assert forbidden_includes(name, line)


def test_c_words():
    wrong = []
    for path in c_files():
        text = without_comments(path.read_text())
        for pattern, where in C_WORDS.items():
            if re.search(pattern, text) and name_of(path) not in where:
                wrong.append(f"csrc/{name_of(path)} has {pattern}; allowed in: {' '.join(where) or 'no file'}")
    assert not wrong, "\n".join(wrong)


def test_each_instruction_set_has_the_same_vocabulary():
    """One kernel text for all: a name that one header lacks fails on a machine we do not have."""
    defined = {}
    for path in sorted((CSRC / "simd").glob("*.h")):
        text = without_comments(path.read_text())
        functions = set(re.findall(r"\b(v_[a-z0-9_]*[a-z0-9])\s*\((?=[^;{}]*\)\s*\{)", text))
        defined[path.stem] = functions | set(re.findall(r"#\s*define\s+(v_[a-z0-9_]*[a-z0-9])\(", text))
    shared = set.union(*defined.values())
    missing = {stem: sorted(shared - names) for stem, names in defined.items() if shared - names}
    assert len(shared) > 15 and not missing, f"not defined in simd/: {missing}"


# ---- Python ----

# What each part of the package may see of the others.
PYTHON_RULES = {
    "_check": [],
    "reference": [],
    "optim": [],
    "io": [],
    "data": [],
    "_progress": [],
    "_core": ["_capi"],
    "_backend": ["_core", "reference"],
    "ops": ["_backend", "_check"],
    "course": ["ops"],
    "charlm": ["ops"],
    "nn": ["ops", "io"],
    "models": ["nn", "ops", "optim", "io"],
    "cli": ["models", "_backend", "data", "_progress"],
    "torch": ["nn", "ops"],
    "onnx": ["nn", "ops"],
    "keras": ["nn", "ops"],
    "sklearn": ["nn", "ops"],
    "__main__": ["cli"],
}
NEIGHBOURS = {"torch": ["torch"], "onnx": ["onnx"], "keras": ["keras"], "sklearn": ["sklearn"], "_progress": ["tqdm"]}
THIRD_PARTY = {"numpy", "tqdm", "torch", "onnx", "keras", "sklearn", "tensorflow", "scipy", "matplotlib", "cython"}
NEVER = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def python_files():
    return sorted(path for path in PACKAGE.rglob("*.py"))


def imported(path, text):
    """Dotted names of all that a module of the package imports, those of the package from `fastrnn.` on."""
    package = ("fastrnn", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            # `from . import ops` names a module, `from .ops import forward` something in one.
            yield from (f"{module}.{alias.name}" for alias in node.names) if module == "fastrnn" else [module]


def forbidden_imports(path, text):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part == "__init__":
        return []
    if part not in PYTHON_RULES:
        return [f"fastrnn/{part} has no place in the house: PYTHON_RULES does not name it"]
    wrong = []
    for name in imported(path, text):
        top, *rest = name.split(".")
        if top == "fastrnn":
            target = rest[0] if rest else "__init__"
            if target != part and target not in PYTHON_RULES[part]:
                wrong.append(f"{path.relative_to(ROOT)} -> {target}; allowed: {' '.join(PYTHON_RULES[part]) or 'NumPy'}")
        elif top in NEVER or (top in THIRD_PARTY and top != "numpy" and top not in NEIGHBOURS.get(part, [])):
            wrong.append(f"{path.relative_to(ROOT)} -> {top}; allowed: numpy {' '.join(NEIGHBOURS.get(part, []))}")
    return wrong


def test_python_imports():
    assert python_files()
    wrong = [line for path in python_files() for line in forbidden_imports(path, path.read_text())]
    assert not wrong, "\n".join(["forbidden imports:", *wrong])


@pytest.mark.parametrize(
    "name, line",
    [
        ("_check.py", "from . import ops"),
        ("ops/sequence.py", "import fastrnn.nn"),
        ("reference/lstm.py", "from .._check import shape"),
        ("nn/lstm.py", "from ..models.charlm import CharLM"),
        ("io.py", "import pickle"),
        ("nn/lstm.py", "import torch"),
        ("_core.py", "from fastrnn import ops"),
        ("helpers.py", ""),
    ],
)
def test_the_import_check_can_fail(name, line):
    assert forbidden_imports(PACKAGE / name, line)


def test_core_sees_its_declarations_only():
    text = (PACKAGE / "_core.pyx").read_text()
    seen = set(re.findall(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", text, re.M))
    ours = {name for pair in seen for name in pair if name and name.split(".")[0] in ("", "fastrnn", "numpy")}
    assert {name.removeprefix("fastrnn").removeprefix(".") for name in ours} <= {"", "_capi"}, ours
    assert "numpy" not in {name for pair in seen for name in pair}, "the build does without NumPy's C interface"
    assert not re.search(r"\bprange\b|\bcdef extern\b", text), "declarations are in _capi.pxd, loops over data in C"


def test_no_file_can_run_code():
    wrong = [path for path in python_files() if re.search(r"allow_pickle\s*=\s*True|\beval\(|\bexec\(", path.read_text())]
    assert not wrong


# ---- the tree ----


def test_top_level():
    try:
        run = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git working tree")
    names = {line.split("/")[0] for line in run.stdout.splitlines()}
    if not names:
        pytest.skip("git knows no file here")
    assert names <= TOP_LEVEL, f"not in the plan of the house: {sorted(names - TOP_LEVEL)}"


def budget(path):
    loose = path.name == "_core.pyx" or path.relative_to(ROOT).parts[0] in ("tests", "bench", "examples")
    return 500 if loose else 300


def test_budgets():
    found = [path for folder in ("fastrnn", "csrc", "tests", "bench", "examples") for path in (ROOT / folder).rglob("*")]
    found = [path for path in found if path.suffix in (".py", ".pyx", ".pxd", ".c", ".h", ".inc")]
    found += [ROOT / "setup.py", ROOT / "Makefile"]
    lines = {path: len(path.read_text().splitlines()) for path in found}
    wrong = [f"{path.relative_to(ROOT)}: {n} lines of {budget(path)}" for path, n in lines.items() if n > budget(path)]
    assert not wrong, "\n".join(["asking to be two ideas:", *wrong])


def test_build_flags():
    """setup.py may name such flags only to refuse them or to warn of them."""
    wrong = []
    for name in ("setup.py", "pyproject.toml", "Makefile", ".ci/run"):
        if not (ROOT / name).exists():
            continue
        text = re.sub(r"^(REFUSED|NATIVE)_FLAGS = \(.*?\)", "", (ROOT / name).read_text(), flags=re.M | re.S)
        found = re.findall(r"-ffast-math|-Ofast|-funsafe-math\S*|-march=\w+|-mcpu=\w+|-fopenmp", text)
        wrong += [f"{name}: {flag}" for flag in found]
    assert not wrong, wrong
    assert "-ffp-contract=off" in (ROOT / "setup.py").read_text()
