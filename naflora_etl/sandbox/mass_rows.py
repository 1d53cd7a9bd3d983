"""Specimens as the rows of GBIF's and iDigBio's downloads: one text a row, made column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.sandbox import mass_pools as pool
from naflora_etl.sandbox.mass_pools import Pools
from naflora_etl.sandbox.mass_specimens import Specimens
from naflora_etl.sandbox.mass_terms import GBIF_CORE, GBIF_MEDIA, IDIGBIO_CORE, IDIGBIO_MEDIA

Cells = Mapping[str, pa.Array | str]
FIRST_GBIF_ID = 1_000_000_001


def gbif_rows(pools: Pools, these: Specimens) -> pa.Array:
    """Return the lines of occurrence.txt for some specimens: tabs, no quotes."""
    rows = these.take(np.flatnonzero(these.in_gbif))
    cells = _facts(pools, rows, 0) | {
        "gbifID": _gbif_ids(rows.number),
        "license": pa.array(pool.RECORD_LICENSES).take(pa.array(rows.institution % 3)),
        "rightsHolder": pc.binary_join_element_wise("Herbarium ", _of(pools.codes, rows.institution), ""),
        "datasetKey": _of(pools.datasets, rows.institution),
        "occurrenceStatus": "PRESENT", "kingdom": "Plantae", "phylum": "Tracheophyta", "taxonRank": "SPECIES",
        "class": "Magnoliopsida", "taxonomicStatus": "ACCEPTED", "publishingCountry": "US", "protocol": "DWC_ARCHIVE",
        "lastInterpreted": "2026-11-02T10:15:30.123Z", "lastParsed": "2026-11-02T10:15:30.123Z",
        "lastCrawled": "2026-11-01T22:07:41.008Z", "hasCoordinate": "true", "hasGeospatialIssues": "false",
        "acceptedScientificName": _of(pools.written, rows.taxon), "repatriated": "false",
        "verbatimScientificName": _of(pools.written, rows.written), "occurrenceID": _published(rows.number),
    } | _interpreted(pools, rows)  # fmt: skip
    return _lines(cells, GBIF_CORE, "\t")


def _interpreted(pools: Pools, rows: Specimens) -> dict[str, pa.Array | str]:
    """Return what else GBIF fills in most rows: a real download's rows have some 66 cells and 1,100 bytes."""
    ids, keys = _gbif_ids(rows.number), pc.cast(pa.array(3_000_000 + rows.taxon), pa.string())
    place, state = _of(pool.PLACE_COLUMNS[3], rows.place), _of(pool.PLACE_COLUMNS[2], rows.place)
    return {
        "references": pc.binary_join_element_wise("https://portal.example.org/o/", ids, ""),
        "identifier": _published(rows.number), "bibliographicCitation": pc.binary_join_element_wise(
            "Herbarium ", _of(pools.codes, rows.institution), ", specimen ", _catalog(pools, rows, "-"), ""),
        "datasetName": pc.binary_join_element_wise("Vascular plants of ", _of(pools.codes, rows.institution), ""),
        "month": pc.utf8_slice_codeunits(rows.date, 5, 7), "day": pc.utf8_slice_codeunits(rows.date, 8, 10),
        "verbatimEventDate": rows.date, "county": state, "verbatimLocality": place, "continent": "NORTH_AMERICA",
        "higherGeography": pc.binary_join_element_wise("North America", state, place, "; "),
        "habitat": pa.array(pool.REMARKS).take(pa.array((rows.remark + 3) % len(pool.REMARKS))),
        "coordinateUncertaintyInMeters": "1000.0", "dateIdentified": rows.date, "order": "Massales",
        "family": "Massaceae", "modified": "2026-08-01T00:00:00Z", "taxonID": keys, "taxonKey": keys,
        "acceptedTaxonKey": keys, "speciesKey": keys, "genusKey": keys, "kingdomKey": "6", "phylumKey": "7707728",
        "classKey": "220", "orderKey": "414", "familyKey": "3065", "species": _of(pools.written, rows.taxon),
        "genericName": _of(pools.genera, rows.taxon), "rights": "© the herbarium", "language": "en",
    }  # fmt: skip


