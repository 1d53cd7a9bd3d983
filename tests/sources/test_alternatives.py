"""Other addresses of the same picture, as a table."""

from __future__ import annotations

import hashlib

import pytest

from naflora_etl.sources.alternatives import gbif_copy, idigbio_copy, smaller_form

H = "https://iiif.example.org"

FORMS: dict[str, tuple[str, str | None]] = {
    "version 2": (f"{H}/iiif/2/K000123/full/full/0/default.jpg", f"{H}/iiif/2/K000123/full/!1000,1000/0/default.jpg"),
    "version 3": (f"{H}/iiif/3/K000123/full/max/0/default.jpg", f"{H}/iiif/3/K000123/full/!1000,1000/0/default.jpg"),
    "upscaled": (f"{H}/iiif/3/K1/full/^max/0/default.jpg", f"{H}/iiif/3/K1/full/!1000,1000/0/default.jpg"),
    "version 1": (f"{H}/iiif/K1/full/full/0/native.jpg", f"{H}/iiif/K1/full/!1000,1000/0/native.jpg"),
    "colour": (f"{H}/i/K1/full/full/0/color.png", f"{H}/i/K1/full/!1000,1000/0/color.png"),
    "identifier with a slash": (
        f"{H}/iiif/herb%3AK1%2F2/full/full/0/default.jpg",
        f"{H}/iiif/herb%3AK1%2F2/full/!1000,1000/0/default.jpg",
    ),
    "without a prefix": (f"{H}/K1/full/max/0/default.jpg", f"{H}/K1/full/!1000,1000/0/default.jpg"),
    "query": (f"{H}/i/K1/full/max/0/default.jpg?key=a", f"{H}/i/K1/full/!1000,1000/0/default.jpg?key=a"),
    "wider than needed": (f"{H}/i/K1/full/4000,/0/default.jpg", f"{H}/i/K1/full/!1000,1000/0/default.jpg"),
    "box larger than needed": (f"{H}/i/K1/full/!2000,2000/0/default.jpg", f"{H}/i/K1/full/!1000,1000/0/default.jpg"),
    "as small already": (f"{H}/i/K1/full/!1000,1000/0/default.jpg", None),
    "smaller already": (f"{H}/i/K1/full/,800/0/default.jpg", None),
    "per cent": (f"{H}/i/K1/full/pct:50/0/default.jpg", None),
    "a cut-out": (f"{H}/i/K1/0,0,500,500/full/0/default.jpg", None),
    "a square": (f"{H}/i/K1/square/full/0/default.jpg", None),
    "turned": (f"{H}/i/K1/full/full/90/default.jpg", None),
    "mirrored": (f"{H}/i/K1/full/full/!90/default.jpg", None),
    "grey": (f"{H}/i/K1/full/full/0/gray.jpg", None),
    "a document": (f"{H}/i/K1/full/full/0/default.pdf", None),
    "its description": (f"{H}/i/K1/info.json", None),
    "no identifier": (f"{H}/full/full/0/default.jpg", None),
    "a plain file": (f"{H}/images/full/K1.jpg", None),
    "a folder called full": (f"{H}/images/full/2020/06/K1.jpg", None),
    "another scheme": ("ftp://iiif.example.org/i/K1/full/full/0/default.jpg", None),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_smaller_form_of_an_address(name: str) -> None:
    url, expected = FORMS[name]
    assert smaller_form(url, 1000) == expected


def test_gbifs_copy_is_named_by_occurrence_and_identifier() -> None:
    url = "https://example.org/A 1.jpg?x=ä"
    digest = hashlib.md5(url.encode()).hexdigest()
    assert gbif_copy("123", url) == f"https://api.gbif.org/v1/image/cache/1200x1200/occurrence/123/media/{digest}"
    assert gbif_copy("x", url) is gbif_copy("123", "") is None


def test_idigbios_copy_is_named_by_its_media_record() -> None:
    uuid = "0023E6D6-1a2b-4c3d-8e4f-001122334455"
    assert idigbio_copy(uuid) == f"https://api.idigbio.org/v2/media/{uuid.lower()}?size=fullsize"
    assert idigbio_copy("../../x") is None
