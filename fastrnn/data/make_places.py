"""Make places.txt from the IANA time-zone database, which is in the public domain.

    python fastrnn/data/make_places.py [TZDATA.ZI] > fastrnn/data/places.txt

Without an argument it reads the system's `tzdata.zi`, else the one in the PyPI package `tzdata`.
The cleaning rules:

1. Every Zone and every Link (an old or second name) of a geographic area counts; `Etc/UTC`, `EST5EDT` or `US/Central` don't.
2. The place is the last part: `America/Argentina/Buenos_Aires` gives `Buenos_Aires`.
3. Left out: a capital inside a word (`NSW`, `Knox_IN`, `ComodRivadavia`: abbreviations or words run together) and
   bare directions (`Australia/North`).
4. Underscores become spaces, letters lower case; hyphens stay. Anything but a-z, space and hyphen is left out.
5. Sorted by code point, none twice, one a line.
"""
import re
import sys
import zoneinfo
from importlib import resources
from pathlib import Path

AREAS = frozenset("Africa America Antarctica Arctic Asia Atlantic Australia Europe Indian Pacific".split())
DIRECTIONS = frozenset("North South East West".split())


def zone_names(text):
    """Names of all zones and links in the text of a `tzdata.zi` (its compact form of the zic input)."""
    for line in text.splitlines():
        fields = line.split()
        if fields[:1] == ["Z"]:                 # Z NAME STDOFF RULES FORMAT …
            yield fields[1]
        elif fields[:1] == ["L"]:               # L TARGET NAME
            yield fields[2]


def places(text):
    """Sorted list of the place names in the text of a `tzdata.zi`, by the rules above."""
    found = set()
    for name in zone_names(text):
        area, _, rest = name.partition("/")
        place = rest.rpartition("/")[2]
        if area not in AREAS or place in DIRECTIONS or re.search("[A-Za-z][A-Z]", place):
            continue
        place = place.replace("_", " ").lower()
        if re.fullmatch("[a-z][a-z -]*", place):
            found.add(place)
    return sorted(found)


def source():
    """Text of the first `tzdata.zi` on this system, else of the package `tzdata`."""
    for folder in zoneinfo.TZPATH:
        path = Path(folder, "tzdata.zi")
        if path.is_file():
            return path.read_text("ascii")
    try:
        return resources.files("tzdata").joinpath("zoneinfo", "tzdata.zi").read_text("ascii")
    except ModuleNotFoundError:
        raise SystemExit("no tzdata.zi on this system: give its path, or install the package tzdata") from None


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text("ascii") if len(sys.argv) > 1 else source()
    sys.stdout.write("".join(place + "\n" for place in places(text)))
