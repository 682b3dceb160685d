"""Every example in a docstring of the package runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import fastrnn

# Optional neighbours need what may not be installed; __main__ runs the command line when imported.
_ELSEWHERE = ("fastrnn.torch", "fastrnn.sklearn", "fastrnn.__main__", "fastrnn._core")
MODULES = ["fastrnn", *(found.name for found in pkgutil.walk_packages(fastrnn.__path__, "fastrnn.")
                        if not found.name.startswith(_ELSEWHERE))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module)
    assert result.failed == 0
    if name.startswith(("fastrnn.course.", "fastrnn.charlm.")) and "._" not in name:
        assert result.attempted > 0, "public functions have examples"
