"""The few questions by which an aggregator says what may be new, a hundred taxa at a time. No socket.

For each taxon two or three numbers: its records, those that changed since a day, and (iDigBio) media that did. What
moves them may be new; whether it is, the records themselves tell, since GBIF interprets everything anew when its
taxonomy changes. A record that was withdrawn moves the first number and no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources import gbif, idigbio
from naflora_etl.sources.paging import Request, Taxon, Unreadable, read_json

AT_ONCE = 100
"""Taxa a question; their keys make an address of some two thousand letters."""
MOST_FACETS = 5000
MOST_TOPS = 1000


def ask_gbif(keys: Sequence[str], options: HarvestOptions, since: str = "") -> Request:
    """Return the question how many records each taxon has; with `since`, how many GBIF interpreted since that day."""
    query = [
        *(("taxonKey", key) for key in keys),
        *gbif.conditions(options),
        *([("lastInterpreted", f"{since},*")] if since else []),
        ("facet", "taxonKey"),
        ("facetLimit", str(MOST_FACETS)),
        ("limit", "0"),
    ]
    return Request("news", f"{options.gbif_api}/v1/occurrence/search", tuple(query))


def read_gbif(body: bytes, keys: Sequence[str]) -> dict[str, int]:
    """Return the number of each key; raises Unreadable, also where the list of numbers is not whole."""
    answer = read_json(body)
    facets = answer.get("facets")
    counts = facets[0].get("counts") if isinstance(facets, list) and facets and isinstance(facets[0], dict) else None
    if not isinstance(counts, list) or len(counts) >= MOST_FACETS:
        raise Unreadable("JSON, but without a whole list of numbers by taxon")
    told = {str(entry["name"]): int(entry["count"]) for entry in counts if isinstance(entry, dict)}
    return {key: told.get(key, 0) for key in keys}


def ask_idigbio(taxa: Sequence[Taxon], options: HarvestOptions, since: str = "") -> Request:
    """Return the question how many records each genus and epithet have; with `since`, how many changed since."""
    condition = _condition(taxa, options)
    if since:
        condition["datemodified"] = {"type": "range", "gte": since}
    body = {"rq": condition, "top_fields": ["genus", "specificepithet"], "count": MOST_TOPS}
    return Request("news", f"{options.idigbio_api}/v2/summary/top/records", (), body)


def ask_media(taxa: Sequence[Taxon], options: HarvestOptions, since: str) -> Request:
    """Return the question how many media of these taxa changed since a day."""
    wanted = {"datemodified": {"type": "range", "gte": since}}
    body = {"rq": _condition(taxa, options), "mq": wanted}
    return Request("news", f"{options.idigbio_api}/v2/summary/count/media", (), body)


def read_idigbio(body: bytes, taxa: Sequence[Taxon]) -> dict[str, int]:
    """Return the number of each taxon, all its names together, by taxon_id; raises Unreadable."""
    answer = read_json(body)
    genera = answer.get("genus")
    if not isinstance(answer.get("itemCount"), int) or not isinstance(genera, dict | None):
        raise Unreadable("JSON, but without numbers by genus")
    found: dict[str, int] = {}
    for taxon in taxa:
        found[taxon["taxon_id"]] = sum(
            _number((genera or {}).get(genus), epithet) for genus, own in idigbio.names_of(taxon) for epithet in own
        )
    return found


def read_count(body: bytes) -> int:
    """Return the number that an answer holds; raises Unreadable."""
    count = read_json(body).get("itemCount")
    if not isinstance(count, int):
        raise Unreadable("JSON, but without a number")
    return count


def _condition(taxa: Sequence[Taxon], options: HarvestOptions) -> dict[str, Any]:
    pairs = [(genus, epithet) for taxon in taxa for genus, own in idigbio.names_of(taxon) for epithet in own]
    genera, epithets = ({pair[at] for pair in pairs} for at in (0, 1))
    return idigbio.condition_for(sorted(genera), sorted(epithets), options)


def _number(genus: Mapping[str, Any] | None, epithet: str) -> int:
    told = ((genus or {}).get("specificepithet") or {}).get(epithet) or {}
    return int(told.get("itemCount", 0))
