"""One download from GBIF, from the question to the archive in hand; a kill at any moment goes on where it was.

Before anything is posted, a mark is noted; it travels with the question. Whoever finds a mark without a key looks for
it among the user's downloads first, so that no second one is ever posted for it.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from naflora_etl.engine.answers import Answer
from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.receipts import digest_of
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.gbif_download import (
    PAGE_KEY,
    QUEUE_FULL,
    WAITING,
    Query,
    Status,
    find_marked,
    posted_body,
    read_key,
    read_status,
    without_person,
)
from naflora_etl.sources.gbif_login import Login
from naflora_etl.sources.paging import Unreadable

PIECE_BYTES = 16 << 20
"""Of an archive, by one question; a kill loses one at most."""
SLOWER = 1.5
PATIENCE = 6
"""Questions in a row that GBIF may leave without an answer, beyond the client's own tries."""
LIST_LENGTH = 100
LARGEST_ANSWER_BYTES = 64_000_000
FAILED = {
    "KILLED": "GBIF ended it, as it does with what takes too long",
    "CANCELLED": "somebody cancelled it at gbif.org",
    "FAILED": "it failed at GBIF",
    "FILE_ERASED": "GBIF has erased its file, as it does after half a year",
}
GOES_ON = "`naflora build` goes on with it"


class Asking(Protocol):
    """Asks for one address."""

    async def __call__(
        self, url: str, *, method: str = "GET", json: Any = None, headers: Any = None,
        max_bytes: int | None = None, tries: int | None = None,
    ) -> Answer:
        """Return its answer."""  # fmt: skip


