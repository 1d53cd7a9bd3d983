"""GBIF's search API: requests out, records in, no socket.

Keys are strings: GBIF's default taxonomy (Catalogue of Life XR) has keys such as 5WZLF, and the older one is frozen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources.darwincore import Media, Occurrence, clean_text
from naflora_etl.sources.paging import (
    Page,
    Request,
    Taxon,
    Unreadable,
    distinct_keys,
    items_of,
    page_size_at,
    read_json,
)

CEILING = 100_000
"""offset + limit at most; HTTP 400 beyond."""
MOST_DATASETS = 10_000
DATASETS_A_PART = 50
"""So that their keys fit into an address."""
LARGEST_PAGE = 300
"""GBIF clips a larger limit without a word."""


def first_request(taxon: Taxon, options: HarvestOptions) -> Request:
    """Return the question by which GBIF tells its own key of a taxon."""
    return match_request(taxon, options)


def read_page(request: Request, body: bytes) -> Page:
    """Return what an answer says about the taxon's key, or about the pages to come; raises Unreadable."""
    if request.kind == "match":
        key = read_match(body, str(dict(request.query)["taxonRank"]))
        return Page(None, taxon_key=key, issue=None if key else "NAME_NOT_IN_SOURCE")
    return read_parts(body) if request.kind == "datasets" else read_record_page(body)


def next_request(request: Request, page: Page, taxon: Taxon, options: HarvestOptions) -> Request | None:
    """Return the first page of records once the key is known, then the next ones; None at the end.

    A taxon with more records than GBIF pages through is asked for by datasets: each record belongs to one, so that the
    parts together are whole, which parts by country or year are not.
    """
    if request.kind == "match":
        return records_request(page.taxon_key, 0, 0, options) if page.taxon_key else None
    key = dict(request.query)["taxonKey"]
    if request.kind == "datasets":
        return _next_part(key, page.parts, 1, options)
    is_first = request.page_number == 0 and request.part == 0
    if is_first and page.total > CEILING and options.max_records_per_taxon > CEILING:
        return datasets_request(key, options)
    if page.end or request.is_beyond_ceiling or not page.record_count:
        return _next_part(key, request.waiting, request.part + 1, options)
    datasets = tuple(value for name, value in request.query if name == "datasetKey")
    following = records_request(key, request.offset + page.record_count, request.page_number + 1, options, datasets)
    return replace(following, part=request.part, waiting=request.waiting)


def _next_part(
    key: str, waiting: tuple[tuple[str, ...], ...], part: int, options: HarvestOptions
) -> Request | None:
    if not waiting:
        return None
    return replace(records_request(key, 0, 0, options, waiting[0]), part=part, waiting=waiting[1:])


def datasets_request(taxon_key: str, options: HarvestOptions) -> Request:
    """Return the question how many of a taxon's records each dataset has."""
    counted = [("facet", "datasetKey"), ("facetLimit", str(MOST_DATASETS)), ("limit", "0")]
    query = (("taxonKey", taxon_key), *conditions(options), *counted)
    return Request("datasets", f"{options.gbif_api}/v1/occurrence/search", query)


def read_parts(body: bytes) -> Page:
    """Return groups of datasets, each with as many records as can be paged through; raises Unreadable."""
    facets = read_json(body).get("facets")
    counts = facets[0].get("counts") if isinstance(facets, list) and facets and isinstance(facets[0], dict) else None
    if not isinstance(counts, list) or not counts or len(counts) >= MOST_DATASETS:
        raise Unreadable("JSON, but without a whole list of datasets")
    parts: list[list[str]] = []
    room = 0
    for entry in counts:
        name, count = str(entry["name"]), int(entry["count"])
        if not parts or count > room or len(parts[-1]) >= DATASETS_A_PART:
            parts.append([])
            room = CEILING
        parts[-1].append(name)
        room -= count
    return Page(None, parts=tuple(tuple(part) for part in parts))


# the taxon's key