def gbif_media_rows(pools: Pools, these: Specimens) -> pa.Array:
    """Return the lines of multimedia.txt for the same."""
    rows, sheet = _each_image(these.take(np.flatnonzero(these.in_gbif)))
    url = _addresses(pools, rows, sheet)
    cells: dict[str, pa.Array | str] = {
        "gbifID": _gbif_ids(rows.number), "identifier": url, "license": _media_licenses(rows),
        "type": pa.array(pool.KINDS).take(pa.array(_kind(rows))),
        "format": pa.array(pool.FORMATS).take(pa.array(_kind(rows))),
        "references": pc.binary_join_element_wise("https://portal.example.org/o/", _gbif_ids(rows.number), ""),
        "creator": _of(pools.collectors[0], rows.collector), "publisher": _of(pools.codes, rows.institution),
        "rightsHolder": pc.binary_join_element_wise("Herbarium ", _of(pools.codes, rows.institution), ""),
    }  # fmt: skip
    return _lines(cells, ("gbifID", *GBIF_MEDIA), "\t")


def idigbio_rows(pools: Pools, these: Specimens) -> pa.Array:
    """Return the lines of occurrence.csv for some specimens: commas, quoted where iDigBio quotes."""
    rows = these.take(np.flatnonzero(these.in_idigbio))
    cells = _facts(pools, rows, 1) | {
        "uuid": _uuids(rows.number, 1), "recordset": _of(pools.recordsets, rows.institution),
        "country": _of(pool.PLACE_COLUMNS[1], rows.place), "license": pa.array(pool.ADDRESSES).take(
            pa.array(rows.institution % 3)), "rightsHolder": "", "modified": "2026-08-01",
        "institutionCode": _without(pc.utf8_lower(_of(pools.codes, rows.institution)), rows.way, 0, 150),
        "collectionCode": _without(pc.utf8_lower(_of(pools.collections, rows.institution)), rows.way, 150, 350),
        "catalogNumber": _without(_catalog(pools, rows, " "), rows.way, 350, 450),
        "occurrenceID": _without(_published(rows.published), rows.way, 450, 550),
    }  # fmt: skip
    return _lines({name: _quoted(column) for name, column in cells.items()}, IDIGBIO_CORE, ",")


def idigbio_media_rows(pools: Pools, these: Specimens) -> pa.Array:
    """Return the lines of multimedia.csv for the same."""
    rows, sheet = _each_image(these.take(np.flatnonzero(these.in_idigbio)))
    cells: dict[str, pa.Array | str] = {
        "coreid": _uuids(rows.number, 1), "accessURI": _addresses(pools, rows, sheet), "rights": _media_licenses(rows),
        "type": pa.array(pool.KINDS).take(pa.array(_kind(rows))),
        "format": pa.array(pool.FORMATS).take(pa.array(_kind(rows))),
        "Owner": _of(pools.codes, rows.institution), "creator": _of(pools.collectors[1], rows.collector),
        "UsageTerms": "", "WebStatement": "",
    }  # fmt: skip
    return _lines({name: _quoted(column) for name, column in cells.items()}, ("coreid", *IDIGBIO_MEDIA), ",")


def truth_rows(pools: Pools, these: Specimens) -> pa.Array:
    """Return lines of aggregator, record id, specimen: which records are of one specimen."""
    told = []
    for name, is_there, ids in (("gbif", these.in_gbif, _gbif_ids), ("idigbio", these.in_idigbio, _told_uuids)):
        numbers = these.number[is_there]
        cells = {"aggregator": name, "record_id": ids(numbers), "specimen": pc.cast(pa.array(numbers), pa.string())}
        told.append(_lines(cells, ("aggregator", "record_id", "specimen"), ","))
    return pa.concat_arrays(told)


def _facts(pools: Pools, rows: Specimens, side: int) -> dict[str, pa.Array | str]:
    """Return the cells that both aggregators have."""
    year = pc.utf8_slice_codeunits(rows.date, 0, 4)
    latitude = pc.round(pc.add(pool.LATITUDES[rows.place], rows.latitude), 4)
    longitude = pc.round(pc.add(pool.LONGITUDES[rows.place], rows.longitude), 4)
    return {
        "institutionCode": _of(pools.codes, rows.institution),
        "collectionCode": _of(pools.collections, rows.institution),
        "catalogNumber": _catalog(pools, rows, "-"), "recordNumber": rows.record_number,
        "recordedBy": _of(pools.collectors[side], rows.collector), "eventDate": rows.date, "year": year,
        "basisOfRecord": pa.array((pool.BASES, pool.BASES_THERE)[side]).take(pa.array(rows.basis)),
        "preparations": pa.array(pool.PREPARATIONS).take(pa.array(rows.preparation)),
        "occurrenceRemarks": pa.array(pool.REMARKS).take(pa.array(rows.remark)),
        "countryCode": _of(pool.PLACE_COLUMNS[0], rows.place), "stateProvince": _of(pool.PLACE_COLUMNS[2], rows.place),
        "locality": _of(pool.PLACE_COLUMNS[3], rows.place), "decimalLatitude": pc.cast(latitude, pa.string()),
        "decimalLongitude": pc.cast(longitude, pa.string()), "scientificName": _of(pools.written, rows.written),
        "genus": _of(pools.genera, rows.taxon), "specificEpithet": _of(pools.epithets, rows.taxon),
        "identificationQualifier": pc.if_else(pa.array(rows.way >= 9_950), "cf.", ""),
        "identifiedBy": _of(pools.collectors[side], (rows.collector * 7) % pool.COLLECTORS),
    }  # fmt: skip


