"""records: read what the aggregators sent into one row per image of a specimen.

reads   harvest, taxa, wcvp
writes  records        one row per image of a record, and one per record or taxon that has none

Nine million rows are more than a memory holds: what comes is described batch by batch, each part of the table takes its
records and their media out of the batches, and what stands in several parts is judged by a few columns of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.spool import Spool
from naflora_etl.engine.stage import Stage
from naflora_etl.names.resolve import Resolver
from naflora_etl.recipe import HarvestOptions, RecordsOptions, TaxaOptions
from naflora_etl.sources.assembly import Assembly
from naflora_etl.sources.darwincore import is_doubtful
from naflora_etl.sources.licences import is_allowed
from naflora_etl.sources.portals import stage_pages, text_bytes
from naflora_etl.sources.staging import Staged

SCHEMA = read_contract("records").arrow_schema
BLANK: dict[str, Any] = dict.fromkeys(SCHEMA.names)


def unify_records(
    *given: pa.Table,
    options: RecordsOptions,
    taxa_options: TaxaOptions,
    harvest_options: HarvestOptions,
    blobs: Blobs,
    spool: Spool,
    progress: Callable[..., None],
) -> Iterator[pa.Table]:
    """Yield the table in parts, each sorted by key: a row per image of a record; clean rows have a taxon of `taxa`.

    `given` is harvest, taxa and wcvp.

    What is set aside keeps the first reason in this order: the record cannot be read, is no specimen, is not of the
    checklist, not of the region; then the image is none, has no usable address, no allowed licence, stands elsewhere.
    """
    harvest, taxa, wcvp = given
    labels = Labels(wcvp, taxa, taxa_options)
    total = sum(count or 0 for count in harvest["record_count"].to_pylist())
    with spool:
        assembly = Assembly(
            spool,
            find_taxon=labels.find,
            license_issue=lambda name: _license_issue(name, options),
            countries=options.countries,
            apis=(harvest_options.gbif_api, harvest_options.idigbio_api),
            size_bytes=text_bytes(harvest.to_pylist()),
        )

        def jobs() -> Iterator[Callable[[], Staged]]:
            for job, source in stage_pages(harvest.to_pylist(), blobs.get, blobs.file):
                progress(min(assembly.records, total), max(total, assembly.records), source)
                yield job

        assembly.add(jobs())
        last: pa.Table | None = None
        for part in assembly.parts(lambda done, of: progress(done, of, "joining")):
            if last is not None:
                yield last
            last = part.select(SCHEMA.names).cast(SCHEMA)
        rest = _taxa_without_rows(assembly.taxa, labels)
        yield pa.concat_tables([rest if last is None else last, *([] if last is None else [rest])])


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

    def find(self, name: str | None, authors: str | None, qualifier: str | None) -> tuple[str | None, str | None]:
        """Return (taxon, issue) of a record; the taxon is told even where the checklist lacks it."""
        if is_doubtful(qualifier):
            return None, "NAME_DOUBTFUL"
        verdict = self.resolver.resolve(name, authors)
        return verdict.taxon_id, None if verdict.taxon_id in self.wanted else "NAME_NOT_ON_CHECKLIST"


def _license_issue(name: str | None, options: RecordsOptions) -> str | None:
    if name is None:
        return "LICENSE_UNKNOWN" if options.unknown_license == "set_aside" else None
    return None if is_allowed(name, options.allow_licenses) else "LICENSE_NOT_ALLOWED"


def _taxa_without_rows(seen: set[str | None], labels: Labels) -> pa.Table:
    rows = [
        BLANK | {"record_key": f"taxon:{taxon_id}", "taxon_id": taxon_id, "issue": "NO_RECORDS"}
        for taxon_id in sorted(labels.wanted, key=str)
        if taxon_id not in seen
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


STAGE = Stage(
    "records",
    reads=("harvest", "taxa", "wcvp"),
    run=unify_records,
    uses=("blobs", "spool", "progress"),
    streams=True,
    version=3,
    accounts_for="taxon_id",
    accounts_from="taxa",
    also=("taxa", "harvest"),
)
