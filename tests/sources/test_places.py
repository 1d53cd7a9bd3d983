"""Countries as specimen records write them."""

from __future__ import annotations

import pytest

from naflora_etl.sources.places import alpha3_code, country_code

WRITTEN = {
    "US": "US",
    "us": "US",
    "usa": "US",
    "U.S.A.": "US",
    "United States of America": "US",
    "México": "MX",
    "MEXICO": "MX",
    "grl": "GL",
    "Greenland": "GL",
    "Saint Pierre and Miquelon": "PM",
    "Trinidad and Tobago": "TT",
    "Côte d'Ivoire": "CI",
    "Mexico?!": "MX",
    "Atlantis": None,
    "": None,
    None: None,
}


@pytest.mark.parametrize(("text", "expected"), WRITTEN.items(), ids=map(repr, WRITTEN))
def test_a_country_has_one_code(text: str | None, expected: str | None) -> None:
    assert country_code(text) == expected


def test_every_code_has_three_letters_too() -> None:
    assert alpha3_code("ca") == "CAN"
    assert alpha3_code("XX") is None
