"""iDigBio's search API v2: requests out, records in, no socket.

Two queries with the same condition, one for records and one for their media, joined here by the records' uuids. Never
reads `datecollected`, whose missing months and days iDigBio makes up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources.darwincore import Media, Occurrence, clean_text
from naflora_etl.sources.paging import Page, Request, Taxon, distinct_keys, items_of, page_size_at, read_json
from naflora_etl.sources.places import alpha3_code

CEILING = 100_000
LARGEST_PAGE = 1000
"""Larger pages with `data` end in a 500."""

# indexed term (small letters) for the Darwin Core term, where `data` lacks it
INDEXED = {
    "scientificName": "scientificname",
    "institutionCode": "institutioncode",
    "collectionCode": "collectioncode",
    "catalogNumber": "catalognumber",
    "occurrenceID": "occurrenceid",
    "recordedBy": "collector",
    "recordNumber": "recordnumber",
    "eventDate": "eventdate",
    "countryCode": "countrycode",
    "country": "country",
    "stateProvince": "stateprovince",
    "basisOfRecord": "basisofrecord",
    "barcodeValue": "barcodevalue",
    "fieldNumber": "fieldnumber",
}
LICENSE_TERMS = (
    "dcterms:license",
    "cc:license",
    "dcterms:rights",
    "dc:rights",
    "xmpRights:UsageTerms",
    "xmpRights:WebStatement",
)


def first_request(taxon: Taxon, options: HarvestOptions) -> Request:
    """Return the question for the first page of a taxon's records."""
    return search_request("records", taxon, 0, 0, options)


def names_of(taxon: Taxon) -> list[tuple[str, list[str]]]:
    """Return the genera under which a taxon may be filed, each with the epithets there; a query a genus."""
    alone = {(taxon.get("genus") or "").lower(): [(taxon.get("species") or "").lower()]}
    return list((taxon.get("names") or alone).items())


def next_request(request: Request, page: Page, taxon: Taxon, options: HarvestOptions) -> Request | None:
    """Return the next page of records, then the pages of their media, then the next genus; None at the end."""
    if not page.end and not request.is_beyond_ceiling and page.record_count:
        offset = request.offset + page.record_count
        return search_request(request.kind, taxon, offset, request.page_number + 1, options, request.part)
    is_without_records = request.page_number == 0 and not page.record_count and not request.is_beyond_ceiling
    if request.kind == "records" and not is_without_records:
        return search_request("media", taxon, 0, 0, options, request.part)
    if request.part + 1 < len(names_of(taxon)):
        return search_request("records", taxon, 0, 0, options, request.part + 1)
    return None


def search_request(
    kind: str, taxon: Taxon, offset: int, page_number: int, options: HarvestOptions, part: int = 0
) -> Request:
    """Return the question for one page of records, or of media of such records, in the `part`-th genus.

    By genus and epithet: `scientificname` matches any name that holds both words. Sorted by uuid, as the default order
    is not unique and pages would overlap.
    """
    size = page_size_at(offset, min(options.page_size, LARGEST_PAGE), min(CEILING, options.max_records_per_taxon))
    genus, epithets = names_of(taxon)[part]
    body = {
        "rq": condition_for(genus, epithets if len(epithets) > 1 else epithets[0], options),
        "sort": "uuid",
        "limit": size or min(options.page_size, LARGEST_PAGE),
        "offset": offset,
        "no_attribution": True,
    }
    address = f"{options.idigbio_api}/v2/search/{kind}"
    return Request(kind, address, (), body, offset, page_number, part, is_beyond_ceiling=size == 0)


def condition_for(genus: str | list[str], epithet: str | list[str], options: HarvestOptions) -> dict[str, Any]:
    """Return what records must fulfil; a list means any of its values."""
    condition: dict[str, Any] = {"genus": genus, "specificepithet": epithet, "hasImage": True}
    if options.countries:
        condition["countrycode"] = [(alpha3_code(country) or country).lower() for country in options.countries]
    return condition


