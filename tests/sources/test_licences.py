"""Licence texts as they are really written, and what is understood by them."""

from __future__ import annotations

import pytest

from naflora_etl.sources.licences import choose_license, is_allowed, read_license, strictest

REAL_TEXTS = {
    # addresses
    "http://creativecommons.org/publicdomain/zero/1.0/": "CC0-1.0",
    "http://creativecommons.org/publicdomain/zero/1.0/legalcode": "CC0-1.0",
    "http://creativecommons.org/licenses/by/4.0/": "CC-BY-4.0",
    "https://creativecommons.org/licenses/by-nc/4.0/legalcode": "CC-BY-NC-4.0",
    "URL: http://creativecommons.org/licenses/by-nc-sa/4.0/": "CC-BY-NC-SA-4.0",
    "http://creativecommons.org/licenses/by-nc/3.0/": "CC-BY-NC-3.0",
    "http://creativecommons.org/licenses/by-nc-sa/3.0/us/": "CC-BY-NC-SA-3.0",
    "http://creativecommons.org/licenses/by-nc-nd/4.0/": "CC-BY-NC-ND-4.0",
    "http://creativecommons.org/licenses/by-nd-nc/1.0/": "CC-BY-NC-ND-1.0",
    "http://creativecommons.org/licenses/by-sa/2.5/": "CC-BY-SA-2.5",
    "https://creativecommons.org/licences/by/4.0": "CC-BY-4.0",
    "https://creativecommons.org/publicdomain/mark/1.0/": "PDM-1.0",
    "http://creativecommons.org/licenses/publicdomain/": "CC-PDDC",
    "http://i.creativecommons.org/l/by-nc-sa/3.0/us/88x31.png": "CC-BY-NC-SA-3.0",
    '<a rel="license" href="http://creativecommons.org/licenses/by-nc-sa/3.0/us/"> <img alt="Creative Commons License" '
    'src="http://i.creativecommons.org/l/by-nc-sa/3.0/us/88x31.png" /> </a>': "CC-BY-NC-SA-3.0",
    "http://rightsstatements.org/vocab/InC/1.0/": "ARR",
    # codes
    "CC0": "CC0-1.0",
    "CC0_1_0": "CC0-1.0",
    "CC0 1.0 (Public-domain)": "CC0-1.0",
    "CC Zero": "CC0-1.0",
    "CC_BY_4_0": "CC-BY-4.0",
    "CC_BY_NC_4_0": "CC-BY-NC-4.0",
    "cc-by": "CC-BY",
    "CC BY": "CC-BY",
    "CC BY-NC": "CC-BY-NC",
    "CC-BY-NC-SA 3.0": "CC-BY-NC-SA-3.0",
    "CC BY 4.0": "CC-BY-4.0",
    "CC-BY v4.0": "CC-BY-4.0",
    "by-nc-sa": "CC-BY-NC-SA",
    "by-nc 3.0": "CC-BY-NC-3.0",
    # words
    "CC BY-NC-SA (Attribution-NonCommercial-ShareAlike)": "CC-BY-NC-SA",
    "Creative Commons Attribution 4.0 International": "CC-BY-4.0",
    "Creative Commons Attribution-NonCommercial 4.0 International License": "CC-BY-NC-4.0",
    "Creative Commons Attribution Non Commercial (CC-BY-NC) 4.0 License": "CC-BY-NC",
    "Attribution-NonCommercial-ShareAlike 3.0 Unported": "CC-BY-NC-SA-3.0",
    "Attribution-NoDerivs": "CC-BY-ND",
    "Public Domain": "PDM-1.0",
    "In the public domain.": "PDM-1.0",
    "Public Domain Mark 1.0": "PDM-1.0",
    "All rights reserved": "ARR",
    "© 2010 The New York Botanical Garden. All Rights Reserved.": "ARR",
    "CC BY 4.0; all rights reserved": "ARR",
    # not understood
    "": None,
    "   ": None,
    "not-for-profit use only": None,
    "Usage Conditions Apply": None,
    "https://huh.harvard.edu/access-digital-reproductions-works-public-domain": None,
    "http://ucjeps.berkeley.edu/consortium/data_use_terms.html": None,
    "UNSPECIFIED": None,
    "by permission of the curator": None,
    "Collected by C. C. Byrne": None,
    "see attribution guidelines": None,
    "http://vertnet.org/resources/norms.html": None,
}


@pytest.mark.parametrize(("text", "expected"), REAL_TEXTS.items(), ids=[text[:60] or "empty" for text in REAL_TEXTS])
def test_a_text_names_a_licence(text: str, expected: str | None) -> None:
    assert read_license(text) == expected


def test_no_text_names_no_licence() -> None:
    assert read_license(None) is None


CHOICES = {
    "the image outranks its record": (["CC BY-NC"], ["CC0"], ("CC-BY-NC", "CC BY-NC")),
    "the image outranks its record, milder too": (["CC0"], ["CC BY-NC"], ("CC0-1.0", "CC0")),
    "a silent image takes its record's": ([None, ""], ["CC0"], ("CC0-1.0", "CC0")),
    "an unclear image is not cleared by its record": (["Conditions apply"], ["CC0"], (None, "Conditions apply")),
    "the stricter of two texts": (["CC BY", "CC BY-NC-ND"], [], ("CC-BY-NC-ND", "CC BY-NC-ND")),
    "an unclear text beside a clear one": (["CC BY", "see our terms"], [], ("CC-BY", "CC BY")),
    "what a portal fills in by itself counts like any text": (
        ["https://creativecommons.org/licenses/by/3.0/", "CC BY-NC-SA (Attribution-NonCommercial-ShareAlike)"],
        [],
        ("CC-BY-NC-SA", "CC BY-NC-SA (Attribution-NonCommercial-ShareAlike)"),
    ),
    "nothing anywhere": ([None], [None], (None, None)),
}  # fmt: skip


@pytest.mark.parametrize(("of_image", "of_record", "expected"), CHOICES.values(), ids=CHOICES)
def test_the_licence_of_an_image(
    of_image: list[str | None], of_record: list[str | None], expected: tuple[str | None, str | None]
) -> None:
    assert choose_license(of_image, of_record) == expected


def test_versions_count_alike_but_are_kept() -> None:
    allowed = ("CC0-1.0", "CC-BY-4.0")
    assert is_allowed("CC-BY-3.0", allowed)
    assert is_allowed("CC-BY", allowed)
    assert not is_allowed("CC-BY-SA-4.0", allowed)
    assert not is_allowed("ARR", allowed)
    assert strictest(["CC-BY", "CC-BY-3.0", "CC0-1.0"]) == "CC-BY-3.0"
