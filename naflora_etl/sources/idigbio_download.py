"""iDigBio's bulk downloads: one question for all taxa, asked about until it is ready; a zip of records and media.

The publishers' own words are asked for (`core_source: raw`): among iDigBio's indexed ones the date is partly made up. A
download that does not come is a row that says so, and stops nobody: the next build asks again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from naflora_etl.engine.answers import Answer
from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.http import Ask
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources import idigbio
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.darwincore import Occurrence, clean_text
from naflora_etl.sources.page_errand import Journal, Row, version_of
from naflora_etl.sources.paging import Taxon, Unreadable, read_json

PAGE_KEY = "idigbio:download/0000"
SLOWER = 1.5
PATIENCE = 6
"""Questions in a row that may stay without a usable answer."""
LARGEST_BYTES = 1 << 30
FAILED = frozenset({"FAILURE", "REVOKED"})


def question(taxa: Sequence[Taxon], options: HarvestOptions) -> dict[str, Any]:
    """Return the question for all records with images of the taxa's genera, synonyms' too; names are sorted out later.

    iDigBio knows no list of pairs of genus and epithet, and the genera alone are few enough for one question.
    """
    genera = sorted({genus for taxon in taxa for genus, _ in idigbio.names_of(taxon)})
    condition = idigbio.condition_for(genera, "", options)
    condition.pop("specificepithet")
    return {"rq": condition, "core_type": "records", "core_source": "raw", "form": "dwca-csv"}


class DownloadErrand:
    """iDigBio asked once for the specimens of all taxa."""

    def __init__(
        self, taxa: list[Taxon], options: HarvestOptions, blobs: Blobs, contact: str, journal: Journal
    ) -> None:
        self.taxa = taxa
        self.options = options
        self.blobs = blobs
        self.journal = journal
        self.email = contact if "@" in contact and "/" not in contact else ""
        self.rows: list[Row] = []
        self.done = 0

    async def run(self, ask: Ask, tell: Callable[[str], None]) -> None:
        """Ask for the download until it is ready, and fetch it; one that came already is not asked for again."""
        asked = question(self.taxa, self.options)
        url = f"{self.options.idigbio_download_api}/v2/download"
        row: Row = {"page_key": PAGE_KEY, "taxon_id": None, "source": "idigbio", "page_number": 0, "blob": None}
        row |= {"request": f"{url} {json.dumps(asked, sort_keys=True)}"}
        known = self.journal.find(row["request"])
        if known is not None and self.blobs.has_file(known["blob"]):
            self.rows, self.done = [known], len(self.taxa)
            return
        body = asked | ({"email": self.email} if self.email else {})
        answer = await ask(url, method="POST", json=body)
        try:
            address = await self._await(answer, ask, tell)
            answer = await ask(address, max_bytes=LARGEST_BYTES)
            if answer.issue is not None:
                raise Unreadable(answer.note)
            row |= await asyncio.to_thread(self._keep, answer)
        except Unreadable:
            row |= {"status": answer.status, "fetched_at": answer.fetched_at, "issue": "SOURCE_UNREACHABLE"}
        self.journal.add(row["request"], row)
        self.rows, self.done = [row], len(self.taxa)

    async def _await(self, answer: Answer, ask: Ask, tell: Callable[[str], None]) -> str:
        """Return where the file lies; raises Unreadable where it does not come."""
        pause_s, troubles, place = self.options.gbif_poll_s, 0, ""
        while troubles < PATIENCE:
            told = _told(answer)
            place = clean_text(told.get("status_url")) or place
            if told.get("task_status") in FAILED:
                raise Unreadable("the download failed")
            if told.get("complete") and (address := clean_text(told.get("download_url"))):
                return address
            if not place:
                raise Unreadable("no answer to the request for a download")
            troubles = troubles + 1 if not told else 0
            tell(f"iDigBio prepares a download; asking again in {pause_s:.0f} s")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * SLOWER, max(self.options.gbif_poll_longest_s, self.options.gbif_poll_s))
            answer = await ask(place)
        raise Unreadable("iDigBio does not say how the download stands")

    def _keep(self, answer: Answer) -> Row:
        """File the archive under its sha256; raises Unreadable for one that is none."""
        arrival = self.blobs.arrival("idigbio-download")
        arrival.discard()
        arrival.add(answer.body)
        digest = arrival.settle()
        try:
            with self.blobs.file(digest) as path:
                count = Archive(path).count_rows()
        except Fault as fault:
            self.blobs.drop_file(digest)
            raise Unreadable(str(fault)) from None
        facts = {"blob": digest, "size_bytes": len(answer.body), "record_count": count, "issue": None}
        return facts | {"status": answer.status, "fetched_at": answer.fetched_at, "etag": version_of(answer)}


def _told(answer: Answer) -> dict[str, Any]:
    try:
        return read_json(answer.body) if answer.issue is None else {}
    except Unreadable:
        return {}


def read_records(file: AbstractContextManager[str], page_key: str) -> Iterator[Occurrence]:
    """Yield the records of a download, as records of iDigBio's; raises Fault for an archive that cannot be used."""
    with file as path:
        for record in Archive(path).read_records(page_key):
            terms = dict(record.terms)
            terms.pop("datasetKey", None)  # the archive's name is none of iDigBio's keys
            if recordset := terms.pop("recordset", None):
                terms["datasetKey"] = recordset
            yield replace(record, source="idigbio", terms=terms)
