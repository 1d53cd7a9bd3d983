"""Before a download: GBIF's keys of all taxa, a hundred answers noted at a time; then the download itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.http import Ask
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.receipts import digest_of
from naflora_etl.issues import ASKED_ANEW
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources import gbif
from naflora_etl.sources.gbif_download import ask_for
from naflora_etl.sources.gbif_errand import Download
from naflora_etl.sources.gbif_login import find_login
from naflora_etl.sources.page_errand import Errand, Journal, Row
from naflora_etl.sources.paging import Page, Request, Taxon

NAMES_AT_ONCE = 100
"""Names matched before the answers are noted as a whole."""


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
            journal = Journal(self.notes, f"{name}-pages")
            errand = Errand("gbif", taxa, self.options, self.blobs, OnlyNames, journal)
            await errand.run(ask, tell)
            open_names = sum(row["issue"] in ASKED_ANEW for row in errand.rows)
            if open_names:
                raise Fault(
                    f"GBIF gave no usable answer about {open_names:,} names, so no download was requested; "
                    "`naflora build` asks about these again."
                )
            told = [row | {"fetched_at": _as_text(row.get("fetched_at"))} for row in errand.rows]
            note = {"rows": told, "keys": list(errand.taxon_keys.values())}
            self.notes.write(name, note)
            journal.close()
        self.done += len(taxa)
        self.rows += [_with_time(row) for row in note["rows"]]
        return list(note["keys"])


def _as_text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _with_time(row: Row) -> Row:
    """Return a row out of a note: its time as a time again."""
    told = row.get("fetched_at")
    return row | {"fetched_at": datetime.fromisoformat(told) if told else None}
