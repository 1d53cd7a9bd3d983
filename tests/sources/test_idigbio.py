"""What iDigBio is asked, page after page, and how its records and media are joined."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources import idigbio
from naflora_etl.sources.darwincore import describe_specimen, is_image
from naflora_etl.sources.licences import choose_license
from naflora_etl.sources.paging import Page, Unreadable

REAL = Path(__file__).parents[2] / "../shared/data/idigbio"
TAXON = {"taxon_id": "1", "taxon_name": "Acer rubrum", "genus": "Acer", "species": "rubrum"}
OPTIONS = HarvestOptions(page_size=2, max_records_per_taxon=3)


def page_of(*items: dict[str, Any], count: int | None = None) -> bytes:
    return json.dumps({"itemCount": len(items) if count is None else count, "items": items}).encode()


def record(uuid: str, data: dict[str, Any] | None = None, **indexed: Any) -> dict[str, Any]:
    return {"uuid": uuid, "type": "records", "data": data or {}, "indexTerms": indexed}


def medium(uuid: str, *owners: str, **data: str) -> dict[str, Any]:
    named = {name.replace("_", ":", 1): value for name, value in data.items()}
    return {"uuid": uuid, "type": "mediarecords", "data": named, "indexTerms": {"records": list(owners)}}


def test_a_query_names_genus_and_epithet_in_an_order_that_pages_can_rely_on() -> None:
    request = idigbio.first_request(TAXON, OPTIONS.model_copy(update={"countries": ("US", "GL")}))
    assert request.method == "POST"
    assert request.url == "https://search.idigbio.org/v2/search/records"
    assert request.body == {
        "rq": {"genus": "acer", "specificepithet": "rubrum", "hasImage": True, "countrycode": ["usa", "grl"]},
        "sort": "uuid",
        "limit": 2,
        "offset": 0,
        "no_attribution": True,
    }
    assert request.text.startswith('https://search.idigbio.org/v2/search/records {"limit": 2,')


def test_records_then_media_each_up_to_the_recipes_ceiling() -> None:
    request = idigbio.first_request(TAXON, OPTIONS)
    seen = []
    while request is not None:
        assert request.body is not None
        seen.append((request.kind, request.offset, request.body["limit"], request.is_beyond_ceiling))
        page = Page(None) if request.is_beyond_ceiling else Page(request.body["limit"], total=99, end=False)
        request = idigbio.next_request(request, page, TAXON, OPTIONS)
    assert seen == [
        ("records", 0, 2, False),
        ("records", 2, 1, False),
        ("records", 3, 2, True),
        ("media", 0, 2, False),
        ("media", 2, 1, False),
        ("media", 3, 2, True),
    ]


def test_without_records_no_media_are_asked_for() -> None:
    request = idigbio.first_request(TAXON, OPTIONS)
    page = idigbio.read_page(request, page_of())
    assert page == Page(0, total=0, end=True)
    assert idigbio.next_request(request, page, TAXON, OPTIONS) is None


def test_the_last_page_is_known_by_the_count() -> None:
    request = idigbio.first_request(TAXON, OPTIONS)
    assert not idigbio.read_page(request, page_of(record("a"), count=2)).end
    assert idigbio.read_page(request, page_of(record("a"), count=1)).end
    assert idigbio.read_page(request, page_of(count=9)).end


@pytest.mark.parametrize("body", [b"<html>", b'{"items": [{"uuid": "a"}', b'{"items": [{}]}', b'{"error": "x"}'])
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        idigbio.read_page(idigbio.first_request(TAXON, OPTIONS), body)


def test_media_find_their_records_across_pages() -> None:
    pages = [
        ("r/0", page_of(record("b"), record("a", mediarecords=["m2", "m1"]))),
        ("r/1", page_of(record("c", mediarecords=["m9"]))),
        ("m/0", page_of(medium("m2", "a", ac_accessURI="http://a.org/2.jpg"))),
        ("m/1", page_of(medium("m1", "a", ac_accessURI="http://a.org/1.jpg"), medium("m3", "z"))),
    ]
    found = {r.record_id: r for r in idigbio.read_records(pages)}
    assert [media.url for media in found["a"].media] == ["http://a.org/1.jpg", "http://a.org/2.jpg"]
    assert {name: r.issue for name, r in found.items()} == {
        "a": None,
        "b": None,
        "c": "SOURCE_CEILING",
        "m3": "IMAGE_WITHOUT_RECORD",
    }
    assert found["c"].page_key == "r/1"


def test_the_publishers_words_go_before_the_index_and_the_made_up_date_is_not_read() -> None:
    item = record(
        "a",
        {"dwc:scientificName": "Acer rubrum L.", "dwc:institutionCode": "NHA", "dcterms:rightsHolder": "UNH",
         "dc:rights": "http://creativecommons.org/publicdomain/zero/1.0/"},
        scientificname="acer rubrum", institutioncode="nha", catalognumber="nha-55", countrycode="usa",
        datecollected="1971-11-05T00:00:00+00:00", geopoint={"lat": 39.5, "lon": -75.25}, recordset="set",
        collector="c. g. pringle", recordnumber="12", basisofrecord="preservedspecimen",
    )  # fmt: skip
    (found,) = idigbio.read_records([("p", page_of(item))])
    row = describe_specimen(found)
    assert (row["scientificName"], row["institutionCode"], row["catalogNumber"]) == ("Acer rubrum L.", "NHA", "nha-55")
    assert (row["countryCode"], row["decimalLatitude"], row["datasetKey"]) == ("US", 39.5, "set")
    assert (row["eventDate"], row["year"]) == (None, None)
    assert choose_license((), found.licenses)[0] == "CC0-1.0"


def test_a_name_from_the_index_gets_its_capital() -> None:
    (found,) = idigbio.read_records([("p", page_of(record("a", scientificname="acer rubrum")))])
    assert found.terms["scientificName"] == "Acer rubrum"


@pytest.mark.real
def test_real_media_of_the_search_index() -> None:
    """The index answers behind the API; the API serves the same without `indexData`."""
    path = REAL / "search_index_snapshots/search-64600aecfcb77fd58d30f65725c388c9.json"
    if not path.is_file():
        pytest.skip(f"the index answer {path.name} is not here")
    hits = json.loads(path.read_text(encoding="utf-8"))["response_snapshot"]["hits"]["hits"]
    items = [
        {"uuid": hit["_id"], "type": hit["_type"], "data": hit["_source"]["data"], "indexTerms": hit["_source"]}
        for hit in hits
    ]
    records = [record(owner) for hit in hits for owner in hit["_source"]["records"]]
    found = list(idigbio.read_records([("r", page_of(*records)), ("m", page_of(*items))]))
    media = [m for r in found for m in r.media]
    assert len(media) == 10 and all(map(is_image, media)) and all(m.url for m in media)
    assert all(r.issue is None for r in found)
    licenses = Counter(choose_license(medium.licenses, ())[0] for medium in media)
    assert licenses == {"CC-BY-NC-SA-4.0": 4, "CC-BY-4.0": 4, "CC-BY-SA-4.0": 1, "PDM-1.0": 1}


@pytest.mark.real
def test_a_recorded_search_answer() -> None:
    path = REAL / "api_v2/spocc_as_idigbio_prep_3.json"
    if not path.is_file():
        pytest.skip(f"the recorded answer {path.name} is not here")
    body = json.dumps(json.loads(path.read_text(encoding="utf-8"))["response"]).encode()
    assert idigbio.read_page(idigbio.first_request(TAXON, OPTIONS), body) == Page(
        2,
        total=608,
        end=False,
        datasets=("4a32531f-1580-499f-bd48-5b0ef4cc5722", "e2c129bc-e45b-43d1-ab52-86e52093080b"),
    )
    rows = [describe_specimen(r) for r in idigbio.read_records([("p", body)])]
    assert rows[0]["scientificName"] == "Setophaga caerulescens"
    assert (rows[0]["eventDate"], rows[0]["year"], rows[0]["countryCode"]) == ("1868-01-01/1868-12-31", 1868, "US")


def test_a_query_a_genus_for_all_names_of_a_taxon() -> None:
    taxon = TAXON | {"names": {"acer": ["rubrum", "carolinianum"], "rufacer": ["rubrum"]}}
    request = idigbio.first_request(taxon, OPTIONS)
    seen = []
    while request is not None:
        assert request.body is not None
        seen.append((request.place, request.body["rq"]["genus"], request.body["rq"]["specificepithet"]))
        request = idigbio.next_request(request, Page(1, total=1, end=True), taxon, OPTIONS)
    assert seen == [
        ("records/0000", "acer", ["rubrum", "carolinianum"]),
        ("media/0000", "acer", ["rubrum", "carolinianum"]),
        ("records-01/0000", "rufacer", "rubrum"),
        ("media-01/0000", "rufacer", "rubrum"),
    ]


def test_a_genus_without_records_is_followed_by_the_next() -> None:
    taxon = TAXON | {"names": {"acer": ["rubrum"], "rufacer": ["rubrum"]}}
    request = idigbio.next_request(idigbio.first_request(taxon, OPTIONS), Page(0, total=0, end=True), taxon, OPTIONS)
    assert request is not None and request.place == "records-01/0000"
    assert idigbio.next_request(request, Page(0, total=0, end=True), taxon, OPTIONS) is None
