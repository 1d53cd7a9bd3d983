"""The GBIF look-alike: occurrence search and name matching, with GBIF's own limits and quirks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any
from zlib import crc32

from aiohttp import web
from multidict import MultiDict

from naflora_etl.sandbox.flora import TaxonName
from naflora_etl.sandbox.gatherings import Specimen
from naflora_etl.sandbox.gbif_record import BACKBONE, COL_XR, interpreted_at, key_in, lineage_of, write_record
from naflora_etl.sandbox.herbaria import INSTITUTIONS
from naflora_etl.sandbox.world import World

DEFAULT_LIMIT, MOST_A_PAGE, CEILING = 20, 300, 100_000
FACET_LIMIT = 10
LEAST_LIKENESS = 0.86


class Gbif:
    """Answers for one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.taxa = _species_by_key(world)

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.get("/v1/occurrence/search", self.search),
            web.get("/v1/occurrence/{key}", self.occurrence),
            web.get("/v1/dataset/{key}", self.dataset),
            web.get("/v1/occurrence/{key}/fragment", self.fragment),
            web.get("/v2/species/match", self.match),
            web.get("/v1/species/match", self.match_flat),
        ]

    async def search(self, request: web.Request) -> web.Response:
        """Answer a search: pages of at most 300 however many were asked for, and a wall at 100,000."""
        query = request.query
        try:
            offset, limit = int(query.get("offset", 0)), int(query.get("limit", DEFAULT_LIMIT))
        except ValueError:
            return _bad("offset and limit must be numbers")
        limit = min(max(limit, 0), MOST_A_PAGE)
        if offset < 0 or offset + limit > CEILING:
            return _bad(f"Max offset of {CEILING} exceeded: {offset} + {limit}")
        checklist = query.get("checklistKey", BACKBONE)
        if checklist not in (COL_XR, BACKBONE):
            return _bad(f"Unknown checklistKey {checklist}")
        found = list(self._find(query, checklist))
        page = found[offset : offset + limit]
        return web.json_response(
            {
                "offset": offset,
                "limit": limit,
                "endOfRecords": offset + limit >= len(found),
                "count": len(found),
                "results": [write_record(self.world, specimen, checklist) for specimen in page],
                "facets": [self._count(found, query, field, checklist) for field in query.getall("facet", [])],
            }
        )

    def _count(self, found: list[Specimen], query: Any, field: str, checklist: str) -> dict[str, Any]:
        """Return how many records bear each value of a field, the most frequent first; a taxon counts for all above."""
        counts: Counter[str] = Counter()
        for specimen in found:
            if field == "taxonKey":
                counts.update(set(lineage_of(self.world, specimen.name).keys(checklist)))
            elif field in _FIELDS:
                counts.update(_FIELDS[field](specimen))
        first, most = int(query.get("facetOffset", 0)), int(query.get("facetLimit", FACET_LIMIT))
        listed = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[first : first + most]
        name = re.sub("([A-Z])", r"_\1", field).upper()
        return {"field": name, "counts": [{"name": value, "count": count} for value, count in listed]}

    async def dataset(self, request: web.Request) -> web.Response:
        """Answer for one dataset as GBIF's registry does; 404 for what it never had."""
        key = request.match_info["key"].lower()
        keeper = next((keeper for keeper in INSTITUTIONS if keeper.dataset_key == key), None)
        if keeper is None:
            return web.json_response({"code": 404, "message": "Not found"}, status=404)
        told = {
            "key": key,
            "publishingOrganizationKey": keeper.publisher_key,
            "doi": keeper.dataset_doi,
            "type": "OCCURRENCE",
            "title": keeper.dataset_title,
            "license": keeper.record_license,
            "citation": {"text": keeper.dataset_citation},
        }
        return web.json_response(told)

    async def occurrence(self, request: web.Request) -> web.Response:
        """Answer for one record; 404 for what was never here, or is not any more."""
        specimen = self.world.find_gbif(request.match_info["key"])
        if specimen is None or not specimen.in_gbif:
            return web.json_response({"code": 404, "message": "Not found"}, status=404)
        return web.json_response(write_record(self.world, specimen, request.query.get("checklistKey", BACKBONE)))

    async def fragment(self, request: web.Request) -> web.Response:
        """Answer with a record as its publisher sent it last; GBIF keeps it when the record itself is gone."""
        specimen = self.world.find_gbif(request.match_info["key"])
        if specimen is None:
            return web.json_response({"code": 404, "message": "Not found"}, status=404)
        return web.json_response({"occurrenceID": specimen.barcode, "scientificName": specimen.name.scientific_name})

    async def match(self, request: web.Request) -> web.Response:
        """Answer what a name means (v2)."""
        query = request.query
        checklist = query.get("checklistKey", COL_XR)
        identifier = query.get("scientificNameID", "")
        if identifier.lower().startswith("ipni:"):
            wanted = identifier.split(":", 1)[1]
            by_id = [name for name in self.world.flora.names() if name.ipni_id == wanted]
            if by_id:
                return web.json_response(self._tell(by_id[0], "EXACT", 100, checklist))
        text = query.get("scientificName", query.get("name", ""))
        name, kind, confidence = self._match(text, query.get("scientificNameAuthorship", ""))
        if kind == "HIGHERRANK" and query.get("strict", "").lower() == "true":
            name, kind, confidence = None, "NONE", 100
        return web.json_response(self._tell(name, kind, confidence, checklist))

    async def match_flat(self, request: web.Request) -> web.Response:
        """Answer what a name means (v1): the Backbone's numbers, side by side."""
        name, kind, confidence = self._match(request.query.get("name", ""), request.query.get("authorship", ""))
        if name is None:
            note = "No match because of too little confidence"
            return web.json_response({"confidence": 100, "note": note, "matchType": "NONE", "synonym": False})
        lineage = lineage_of(self.world, name)
        flat: dict[str, Any] = {"usageKey": name.backbone_key, "scientificName": name.scientific_name}
        flat |= {"canonicalName": name.canonical, "rank": name.rank.upper(), "status": _status(name)}
        flat |= {"confidence": confidence, "matchType": kind, "synonym": name.accepted_id != name.name_id}
        if flat["synonym"] and lineage.accepted is not None:
            flat["acceptedUsageKey"] = lineage.accepted.backbone_key
        return web.json_response(flat | lineage.flat_fields(BACKBONE))

    def find(self, query: dict[str, list[str]], checklist: str) -> Iterator[Specimen]:
        """Yield the specimens that a search with these parameters finds."""
        return self._find(MultiDict((name, value) for name, values in query.items() for value in values), checklist)

    def _find(self, query: Any, checklist: str) -> Iterator[Specimen]:
        wanted = set(query.getall("taxonKey", []))
        for text in query.getall("scientificName", []):
            name = self._match(text, "")[0]
            wanted.add(key_in(name, checklist) if name else "nothing is called so")
        accepted = set(query.getall("acceptedTaxonKey", []))
        filters = {field: set(query.getall(field)) for field in _FIELDS if field in query}
        for specimen in self._candidates(wanted | accepted, bool(wanted or accepted)):
            if not specimen.in_gbif or not self._lists(specimen):
                continue
            lineage = lineage_of(self.world, specimen.name)
            if wanted and not wanted & set(lineage.keys(checklist)):
                continue
            if accepted and not (lineage.accepted and key_in(lineage.accepted, checklist) in accepted):
                continue
            if not _in_range(interpreted_at(self.world, specimen), query.get("lastInterpreted", "*")):
                continue
            if all(values & _FIELDS[field](specimen) for field, values in filters.items()):
                yield specimen

    def _lists(self, specimen: Specimen) -> bool:
        """Return whether the search knows a record; an index that is being rebuilt forgets many that are there."""
        return crc32(specimen.barcode.encode()) / 2**32 < self.world.options.gbif_lists

    def _candidates(self, keys: Iterable[str], narrow: bool) -> Iterator[Specimen]:
        flora = self.world.flora
        named = {at for key in keys for at in self.taxa.get(key, ())}
        # what was redetermined lies with the species under which it was gathered, in the same genus
        species = sorted({mate for at in named for mate in flora.genera[flora.species[at].genus].species})
        for index in species if narrow else range(len(self.world.flora.species)):
            yield from self.world.specimens(index)

    def _match(self, text: str, authorship: str) -> tuple[TaxonName | None, str, int]:
        """Return the name that a text means, how it was found, and how sure that is."""
        words = text.replace("×", " ").split()
        names = self.world.names_by_canonical
        for count in range(len(words), 0, -1):
            canonical = " ".join(words[:count])
            if count == 1 and len(words) > 1 and words[1][0].islower():  # a species that is not known as written
                near = [name for name in names if name.startswith(canonical[:3])]
                near = get_close_matches(" ".join(words[:2]), near, 1, LEAST_LIKENESS)
                if near:
                    return names[near[0]][0], "VARIANT", 85
            if canonical in names:
                higher = count == 1 and len(words) > 1 and words[1][0].islower()
                name, sure = _choose(names[canonical], _plain(" ".join(words[count:]) or authorship))
                return name, "HIGHERRANK" if higher else "EXACT", sure
        return None, "NONE", 100

    def _tell(self, name: TaxonName | None, kind: str, confidence: int, checklist: str) -> dict[str, Any]:
        diagnostics = {"matchType": kind, "confidence": confidence, "timeTaken": 1}
        if name is None:
            return {"diagnostics": diagnostics | {"issues": []}, "synonym": False}
        lineage = lineage_of(self.world, name)
        told = {
            "usage": _usage(name, checklist),
            "classification": lineage.classification(checklist),
            "diagnostics": diagnostics,
            "synonym": name.accepted_id != name.name_id,
        }
        if told["synonym"] and lineage.accepted is not None:
            told["acceptedUsage"] = _usage(lineage.accepted, checklist)
        return told


