"""One aggregator asked about some taxa, a question after the other; every answer is kept, and none is asked for twice.

What came is noted after every page, so that a kill repeats one question at most.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from naflora_etl.engine.answers import Answer
from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.http import Ask
from naflora_etl.engine.notes import Notes
from naflora_etl.issues import ASKED_ANEW
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources.paging import Page, Portal, Request, Taxon, Unreadable

LARGEST_PAGE_BYTES = 64_000_000
FAILURES_BEFORE_REST = 3
"""Taxa in a row that an aggregator must fail before it is left alone for the rest of the slice."""
TIMES_ANEW = 1
"""How often a query is asked from its first page again because its count changed under way."""
ISSUE_OF_ANSWER = {
    "HOST_TROUBLE": "SOURCE_UNREACHABLE",
    "HTTP_GONE": "HTTP_ERROR",
    "IMAGE_TOO_LARGE": "SOURCE_UNREADABLE",
}
Row = dict[str, Any]


class Journal:
    """What was asked and answered before the table stands, by question; it outlives a kill.

    It stays, too, while answers are missing: whoever asks for those need not ask for the others again.
    """

    def __init__(self, notes: Notes, name: str) -> None:
        self.notes = notes
        self.name = name
        self.rows: dict[str, Row] = dict((notes.read(name) or {}).get("rows", {}))

    def find(self, question: str) -> Row | None:
        """Return what is known of a question's answer."""
        row = self.rows.get(question)
        return None if row is None else row | {"fetched_at": datetime.fromisoformat(row["fetched_at"])}

    def add(self, question: str, facts: Row) -> None:
        """Note an answer; one that another try may better is not kept."""
        if facts["issue"] not in ASKED_ANEW:
            self.rows[question] = facts | {"fetched_at": facts["fetched_at"].isoformat()}
            self.notes.write(self.name, {"rows": self.rows})

    def forget(self, question: str) -> None:
        """Forget one question: it is to be asked again."""
        if self.rows.pop(question, None) is not None:
            self.notes.write(self.name, {"rows": self.rows})

    def close(self) -> None:
        """Forget all: the table stands, or is about to."""
        if self.rows:
            self.notes.remove(self.name)


class Errand:
    """One aggregator asked about the taxa of one slice."""

    def __init__(
        self, source: str, taxa: list[Taxon], options: HarvestOptions, blobs: Blobs, portal: Portal, journal: Journal
    ) -> None:
        self.source = source
        self.portal = portal
        self.taxa = taxa
        self.options = options
        self.blobs = blobs
        self.journal = journal
        self.rows: list[Row] = []
        self.done = 0
        self.failures = 0
        self.taxon_keys: dict[str, str] = {}
        """The aggregator's own keys, as far as it told them."""
        self.datasets: dict[str, str] = {}
        """Datasets of the records that came, each with the first taxon that it has."""

    async def run(self, ask: Ask, tell: Callable[[str], None]) -> None:
        """Ask about every taxon, one page after the other."""
        for taxon in self.taxa:
            self.rows += await self._ask_about(taxon, ask)
            self.done += 1
            tell(f"{self.source} {taxon['taxon_name']}")

    async def _ask_about(self, taxon: Taxon, ask: Ask) -> list[Row]:
        rows = await self._page_through(taxon, ask)
        for _ in range(TIMES_ANEW):
            if rows is not None:
                break
            rows = await self._page_through(taxon, ask, anew=True)
        return rows or []

    async def _page_through(self, taxon: Taxon, ask: Ask, anew: bool = False) -> list[Row] | None:
        """Return the rows of a taxon; None where a count changed under way, so that pages may overlap or leave gaps.

        Of pages asked for anew all are kept: what overlaps falls together by its key.
        """
        request: Request | None = self.portal.first_request(taxon, self.options)
        rows: list[Row] = []
        asked: dict[tuple[str, int], list[str]] = {}
        totals: dict[tuple[str, int], int] = {}
        seen: set[tuple[str, int, str]] = set()
        while request is not None:
            if anew:
                self.journal.forget(request.text)
            asked.setdefault((request.kind, request.part), []).append(request.text)
            row, page = await self._ask(taxon, request, ask)
            page_is = (request.kind, request.part, row["blob"] or "")
            if page is not None and page.record_count and page_is in seen:
                row, page = row | {"issue": "SOURCE_UNREADABLE"}, None  # a page again: it would never end
                for question in asked[request.kind, request.part]:  # and nobody knows which of them was right
                    self.journal.forget(question)
            rows.append(row)
            if page is None:
                return rows
            seen.add(page_is)
            if page.record_count is not None:
                query = (request.kind, request.part)
                if not anew and totals.setdefault(query, page.total) != page.total:
                    return None
            for dataset in page.datasets:
                self.datasets.setdefault(dataset, taxon["taxon_id"])
            if page.taxon_key:
                self.taxon_keys[taxon["taxon_id"]] = page.taxon_key
            request = self.portal.next_request(request, page, taxon, self.options)
        return rows

    async def _ask(self, taxon: Taxon, request: Request, ask: Ask) -> tuple[Row, Page | None]:
        """Return the row of one question, and what its answer says about the next; None where it is no answer."""
        row: Row = {
            "page_key": f"{self.source}:{taxon['taxon_id']}/{request.place}",
            "taxon_id": taxon["taxon_id"],
            "source": self.source,
            "request": request.text,
            "page_number": request.page_number,
        }
        if request.is_beyond_ceiling:
            return row | {"blob": None, "issue": "SOURCE_CEILING"}, Page(None)
        known = self.journal.find(request.text)
        if known is not None:
            return row | known, self._reread(request, known)
        if self.failures >= FAILURES_BEFORE_REST:
            return row | {"blob": None, "issue": "SOURCE_UNREACHABLE"}, None
        answer = await ask(request.url, method=request.method, json=request.body, max_bytes=LARGEST_PAGE_BYTES)
        facts, page = self._read(request, answer)
        self.journal.add(request.text, facts)
        self.failures = self.failures + 1 if facts["issue"] == "SOURCE_UNREACHABLE" else 0
        return row | facts, page

    def _read(self, request: Request, answer: Answer) -> tuple[Row, Page | None]:
        row: Row = {"status": answer.status, "fetched_at": answer.fetched_at, "blob": None, "issue": None}
        if answer.issue is not None:
            return row | {"issue": ISSUE_OF_ANSWER.get(answer.issue, answer.issue)}, None
        row |= {"blob": self.blobs.put(answer.body), "size_bytes": len(answer.body), "etag": version_of(answer)}
        try:
            page = self.portal.read_page(request, answer.body)
        except Unreadable:
            return row | {"issue": "SOURCE_UNREADABLE"}, None
        return row | {"record_count": page.record_count, "issue": page.issue}, page

    def _reread(self, request: Request, known: Row) -> Page | None:
        return None if known["blob"] is None else self.portal.read_page(request, self.blobs.get(known["blob"]))


def version_of(answer: Answer) -> str | None:
    """Return the server's own mark of the version that it sent: its ETag, else when it was changed last."""
    return answer.headers.get("etag") or answer.headers.get("last-modified") or None
