"""Addresses, dates, collectors and numbers as records write them, and the keys made of them."""

from __future__ import annotations

import hashlib

import pytest

from naflora_etl.sources.darwincore import (
    Media,
    Occurrence,
    describe_specimen,
    gathering_key,
    host_of,
    image_key,
    is_doubtful,
    is_image,
    normalise_url,
    specimen_issue,
    specimen_key,
    surname_of,
    year_of,
)

URLS = {
    "HTTP://Sweetgum.NYBG.org:80/images/1.JPG#top": "http://sweetgum.nybg.org/images/1.JPG",
    "https://cch2.org:443/a b.jpg": "https://cch2.org/a%20b.jpg",
    "https://cch2.org/a%20b.jpg": "https://cch2.org/a%20b.jpg",
    "http://127.0.0.2:8640/sheet/1.jpg": "http://127.0.0.2:8640/sheet/1.jpg",
    "http://www.morphbank.net?id=103926&amp;imgType=jpeg": "http://www.morphbank.net/?id=103926&imgType=jpeg",
    "  http://a.org/Ñandú.jpg\n": "http://a.org/%C3%91and%C3%BA.jpg",
    "https://iiif.a.org/x/full/!1000,1000/0/default.jpg": "https://iiif.a.org/x/full/!1000,1000/0/default.jpg",
    "http://[2001:DB8::1]:80/a.jpg": "http://[2001:db8::1]/a.jpg",
    "http://[::FFFF:127.0.0.9]/a.jpg": "http://[::ffff:127.0.0.9]/a.jpg",
    "http://2130706441/a.jpg": "http://2130706441/a.jpg",
    "ftp://a.org/a.jpg": None,
    "//a.org/a.jpg": None,
    "a.org/a.jpg": None,
    "http://": None,
    "http://http://a.org/a.jpg": None,
    "http://a.org:99999/a.jpg": None,
    "http://[bad/a.jpg": None,
    "C:\\images\\1.jpg": None,
    "": None,
}


@pytest.mark.parametrize(("text", "expected"), URLS.items(), ids=[text.strip() or "empty" for text in URLS])
def test_an_address_has_one_spelling(text: str, expected: str | None) -> None:
    assert normalise_url(text) == expected
    if expected is not None:
        assert normalise_url(expected) == expected


def test_the_image_key_is_that_of_the_contract() -> None:
    url = "http://127.0.0.2:8640/sheet/1.jpg"
    assert image_key(url) == hashlib.sha256(url.encode()).hexdigest()[:20]
    assert host_of(url) == "127.0.0.2:8640"


MEDIA = {
    "a picture": (Media("http://a.org/1.jpg", "StillImage", "image/jpeg"), True),
    "nothing told": (Media("http://a.org/1"), True),
    "a format without its kind": (Media("http://a.org/1", "Still Image", "JPG"), True),
    "a sound": (Media("http://a.org/1.mp3", "Sound", "audio/mpeg"), False),
    "a IIIF manifest": (Media("https://a.org/E001", "InteractiveResource", "application/ld+json"), False),
    "a IIIF manifest called a picture": (Media("https://iiif.a.org/herb/E001/manifest", "StillImage"), False),
    "a web page called a picture": (Media("http://a.org/1", "StillImage", "text/html; charset=utf-8"), False),
    "a tile pyramid": (Media("http://a.org/1.dzi", "StillImage", "dzi"), False),
    "only a web page": (Media(None, "StillImage", "image/jpeg"), False),
}


@pytest.mark.parametrize(("media", "expected"), MEDIA.values(), ids=MEDIA)
def test_what_says_to_be_a_picture(media: Media, expected: bool) -> None:
    assert is_image(media) is expected


COLLECTORS = {
    "Elizabeth Clark": "clark",
    "Clark, Elizabeth": "clark",
    "Clark, E. & Bell, J.": "clark",
    "E. Clark, J. Bell": "clark",
    "T. R. Dudley; R. N. P. Goodall; G. E. Crow": "dudley",
    "collector(s): h. shimer": "shimer",
    "Carpenter, Jr., I. W.": "carpenter",
    "John E. Fairey, III": "fairey",
    "Jongkind CCH": "jongkind",
    "Madulid DA; Majaducon RS": "madulid",
    "Galvão, C.G.": "galvao",
    "Ma.C.Souza": "souza",
    "Steven W. Brewer|Marcelo Pau": "brewer",
    "Christopher R. Hardy with Zaavi C. Hardy": "hardy",
    "anonymous": None,
    "Collector unknown": None,
    "1234": None,
    "": None,
}


