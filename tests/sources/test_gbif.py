"""What GBIF is asked, page after page, and what is read from its real answers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources import gbif
from naflora_etl.sources.darwincore import describe_specimen, is_image, specimen_issue
from naflora_etl.sources.licences import choose_license
from naflora_etl.sources.paging import Page, Request, Unreadable

REAL = Path(__file__).parents[2] / "../shared/data/gbif/api"
TAXON = {
    "taxon_id": "1",
    "taxon_name": "Acer rubrum",
    "taxon_authors": "L.",
    "taxon_rank": "Species",
    "ipni_id": "781435-1",
    "genus": "Acer",
    "species": "rubrum",
}
OPTIONS = HarvestOptions(page_size=2, max_records_per_taxon=5)


def asked(request: Request | None) -> dict[str, Any]:
    assert request is not None
    query = parse_qs(urlsplit(request.url).query)
    return {name: values if len(values) > 1 else values[0] for name, values in query.items()}


def match(match_type: str = "EXACT", rank: str = "SPECIES", **more: Any) -> bytes:
    usage = {"key": "5WZLF", "rank": rank}
    return json.dumps({"usage": usage, "diagnostics": {"matchType": match_type}, **more}).encode()


def test_the_key_is_asked_by_name_authors_and_identifier() -> None:
    request = gbif.first_request(TAXON, OPTIONS)
    assert request.url.startswith("https://api.gbif.org/v2/species/match?scientificName=Acer+rubrum&")
    query = asked(request)
    assert (query["scientificNameAuthorship"], query["scientificNameID"]) == ("L.", "ipni:781435-1")
    assert query["checklistKey"] == OPTIONS.gbif_checklist_key
    assert query["taxonRank"] == "SPECIES"


ACCEPTED = {"key": "6AB", "rank": "SPECIES"}
MATCHES = {
    "an exact species": (match(), "5WZLF"),
    "a number is text": (match(usage={"key": 9206251, "rank": "SPECIES"}), "9206251"),
    "a synonym leads to the accepted species": (match(acceptedUsage=ACCEPTED), "6AB"),
    "a synonym of a variety stays itself": (match(acceptedUsage={"key": "7", "rank": "VARIETY"}), "5WZLF"),
    "a higher rank": (match("HIGHERRANK", "GENUS"), None),
    "an exact genus": (match("EXACT", "GENUS"), None),
    "a variant spelling": (match("VARIANT"), None),
    "nothing": (b'{"diagnostics": {"matchType": "NONE"}, "synonym": false}', None),
}


@pytest.mark.parametrize(("body", "key"), MATCHES.values(), ids=MATCHES)
def test_only_an_exact_match_at_the_rank_gives_a_key(body: bytes, key: str | None) -> None:
    assert gbif.read_match(body) == key


def test_a_taxon_that_gbif_does_not_know_is_not_asked_for() -> None:
    request = gbif.first_request(TAXON, OPTIONS)
    page = gbif.read_page(request, match("HIGHERRANK", "GENUS"))
    assert page == Page(None, issue="NAME_NOT_IN_SOURCE")
    assert gbif.next_request(request, page, TAXON, OPTIONS) is None


def test_pages_follow_each_other_up_to_the_recipes_ceiling() -> None:
    options = OPTIONS.model_copy(update={"countries": ("us", "CA")})
    request = gbif.next_request(gbif.first_request(TAXON, options), Page(None, taxon_key="5WZLF"), TAXON, options)
    query = asked(request)
    assert query == {
        "taxonKey": "5WZLF",
        "checklistKey": options.gbif_checklist_key,
        "basisOfRecord": "PRESERVED_SPECIMEN",
        "mediaType": "StillImage",
        "country": ["US", "CA"],
        "limit": "2",
        "offset": "0",
    }
    seen = []
    while request is not None and not request.is_beyond_ceiling:
        seen.append((request.page_number, asked(request)["offset"], asked(request)["limit"]))
        size = int(asked(request)["limit"])
        request = gbif.next_request(request, Page(size, total=99, end=False), TAXON, options)
    assert seen == [(0, "0", "2"), (1, "2", "2"), (2, "4", "1")]
    assert request is not None and asked(request)["offset"] == "5"
    assert gbif.next_request(request, Page(None), TAXON, options) is None


def test_no_page_lies_beyond_gbifs_own_ceiling_or_size() -> None:
    options = HarvestOptions(max_records_per_taxon=10**9)
    last = gbif.records_request("1", 99_900, 333, options)
    assert asked(last)["limit"] == "100" and not last.is_beyond_ceiling
    assert gbif.records_request("1", 100_000, 334, options).is_beyond_ceiling


ENDS = {
    "told": ({"count": 1, "endOfRecords": True, "results": [{"key": 1}]}, True),
    "not told": ({"count": 9, "endOfRecords": False, "results": [{"key": 1}]}, False),
    "an empty page, whatever it tells": ({"count": 9, "endOfRecords": False, "results": []}, True),
}


@pytest.mark.parametrize(("answer", "end"), ENDS.values(), ids=ENDS)
def test_the_last_page_is_known(answer: dict[str, Any], end: bool) -> None:
    page = gbif.read_record_page(json.dumps(answer).encode())
    assert page.end is end
    assert page.record_count == len(answer["results"])


UNREADABLE = {
    "a web page": b"<!DOCTYPE html><html><body>Maintenance</body></html>",
    "cut JSON": b'{"offset": 0, "results": [{"key": 1}, {"ke',
    "another shape": b'{"message": "ok"}',
    "a list": b"[]",
    "records without a key": b'{"results": [{"scientificName": "Acer rubrum"}]}',
    "bytes": b"\xff\xd8\xff\xe0",
    "nothing": b"",
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        gbif.read_record_page(body)
    with pytest.raises(Unreadable):
        list(gbif.read_records(body))


def test_a_record_keeps_its_words_and_the_licences_of_both_places() -> None:
    item = {
        "key": 7,
        "scientificName": "Acer rubrum L.",
        "license": "http://creativecommons.org/licenses/by/4.0/legalcode",
        "media": [
            {"type": "StillImage", "identifier": "http://a.org/1.jpg", "license": "CC BY-NC", "rightsHolder": "NY"},
            {"type": "StillImage", "identifier": None, "references": "http://a.org/1"},
        ],
    }
    (record,) = gbif.read_records(json.dumps({"results": [item]}).encode(), "page")
    assert (record.record_id, record.page_key, record.terms["scientificName"]) == ("7", "page", "Acer rubrum L.")
    assert [choose_license(media.licenses, record.licenses)[0] for media in record.media] == ["CC-BY-NC", "CC-BY-4.0"]
    assert [media.url for media in record.media] == ["http://a.org/1.jpg", None]
    assert record.media[0].rights_holder == "NY"


@pytest.mark.real
def test_a_recorded_page_of_300_records() -> None:
    path = REAL / "occurrence_search_taxonKey2683264_2025.json"
    if not path.is_file():
        pytest.skip(f"the recorded answer {path.name} is not here")
    body = path.read_bytes()
    page = gbif.read_record_page(body)
    assert (page.record_count, page.total, page.end, len(page.datasets)) == (300, 956, False, 91)
    records = list(gbif.read_records(body))
    media = [medium for record in records for medium in record.media]
    rows = [describe_specimen(record) for record in records]
    assert len({record.record_id for record in records}) == 300
    assert sum(specimen_issue(row["basisOfRecord"]) is None for row in rows) == 228
    assert len({row["specimen_key"] for row in rows}) == 300
    assert (len(media), sum(map(is_image, media))) == (226, 186)
    licenses = Counter(choose_license(medium.licenses, r.licenses)[0] for r in records for medium in r.media)
    assert licenses[None] == 9  # seven of a herbarium's own terms, two "Usage Conditions Apply"
    assert licenses["CC-BY-4.0"] == 84


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "rank", "key"),
    [
        ("rgbif_name_backbone_0", "SPECIES", "9206251"),
        ("rgbif_name_backbone_2", "SPECIES", None),
        ("rgbif_name_backbone_3", "SPECIES", None),
        ("rgbif_name_backbone_4", "SPECIES", None),
        ("rgbif_name_backbone_7", "SPECIES", None),
        ("rgbif_name_backbone_acceptedUsageKey_0", "SPECIES", "2689422"),
    ],
)
def test_recorded_matches(name: str, rank: str, key: str | None) -> None:
    path = REAL / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"the recorded answer {path.name} is not here")
    assert gbif.read_match(path.read_bytes(), rank) == key


def test_more_records_than_gbif_pages_through_are_asked_for_by_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gbif, "CEILING", 10)
    options = HarvestOptions(page_size=5, max_records_per_taxon=100)
    holds = {"A": 9, "B": 6, "C": 4, "D": 2}
    facets = [{"field": "DATASET_KEY", "counts": [{"name": name, "count": count} for name, count in holds.items()]}]
    request, seen = gbif.records_request("5WZLF", 0, 0, options), []
    while request is not None:
        query = asked(request)
        assert query["checklistKey"] == OPTIONS.gbif_checklist_key and query["taxonKey"] == "5WZLF"
        seen.append((request.place, query.get("datasetKey"), query.get("offset")))
        if request.kind == "datasets":
            page = gbif.read_page(request, json.dumps({"facets": facets}).encode())
        else:
            names = query.get("datasetKey", list(holds))
            total = sum(holds[name] for name in ([names] if isinstance(names, str) else names))
            count = max(0, min(int(query["limit"]), total - request.offset))
            page = Page(count, total=total, end=request.offset + count >= total)
        request = gbif.next_request(request, page, TAXON, options)
    assert seen == [
        ("records/0000", None, "0"),
        ("datasets/0000", None, None),
        ("records-01/0000", "A", "0"),
        ("records-01/0001", "A", "5"),
        ("records-02/0000", ["B", "C"], "0"),
        ("records-02/0001", ["B", "C"], "5"),
        ("records-03/0000", "D", "0"),
    ]


@pytest.mark.parametrize("said", [{}, {"facets": []}, {"facets": [{"counts": []}]}])
def test_an_answer_without_datasets_cannot_be_read(said: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="without a whole list of datasets"):
        gbif.read_page(gbif.datasets_request("5WZLF", OPTIONS), json.dumps(said).encode())
