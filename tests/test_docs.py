"""README and docs/: their programs run and print what they say, their links lead somewhere, their names exist."""

import contextlib
import io
import re
from pathlib import Path

import pytest

import fastrnn

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "bench" / "README.md"]
_page = pytest.mark.parametrize("page", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])

# A program, and the output that the page shows for it, if a block of text follows at once.
_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.M | re.S)


def blocks(text):
    """(line number, program, shown output or None) of each block."""
    return [(text[: found.start(1)].count("\n"), found[1], found[2]) for found in _BLOCK.finditer(text)]


def run(page, text):
    """Run the programs of a page one after the other, in one namespace, as a reader would."""
    names = {"__name__": "__main__"}
    for line, program, shown in blocks(text):
        # Newlines in front: a traceback then points into the page.
        code = compile("\n" * line + program, str(page), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, names)
        if shown is not None:
            assert printed.getvalue() == shown, f"{page.name}, program of line {line + 1}"


@_page
def test_programs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page, page.read_text())


def test_the_check_of_programs_can_fail():
    page = "```python\nprint(1 + 1)\n```\n```text\n{}\n```\n"
    run(Path("page.md"), page.format(2))
    with pytest.raises(AssertionError):
        run(Path("page.md"), page.format(3))


def test_readme_has_a_program_with_output():
    assert any(shown for _, _, shown in blocks((ROOT / "README.md").read_text()))


@_page
def test_links(page):
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        if not linked.exists():
            wrong.append(target)
        elif anchor and anchor not in anchors(linked.read_text()):
            wrong.append(target)
    assert not wrong, f"{page.name} links to what is not there: {wrong}"


def anchors(text):
    """The names under which headings of a page can be reached."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@_page
def test_files_named_exist(page):
    """`csrc/kernels/lstm.inc` and its like; with * for several, and names in capitals for what a reader makes."""
    wrong = []
    for name in re.findall(r"`((?:\.ci|csrc|fastrnn|tests|docs|bench|examples)/[\w./*-]*)`", page.read_text()):
        if not re.search(r"[A-Z]", name) and not any(ROOT.glob(name.rstrip("/"))):
            wrong.append(name)
    assert not wrong, f"{page.name} names files that are not there: {wrong}"


@_page
def test_commands_and_variables_named_exist(page):
    text = page.read_text()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    asked = set(re.findall(r"^make (\w+)|`make (\w+)", text, re.M))
    assert {one or other for one, other in asked} <= targets
    source = (ROOT / "setup.py").read_text() + (ROOT / "fastrnn" / "_backend.py").read_text()
    assert {name for name in re.findall(r"\b[A-Z]+RNN_[A-Z_]+\b", text) if name not in source} == set()
    called = set(re.findall(r"`fastrnn\.(\w+)\(", text))
    assert {name for name in called if not hasattr(fastrnn, name)} == set()


def strangers(text):
    """Absolute paths: they exist on one machine only."""
    return [found[0] for found in re.finditer(r"(?<![\w.:/)\]}*…-])(?:/[\w.+-]+){2,}|[A-Z]:\\\w+|file://\S+", text)]


@_page
def test_no_path_of_a_machine(page):
    text = page.read_text()
    assert strangers(text) == []
    assert str(ROOT) not in text and str(Path.home()) + "/" not in text


def test_the_check_of_paths_can_fail():
    assert strangers("see /home/me/x and C:\\Users") and not strangers("[a](https://b.org/c/d) csrc/base/pool.c w/ `y/z`")


def test_the_picture_brings_its_own_ground():
    """Read on white and on black: nothing is painted black by default, and it fits a column of 700 pixels."""
    picture = (ROOT / "docs" / "house.svg").read_text()
    assert 'viewBox="0 0 700 ' in picture
    bare = [tag for tag in re.findall(r"<(?:rect|path|text)[^>]*>", picture) if "class=" not in tag and "fill=" not in tag]
    assert not bare