def read_page(request: Request, body: bytes) -> Page:
    """Return what a page says about the pages to come; raises Unreadable."""
    answer = read_json(body)
    items, total = items_of(answer, "items", "uuid"), answer.get("itemCount")
    count = len(items)
    total = total if isinstance(total, int) else count
    recordsets = (_part(item, "indexTerms").get("recordset") for item in items if request.kind == "records")
    end = count == 0 or request.offset + count >= total
    return Page(count, total=total, end=end, datasets=distinct_keys(recordsets))


def read_records(pages: Iterable[tuple[str, bytes]]) -> Iterator[Occurrence]:
    """Yield the records of some pages of records and media (page key, body), each with its media; raises Unreadable.

    Media whose record is not among them come as a record of their own with the issue IMAGE_WITHOUT_RECORD; a record
    whose media were not read, as it has some, with SOURCE_CEILING.
    """
    records: dict[str, tuple[str, dict[str, Any]]] = {}
    media: dict[str, tuple[str, dict[str, Any]]] = {}
    for page_key, body in pages:
        for item in items_of(read_json(body), "items", "uuid"):
            kept = media if item.get("type") in ("mediarecords", "media") else records
            kept.setdefault(str(item["uuid"]), (page_key, item))
    of_record: dict[str, list[Media]] = defaultdict(list)
    for uuid, (page_key, item) in sorted(media.items()):
        for owner in _owners(item):
            of_record[owner].append(_medium(item))
        if not any(owner in records for owner in _owners(item)):
            yield Occurrence("idigbio", uuid, page_key, {}, (_medium(item),), issue="IMAGE_WITHOUT_RECORD")
    for uuid, (page_key, item) in sorted(records.items()):
        yield _record(uuid, page_key, item, of_record.get(uuid, []))


def _record(uuid: str, page_key: str, item: dict[str, Any], media: list[Media]) -> Occurrence:
    data, indexed = _part(item, "data"), _part(item, "indexTerms")
    terms = {name: clean_text(indexed.get(term)) for name, term in INDEXED.items()}
    if name := terms["scientificName"]:
        terms["scientificName"] = name[:1].upper() + name[1:]
    point = _part(indexed, "geopoint")
    terms |= {"decimalLatitude": clean_text(point.get("lat")), "decimalLongitude": clean_text(point.get("lon"))}
    terms |= {name[4:]: text for name, value in data.items() if name.startswith("dwc:") and (text := clean_text(value))}
    terms |= {"datasetKey": clean_text(indexed.get("recordset")), "rightsHolder": _rights_holder(data)}
    has_more = not media and bool(indexed.get("mediarecords"))
    return Occurrence(
        "idigbio",
        uuid,
        page_key,
        {name: text for name, text in terms.items() if text is not None},
        tuple(media),
        tuple(clean_text(data.get(term)) for term in LICENSE_TERMS),
        issue="SOURCE_CEILING" if has_more else None,
    )


def _medium(item: dict[str, Any]) -> Media:
    data, indexed = _part(item, "data"), _part(item, "indexTerms")
    texts = [clean_text(data.get(term)) for term in LICENSE_TERMS]
    texts += [clean_text(indexed.get(term)) for term in ("rights", "webstatement", "licenselogourl")]
    return Media(
        url=clean_text(data.get("ac:accessURI")) or clean_text(indexed.get("accessuri")),
        kind=clean_text(data.get("dcterms:type") or data.get("dc:type") or indexed.get("type")),
        format=clean_text(data.get("dcterms:format") or data.get("dc:format") or indexed.get("format")),
        licenses=tuple(texts),
        rights_holder=_rights_holder(data),
        creator=clean_text(data.get("dcterms:creator")) or clean_text(data.get("dc:creator")),
        media_id=clean_text(item.get("uuid")),
    )


def _rights_holder(data: dict[str, Any]) -> str | None:
    return clean_text(data.get("dcterms:rightsHolder")) or clean_text(data.get("xmpRights:Owner"))


def _owners(item: dict[str, Any]) -> list[str]:
    owners = _part(item, "indexTerms").get("records")
    return [str(owner) for owner in owners] if isinstance(owners, list) else []


def _part(item: dict[str, Any], name: str) -> dict[str, Any]:
    value = item.get(name)
    return value if isinstance(value, dict) else {}
