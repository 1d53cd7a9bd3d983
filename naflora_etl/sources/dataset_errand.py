"""Each dataset on the pages of an aggregator is asked about once: its title, DOI and citation, kept as they came.

A release can do without: a dataset that is not answered for is called by its key, and no build stops or asks again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.http import Ask
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.receipts import digest_of
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources.dataset_names import KEY, PART, read_answer, request_for
from naflora_etl.sources.page_errand import FAILURES_BEFORE_REST, Errand, Row, version_of
from naflora_etl.sources.paging import Unreadable

UNNAMED = "DATASET_NOT_NAMED"
LARGEST_ANSWER_BYTES = 4_000_000


class DatasetErrand:
    """The datasets that an errand met on its pages; `known` are keys of those that need not be asked about."""

    def __init__(
        self, errand: Errand, options: HarvestOptions, blobs: Blobs, notes: Notes, known: Collection[str] = ()
    ) -> None:
        self.errand = errand
        self.options = options
        self.blobs = blobs
        self.notes = notes
        self.known = frozenset(known)
        self.rows: list[Row] = []
        at = digest_of([options.gbif_api, options.idigbio_api, options.snapshot])[:16]
        self.note = f"datasets-{errand.source}-{at}"
        """What was answered under this snapshot, by key: other slices, and a build that was killed, need not ask."""

    async def run(self, ask: Ask) -> None:
        """Ask about them, one after the other; three that are not answered in a row, and the rest is left alone."""
        failures = self.errand.failures
        for key, taxon_id in self.errand.datasets.items():
            if key in self.known or not KEY.fullmatch(key):
                continue
            request = request_for(self.errand.source, key, self.options)
            row: Row = {
                "page_key": f"{self.errand.source}:{taxon_id}/{PART}{key}",
                "taxon_id": taxon_id,
                "source": self.errand.source,
                "request": request.text,
                "page_number": 0,
            }
            facts = self._recall(key)
            if facts is None and failures < FAILURES_BEFORE_REST:
                facts = await self._ask(ask, key, request.url)
                failures = failures + 1 if facts["issue"] and not facts["blob"] else 0
            self.rows.append(row | (facts or {"blob": None, "issue": UNNAMED}))

    async def _ask(self, ask: Ask, key: str, url: str) -> Row:
        answer = await ask(url, max_bytes=LARGEST_ANSWER_BYTES)
        facts: Row = {"status": answer.status, "fetched_at": answer.fetched_at, "blob": None, "issue": UNNAMED}
        if answer.issue is not None:
            return facts
        facts |= {"blob": self.blobs.put(answer.body), "size_bytes": len(answer.body), "etag": version_of(answer)}
        try:
            read_answer(self.errand.source, key, answer.body)
        except Unreadable:
            return facts
        facts["issue"] = None
        answers = self._answers() | {key: facts | {"fetched_at": answer.fetched_at.isoformat()}}
        self.notes.write(self.note, {"answers": answers})
        return facts

    def _answers(self) -> dict[str, Row]:
        return dict((self.notes.read(self.note) or {}).get("answers", {}))

    def _recall(self, key: str) -> Row | None:
        facts = self._answers().get(key)
        return None if facts is None else facts | {"fetched_at": datetime.fromisoformat(facts["fetched_at"])}
