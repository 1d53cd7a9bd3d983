"""A specimen and its pictures as iDigBio tells them: what the publisher wrote, and what was indexed of it."""

from __future__ import annotations

from hashlib import sha1
from random import Random
from typing import Any

from naflora_etl.sandbox.gatherings import Picture, Specimen
from naflora_etl.sandbox.world import World

INDEXED = "{}-1{}-0{}T11:02:07.4{}+00:00"
FIRST_YEAR, LATER = 2025, 2050
"""A record is indexed anew in the quarter in which it changed; those are years to come."""
COUNTRY_CODES = {"US": "usa", "CA": "can", "GL": "grl", "MX": "mex", "JP": "jpn"}


def make_uuid(seed: int, species: int, index: int, picture: int = 0) -> str:
    """Return the uuid of a record (picture 0) or of a picture; species, index and picture can be read back from it."""
    digest = sha1(f"{seed}/idigbio/{species}/{index}/{picture}".encode()).hexdigest()
    mask = int(sha1(f"{seed}/idigbio".encode()).hexdigest()[:12], 16)
    place = f"{((species << 20) | (index << 4) | picture) ^ mask:012x}"
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{place}"


def find_uuid(world: World, uuid: str) -> tuple[Specimen, int] | None:
    """Return the specimen and the number of the picture (0: the record itself) that a uuid stands for."""
    mask = int(sha1(f"{world.options.seed}/idigbio".encode()).hexdigest()[:12], 16)
    try:
        place = int(uuid.rsplit("-", 1)[-1], 16) ^ mask
    except ValueError:
        return None
    species, index, picture = place >> 20, (place >> 4) & 0xFFFF, place & 0xF
    if uuid != make_uuid(world.options.seed, species, index, picture):
        return None
    specimen = world.find_specimen(species, index)
    if specimen is None or not specimen.in_idigbio or picture > len(specimen.pictures):
        return None
    return specimen, picture


def write_record(world: World, specimen: Specimen) -> dict[str, Any]:
    """Return an item of /v2/search/records: uuid, type, etag, data, indexTerms, recordIds."""
    uuid = make_uuid(world.options.seed, specimen.taxon, specimen.index)
    recordset = specimen.institution.recordset
    media = [make_uuid(world.options.seed, specimen.taxon, specimen.index, p.number) for p in specimen.pictures]
    _, _, _, _, latitude, longitude = specimen.place
    terms = _index_record(uuid, specimen) | {
        "geopoint": {"lon": longitude, "lat": latitude},
        "hasImage": bool(media),
        "hasMedia": bool(media),
        "mediarecords": media,
        "flags": ["gbif_reference_added"],
        "dqs": 0.3 + 0.05 * (specimen.index % 5),
        "recordids": [f"{recordset}\\{_occurrence_id(specimen)}"],
    }
    if specimen.date:
        terms["datecollected"] = _fabricate_date(specimen)
    return _item("records", uuid, _verbatim_record(specimen), terms, specimen)


def _occurrence_id(specimen: Specimen) -> str:
    return f"urn:catalog:{specimen.institution.code}:{specimen.barcode}"


def _verbatim_record(specimen: Specimen) -> dict[str, Any]:
    """Return the record as its publisher sent it."""
    keeper, name, occurrence = specimen.institution, specimen.old_name, _occurrence_id(specimen)
    code, country, state, locality, latitude, longitude = specimen.place
    data = {
        "id": occurrence,
        "dwc:occurrenceID": occurrence,
        "dwc:basisOfRecord": "PreservedSpecimen",
        "dwc:institutionCode": keeper.code,
        "dwc:collectionCode": keeper.collection,
        "dwc:catalogNumber": specimen.barcode,
        "dwc:recordedBy": specimen.collector,
        "dwc:recordNumber": specimen.number,
        "dwc:eventDate": specimen.date,
        "dwc:scientificName": name.scientific_name,
        "dwc:scientificNameAuthorship": name.authors,
        "dwc:kingdom": "Plantae",
        "dwc:family": name.family,
        "dwc:genus": name.genus,
        "dwc:specificEpithet": name.species,
        "dwc:infraspecificEpithet": name.infraspecies,
        "dwc:taxonRank": name.rank.lower(),
        "dwc:identifiedBy": specimen.determiner,
        "dwc:country": country,
        "dwc:countryCode": code,
        "dwc:stateProvince": state,
        "dwc:locality": locality,
        "dwc:decimalLatitude": f"{latitude}",
        "dwc:decimalLongitude": f"{longitude}",
        "dcterms:rightsHolder": keeper.name,
        "dcterms:license": keeper.record_license,
    }
    return {field: value for field, value in data.items() if value}