def match_request(taxon: Taxon, options: HarvestOptions) -> Request:
    """Return the question for GBIF's key of a taxon: by name, authors and, where known, the IPNI identifier."""
    query = {
        "scientificName": taxon["taxon_name"],
        "scientificNameAuthorship": taxon.get("taxon_authors"),
        "scientificNameID": f"ipni:{taxon['ipni_id']}" if taxon.get("ipni_id") else None,
        "taxonRank": (taxon.get("taxon_rank") or "Species").upper(),
        "kingdom": "Plantae",
        "strict": "true",
        "checklistKey": options.gbif_checklist_key,
    }
    given = tuple((name, value) for name, value in query.items() if value)
    return Request("match", f"{options.gbif_api}/v2/species/match", given)


def read_match(body: bytes, rank: str = "SPECIES") -> str | None:
    """Return GBIF's key of the taxon that was asked for, the accepted one's where GBIF thinks it a synonym.

    Only an exact match at the wanted rank counts; a variant spelling or a higher rank is None. Raises Unreadable.
    """
    answer = read_json(body)
    diagnostics, usage = _object(answer, "diagnostics"), _object(answer, "usage")
    if diagnostics.get("matchType") != "EXACT" or usage.get("rank") != rank.upper():
        return None
    accepted = _object(answer, "acceptedUsage")
    return clean_text(accepted.get("key") if accepted.get("rank") == rank.upper() else usage.get("key"))


def _object(answer: dict[str, Any], name: str) -> dict[str, Any]:
    value = answer.get(name)
    return value if isinstance(value, dict) else {}


# records


def conditions(options: HarvestOptions) -> list[tuple[str, str]]:
    """Return what every question about specimens with images says, beside the taxon."""
    return [
        ("checklistKey", options.gbif_checklist_key),
        ("basisOfRecord", "PRESERVED_SPECIMEN"),
        ("mediaType", "StillImage"),
        *(("country", country.upper()) for country in options.countries),
    ]


def records_request(
    taxon_key: str, offset: int, page_number: int, options: HarvestOptions, datasets: Sequence[str] = ()
) -> Request:
    """Return the question for one page of a taxon's specimens with images, of some datasets or of all."""
    size = page_size_at(offset, min(options.page_size, LARGEST_PAGE), min(CEILING, options.max_records_per_taxon))
    query = [
        ("taxonKey", taxon_key),
        *conditions(options),
        *(("datasetKey", dataset) for dataset in datasets),
        ("limit", str(size or min(options.page_size, LARGEST_PAGE))),
        ("offset", str(offset)),
    ]
    return Request(
        "records",
        f"{options.gbif_api}/v1/occurrence/search",
        tuple(query),
        offset=offset,
        page_number=page_number,
        is_beyond_ceiling=size == 0,
    )


def read_record_page(body: bytes) -> Page:
    """Return what a page of records says about the pages to come; raises Unreadable."""
    answer = read_json(body)
    items, total = items_of(answer, "results", "key"), answer.get("count")
    count = len(items)
    end = bool(answer.get("endOfRecords", True)) or count == 0
    datasets = distinct_keys(item.get("datasetKey") for item in items)
    return Page(count, total=total if isinstance(total, int) else count, end=end, datasets=datasets)


def read_records(body: bytes, page_key: str = "") -> Iterator[Occurrence]:
    """Yield the records of a page; raises Unreadable."""
    for item in items_of(read_json(body), "results", "key"):
        terms = {name: text for name, value in item.items() if (text := clean_text(value)) is not None}
        media = item.get("media")
        yield Occurrence(
            "gbif",
            str(item["key"]),
            page_key,
            terms,
            media=tuple(_medium(entry, terms) for entry in media if isinstance(entry, dict)) if media else (),
            licenses=(terms.get("license"),),
        )


def _medium(entry: dict[str, Any], terms: dict[str, str]) -> Media:
    return Media(
        url=clean_text(entry.get("identifier")),
        kind=clean_text(entry.get("type")),
        format=clean_text(entry.get("format")),
        licenses=(clean_text(entry.get("license")),),
        rights_holder=clean_text(entry.get("rightsHolder")) or terms.get("rightsHolder"),
        creator=clean_text(entry.get("creator")),
    )
