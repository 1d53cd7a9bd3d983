"""The aggregators are asked, and what they send is kept as it came: against a scripted answerer, no socket."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from naflora_etl.engine.contracts import check_table, conform, read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.http import Answer
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources.page_errand import FAILURES_BEFORE_REST
from naflora_etl.stages.harvest import STAGE, harvest_pages

WHEN = datetime(2026, 1, 2, tzinfo=UTC)
Say = Callable[[str, dict[str, Any] | None], bytes | str]
"""Answers a URL and a body with bytes, or with an issue of the client."""


class Blobs(dict[str, bytes]):
    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self[digest] = data
        return digest


class Notes(dict[str, dict[str, Any]]):
    def read(self, name: str) -> dict[str, Any] | None:
        return self.get(name)

    def write(self, name: str, note: dict[str, Any]) -> None:
        self[name] = json.loads(json.dumps(note))

    def remove(self, name: str) -> None:
        self.pop(name, None)


@dataclass
class Tables:
    taxa: pa.Table

    def whole(self, name: str) -> pa.Table:
        assert name == "taxa"
        return self.taxa


class Http:
    """The engine's client as a stage sees it, with answers out of a function."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.asked: list[str] = []
        self.open: dict[str, int] = {}

    def run(self, work: Any) -> Any:
        return asyncio.run(work)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        yield self.ask

    async def ask(
        self, url: str, *, method: str = "GET", json: Any = None, max_bytes: int | None = None
    ) -> Answer:
        assert method == ("GET" if json is None else "POST")
        host = url.split("/")[2]
        self.open[host] = self.open.get(host, 0) + 1
        assert self.open[host] == 1, "an aggregator was asked two questions at a time"
        await asyncio.sleep(0)
        self.open[host] -= 1
        self.asked.append(url)
        said = self.say(url, json)
        if isinstance(said, str):
            return Answer(url, None, {}, b"", said, WHEN)
        return Answer(url, 200, {}, said, None, WHEN)


def taxa_table(*taxon_ids: str) -> pa.Table:
    schema = read_contract("taxa").arrow_schema
    rows = [
        dict.fromkeys(schema.names)
        | {"checklist_key": f"list:{number}", "taxon_id": taxon_id, "taxon_name": f"Acer s{taxon_id}", "genus": "Acer"}
        | {"species": f"s{taxon_id}", "taxon_rank": "Species", "taxon_authors": "L."}
        for number, taxon_id in enumerate(taxon_ids)
    ]
    return pa.Table.from_pylist(rows, schema)


def wcvp_table(*rows: dict[str, Any]) -> pa.Table:
    schema = read_contract("wcvp").arrow_schema
    return pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema)


def gbif(url: str, total: int = 3) -> bytes:
    """Answer as GBIF would: a key that is the taxon's epithet, then pages of `total` records."""
    query = dict(part.split("=") for part in url.split("?")[1].split("&"))
    if "match" in url:
        usage = {"key": query["scientificName"].replace("Acer+", "key-of-"), "rank": "SPECIES"}
        return json.dumps({"usage": usage, "diagnostics": {"matchType": "EXACT"}}).encode()
    offset, limit = int(query["offset"]), int(query["limit"])
    results = [{"key": number} for number in range(offset, min(total, offset + limit))]
    return json.dumps(
        {"offset": offset, "count": total, "endOfRecords": offset + limit >= total, "results": results}
    ).encode()


def idigbio(url: str, body: dict[str, Any] | None, total: int = 1) -> bytes:
    assert body is not None
    kind = "mediarecords" if url.endswith("media") else "records"
    items = [{"uuid": f"{kind}-{number}", "type": kind} for number in range(body["offset"], total)][: body["limit"]]
    return json.dumps({"itemCount": total, "items": items}).encode()


def both(url: str, body: dict[str, Any] | None) -> bytes:
    return gbif(url) if "gbif" in url else idigbio(url, body)


def harvest(
    say: Say, *taxon_ids: str, slice: int = 0, blobs: Blobs | None = None, http: Http | None = None,
    wcvp: pa.Table | None = None, notes: Notes | None = None, **options: Any,
) -> list[dict[str, Any]]:
    taxa = taxa_table(*(taxon_ids or ("1",)))
    table = harvest_pages(
        taxa,
        wcvp_table() if wcvp is None else wcvp,
        options=HarvestOptions(**({"page_size": 2} | options)),
        http=http or Http(say),  # type: ignore[arg-type]
        blobs=Blobs() if blobs is None else blobs,  # type: ignore[arg-type]
        notes=Notes() if notes is None else notes,  # type: ignore[arg-type]
        tables=Tables(taxa),  # type: ignore[arg-type]
        slice=slice,
        progress=lambda done, total, note="": None,
    )
    contract = read_contract("harvest")
    assert check_table(conform(table, contract), contract) == []
    return table.to_pylist()


