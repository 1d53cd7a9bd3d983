"""The short way of reading a plain name ends where all the rules end."""

from __future__ import annotations

from random import Random

import pytest

from naflora_etl.names.parse import parse_name
from naflora_etl.names.parse_rules import parse_by_rules, read_behind
from tests.names.test_parse import CANONICAL

NAMES = [
    *CANONICAL, "Abies alba", "Abies alba Mill.", "Poa alba Grünw. ex Hook.f. & Ó Dál., 1753", "Salix x L.",
]  # fmt: skip
TRICKY = {
    "an epithet that only the plainest reading takes for one": "Poa alba var. auctorum",
    "a doubt in its place": "Poa near L.",
    "a rank in its place": "Poa ser Mill",
    "no plant in its place": "Tobacco virus L.",
    "no plant in the place of the genus": "Papillomavirus alba L.",
    "no plant behind it": "Poa alba mosaic virus",
    "an autonym, which keeps the species' authors": "Poa alba L. var. alba",
    "a formula, which needs the genus": "Poa alba L. × bulbosa",
    "a cultivar glued to the epithet": "Poa alba 'Red'foo",
    "a cultivar with a comma behind it": "Poa alba 'Red',",
    "a lone x": "Poa alba x",
    "spaces": "Poa alba  ",
    "no genus": "Unknown alba L.",
    "an accent that stands alone": "Poa alba \u0301L.",
    "a Greek letter": "Poa alba α minor L.",
}
BEHIND = ("L.", "'Red'", "var. alba", "f. ", "(L.) Mill.", "× ", "x ", "auct.", "ex", "-", ",", ".", " ", "É", "ö")


@pytest.mark.parametrize("text", TRICKY.values(), ids=TRICKY)
def test_a_name_that_is_nearly_plain(text: str) -> None:
    for authorship in (None, "", " ", "Mill.", "auct. non L."):
        assert parse_name(text, authorship) == parse_by_rules(text, authorship)


def test_names_with_slips_in_them() -> None:
    random = Random("slips")
    for _ in range(5000):
        text = random.choice(NAMES)
        for _ in range(random.randint(0, 3)):
            at = random.randrange(len(text) + 1)
            slip = random.choice(("", *BEHIND, random.choice(NAMES)[-5:]))
            text = text[:at] + slip + text[at + random.choice((0, 1)) :]
        authorship = random.choice((None, *BEHIND))
        assert parse_name(text, authorship) == parse_by_rules(text, authorship), (text, authorship)


def test_most_names_are_read_the_short_way() -> None:
    assert read_behind("(Beadle) Al-Shehbaz, M. Koch & Jordon-Thaden")
    assert read_behind("L. cf.")
    assert not read_behind("L. var. alba")
