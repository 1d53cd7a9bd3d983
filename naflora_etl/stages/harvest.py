"""harvest: ask the aggregators about each taxon, and keep what they send as it came.

reads   taxa
writes  harvest        one row per raw page or archive

Each aggregator is asked one question after the other, never two at a time; a failure of one does not hold up another.
Where an aggregator is asked, every taxon has a row of it; an archive asks nobody, so no key can be accounted for here.
GBIF's download API is asked once for all taxa, by the first slice: an archive with a DOI comes in place of pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.build import Tables
from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.http import Answer, Ask, HttpClient
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.receipts import digest_of, digest_path
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import clean_rows
from naflora_etl.issues import TRANSIENT
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources import gbif
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.gbif_download import ask_for
from naflora_etl.sources.gbif_errand import Download
from naflora_etl.sources.gbif_login import find_login
from naflora_etl.sources.paging import Page, Portal, Request, Taxon, Unreadable
from naflora_etl.sources.portals import PORTALS

LARGEST_PAGE_BYTES = 64_000_000
FAILURES_BEFORE_REST = 3
"""Taxa in a row that an aggregator must fail before it is left alone for the rest of the slice."""
NAMES_AT_ONCE = 100
"""Names matched before the answers are noted; a kill repeats at most these."""
ISSUE_OF_ANSWER = {
    "HOST_TROUBLE": "SOURCE_UNREACHABLE",
    "HTTP_GONE": "HTTP_ERROR",
    "IMAGE_TOO_LARGE": "SOURCE_UNREADABLE",
}
Row = dict[str, Any]


def harvest_pages(
    taxa: pa.Table,
    *,
    options: HarvestOptions,
    http: HttpClient,
    blobs: Blobs,
    notes: Notes,
    tables: Tables,
    slice: int,
    progress: Callable[..., None],
) -> pa.Table:
    """Return a row per page that was asked for, with its bytes in `blobs`; per archive and download in the first slice.

    A taxon's paging ends at its last page, at a ceiling (a row SOURCE_CEILING says what was not asked) or at the first
    answer that is none (its row says why). Raises Fault for an archive that cannot be used, and for a download that
    does not come: what was asked of GBIF till then is noted, and the next build goes on with it.
    """
    rows = _archive_rows(options) if slice == 0 else []
    by_pages = [name for name in options.sources if name in PORTALS]
    errands: list[Errand | DownloadErrand] = []
    if "gbif" in by_pages:
        all_taxa = _distinct(clean_rows(tables.whole("taxa")))
        if options.ask_gbif_by(len(all_taxa)) == "download":
            by_pages.remove("gbif")
            errands += [DownloadErrand(all_taxa, options, blobs, notes)] if slice == 0 else []
    errands += [Errand(name, _distinct(taxa), options, blobs, PORTALS[name]) for name in by_pages]
    if errands and taxa.num_rows:
        http.run(_ask_all(errands, http, progress))
    for errand in errands:
        rows += errand.rows
    rows.sort(key=lambda row: row["page_key"])
    return pa.Table.from_pylist(rows, read_contract("harvest").arrow_schema)


async def _ask_all(errands: Sequence[Errand | DownloadErrand], http: HttpClient, progress: Callable[..., None]) -> None:
    total = sum(len(errand.taxa) for errand in errands)

    def tell(note: str) -> None:
        progress(sum(errand.done for errand in errands), total, note)

    async with http.session() as ask:
        await asyncio.gather(*(errand.run(ask, tell) for errand in errands))


class Errand:
    """One aggregator asked about the taxa of one slice."""

    def __init__(
        self, source: str, taxa: list[Taxon], options: HarvestOptions, blobs: Blobs, portal: Portal
    ) -> None:
        self.source = source
        self.portal = portal
        self.taxa = taxa
        self.options = options
        self.blobs = blobs
        self.rows: list[Row] = []
        self.done = 0
        self.failures = 0
        self.taxon_keys: dict[str, str] = {}
        """The aggregator's own keys, as far as it told them."""

    async def run(self, ask: Ask, tell: Callable[[str], None]) -> None:
        """Ask about every taxon, one page after the other."""
        for taxon in self.taxa:
            await self._ask_about(taxon, ask)
            self.done += 1
            tell(f"{self.source} {taxon['taxon_name']}")

    async def _ask_about(self, taxon: Taxon, ask: Ask) -> None:
        request: Request | None = self.portal.first_request(taxon, self.options)
        before = None
        while request is not None:
            row, page = await self._ask(taxon, request, ask)
            if before is not None and row["blob"] == before:
                row, page = row | {"issue": "SOURCE_UNREADABLE"}, None  # the same page again: it would never end
            self.rows.append(row)
            if page is None:
                return
            before = row["blob"]
            if page.taxon_key:
                self.taxon_keys[taxon["taxon_id"]] = page.taxon_key
            request = self.portal.next_request(request, page, taxon, self.options)

    async def _ask(self, taxon: Taxon, request: Request, ask: Ask) -> tuple[Row, Page | None]:
        """Return the row of one question, and what its answer says about the next; None where it is no answer."""
        row: Row = {
            "page_key": f"{self.source}:{taxon['taxon_id']}/{request.kind}/{request.page_number:04}",
            "taxon_id": taxon["taxon_id"],
            "source": self.source,
            "request": request.text,
            "page_number": request.page_number,
        }
        if request.is_beyond_ceiling:
            return row | {"blob": None, "issue": "SOURCE_CEILING"}, Page(None)
        if self.failures >= FAILURES_BEFORE_REST:
            return row | {"blob": None, "issue": "SOURCE_UNREACHABLE"}, None
        answer = await ask(request.url, method=request.method, json=request.body, max_bytes=LARGEST_PAGE_BYTES)
        facts, page = self._read(request, answer)
        self.failures = self.failures + 1 if facts["issue"] == "SOURCE_UNREACHABLE" else 0
        return row | facts, page

    def _read(self, request: Request, answer: Answer) -> tuple[Row, Page | None]:
        row: Row = {"status": answer.status, "fetched_at": answer.fetched_at, "blob": None, "issue": None}
        if answer.issue is not None:
            return row | {"issue": ISSUE_OF_ANSWER.get(answer.issue, answer.issue)}, None
        row |= {"blob": self.blobs.put(answer.body), "size_bytes": len(answer.body)}
        try:
            page = self.portal.read_page(request, answer.body)
        except Unreadable:
            return row | {"issue": "SOURCE_UNREADABLE"}, None
        return row | {"record_count": page.record_count, "issue": page.issue}, page


