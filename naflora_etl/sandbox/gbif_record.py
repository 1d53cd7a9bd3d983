"""A specimen as GBIF tells it, in the true field names, with the classifications of both its taxonomies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from naflora_etl.sandbox.flora import TaxonName
from naflora_etl.sandbox.gatherings import Picture, Specimen
from naflora_etl.sandbox.herbaria import as_uuid
from naflora_etl.sandbox.world import World

COL_XR = "7ddf754f-d193-4cc9-b351-99906754a03b"
BACKBONE = "d7dddbf4-2cf0-4f39-9b2a-bb099caae36c"
INTERPRETED = "{}-03-0{}T04:12:31.000+00:00"
FIRST_YEAR, LATER = 2026, 2050
"""Every quarter GBIF interprets all records anew: in years to come, whatever the day on which somebody asks."""
# above the family: rank, name, Catalogue of Life key, Backbone key
ABOVE = (("KINGDOM", "Plantae", "P", 6), ("PHYLUM", "Tracheophyta", "TP", 7707728))


@dataclass(frozen=True)
class Lineage:
    """A name, the name accepted for it, and what they belong to."""

    name: TaxonName
    accepted: TaxonName | None
    species: TaxonName | None
    genus: TaxonName
    """Of the accepted name."""

    def classification(self, checklist: str) -> list[dict[str, str]]:
        """Return the ranks from the kingdom down to the accepted name."""
        at = 2 if checklist == COL_XR else 3
        found = [{"key": str(rank[at]), "name": rank[1], "rank": rank[0]} for rank in ABOVE]
        found.append({"key": _family_key(self.genus.family, checklist), "name": self.genus.family, "rank": "FAMILY"})
        for name in dict.fromkeys((self.genus, self.species, self.accepted)):
            if name is not None:
                found.append({"key": key_in(name, checklist), "name": name.canonical, "rank": name.rank.upper()})
        return found

    def keys(self, checklist: str) -> list[str]:
        """Return every key under which a search finds a record of this name."""
        return [rank["key"] for rank in self.classification(checklist)] + [key_in(self.name, checklist)]

    def flat_fields(self, checklist: str) -> dict[str, Any]:
        """Return the ranks as fields side by side: family, familyKey ..."""
        flat: dict[str, Any] = {}
        for rank in self.classification(checklist):
            if rank["rank"] in ("KINGDOM", "PHYLUM", "FAMILY", "GENUS", "SPECIES"):
                word, key = rank["rank"].lower(), rank["key"]
                flat |= {word: rank["name"], f"{word}Key": key if checklist == COL_XR else int(key)}
        return flat


def lineage_of(world: World, name: TaxonName) -> Lineage:
    """Return what a name belongs to; a name that leads nowhere belongs to its own genus."""
    accepted = world.names_by_id.get(name.accepted_id)
    if name.taxon is None:
        genus = name if name.rank == "Genus" else world.names_by_canonical[name.genus][0]
        return Lineage(name, accepted, None, genus)
    species = world.flora.species[name.taxon]
    return Lineage(name, accepted, species.accepted, world.flora.genera[species.genus].name)


def write_record(world: World, specimen: Specimen, checklist: str) -> dict[str, Any]:
    """Return the occurrence as GBIF's search delivers it; what is unknown is absent, as there."""
    keeper, name = specimen.institution, specimen.name
    lineage = lineage_of(world, name)
    code, country, state, locality, latitude, longitude = specimen.place
    crawled = interpreted_at(world, specimen)
    accepted = lineage.accepted or name
    record: dict[str, Any] = {
        "key": specimen.gbif_key,
        "datasetKey": keeper.dataset_key,
        "publishingOrgKey": keeper.publisher_key,
        "installationKey": as_uuid(f"installation/{keeper.code}"),
        "publishingCountry": "US",
        "protocol": "DWC_ARCHIVE",
        "lastCrawled": crawled,
        "lastParsed": crawled,
        "crawlId": 255,
        "extensions": {},
        "basisOfRecord": "HUMAN_OBSERVATION" if specimen.observation else "PRESERVED_SPECIMEN",
        "occurrenceStatus": "PRESENT",
        "classifications": {key: _classified(lineage, key) for key in (COL_XR, BACKBONE)},
        "taxonKey": _typed(name, checklist),
        "acceptedTaxonKey": _typed(accepted, checklist),
        "scientificName": name.scientific_name,
        "acceptedScientificName": accepted.scientific_name,
        **lineage.flat_fields(checklist),
        "genericName": name.genus,
        "specificEpithet": name.species,
        "taxonRank": name.rank.upper(),
        "taxonomicStatus": "ACCEPTED" if name.status == "Accepted" else "SYNONYM",
        "decimalLatitude": latitude,
        "decimalLongitude": longitude,
        "stateProvince": state,
        "locality": locality,
        "issues": ["GEODETIC_DATUM_ASSUMED_WGS84"],
        "lastInterpreted": crawled,
        "license": keeper.record_license,
        "isInCluster": False,
        "recordedBy": specimen.collector,
        "recordNumber": specimen.number,
        "identifiedBy": specimen.determiner,
        "countryCode": code,
        "country": country,
        "recordedByIDs": [],
        "catalogNumber": specimen.barcode,
        "institutionCode": keeper.code,
        "collectionCode": keeper.collection,
        "rightsHolder": keeper.name,
        "occurrenceID": f"urn:catalog:{keeper.code}:{specimen.barcode}",
        "gbifID": str(specimen.gbif_key),
        "media": [_media(picture, keeper.name) for picture in specimen.pictures],
    }
    if name.infraspecies:
        record["infraspecificEpithet"] = name.infraspecies
    return record | _dates(specimen.date)


