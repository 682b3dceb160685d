"""The shipped texts: clean, sorted, and made as their notes say."""
import re

import pytest

from fastrnn import data
from fastrnn.data import make_places

KNOWN = """
    allosaurus ankylosaurus apatosaurus argentinosaurus baryonyx brachiosaurus brontosaurus carnotaurus ceratosaurus
    coelophysis compsognathus deinonychus dilophosaurus diplodocus edmontosaurus giganotosaurus hadrosaurus herrerasaurus
    iguanodon megalosaurus microraptor ornithomimus oviraptor pachycephalosaurus parasaurolophus plateosaurus protoceratops
    psittacosaurus spinosaurus stegosaurus styracosaurus therizinosaurus triceratops troodon tyrannosaurus utahraptor velociraptor
""".split()

# Of the same seas, skies and strata, or once taken for one of them, but no dinosaurs (or birds).
OTHERS = """
    aachenosaurus archaeopteryx arizonasaurus basilosaurus confuciusornis dimetrodon dimorphodon effigia elasmosaurus
    eudimorphodon ichthyornis ichthyosaurus lagosuchus lystrosaurus marasuchus mosasaurus nothosaurus plesiosaurus pliosaurus
    poposaurus postosuchus protoavis protosuchus pteranodon pterodactylus quetzalcoatlus razanandrongobe revueltosaurus
    rhamphorhynchus saltopus sarcosuchus shonisaurus shuvosaurus silesaurus tanystropheus teratosaurus tylosaurus yezosaurus
""".split()


@pytest.mark.parametrize("name", data.NAMES)
def test_one_name_a_line_sorted_none_twice(name):
    text = data.load(name)
    lines = text.splitlines()
    assert text == "".join(line + "\n" for line in lines)
    assert lines == sorted(set(lines))
    assert text.isascii()


def test_dinosaurs():
    names = data.load("dinosaurs").splitlines()
    assert len(names) >= 700
    assert [name for name in names if not re.fullmatch("[a-z]{2,25}", name)] == []
    assert set(KNOWN) - set(names) == set()
    assert set(OTHERS) & set(names) == set()
    assert {name[0] for name in names} == set("abcdefghijklmnopqrstuvwxyz")


def test_places():
    places = data.load("places").splitlines()
    assert len(places) >= 400
    assert [place for place in places if not re.fullmatch("[a-z][a-z -]*[a-z]", place)] == []
    assert {"buenos aires", "kolkata", "new york", "port-au-prince", "zurich"} <= set(places)


def test_places_come_from_zones_by_the_written_rules():
    text = """\
# a comment
Z America/Argentina/Buenos_Aires -3:53:48 - LMT 1894 O 31
3 A -03/-02 1999
Z Europe/Berlin 0:53:28 - LMT 1893 Ap
Z Etc/GMT+1 -1 - -01
L Europe/Berlin Arctic/Longyearbyen
L Europe/Berlin US/Berlin
L Australia/Sydney Australia/NSW
L Australia/Darwin Australia/North
L America/Indiana/Knox America/Knox_IN
L America/Port-au-Prince America/Port-au-Prince
"""
    assert make_places.places(text) == ["berlin", "buenos aires", "longyearbyen", "port-au-prince"]


def test_shipped_places_are_in_this_systems_database():
    try:
        made = set(make_places.places(make_places.source()))
    except SystemExit:
        pytest.skip("no time-zone database on this system")
    shipped = set(data.load("places").splitlines())
    # Releases add and rarely drop a few names; anything more is a change of rules.
    assert len(shipped ^ made) <= 20


def test_unknown_name():
    with pytest.raises(ValueError, match="name: expected one of dinosaurs, places, got 'birds'"):
        data.load("birds")
