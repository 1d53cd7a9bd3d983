"""What several licences amount to as a whole."""

from __future__ import annotations

import pytest

from naflora_etl.publishing.licences import name_licence, whole_licence


@pytest.mark.parametrize(
    ("inside", "whole"),
    [
        (["CC0-1.0"], "CC0-1.0"),
        (["CC0-1.0", "CC-BY-4.0"], "CC-BY-4.0"),
        (["CC-BY-NC-4.0", "CC0-1.0", "PDM-1.0"], "CC-BY-NC-4.0"),
        (["CC-BY-SA-4.0"], "CC-BY-SA-4.0"),
        (["CC-BY-SA-4.0", "CC-BY-NC-4.0"], None),
        (["CC-BY-ND-4.0", "CC0-1.0"], None),
        (["CC-BY-NC", "CC-BY-NC-4.0", "CC0-1.0"], "CC-BY-NC"),
        (["CC-BY-3.0", "CC-PDDC"], "CC-BY-3.0"),
        (["CC-BY-SA-3.0", "CC-BY-SA-4.0"], "CC-BY-SA"),
        (["ARR"], "ARR"),
        (["ARR", "CC0-1.0"], None),
        (["NOASSERTION"], None),
        (["NOASSERTION", "CC0-1.0"], None),
        ([], None),
    ],
)
def test_the_strictest_holds_where_licences_mix(inside: list[str], whole: str | None) -> None:
    assert whole_licence(inside) == whole


@pytest.mark.parametrize(
    ("license", "name", "url"),
    [
        ("CC0-1.0", "CC0 Universal", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("CC-BY-NC-SA-3.0", "Attribution-NonCommercial-ShareAlike 3.0",
         "https://creativecommons.org/licenses/by-nc-sa/3.0/"),
        ("CC-BY-NC", "Attribution-NonCommercial, no version told", ""),
        ("NOASSERTION", "Not stated by the source", ""),
        ("ARR", "ARR", ""),
        ("CC-XX-1.0", "CC-XX-1.0", ""),
    ],
)  # fmt: skip
def test_a_licence_is_named_with_the_address_of_its_text(license: str, name: str, url: str) -> None:
    assert name_licence(license) == (name, url)