@dataclass
class Download:
    """One question to GBIF and what is known of it."""

    query: Query
    number: int
    options: HarvestOptions
    login: Callable[[], Login]
    blobs: Blobs
    notes: Notes
    tell: Callable[[str], None]

    def __post_init__(self) -> None:
        told = [self.query, self.options.gbif_api, self.options.snapshot]
        self.name = f"gbif-download-{digest_of(told)[:16]}"
        self.note: dict[str, Any] = self.notes.read(self.name) or {}
        self.root = f"{self.options.gbif_api}/v1/occurrence/download"

    async def bring(self, ask: Asking) -> list[dict[str, Any]]:
        """Return the rows of the download: how it stood, and its archive. Raises Fault, in one sentence."""
        if not ("digest" in self.note and self.blobs.has_file(self.note["digest"])):
            key = self.note.get("key") or await self._post(ask)
            status, answer = await self._await(ask, key)
            told = json.dumps(without_person(answer.body), sort_keys=True).encode()
            digest = await self._fetch(ask, status)
            self._remember(
                digest=digest,
                records=await asyncio.to_thread(self._count, digest, key),
                told=self.blobs.put(told),
                told_bytes=len(told),
                link=status.link,
                doi=status.doi,
                citation=status.citation,
                fetched_at=answer.fetched_at.isoformat(),
                size_bytes=status.size_bytes,
            )
        return self._rows()

    def _rows(self) -> list[dict[str, Any]]:
        note, stem = self.note, f"{PAGE_KEY}{self.number:04}"
        shared = {"taxon_id": None, "source": "gbif", "page_number": self.number, "status": 200, "issue": None}
        shared |= {"doi": note["doi"], "citation": note["citation"], "fetched_at": note["fetched_at"]}
        asked = f"{self.root}/request {json.dumps(self.query, sort_keys=True)}"
        told = {"page_key": f"{stem}/status", "request": f"{self.root}/{note['key']}", "blob": note["told"]}
        archive = {"page_key": stem, "request": asked, "blob": note["digest"], "record_count": note["records"]}
        return [
            shared | told | {"size_bytes": note["told_bytes"], "record_count": None},
            shared | archive | {"size_bytes": note["size_bytes"]},
        ]

    def _remember(self, **facts: Any) -> None:
        self.note |= facts
        self.notes.write(self.name, self.note)

    def _forget(self) -> None:
        self.note = {}
        self.notes.remove(self.name)

    # the question

    async def _post(self, ask: Asking) -> str:
        login, pause_s = self.login(), self.options.gbif_poll_s
        is_marked = "mark" in self.note
        if not is_marked:
            self._remember(mark=secrets.token_hex(8))
        body = posted_body(self.query, login, self.note["mark"])
        troubles = 0
        while troubles < PATIENCE:
            key = await self._find_posted(ask, login) if is_marked else None
            if key is None:
                answer = await ask(
                    f"{self.root}/request", method="POST", json=body, headers=login.headers(), tries=1,
                    max_bytes=LARGEST_ANSWER_BYTES,
                )  # fmt: skip
                self._refuse(answer)
                key = _key_in(answer)
                if answer.status in QUEUE_FULL:
                    self.tell("GBIF prepares three downloads of this user already; waiting for one to end")
                else:
                    is_marked = True  # it may have come through, though no answer did
                    troubles += 1
            if key is not None:
                self._remember(key=key)
                return key
            await asyncio.sleep(pause_s)
            pause_s = self._slower(pause_s)
        raise Fault("GBIF gave no answer to the request for a download; `naflora build` asks again.")

    async def _find_posted(self, ask: Asking, login: Login) -> str | None:
        """Return the key of what an earlier run, or an unanswered question, posted; None where nothing was."""
        url = f"{self.root}/user/{login.user}?limit={LIST_LENGTH}"
        answer = await ask(url, headers=login.headers(), max_bytes=LARGEST_ANSWER_BYTES)
        if answer.status in (401, 403):
            self._refuse(answer)
        try:
            if answer.issue is None:
                return find_marked(answer.body, self.note["mark"])
        except Unreadable:
            pass
        raise Fault(
            "GBIF does not say whether it has our request for a download already, so none was posted; "
            "`naflora build` asks again."
        )

    def _refuse(self, answer: Answer) -> None:
        """Raise Fault for an answer that will stay the same."""
        why = {
            401: "GBIF does not know GBIF_USER with this GBIF_PWD (401); the user's name is wanted, not the e-mail.",
            403: "GBIF does not let GBIF_USER request downloads (403); log in at gbif.org and see why.",
            410: "GBIF says that this way of downloading is gone (410); write harvest.gbif = \"search\" meanwhile.",
            413: "GBIF finds the question too long or too complex (413); split the checklist into several recipes.",
        }.get(answer.status or 0)
        is_refusal = 400 <= (answer.status or 0) < 500 and answer.status not in (408, 425, *QUEUE_FULL)
        if why is None and answer.issue is not None and is_refusal:
            why = f"GBIF refuses the request for a download (HTTP {answer.status}); see harvest in the recipe."
        if why is not None:
            raise Fault(why)

    # the waiting

    async def _await(self, ask: Asking, key: str) -> tuple[Status, Answer]:
        pause_s, troubles = self.options.gbif_poll_s, 0
        while True:
            answer = await ask(f"{self.root}/{key}", max_bytes=LARGEST_ANSWER_BYTES)
            status = self._read(answer, key)
            if status is None:
                troubles += 1
                if troubles >= PATIENCE:
                    raise Fault(f"GBIF does not say how download {key} stands; {GOES_ON}.")
            elif status.state == "SUCCEEDED":
                return status, answer
            elif status.state not in WAITING:
                why = FAILED.get(status.state, f"its state is {status.state}")
                self._forget()
                raise Fault(f"GBIF download {key} came to nothing: {why}. `naflora build` requests a new one.")
            else:
                troubles = 0
                self.tell(f"GBIF download {key} is {status.state}; asking again in {pause_s:.0f} s")
            await asyncio.sleep(pause_s)
            pause_s = self._slower(pause_s)

    def _read(self, answer: Answer, key: str) -> Status | None:
        """Return how the download stands; None where GBIF does not say it now."""
        if answer.status in (404, 410):
            self._forget()
            raise Fault(f"GBIF knows no download {key} any more ({answer.status}); `naflora build` requests a new one.")
        try:
            return read_status(answer.body, key, self.options) if answer.issue is None else None
        except Unreadable:
            return None

    def _slower(self, pause_s: float) -> float:
        return min(pause_s * SLOWER, max(self.options.gbif_poll_longest_s, self.options.gbif_poll_s))

    # the archive

    async def _fetch(self, ask: Asking, status: Status) -> str:
        """Bring the archive piece by piece, those of an earlier run first; return its sha256."""
        arrival = self.blobs.arrival(status.key)
        head = await ask(status.link, method="HEAD")  # GBIF redirects to another house: ranges are asked for there
        self._check_fetched(head, status)
        total, version = _length(head), head.headers.get("etag", "")
        if total is None:
            total = status.size_bytes
        if total is None:
            raise Fault(f"GBIF does not say how large download {status.key} is; {GOES_ON}.")
        if self.note.get("version") != [total, version]:
            arrival.discard()
            self._remember(version=[total, version])
        while (start := arrival.size_bytes) < total:
            self.tell(f"GBIF download {status.key}: {start / 1e6:,.0f} of {total / 1e6:,.0f} MB")
            end = min(start + PIECE_BYTES, total) - 1
            answer = await ask(head.url, headers={"Range": f"bytes={start}-{end}"}, max_bytes=max(PIECE_BYTES, total))
            self._check_fetched(answer, status)
            if answer.status == 200 and len(answer.body) == total:
                arrival.discard()
            elif not _is_piece(answer, start, end, total, version):
                arrival.discard()
                raise Fault(f"what GBIF sends as download {status.key} is no part of it; {GOES_ON}.")
            await asyncio.to_thread(arrival.add, answer.body)
        return await asyncio.to_thread(arrival.settle)

    def _check_fetched(self, answer: Answer, status: Status) -> None:
        if answer.issue is None:
            return
        if answer.status in (404, 410):
            self._forget()
            raise Fault(
                f"the file of GBIF download {status.key} is gone ({answer.status}); "
                "`naflora build` requests a new download."
            )
        raise Fault(f"the file of GBIF download {status.key} does not come ({answer.note}); {GOES_ON}.")

    def _count(self, digest: str, key: str) -> int:
        """Return the records in the archive; Fault, and the archive goes, when it is damaged."""
        try:
            with self.blobs.file(digest) as path:
                return Archive(path).count_rows()
        except Fault:
            self.blobs.drop_file(digest)
            raise Fault(
                f"what came as GBIF download {key} is no whole Darwin Core archive; `naflora build` fetches it again."
            ) from None


def _key_in(answer: Answer) -> str | None:
    try:
        return read_key(answer.body) if answer.issue is None else None
    except Unreadable:
        return None


def _length(head: Answer) -> int | None:
    told = head.headers.get("content-length", "")
    return int(told) if told.isdigit() and int(told) else None


def _is_piece(answer: Answer, start: int, end: int, total: int, version: str) -> bool:
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("content-range", "").strip())
    if answer.status != 206 or found is None or len(answer.body) != end - start + 1:
        return False
    return tuple(map(int, found.groups())) == (start, end, total) and answer.headers.get("etag", "") == version
