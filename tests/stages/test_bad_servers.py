"""Aggregators at their worst, by the real client on loopback: what each does, how often it is asked, what comes."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest

from naflora_etl.engine import http as client
from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import HarvestOptions, HttpOptions
from naflora_etl.stages.harvest import harvest_pages

RECORDS, A_PAGE = 7, 3
Reply = tuple[int, bytes, dict[str, str]]
Misdeed = Callable[[int, int], Reply | None]
"""Answers the n-th question for the page that begins at an offset; None: as a good server would."""


def page_at(offset: int, total: int = RECORDS, keys: int | None = None) -> bytes:
    first = offset if keys is None else keys
    results = [{"key": first + number} for number in range(min(A_PAGE, max(0, total - offset)))]
    told = {"offset": offset, "count": total, "endOfRecords": offset + A_PAGE >= total, "results": results}
    return json.dumps(told).encode()


def always(status: int, body: bytes = b"", **headers: str) -> Misdeed:
    return lambda times, offset: (status, body, {key.replace("_", "-"): text for key, text in headers.items()})


def once(status: int, body: bytes = b"", **headers: str) -> Misdeed:
    said = always(status, body, **headers)
    return lambda times, offset: said(times, offset) if times == 1 and offset == A_PAGE else None


def moving(times: int, offset: int) -> Reply:
    """A record comes while we page, and then no more."""
    return 200, page_at(offset, RECORDS if (offset, times) == (0, 1) else RECORDS + 1), {}


def forever_moving(times: int, offset: int) -> Reply:
    return 200, page_at(offset, RECORDS + times * 3 + offset), {}


ENDLESS = json.dumps({"count": 9, "endOfRecords": False, "results": [{"key": 1}]}).encode()
# what it does: (misdeed, issues of the rows, pages that came, requests for pages)
ZOO: dict[str, tuple[Misdeed, dict[str, int], int, int]] = {
    "nothing bad": (lambda times, offset: None, {}, 3, 3),
    "a 500 once": (once(500), {}, 3, 4),
    "a 503 once": (once(503), {}, 3, 4),
    "a 429 with Retry-After": (once(429, Retry_After="0"), {}, 3, 4),
    "a 429 without": (once(429), {}, 3, 4),
    "500 always": (always(500), {"SOURCE_UNREACHABLE": 1}, 0, 3),
    "503 with a Retry-After of an hour": (always(503, Retry_After="3600"), {"SOURCE_UNREACHABLE": 1}, 0, 1),
    "cut JSON": (always(200, page_at(0)[:40]), {"SOURCE_UNREADABLE": 1}, 0, 1),
    "a web page in place of JSON": (always(200, b"<html>Maintenance</html>"), {"SOURCE_UNREADABLE": 1}, 0, 1),
    "JSON of another shape": (always(200, b'{"message": "hello"}'), {"SOURCE_UNREADABLE": 1}, 0, 1),
    "nothing at all": (always(200), {"SOURCE_UNREADABLE": 1}, 0, 1),
    "the same page again and again": (always(200, ENDLESS), {"SOURCE_UNREADABLE": 1}, 1, 2),
    "two pages in turn, without end": (
        lambda times, offset: (200, page_at(0, 10**6, keys=offset // A_PAGE % 2), {}), {"SOURCE_UNREADABLE": 1}, 2, 3),
    "new pages without end": (
        lambda times, offset: (200, page_at(0, 10**6, keys=offset), {}), {"SOURCE_CEILING": 1}, 4, 4),
    "a count that changes once": (moving, {}, 3, 5),
    "a count that never rests": (forever_moving, {"SOURCE_CEILING": 1}, 4, 6),
    "a 404 for the search": (always(404), {"HTTP_ERROR": 1}, 0, 1),
    "a refusal": (always(403), {"HTTP_BLOCKED": 1}, 0, 1),
}  # fmt: skip


class Server(ThreadingHTTPServer):
    """GBIF as it should be, but for one misdeed."""

    daemon_threads = True
    misdeed: Misdeed = staticmethod(lambda times, offset: None)

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.times: list[tuple[float, int]] = []
        """When each question was answered or came, and with what."""
        self.at_once = self.most_at_once = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.at_once += 1
        self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        self.came = time.monotonic()
        self.server.agents.add(self.headers["User-Agent"])
        query = parse_qs(urlsplit(self.path).query)
        if "species/match" in self.path:
            usage = {"key": "K1", "rank": "SPECIES"}
            return self.reply(200, json.dumps({"usage": usage, "diagnostics": {"matchType": "EXACT"}}).encode(), {})
        offset = int(query["offset"][0])
        self.server.asked[str(offset)] += 1
        said = self.server.misdeed(self.server.asked[str(offset)], offset)
        return self.reply(*(said or (200, page_at(offset), {})))

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.server.times.append((time.monotonic() if status == 429 else self.came, status))
        self.server.at_once -= 1
        self.send_response(status)
        for name, text in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(client, "FIRST_BACKOFF_S", 0.01)
    with Server() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()


def harvest(server: Server, work: Path) -> list[dict[str, Any]]:
    taxon = {"checklist_key": "list:1", "taxon_id": "1", "taxon_name": "Acer rubrum", "taxon_rank": "Species"}
    taxa = pa.Table.from_pylist([taxon], read_contract("taxa").arrow_schema)
    workspace = Workspace(str(work))
    settings = HttpOptions(
        contact="tess@herb.example", tries=3, max_wait_s=1,
        default={"concurrency": 2, "per_second": 1000},  # type: ignore[arg-type]
        allow_private_hosts=(server.address.removeprefix("http://"),),
    )  # fmt: skip
    table = harvest_pages(
        taxa,
        read_contract("wcvp").arrow_schema.empty_table(),
        options=HarvestOptions(
            sources=("gbif",), gbif_api=server.address, page_size=A_PAGE, max_records_per_taxon=4 * A_PAGE
        ),
        http=HttpClient(settings),
        blobs=Blobs(workspace),
        notes=Notes(workspace),
        tables=Tables(taxa),  # type: ignore[arg-type]
        slice=0,
        progress=lambda *told: None,
    )
    return [row for row in table.to_pylist() if "/records" in row["page_key"]]


class Tables:
    def __init__(self, taxa: pa.Table) -> None:
        self.taxa = taxa

    def whole(self, name: str) -> pa.Table:
        return self.taxa


@pytest.mark.parametrize(("misdeed", "issues", "pages", "requests"), ZOO.values(), ids=ZOO)
def test_what_a_bad_server_does_is_retried_set_aside_or_ended(
    misdeed: Misdeed, issues: dict[str, int], pages: int, requests: int, server: Server, tmp_path: Path
) -> None:
    server.misdeed = misdeed  # type: ignore[method-assign]
    rows = harvest(server, tmp_path)
    assert Counter(row["issue"] for row in rows if row["issue"]) == issues
    assert sum(row["issue"] is None for row in rows) == pages
    assert sum(server.asked.values()) == requests
    assert len({row["page_key"] for row in rows}) == len(rows)
    (agent,) = server.agents
    assert agent.startswith("naflora_etl/") and "tess@herb.example" in agent


def test_nobody_is_asked_sooner_than_it_wants_nor_twice_at_a_time(server: Server, tmp_path: Path) -> None:
    server.misdeed = once(429, Retry_After="1")  # type: ignore[method-assign]
    harvest(server, tmp_path)
    refused = next(at for at, (_, status) in enumerate(server.times) if status == 429)
    assert server.times[refused + 1][0] - server.times[refused][0] >= 1
    assert server.most_at_once == 1


def test_a_killed_harvest_goes_on_from_its_last_page(server: Server, tmp_path: Path) -> None:
    class Killed(BaseException):
        """As sudden as SIGKILL, for whoever only catches exceptions."""

    def die(self: Notes, name: str, note: dict[str, Any]) -> None:
        written(self, name, note)
        if len(note["rows"]) == 3:  # the key of the name, and two pages
            raise Killed

    written = Notes.write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Notes, "write", die)
        with pytest.raises(Killed):
            harvest(server, tmp_path)
    assert server.asked == {"0": 1, "3": 1}
    rows = harvest(server, tmp_path)
    assert server.asked == {"0": 1, "3": 1, "6": 1}, "only what had not come"
    assert [row["record_count"] for row in rows] == [3, 3, 1]
    assert not list((tmp_path / "notes").glob("*")), "nothing is left to tidy"
