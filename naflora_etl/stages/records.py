"""records: read what the aggregators sent into one row per image of a specimen.

reads   harvest, taxa, wcvp
writes  records        one row per image of a record, and one per record or taxon that has none
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.stage import Stage
from naflora_etl.names.resolve import Resolver
from naflora_etl.recipe import HarvestOptions, RecordsOptions, TaxaOptions
from naflora_etl.sources.alternatives import tell_copies
from naflora_etl.sources.darwincore import (
    Media,
    Occurrence,
    describe_specimen,
    host_of,
    image_key,
    is_doubtful,
    is_image,
    is_specimen,
    normalise_url,
)
from naflora_etl.sources.duplicates import name_duplicates, share_copies, share_strictest_license
from naflora_etl.sources.licences import choose_license, is_allowed
from naflora_etl.sources.portals import read_occurrences

Row = dict[str, Any]
SCHEMA = read_contract("records").arrow_schema
BLANK: Row = dict.fromkeys(SCHEMA.names)
TOLD_EVERY = 1000


def unify_records(
    harvest: pa.Table,
    taxa: pa.Table,
    wcvp: pa.Table,
    *,
    options: RecordsOptions,
    taxa_options: TaxaOptions,
    harvest_options: HarvestOptions,
    blobs: Blobs,
    progress: Callable[..., None],
) -> pa.Table:
    """Return a row per image of a record, sorted by key; clean rows have a taxon of `taxa` and an image of their own.

    What is set aside keeps the first reason in this order: the record cannot be read, is no specimen, is not of the
    checklist, not of the region; then the image is none, has no usable address, no allowed licence, stands elsewhere.
    """
    labels = Labels(wcvp, taxa, taxa_options)
    rows: dict[str, Row] = {}
    total = sum(count or 0 for count in harvest["record_count"].to_pylist())
    for number, record in enumerate(read_occurrences(harvest.to_pylist(), blobs.get, blobs.file)):
        if number % TOLD_EVERY == 0:
            progress(number, max(total, number), record.source)
        for row in _image_rows(record, labels, options, harvest_options):
            rows.setdefault(row["record_key"], row)  # a record that two queries or pages gave is one record
    images = list(rows.values())
    share_strictest_license(images)
    share_copies(images)
    for row in images:
        row["issue"] = row["issue"] or _license_issue(row, options)
    name_duplicates(images)
    images += _taxa_without_rows(images, labels)
    images.sort(key=lambda row: row["record_key"])
    return pa.Table.from_pylist(images, SCHEMA)


class Labels:
    """The taxon behind a record's own name, by the same rules as the checklist's names."""

    def __init__(self, wcvp: pa.Table, taxa: pa.Table, options: TaxaOptions) -> None:
        self.resolver = Resolver(
            wcvp,
            options.fuzzy_similarity,
            ranks=options.ranks,
            infraspecific=options.infraspecific,
            homonyms=options.homonyms,
        )
        self.wanted = dict.fromkeys(taxa["taxon_id"].to_pylist())

    def find(self, terms: Any) -> tuple[str | None, str | None]:
        """Return (taxon, issue) of a record; the taxon is told even where the checklist lacks it."""
        if is_doubtful(terms.get("identificationQualifier")):
            return None, "NAME_DOUBTFUL"
        verdict = self.resolver.resolve(terms.get("scientificName"), terms.get("scientificNameAuthorship"))
        return verdict.taxon_id, None if verdict.taxon_id in self.wanted else "NAME_NOT_ON_CHECKLIST"


def _image_rows(
    record: Occurrence, labels: Labels, options: RecordsOptions, harvest_options: HarvestOptions
) -> Iterator[Row]:
    specimen = BLANK | describe_specimen(record)
    # an aggregator's ids are its own, but two archives may well use the same ones
    owner = f"{record.page_key}/" if record.source == "archive" else f"{record.source}:"
    stem = owner + record.record_id
    specimen["issue"] = record.issue
    if record.issue is None:
        specimen["taxon_id"], name_issue = labels.find(record.terms)
        specimen["issue"] = _record_issue(specimen, name_issue, options)
    if not record.media:
        yield specimen | {"record_key": f"{stem}/-", "issue": specimen["issue"] or "NO_IMAGE"}
    for number, media in enumerate(record.media):
        image = _describe_image(media, record, harvest_options)
        yield specimen | image | {"record_key": f"{stem}/{number}", "issue": specimen["issue"] or image["issue"]}


def _record_issue(specimen: Row, name_issue: str | None, options: RecordsOptions) -> str | None:
    if not is_specimen(specimen["basisOfRecord"]):
        return "NOT_A_SPECIMEN"
    if name_issue is not None:
        return name_issue
    if options.countries and specimen["countryCode"] not in {code.upper() for code in options.countries}:
        return "OUTSIDE_REGION"
    return None


def _describe_image(media: Media, record: Occurrence, options: HarvestOptions) -> Row:
    url, shows_specimen = normalise_url(media.url), is_image(media)
    license_id, verbatim = choose_license(media.licenses, record.licenses)
    return {
        "image_url": url,
        "image_key": image_key(url) if url and shows_specimen else None,
        "host": host_of(url) if url else None,
        "copy_urls": tell_copies(
            record.source, record.record_id, media.url, media.media_id,
            gbif_api=options.gbif_api, idigbio_api=options.idigbio_api,
        ) if url and shows_specimen else None,
        "license": license_id,
        "license_verbatim": verbatim,
        "rightsHolder": media.rights_holder,
        "creator": media.creator,
        "issue": "NO_IMAGE" if not shows_specimen else None if url else "URL_UNUSABLE",
    }


def _license_issue(row: Row, options: RecordsOptions) -> str | None:
    if row["license"] is None:
        return "LICENSE_UNKNOWN" if options.unknown_license == "set_aside" else None
    return None if is_allowed(row["license"], options.allow_licenses) else "LICENSE_NOT_ALLOWED"


def _taxa_without_rows(rows: list[Row], labels: Labels) -> list[Row]:
    seen = {row["taxon_id"] for row in rows}
    return [
        BLANK | {"record_key": f"taxon:{taxon_id}", "taxon_id": taxon_id, "issue": "NO_RECORDS"}
        for taxon_id in labels.wanted
        if taxon_id not in seen
    ]


STAGE = Stage(
    "records",
    reads=("harvest", "taxa", "wcvp"),
    run=unify_records,
    uses=("blobs", "progress"),
    version=2,
    accounts_for="taxon_id",
    accounts_from="taxa",
    also=("taxa", "harvest"),
)