_FIELDS = {
    "mediaType": lambda specimen: {"StillImage"} if specimen.pictures else set(),
    "basisOfRecord": lambda specimen: {"HUMAN_OBSERVATION" if specimen.observation else "PRESERVED_SPECIMEN"},
    "country": lambda specimen: {specimen.place[0]},
    "datasetKey": lambda specimen: {specimen.institution.dataset_key},
    "institutionCode": lambda specimen: {specimen.institution.code},
    "catalogNumber": lambda specimen: {specimen.barcode},
    "occurrenceId": lambda specimen: {f"urn:catalog:{specimen.institution.code}:{specimen.barcode}"},
}


def _in_range(day: str, wanted: str) -> bool:
    """Return whether a moment lies in a range `from,to` (days, inclusive; `*` is open), or on a single day."""
    first, _, last = wanted.partition(",")
    last = last or first
    return (first == "*" or day[: len(first)] >= first) and (last == "*" or day[: len(last)] <= last)


def _choose(twins: tuple[TaxonName, ...], author: str) -> tuple[TaxonName, int]:
    """Return the name out of homonyms that the author tells, else the accepted one; and how sure that is."""
    same = [name for name in twins if author and _plain(name.authors) == author]
    placed = [name for name in twins if name.status == "Accepted"] or list(twins)
    return (same or placed)[0], 99 if same or len(twins) == 1 else 90