def interpreted_at(world: World, specimen: Specimen) -> str:
    """Return when GBIF interpreted a record last: in every quarter anew, whether it changed or not."""
    quarter = world.options.quarter
    return INTERPRETED.format(LATER + quarter if quarter else FIRST_YEAR, 1 + specimen.index % 9)


def _media(picture: Picture, holder: str) -> dict[str, Any]:
    media: dict[str, Any] = {"type": "StillImage", "format": "image/jpeg", "references": picture.page_url}
    media["identifier"] = None if picture.only_page else picture.url
    media |= {"title": f"Image {picture.number}", "creator": "Imaging team", "publisher": holder}
    media |= {"license": picture.license, "rightsHolder": holder}
    return media


def _dates(date: str) -> dict[str, Any]:
    if not date:
        return {}
    parts = date.split("/")[0].split("-")
    whole = len(parts) == 3 and ("/" not in date)
    fields = dict(zip(("year", "month", "day"), map(int, parts[: 3 if whole else min(len(parts), 2)]), strict=False))
    return {"eventDate": date, **fields}


def _classified(lineage: Lineage, checklist: str) -> dict[str, Any]:
    def usage(name: TaxonName) -> dict[str, Any]:
        return {
            "key": key_in(name, checklist),
            "name": name.scientific_name,
            "rank": name.rank.upper(),
            "code": "BOTANICAL",
        }

    name = lineage.name
    return {
        "usage": usage(name),
        "acceptedUsage": usage(lineage.accepted or name),
        "taxonomicStatus": "ACCEPTED" if name.status == "Accepted" else "SYNONYM",
        "classification": lineage.classification(checklist),
        "issues": [],
    }


def key_in(name: TaxonName, checklist: str) -> str:
    """Return the key of a name in a checklist: letters and digits, or a number in the Backbone."""
    return name.key if checklist == COL_XR else str(name.backbone_key)


def _typed(name: TaxonName, checklist: str) -> str | int:
    return name.key if checklist == COL_XR else name.backbone_key


def _family_key(family: str, checklist: str) -> str:
    digest = as_uuid(f"family/{family}")
    return f"F{digest[:4].upper()}" if checklist == COL_XR else str(1_000_000 + int(digest[:5], 16))