def _index_record(uuid: str, specimen: Specimen) -> dict[str, Any]:
    """Return the record as iDigBio indexes it: its own words, in lower case."""
    keeper, name, occurrence = specimen.institution, specimen.old_name, _occurrence_id(specimen)
    code, country, state, locality, _, _ = specimen.place
    terms: dict[str, Any] = {
        "uuid": uuid,
        "recordset": keeper.recordset,
        "kingdom": "plantae",
        "family": name.family,
        "genus": name.genus,
        "specificepithet": name.species,
        "infraspecificepithet": name.infraspecies,
        "scientificname": name.scientific_name,
        "canonicalname": name.canonical.replace("× ", ""),
        "taxonrank": name.rank,
        "basisofrecord": "preservedspecimen",
        "country": country.replace(" of America", ""),
        "countrycode": COUNTRY_CODES[code],
        "stateprovince": state,
        "locality": locality,
        "institutioncode": keeper.code,
        "collectioncode": keeper.collection,
        "catalognumber": specimen.barcode,
        "occurrenceid": occurrence,
        "collector": specimen.collector,
        "recordnumber": specimen.number,
        "eventdate": specimen.date,
        "verbatimeventdate": specimen.date,
    }
    return {field: value.lower() if isinstance(value, str) else value for field, value in terms.items() if value}


def write_media(world: World, specimen: Specimen, picture: Picture) -> dict[str, Any]:
    """Return an item of /v2/search/media."""
    keeper, seed = specimen.institution, world.options.seed
    uuid = make_uuid(seed, specimen.taxon, specimen.index, picture.number)
    record = make_uuid(seed, specimen.taxon, specimen.index)
    identifier = f"urn:image:{specimen.barcode}_{picture.number}"
    uri = picture.page_url if picture.only_page else picture.url
    data = {
        "dcterms:identifier": identifier,
        "coreid": f"urn:catalog:{keeper.code}:{specimen.barcode}",
        "ac:accessURI": uri,
        "dc:type": "StillImage",
        "dc:format": "image/jpeg",
        "dcterms:rightsHolder": keeper.name,
        "dc:rights": picture.license,
        "xmpRights:UsageTerms": picture.license,
        "xmpRights:Owner": keeper.name,
        "dc:creator": "Imaging team",
    }
    if picture.license and picture.license.startswith("http"):
        data["xmpRights:WebStatement"] = picture.license
    data = {field: value for field, value in data.items() if value}
    terms: dict[str, Any] = {
        "uuid": uuid,
        "recordset": keeper.recordset,
        "records": [record],
        "accessuri": uri,
        "format": "image/jpeg",
        "mediatype": "images",
        "type": "stillimage",
        "hasSpecimen": True,
        "flags": [],
        "dqs": 0.8,
        "recordids": [f"{keeper.recordset}\\media\\{identifier}"],
    }
    if picture.license:
        terms["rights"] = picture.license
        if picture.license.startswith("http"):
            terms["webstatement"] = picture.license
    return _item("mediarecords", uuid, data, terms, specimen)


def _item(kind: str, uuid: str, data: dict[str, Any], terms: dict[str, Any], specimen: Specimen) -> dict[str, Any]:
    etag = sha1(repr((data, terms)).encode()).hexdigest()
    index, year = specimen.index, LATER + specimen.changed_in if specimen.changed_in else FIRST_YEAR
    indexed = INDEXED.format(year, index % 3, 1 + index % 9, index % 10)
    terms |= {"etag": etag, "version": 1 + specimen.changed_in, "datemodified": indexed}
    return {
        "uuid": uuid,
        "type": kind,
        "etag": etag,
        "version": terms["version"],
        "data": data,
        "recordIds": terms["recordids"],
        "indexTerms": terms,
    }


def _fabricate_date(specimen: Specimen) -> str:
    """Return iDigBio's `datecollected`: where month or day are missing, they are made up at random."""
    random = Random(specimen.barcode)
    parts = specimen.date.split("/")[0].split("-")
    made_up = (parts[0], f"{random.randint(1, 12):02d}", f"{random.randint(1, 28):02d}")
    year, month, day = (parts[at] if at < len(parts) else made_up[at] for at in range(3))
    return f"{year}-{month}-{day}T00:00:00+00:00"