def _of(pooled: pa.Array, at: np.ndarray) -> pa.Array:
    return pooled.take(pa.array(at))


def _gbif_ids(numbers: np.ndarray) -> pa.Array:
    return pc.cast(pa.array(FIRST_GBIF_ID + numbers * 3), pa.string())


def _uuids(numbers: np.ndarray, kind: int) -> pa.Array:
    """Return a UUID for each number: its digits, spread by an odd factor."""
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(kind)
    text = np.char.mod("%016x", mixed)
    digits = pa.array(text.tolist(), pa.string())
    cut = [pc.utf8_slice_codeunits(digits, a, b) for a, b in ((0, 8), (8, 12), (13, 16), (0, 12))]
    return pc.binary_join_element_wise(cut[0], "-", cut[1], "-4", cut[2], f"-8{kind:03}-", cut[3], "")


def _told_uuids(numbers: np.ndarray) -> pa.Array:
    return _uuids(numbers, 1)


def _published(numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise("urn:uuid:", _uuids(numbers, 2), "")


def _catalog(pools: Pools, rows: Specimens, between: str) -> pa.Array:
    digits = pc.utf8_lpad(pc.cast(pa.array(rows.catalog), pa.string()), 8, "0")
    return pc.binary_join_element_wise(_of(pools.codes, rows.institution), digits, between)


def _without(column: pa.Array, way: np.ndarray, first: int, end: int) -> pa.Array:
    return pc.if_else(pa.array((way >= first) & (way < end)), "", column)


def _each_image(rows: Specimens) -> tuple[Specimens, np.ndarray]:
    """Return the specimen of each image, and the number of the image at its specimen."""
    at = np.repeat(np.arange(len(rows)), rows.images)
    starts = np.repeat(np.cumsum(rows.images) - rows.images, rows.images)
    return rows.take(at), np.arange(len(at)) - starts


def _addresses(pools: Pools, rows: Specimens, sheet: np.ndarray) -> pa.Array:
    number = pc.utf8_lpad(pc.cast(pa.array(rows.number), pa.string()), 8, "0")
    folder = pc.utf8_slice_codeunits(number, 0, 5)
    page = pc.cast(pa.array(sheet), pa.string())
    stem, end = _of(pools.stems, rows.institution), _of(pools.ends, rows.institution)
    return pc.binary_join_element_wise(stem, folder, "/", number, "_", page, end, "")


def _kind(rows: Specimens) -> np.ndarray:
    """Return what sort of medium each is: pictures, but for one in a hundred."""
    return np.where(rows.way % 100 == 7, 5 + rows.number % 3, rows.number % 5)


def _media_licenses(rows: Specimens) -> pa.Array:
    texts = pa.array([text for of_one in pool.MEDIA_LICENSES for text in of_one])
    way = np.where(rows.way % 10 < 9, rows.number % 4, 4 + rows.way % 2)
    return texts.take(pa.array((rows.institution % 3) * 6 + way))


def _quoted(column: pa.Array | str) -> pa.Array | str:
    """Return cells in quotation marks where they hold a comma or such a mark."""
    if isinstance(column, str):
        return column
    marked = pc.binary_join_element_wise('"', pc.replace_substring(column, '"', '""'), '"', "")
    return pc.if_else(pc.match_substring_regex(column, '[",\n]'), marked, column)


def _lines(cells: Cells, columns: Sequence[str], delimiter: str) -> pa.Array:
    """Return a text a row, line feed and all; the columns that nobody fills are joined beforehand."""
    parts: list[pa.Array | str] = []
    for at, column in enumerate(columns):
        cell: pa.Array | str = cells.get(column.rsplit("/", 1)[-1], "")
        if at:
            parts.append(delimiter)
        parts.append(cell)
    parts.append("\n")
    joined: list[pa.Array | str] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return pc.binary_join_element_wise(*joined, "", null_handling="replace")