@pytest.mark.parametrize(("text", "expected"), COLLECTORS.items(), ids=[text or "empty" for text in COLLECTORS])
def test_the_first_collectors_surname(text: str, expected: str | None) -> None:
    assert surname_of(text) == expected


SAME_GATHERING = [
    ("Vink, W", "16273", "1963-08-04"),
    ("W. Vink", "Vink, W  16273", "1963-08-04T00:00:00"),
    ("Vink W", "No. 016273", "1963-08-04"),
]
NO_GATHERING = {
    "no number": ("W. Vink", "s.n.", "1963-08-04"),
    "no collector": (None, "16273", "1963-08-04"),
    "no date": ("W. Vink", "16273", None),
    "a number of zeros": ("W. Vink", "000", "1963-08-04"),
}


def test_duplicates_of_a_gathering_share_its_key() -> None:
    assert len({gathering_key(*gathering) for gathering in SAME_GATHERING}) == 1
    assert gathering_key("W. Vink", "16274", "1963-08-04") != gathering_key(*SAME_GATHERING[0])
    assert gathering_key("W. Vink", "16273", "1963-08-05") != gathering_key(*SAME_GATHERING[0])


@pytest.mark.parametrize("gathering", NO_GATHERING.values(), ids=NO_GATHERING)
def test_a_gathering_needs_all_three(gathering: tuple[str | None, str | None, str | None]) -> None:
    assert gathering_key(*gathering) is None


def record(record_id: str = "1", source: str = "gbif", **terms: str) -> Occurrence:
    return Occurrence(source, record_id, "page", terms)


def test_a_specimen_has_one_key_in_every_aggregator() -> None:
    in_gbif = record("1", institutionCode="NHA", collectionCode="Vasc", catalogNumber="NHA-552603", occurrenceID="x")
    in_idigbio = record("uuid", "idigbio", institutionCode="nha", collectionCode="vasc", catalogNumber="NHA 552603")
    assert specimen_key(in_gbif) == specimen_key(in_idigbio)


DIFFERENT = {
    "another number": record(institutionCode="NHA", catalogNumber="552604"),
    "another herbarium": record(institutionCode="UNH", catalogNumber="552603"),
    "another collection": record(institutionCode="NHA", collectionCode="Moss", catalogNumber="552603"),
    "a hyphen elsewhere": record(institutionCode="NHA", catalogNumber="55-2603"),
    "no herbarium named": record(catalogNumber="552603"),
    "no number, but an occurrenceID": record(occurrenceID="552603"),
}


def test_different_specimens_have_different_keys() -> None:
    keys = {specimen_key(other) for other in DIFFERENT.values()}
    assert len(keys) == len(DIFFERENT)
    assert specimen_key(record(institutionCode="NHA", catalogNumber="552603")) not in keys


def test_where_the_number_says_nothing_the_occurrence_id_does_and_then_the_record_id() -> None:
    by_id = specimen_key(record("1", institutionCode="NY", catalogNumber="s.n.", occurrenceID="urn:uuid:ABC"))
    assert by_id == specimen_key(record("2", "idigbio", occurrenceID="abc"))
    assert specimen_key(record("1")) != specimen_key(record("2"))


def test_a_specimen_is_described_in_the_tables_words() -> None:
    row = describe_specimen(
        record(year="2004", month="4", day="7", country="U.S.A.", decimalLatitude="95", decimalLongitude="-111.5",
               fieldNumber="77")
    )  # fmt: skip
    assert row["eventDate"] == "2004-04-07"
    assert (row["year"], row["countryCode"], row["recordNumber"]) == (2004, "US", "77")
    assert (row["decimalLatitude"], row["decimalLongitude"]) == (None, -111.5)


YEARS = {"1986-01-04": 1986, "1868-01-01/1868-12-31": 1868, "1868/1869": None, "May 4, 1986": None, None: None}


@pytest.mark.parametrize(("date", "year"), YEARS.items(), ids=map(repr, YEARS))
def test_the_year_of_a_date(date: str | None, year: int | None) -> None:
    assert year_of(date) == year


def test_what_a_preserved_specimen_is_called() -> None:
    names = ("PRESERVED_SPECIMEN", "PreservedSpecimen", "preservedspecimen", "Preserved Specimen")
    assert not any(map(specimen_issue, names))
    assert all(map(specimen_issue, ("HUMAN_OBSERVATION", "LivingSpecimen", "FossilSpecimen", "", None)))


def test_qualifiers_that_leave_the_taxon_open() -> None:
    assert all(map(is_doubtful, ("cf.", "cf", "aff.", "?", "A. cf. recurvata", "Mixed collection")))
    assert not any(map(is_doubtful, ("", None, "A", "det. confirmed")))