def told(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    return {row["page_key"]: row["issue"] for row in rows}


def test_every_page_is_a_row_and_its_bytes_are_kept() -> None:
    blobs = Blobs()
    rows = harvest(both, "1", blobs=blobs)
    assert told(rows) == {
        "gbif:1/match/0000": None,
        "gbif:1/records/0000": None,
        "gbif:1/records/0001": None,
        "idigbio:1/media/0000": None,
        "idigbio:1/records/0000": None,
    }
    assert [row["record_count"] for row in rows] == [None, 2, 1, 1, 1]
    first = rows[1]
    assert json.loads(blobs[first["blob"]])["count"] == 3
    assert (first["status"], first["size_bytes"], first["fetched_at"]) == (200, len(blobs[first["blob"]]), WHEN)
    assert first["request"].startswith("https://api.gbif.org/v1/occurrence/search?taxonKey=key-of-s1&checklistKey=")
    assert rows[3]["request"].startswith('https://search.idigbio.org/v2/search/media {"limit": 2, ')


def test_a_taxon_of_several_names_is_asked_for_once() -> None:
    http = Http(both)
    rows = harvest(both, "1", "1", "2", http=http, sources=("gbif",))
    assert {row["taxon_id"] for row in rows} == {"1", "2"}
    assert len(http.asked) == len(rows) == 6


def test_the_recipes_ceiling_is_told_and_not_asked_beyond() -> None:
    rows = harvest(lambda url, body: gbif(url, total=99), sources=("gbif",), max_records_per_taxon=4)
    assert told(rows) == {
        "gbif:1/match/0000": None,
        "gbif:1/records/0000": None,
        "gbif:1/records/0001": None,
        "gbif:1/records/0002": "SOURCE_CEILING",
    }
    assert rows[-1]["blob"] is None and "offset=4" in rows[-1]["request"]


def test_a_name_that_the_aggregator_does_not_know_is_told() -> None:
    unknown = b'{"diagnostics": {"matchType": "NONE"}}'
    rows = harvest(lambda url, body: unknown, sources=("gbif",))
    assert told(rows) == {"gbif:1/match/0000": "NAME_NOT_IN_SOURCE"}


TROUBLES: dict[str, tuple[bytes | str, str]] = {
    "a web page instead of JSON": (b"<html>Down for maintenance</html>", "SOURCE_UNREADABLE"),
    "cut JSON": (b'{"results": [{"key"', "SOURCE_UNREADABLE"),
    "no answer": ("HOST_TROUBLE", "SOURCE_UNREACHABLE"),
    "a refusal": ("HTTP_BLOCKED", "HTTP_BLOCKED"),
    "a page too large": ("IMAGE_TOO_LARGE", "SOURCE_UNREADABLE"),
    "an address that is gone": ("HTTP_GONE", "HTTP_ERROR"),
}


@pytest.mark.parametrize(("said", "issue"), TROUBLES.values(), ids=TROUBLES)
def test_trouble_with_one_aggregator_is_a_row_and_stops_no_other(said: bytes | str, issue: str) -> None:
    blobs = Blobs()
    rows = harvest(lambda url, body: gbif(url) if "gbif" in url else said, "1", "2", blobs=blobs)
    assert {key: told for key, told in told(rows).items() if key.startswith("idigbio")} == {
        "idigbio:1/records/0000": issue,
        "idigbio:2/records/0000": issue,
    }
    assert [row["issue"] for row in rows if row["source"] == "gbif"] == [None] * 6
    assert (said in blobs.values()) == isinstance(said, bytes)


def test_an_aggregator_that_is_down_is_left_alone() -> None:
    http = Http(lambda url, body: "HOST_TROUBLE")
    rows = harvest(both, *"123456", http=http, sources=("idigbio",))
    assert len(http.asked) == FAILURES_BEFORE_REST
    assert set(told(rows).values()) == {"SOURCE_UNREACHABLE"} and len(rows) == 6
    assert "SOURCE_UNREACHABLE" in STAGE.transient


def test_a_failure_in_between_does_not_count_as_being_down() -> None:
    http = Http(lambda url, body: "HOST_TROUBLE" if "Acer+s1&" not in url and "match" in url else gbif(url))
    harvest(both, "2", "3", "1", "4", "5", http=http, sources=("gbif",))
    assert sum("match" in url for url in http.asked) == 5


def test_a_page_that_comes_again_ends_the_paging() -> None:
    page = b'{"count": 99, "endOfRecords": false, "results": [{"key": 1}, {"key": 2}]}'
    rows = harvest(lambda url, body: gbif(url) if "match" in url else page, sources=("gbif",))
    assert told(rows) == {
        "gbif:1/match/0000": None,
        "gbif:1/records/0000": None,
        "gbif:1/records/0001": "SOURCE_UNREADABLE",
    }


DOWN: dict[str, Callable[[str], bytes | str]] = {
    "no answer": lambda url: "HOST_TROUBLE",
    "a web page instead of JSON": lambda url: b"<html>Down for maintenance</html>",
}


@pytest.mark.parametrize("say", DOWN.values(), ids=DOWN)
@pytest.mark.parametrize("down", ["gbif", "idigbio"])
def test_another_build_asks_for_what_is_missing_and_for_nothing_that_came(
    down: str, say: Callable[[str], bytes | str]
) -> None:
    notes, blobs = Notes(), Blobs()
    first = Http(lambda url, body: say(url) if down in url else both(url, body))
    rows = harvest(both, "1", "2", http=first, notes=notes, blobs=blobs)
    came = [row for row in rows if row["source"] != down]
    assert came and not any(row["issue"] for row in came)
    again = Http(both)
    whole = harvest(both, "1", "2", http=again, notes=notes, blobs=blobs)
    assert again.asked and all(down in url for url in again.asked)
    assert [row for row in whole if row["source"] != down] == came
    assert not any(row["issue"] for row in whole) and not notes, "nothing is missing, so nothing is left to tidy"


def test_a_taxon_whose_page_came_again_is_asked_for_anew() -> None:
    page = b'{"count": 99, "endOfRecords": false, "results": [{"key": 1}, {"key": 2}]}'
    notes, blobs, again = Notes(), Blobs(), Http(both)
    say: Say = lambda url, body: page if "key-of-s1" in url else gbif(url)  # noqa: E731
    harvest(say, "1", "2", sources=("gbif",), notes=notes, blobs=blobs)
    rows = harvest(both, "1", "2", sources=("gbif",), notes=notes, blobs=blobs, http=again)
    assert not any(row["issue"] for row in rows) and len(rows) == 6
    assert len(again.asked) == 2 and all("key-of-s1" in url for url in again.asked), "both pages, and no other taxon's"


META = """<archive xmlns="http://rs.tdwg.org/dwc/text/"><core ignoreHeaderLines="1">
<files><location>core.csv</location></files><id index="0"/></core></archive>"""


def archive(place: Path) -> str:
    place.mkdir(parents=True)
    (place / "meta.xml").write_text(META, encoding="utf-8")
    (place / "core.csv").write_text("id\n1\n2\n", encoding="utf-8")
    return str(place)


def refuse(url: str, body: dict[str, Any] | None) -> bytes:
    raise AssertionError("an archive asks nobody")


def test_an_archive_is_one_row_of_the_first_slice(tmp_path: Path) -> None:
    path = archive(tmp_path / "seinet")
    (row,) = harvest(refuse, sources=("archive",), archives=(path,))
    assert (row["page_key"], row["request"], row["record_count"]) == ("archive:seinet", path, 2)
    assert row["taxon_id"] is None and row["issue"] is None
    assert harvest(refuse, slice=1, sources=("archive",), archives=(path,)) == []
    assert STAGE.files is not None and STAGE.files(HarvestOptions(archives=(path,))) == (path,)


def test_archives_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    paths = (archive(tmp_path / "a/seinet"), archive(tmp_path / "b/seinet"))
    with pytest.raises(Fault, match="have the same name; rename one of them"):
        harvest(refuse, sources=("archive",), archives=paths)


def test_sources_and_archives_must_agree(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="name the archives, or take archive out of the sources"):
        harvest(refuse, sources=("archive",))
    with pytest.raises(Fault, match='add "archive" to the sources'):
        harvest(refuse, sources=("gbif",), archives=(archive(tmp_path / "seinet"),))
