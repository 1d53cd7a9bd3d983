"""Is anything new? Few questions, the taxa that are worth asking again, and what a silent source means."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from naflora_etl.engine.http import Answer
from naflora_etl.recipe import HarvestOptions
from naflora_etl.renewing.inquiry import Inquiry, News

WHEN = datetime(2026, 4, 2, tzinfo=UTC)
TAXA = [
    {"taxon_id": "1", "taxon_rank": "Species", "names": {"acer": ["rubrum"], "rufacer": ["rubrum", "carolinianum"]}},
    {"taxon_id": "2", "taxon_rank": "Species", "names": {"acer": ["saccharum"]}},
]
Say = Callable[[str, Any], Any]


class Http:
    def __init__(self, say: Say) -> None:
        self.say = say
        self.asked: list[tuple[str, Any]] = []

    def run(self, work: Any) -> Any:
        return asyncio.run(work)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        yield self.ask

    async def ask(self, url: str, *, method: str = "GET", json: Any = None) -> Answer:
        self.asked.append((url, json))
        said = self.say(url, json)
        if isinstance(said, str):
            return Answer(url, 503, {}, b"", said, WHEN)
        return Answer(url, 200, {}, _bytes(said), None, WHEN)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


class Blobs(dict[str, bytes]):
    def put(self, value: Any) -> str:
        digest = hashlib.sha256(_bytes(value)).hexdigest()
        self[digest] = _bytes(value)
        return digest

    def get(self, digest: str) -> bytes:  # type: ignore[override]
        return self[digest]


def harvested(blobs: Blobs) -> list[dict[str, Any]]:
    """A harvest of both taxa: five and three records at GBIF, four and none at iDigBio."""
    rows = []
    for taxon_id, key, gbif_count, parts in (("1", "K1", 5, (3, 1)), ("2", "K2", 3, (0,))):
        match = {"usage": {"key": key, "rank": "SPECIES"}, "diagnostics": {"matchType": "EXACT"}}
        rows += [row("gbif", taxon_id, "match/0000", blobs.put(match))]
        page = {"results": [{"key": 1}], "count": gbif_count, "endOfRecords": False}
        rows += [row("gbif", taxon_id, "records/0000", blobs.put(page))]
        for part, count in enumerate(parts):
            page = {"items": [{"uuid": "u"}] * bool(count), "itemCount": count}
            place = f"records-{part:02}/0000" if part else "records/0000"
            rows.append(row("idigbio", taxon_id, place, blobs.put(page)))
    return rows


def row(source: str, taxon_id: str, place: str, blob: str) -> dict[str, Any]:
    return {
        "source": source, "taxon_id": taxon_id, "page_key": f"{source}:{taxon_id}/{place}", "blob": blob, "issue": None,
        "page_number": 0, "fetched_at": WHEN, "record_count": 1,
    }  # fmt: skip


def world(gbif: dict[str, int], idigbio: dict[str, int], later: bool = False, media: int = 0) -> Say:
    """Answer with these numbers; `later`: all were interpreted, or indexed, since."""

    def say(url: str, body: Any) -> Any:
        if "occurrence/search" in url:
            counts = gbif if later or "lastInterpreted" not in url else {}
            return {"facets": [{"counts": [{"name": name, "count": count} for name, count in counts.items()]}]}
        if "count/media" in url:
            return {"itemCount": media}
        if "datemodified" in body["rq"] and not later:
            return {"itemCount": 0}
        genera: dict[str, Any] = {}
        for name, count in idigbio.items():
            genus, epithet = name.split()
            genera.setdefault(genus, {"specificepithet": {}})["specificepithet"][epithet] = {"itemCount": count}
        return {"itemCount": 9, "genus": genera}

    return say


SAME_GBIF = {"K1": 5, "K2": 3, "P": 8}
SAME_IDIGBIO = {"acer rubrum": 3, "rufacer rubrum": 1}
CASES: dict[str, tuple[Say, dict[str, list[str]]]] = {
    "nothing": (world(SAME_GBIF, SAME_IDIGBIO), {"gbif": [], "idigbio": []}),
    "a record fewer": (world(SAME_GBIF | {"K2": 2}, SAME_IDIGBIO), {"gbif": ["2"], "idigbio": []}),
    "one more under a synonym": (
        world(SAME_GBIF, SAME_IDIGBIO | {"rufacer carolinianum": 1}), {"gbif": [], "idigbio": ["1"]}),
    "all interpreted anew": (world(SAME_GBIF, SAME_IDIGBIO, later=True), {"gbif": ["1", "2"], "idigbio": ["1"]}),
    "an image was edited": (world(SAME_GBIF, SAME_IDIGBIO, media=1), {"gbif": [], "idigbio": ["1", "2"]}),
}  # fmt: skip


def inquire(say: Say, told: dict[str, Any] | None = None) -> tuple[dict[str, News], Http]:
    blobs, http = Blobs(), Http(say)
    inquiry = Inquiry(HarvestOptions(), TAXA, harvested(blobs), blobs, told or {})  # type: ignore[arg-type]
    return {news.source: news for news in inquiry.ask(http)}, http  # type: ignore[arg-type]


@pytest.mark.parametrize(("say", "taxa"), CASES.values(), ids=CASES)
def test_what_may_be_new(say: Say, taxa: dict[str, list[str]]) -> None:
    said, http = inquire(say)
    assert {source: news.taxa for source, news in said.items()} == taxa
    assert said["gbif"].since == "2026-04-01", "a day before the harvest"
    assert said["gbif"].questions == 2 and said["idigbio"].questions in (3, 5)
    assert all("checklistKey=7ddf754f" in url for url, body in http.asked if body is None)


def test_within_two_days_an_answer_that_did_not_change_is_no_news() -> None:
    say = world(SAME_GBIF, SAME_IDIGBIO, later=True)
    told = {source: news.as_told() for source, news in inquire(say)[0].items()}
    again, http = inquire(say, told)
    assert [news.taxa for news in again.values()] == [[], []]
    assert any("lastInterpreted=2026-04-01" in url for url, _ in http.asked), "the same question as before"
    told["gbif"]["asked_at"] = told["idigbio"]["asked_at"] = "2026-05-01T00:00:00+00:00"
    much_later = inquire(say, told)[0]
    assert much_later["gbif"].taxa == ["1", "2"] and much_later["gbif"].since == "2026-04-30"


SILENCES: dict[str, Any] = {
    "no answer": "HOST_TROUBLE",
    "a web page": b"<html>Down</html>",
    "no numbers": {"count": 7},
    "a list that may be cut": {"facets": [{"counts": [{"name": str(n), "count": 1} for n in range(5000)]}]},
}


@pytest.mark.parametrize("said", SILENCES.values(), ids=SILENCES)
def test_a_source_that_gives_no_usable_answer_is_told_and_stops_no_other(said: Any) -> None:
    def say(url: str, body: Any) -> Any:
        return said if "occurrence" in url else world(SAME_GBIF, SAME_IDIGBIO | {"acer saccharum": 1})(url, body)

    found, _ = inquire(say)
    assert found["gbif"].is_silent and found["gbif"].taxa == []
    assert not found["idigbio"].is_silent and found["idigbio"].taxa == ["2"]
