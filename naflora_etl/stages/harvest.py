"""harvest: ask the aggregators about each taxon, and keep what they send as it came.

reads   taxa, wcvp
writes  harvest        one row per raw page or archive

Each aggregator is asked one question after the other, never two at a time; a failure of one does not hold up another.
Where an aggregator is asked, every taxon has a row of it; an archive asks nobody, so no key can be accounted for here.
GBIF's download API is asked once for all taxa, by the first slice: an archive with a DOI comes in place of pages.
What did not come is asked for by the next build, and what came is not: it is noted until nothing is missing.
Where GBIF or iDigBio came by pages, each dataset on them is asked about once, for its title.
After `naflora reharvest` only what may have changed is asked for; the rest is taken over from the harvest before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.build import Tables
from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.receipts import digest_of
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import clean_rows
from naflora_etl.issues import ASKED_ANEW
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources import gbif_download, idigbio_download
from naflora_etl.sources.archives import ArchiveErrand, check_archives, is_address, read_local
from naflora_etl.sources.dataset_errand import DatasetErrand
from naflora_etl.sources.dataset_names import key_in
from naflora_etl.sources.gbif_names import DownloadErrand
from naflora_etl.sources.page_errand import Errand, Journal
from naflora_etl.sources.paging import Taxon
from naflora_etl.sources.portals import PORTALS
from naflora_etl.sources.renewal import Earlier, find_earlier
from naflora_etl.sources.synonyms import add_names

Row = dict[str, Any]
AnyErrand = Errand | DownloadErrand | idigbio_download.DownloadErrand | ArchiveErrand


def harvest_pages(
    *given: pa.Table,
    options: HarvestOptions,
    http: HttpClient,
    blobs: Blobs,
    notes: Notes,
    tables: Tables,
    slice: int,
    progress: Callable[..., None],
) -> pa.Table:
    """Return a row per page that was asked for, with its bytes in `blobs`; `given` are taxa and wcvp.

    Archives and GBIF's download have theirs in the first slice.
    A taxon's paging ends at its last page, at a ceiling (a row SOURCE_CEILING says what was not asked) or at the first
    answer that is none (its row says why). Raises Fault for an archive that cannot be used, and for a download that
    does not come: what was asked of GBIF till then is noted, and the next build goes on with it.
    """
    taxa, wcvp = given
    wanted = add_names(_distinct(taxa), wcvp)
    earlier = find_earlier(notes, options, blobs, [taxon["taxon_id"] for taxon in wanted])
    check_archives(options)
    rows = [*read_local(options.archives), *earlier.published()] if slice == 0 else []
    by_pages = [name for name in options.sources if name in PORTALS]
    errands: list[AnyErrand] = []
    files = Journal(notes, f"files-{digest_of(options.model_dump())[:16]}")
    journals = [files]
    if "gbif" in by_pages:
        all_taxa = _distinct(clean_rows(tables.whole("taxa")))
        if options.ask_gbif_by(len(all_taxa)) == "download":
            by_pages.remove("gbif")
            rows, errands = _download(all_taxa, options, blobs, notes, rows) if slice == 0 else (rows, [])
    if "idigbio" in by_pages and options.idigbio == "download":
        by_pages.remove("idigbio")
        downloaded = earlier.take_download("idigbio", idigbio_download.PAGE_KEY) if slice == 0 else []
        rows += downloaded
        if slice == 0 and not downloaded:
            everything = add_names(_distinct(clean_rows(tables.whole("taxa"))), wcvp)
            errands.append(idigbio_download.DownloadErrand(everything, options, blobs, http.settings.contact, files))
    if slice == 0:
        errands.append(ArchiveErrand(options, blobs, earlier.take("archive", None), files))
    naming: list[DatasetErrand] = []
    of_datasets: dict[str, Row] = {}
    for name in by_pages:
        kept = [taxon["taxon_id"] for taxon in wanted if earlier.is_kept(name, taxon["taxon_id"])]
        rows += [row for taxon_id in kept for row in earlier.take(name, taxon_id)]
        asked = [taxon for taxon in wanted if taxon["taxon_id"] not in set(kept)]
        told = [row for taxon in wanted for row in earlier.take(name, taxon["taxon_id"]) if key_in(row["page_key"])]
        journals.append(Journal(notes, f"pages-{digest_of([name, kept, asked, options.model_dump()])[:16]}"))
        paging = Errand(name, asked, options, blobs, PORTALS[name], journals[-1])
        errands.append(paging)
        named = {key_in(row["page_key"]) or "" for row in told if row["taxon_id"] in set(kept) and not row["issue"]}
        naming.append(DatasetErrand(paging, options, blobs, notes, named))
        of_datasets |= {row["page_key"]: row for row in told}
    if any(errand.taxa for errand in errands):
        http.run(_ask_all(errands, naming, http, progress))
    for errand in errands:
        rows += _mended(errand.rows, earlier)
    of_datasets |= {row["page_key"]: row for some in naming for row in some.rows}
    rows = [row for row in rows if row["page_key"] not in of_datasets] + list(of_datasets.values())
    _close(journals, rows)
    rows.sort(key=lambda row: row["page_key"])
    return pa.Table.from_pylist(rows, read_contract("harvest").arrow_schema)


def _download(
    taxa: list[Taxon], options: HarvestOptions, blobs: Blobs, notes: Notes, rows: list[Row]
) -> tuple[list[Row], list[AnyErrand]]:
    """Return the rows so far with those of a download that is taken over, or the errand for a new one."""
    earlier = find_earlier(notes, options, blobs, [taxon["taxon_id"] for taxon in taxa])
    if not earlier.take_download("gbif", gbif_download.PAGE_KEY):
        return rows, [DownloadErrand(taxa, options, blobs, notes)]
    kept = [row for taxon in taxa for row in earlier.take("gbif", taxon["taxon_id"])]
    return [*rows, *earlier.take_download("gbif", gbif_download.PAGE_KEY), *kept], []


def _close(journals: Sequence[Journal], rows: Sequence[Row]) -> None:
    """Forget what came once nothing is missing; till then the next build asks for what is missing alone."""
    if not any(row["issue"] in ASKED_ANEW for row in rows):
        for journal in journals:
            journal.close()


def _mended(rows: list[Row], earlier: Earlier) -> list[Row]:
    of_taxa: dict[str | None, list[Row]] = {}
    for row in rows:
        of_taxa.setdefault(row["taxon_id"], []).append(row)
    return [row for taxon_id, own in of_taxa.items() for row in (earlier.mend(own) if taxon_id else own)]


async def _ask_all(
    errands: Sequence[AnyErrand], naming: Sequence[DatasetErrand], http: HttpClient, progress: Callable[..., None]
) -> None:
    total = sum(len(errand.taxa) for errand in errands)

    def tell(note: str) -> None:
        progress(sum(errand.done for errand in errands), total, note)

    async with http.session() as ask:
        await asyncio.gather(*(errand.run(ask, tell) for errand in errands))
        await asyncio.gather(*(errand.run(ask) for errand in naming))


def _distinct(taxa: pa.Table) -> list[Taxon]:
    """Return each taxon once: several names of a checklist may lead to it."""
    found: dict[str, Taxon] = {}
    for row in taxa.to_pylist():
        found.setdefault(row["taxon_id"], row)
    return list(found.values())


STAGE = Stage(
    "harvest",
    reads=("taxa", "wcvp"),
    run=harvest_pages,
    uses=("http", "blobs", "notes", "tables", "slice", "progress"),
    slice_by="taxon_id",
    rows_per_slice="taxa_per_slice",
    files=lambda options: tuple(place for place in options.archives if not is_address(place)),
    transient=ASKED_ANEW,
)
