"""The small texts that ship with the package: one name a line, sorted, none twice, ASCII, lower case.

`dinosaurs`: genus names of non-avian dinosaurs, valid ones and historical ones (synonyms, dubious and replaced
names that were once published). Written down by hand, letters a-z only. Scientific names are facts; nobody owns them.

`places`: places that name a time zone in the IANA time-zone database (release 2026f), which is in the public domain.
Made by `make_places.py` in this folder, whose head has the cleaning rules.
"""
from importlib import resources

NAMES = ("dinosaurs", "places")


def load(name):
    """Return the text that ships under this name, one of `NAMES`, as a str with a newline after each line.

    Raises ValueError for any other name.

    >>> load("dinosaurs").splitlines()[:2]
    ['aardonyx', 'abdarainurus']
    """
    if name not in NAMES:
        raise ValueError(f"name: expected one of {', '.join(NAMES)}, got {name!r}")
    return resources.files(__name__).joinpath(f"{name}.txt").read_text("ascii")