def _species_by_key(world: World) -> dict[str, tuple[int, ...]]:
    """Return which species' specimens may bear a key, for every key of a name or of what is above it."""
    found: dict[str, set[int]] = {}
    for plant in world.flora.species:
        for name in plant.names:
            lineage = lineage_of(world, name)
            for checklist in (COL_XR, BACKBONE):
                for key in lineage.keys(checklist):
                    found.setdefault(key, set()).add(plant.index)
    return {key: tuple(sorted(species)) for key, species in found.items()}


def _usage(name: TaxonName, checklist: str) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "key": key_in(name, checklist),
        "name": name.scientific_name,
        "canonicalName": name.canonical,
    }
    usage |= {"authorship": name.authors, "rank": name.rank.upper(), "code": "BOTANICAL", "status": _status(name)}
    if name.species:
        usage |= {"genericName": name.genus, "specificEpithet": name.species}
    if name.infraspecies:
        usage["infraspecificEpithet"] = name.infraspecies
    return usage | {"type": "SCIENTIFIC", "formattedName": f"<i>{name.canonical}</i> {name.authors}"}


def _status(name: TaxonName) -> str:
    return {"Accepted": "ACCEPTED", "Unplaced": "DOUBTFUL"}.get(name.status, "SYNONYM")


def _plain(authors: str) -> str:
    return "".join(letter for letter in authors.lower() if letter.isalpha())


def _bad(message: str) -> web.Response:
    return web.json_response({"code": 400, "message": message}, status=400)
