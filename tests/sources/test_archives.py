"""Archives by address: fetched once, kept by their sha256, and fetched again only where their server has another."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.clock import now
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.http import Answer
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import HarvestOptions
from naflora_etl.sources.archives import ArchiveErrand, Row, find_new_archives
from naflora_etl.sources.page_errand import Journal

PLACE = "https://portal.example/dwca/seinet.zip"
OPTIONS = HarvestOptions(sources=("archive",), archives=(PLACE,))
META = """<archive xmlns="http://rs.tdwg.org/dwc/text/"><core ignoreHeaderLines="1">
<files><location>core.csv</location></files><id index="0"/></core></archive>"""
NUMBERS = count()
DATE = "Mon, 04 Jan 2027 10:00:00 GMT"


def packed(folder: Path, rows: int = 2) -> bytes:
    path = folder / f"{rows}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.xml", META)
        archive.writestr("core.csv", "id\n" + "".join(f"{number}\n" for number in range(rows)))
    return path.read_bytes()


class Portal:
    """A portal with one archive of a version; `down` says what is wrong with it."""

    def __init__(self, body: bytes, version: dict[str, str], down: str = "") -> None:
        self.body, self.version, self.down = body, version, down
        self.asked: list[str] = []

    async def ask(
        self, url: str, *, method: str = "GET", headers: Any = None, max_bytes: int | None = None
    ) -> Answer:
        self.asked.append(method)
        if self.down:
            return Answer(url, 503, {}, b"", self.down, now(), "down")
        given = headers or {}
        same = given.get("If-None-Match", given.get("If-Modified-Since", "-")) in self.version.values()
        body = b"" if same or method == "HEAD" else self.body
        return Answer(url, 304 if same else 200, self.version, body, None, now())

    def run(self, work: Any) -> Any:
        return asyncio.run(work)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        yield self.ask


def fetch(portal: Portal, blobs: Blobs, earlier: list[Row], journal: Journal | None = None) -> Row:
    journal = journal or Journal(Notes(blobs.workspace), f"fresh-{next(NUMBERS)}")
    errand = ArchiveErrand(OPTIONS, blobs, earlier, journal)
    asyncio.run(errand.run(portal.ask, lambda note: None))  # type: ignore[arg-type]
    (row,) = errand.rows
    return row


# the version that was fetched, the one that the server has now; whether that is news
VERSIONS: dict[str, tuple[dict[str, str], dict[str, str], bool]] = {
    "the same ETag": ({"etag": '"1"'}, {"etag": '"1"'}, False),
    "another ETag": ({"etag": '"1"'}, {"etag": '"2"'}, True),
    "the same day of change": ({"last-modified": DATE}, {"last-modified": DATE}, False),
    "another day of change": ({"last-modified": DATE}, {"last-modified": DATE.replace("04", "05")}, True),
    "no word of a version": ({}, {}, False),
}


@pytest.mark.parametrize(("then", "now_", "is_new"), VERSIONS.values(), ids=VERSIONS)
def test_another_version_is_news(
    then: dict[str, str], now_: dict[str, str], is_new: bool, tmp_path: Path
) -> None:
    blobs = Blobs(Workspace(str(tmp_path / "work")))
    row = fetch(Portal(packed(tmp_path), then), blobs, [])
    assert (row["page_key"], row["request"], row["record_count"], row["issue"]) == ("archive:seinet", PLACE, 2, None)
    assert blobs.has_file(row["blob"])
    later = Portal(packed(tmp_path, 3), now_)
    assert bool(find_new_archives(OPTIONS, [row], later)) is is_new  # type: ignore[arg-type]
    assert later.asked == ["HEAD"]
    again = fetch(later, blobs, [row])
    assert again["record_count"] == (3 if is_new or not now_ else 2)


def test_out_of_reach_what_came_before_is_kept(tmp_path: Path) -> None:
    blobs = Blobs(Workspace(str(tmp_path / "work")))
    row = fetch(Portal(packed(tmp_path), {"etag": '"1"'}), blobs, [])
    down = Portal(b"", {}, down="HOST_TROUBLE")
    assert fetch(down, blobs, [row]) == row
    assert find_new_archives(OPTIONS, [row], down) == []  # type: ignore[arg-type]
    with pytest.raises(Fault, match=r"the archive https://portal.example/dwca/seinet.zip does not come \(down\)"):
        fetch(down, blobs, [])


def test_an_archive_that_came_is_not_fetched_again_while_other_answers_are_missing(tmp_path: Path) -> None:
    workspace = Workspace(str(tmp_path / "work"))
    blobs, notes = Blobs(workspace), Notes(workspace)
    row = fetch(Portal(packed(tmp_path), {}), blobs, [], Journal(notes, "files"))
    later = Portal(packed(tmp_path, 3), {})
    assert fetch(later, blobs, [], Journal(notes, "files")) == row and later.asked == []
    blobs.drop_file(row["blob"])
    assert fetch(later, blobs, [], Journal(notes, "files"))["record_count"] == 3, "one that was lost is fetched"


def test_a_page_in_place_of_an_archive_is_told_with_its_address(tmp_path: Path) -> None:
    blobs = Blobs(Workspace(str(tmp_path / "work")))
    with pytest.raises(Fault, match=r"https://portal.example/dwca/seinet.zip sent no Darwin Core archive"):
        fetch(Portal(b"<html>Moved</html>", {}), blobs, [])