class OnlyNames:
    """GBIF as a portal that is asked for its keys of the taxa, and for no page of records."""

    first_request = staticmethod(gbif.first_request)
    read_page = staticmethod(gbif.read_page)

    @staticmethod
    def next_request(request: Request, page: Page, taxon: Taxon, options: HarvestOptions) -> Request | None:
        """Return None: the download asks for the records."""
        return None


class DownloadErrand:
    """GBIF asked once for the specimens of all taxa."""

    def __init__(self, taxa: list[Taxon], options: HarvestOptions, blobs: Blobs, notes: Notes) -> None:
        self.taxa = taxa
        self.options = options
        self.blobs = blobs
        self.notes = notes
        self.rows: list[Row] = []
        self.done = 0
        self.login = find_login(options.gbif_api)  # at once: whoever has none shall not wait for it

    async def run(self, ask: Ask, tell: Callable[[str], None]) -> None:
        """Ask for GBIF's keys of the taxa, then for the archive. Raises Fault."""
        keys: list[str] = []
        for at in range(0, len(self.taxa), NAMES_AT_ONCE):
            keys += await self._match(self.taxa[at : at + NAMES_AT_ONCE], ask, tell)
        for number, query in enumerate(ask_for(keys, self.options)):
            download = Download(query, number, self.options, lambda: self.login, self.blobs, self.notes, tell)
            self.rows += [_with_time(row) for row in await download.bring(ask)]

    async def _match(self, taxa: list[Taxon], ask: Ask, tell: Callable[[str], None]) -> list[str]:
        """Return GBIF's keys of some taxa, from the note of an earlier run where there is one."""
        questions = [gbif.first_request(taxon, self.options).text for taxon in taxa]
        name = f"gbif-names-{digest_of([questions, self.options.snapshot])[:16]}"
        note = self.notes.read(name)
        if note is None:
            errand = Errand("gbif", taxa, self.options, self.blobs, OnlyNames)
            await errand.run(ask, tell)
            open_names = sum(row["issue"] in TRANSIENT for row in errand.rows)
            if open_names:
                raise Fault(
                    f"GBIF gave no usable answer about {open_names:,} names, so no download was requested; "
                    "`naflora build` asks about these again."
                )
            told = [row | {"fetched_at": _as_text(row.get("fetched_at"))} for row in errand.rows]
            note = {"rows": told, "keys": list(errand.taxon_keys.values())}
            self.notes.write(name, note)
        self.done += len(taxa)
        self.rows += [_with_time(row) for row in note["rows"]]
        return list(note["keys"])


def _as_text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _with_time(row: Row) -> Row:
    """Return a row out of a note: its time as a time again."""
    told = row.get("fetched_at")
    return row | {"fetched_at": datetime.fromisoformat(told) if told else None}


def _distinct(taxa: pa.Table) -> list[Taxon]:
    """Return each taxon once: several names of a checklist may lead to it."""
    found: dict[str, Taxon] = {}
    for row in taxa.to_pylist():
        found.setdefault(row["taxon_id"], row)
    return list(found.values())


def _archive_rows(options: HarvestOptions) -> list[Row]:
    if ("archive" in options.sources) != bool(options.archives):
        raise Fault(
            "harvest.sources and harvest.archives disagree: "
            + ("name the archives, or take archive out of the sources." if not options.archives
               else 'add "archive" to the sources, or take the archives out.')
        )  # fmt: skip
    archives = [Archive(path) for path in options.archives]
    _refuse_namesakes(archives)
    return [
        {
            "page_key": f"archive:{archive.name}",
            "source": "archive",
            "request": archive.path,
            "page_number": 0,
            "blob": digest_path(archive.path),
            "size_bytes": archive.size_bytes,
            "record_count": archive.count_rows(),
        }
        for archive in archives
    ]


def _refuse_namesakes(archives: Iterable[Archive]) -> None:
    seen: dict[str, str] = {}
    for archive in archives:
        if archive.name in seen:
            raise Fault(f"{seen[archive.name]} and {archive.path} have the same name; rename one of them.")
        seen[archive.name] = archive.path


STAGE = Stage(
    "harvest",
    reads=("taxa",),
    run=harvest_pages,
    uses=("http", "blobs", "notes", "tables", "slice", "progress"),
    slice_by="taxon_id",
    rows_per_slice="taxa_per_slice",
    files=lambda options: options.archives,
    transient=TRANSIENT,
)
