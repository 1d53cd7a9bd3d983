"""iDigBio's bulk download: asked for once, waited for, and a build goes on where it does not come."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.clock import now
from naflora_etl.engine.http import Answer
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.workspace import Workspace
from naflora_etl.pipeline import build_recipe
from naflora_etl.recipe import HarvestOptions, SandboxOptions, make_recipe
from naflora_etl.sandbox.embedded import point_recipe, sandbox_running
from naflora_etl.sandbox.idigbio_download import pack
from naflora_etl.sources import idigbio_download
from naflora_etl.sources.idigbio_download import PAGE_KEY, DownloadErrand, question
from naflora_etl.sources.page_errand import Journal, Row

TAXA = [{"taxon_id": "1", "names": {"acer": ["rubrum"], "rufacer": ["rubrum"]}}]
ROOT = "https://api.idigbio.org"
STATUS, FILE = f"{ROOT}/v2/download/abc", f"{ROOT}/abc.zip"
PENDING = {"complete": False, "task_status": "PENDING", "status_url": STATUS}
READY = PENDING | {"complete": True, "task_status": "SUCCESS", "download_url": FILE}
RECORD = {"uuid": "u-1", "data": {"dwc:catalogNumber": "NY1"}, "indexTerms": {"recordset": "r-1"}}
MEDIUM = {"uuid": "m-1", "data": {"ac:accessURI": "http://127.0.0.1/1.jpg"}, "indexTerms": {"records": ["u-1"]}}
ZIP = pack([RECORD], [MEDIUM])
DOWN = "HOST_TROUBLE"


def test_one_question_for_all_genera_in_the_publishers_words() -> None:
    asked = question(TAXA, HarvestOptions(countries=("US",)))
    assert asked == {
        "rq": {"genus": ["acer", "rufacer"], "hasImage": True, "countrycode": ["usa"]},
        "core_type": "records",
        "core_source": "raw",
        "form": "dwca-csv",
    }


# what the server says, question after question; whether an archive comes of it, and after which pauses
CASES: dict[str, tuple[list[Any], bool, list[float]]] = {
    "ready at once, as within 23 hours of the same question": ([READY, ZIP], True, []),
    "ready after a while": ([PENDING, PENDING, PENDING, READY, ZIP], True, [60, 90, 135]),
    "silent for a moment": ([PENDING, DOWN, b"<html>", READY, ZIP], True, [60, 90, 135]),
    "silent for good": ([PENDING] + [DOWN] * 9, False, [60, 90, 135, 202.5, 303.75, 455.625, 600]),
    "down": ([DOWN], False, []),
    "a web page": ([b"<html>Down</html>"], False, []),
    "it failed": ([PENDING, PENDING | {"task_status": "FAILURE"}], False, [60]),
    "the file does not come": ([READY, DOWN], False, []),
    "the file is cut": ([READY, ZIP[:200]], False, []),
}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A clock that only counts."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(idigbio_download.asyncio, "sleep", sleep)
    yield found


@pytest.mark.parametrize(("says", "comes", "waits"), CASES.values(), ids=CASES)
def test_it_is_waited_for_and_what_does_not_come_is_a_row(
    says: list[Any], comes: bool, waits: list[float], pauses: list[float], tmp_path: Path
) -> None:
    asked: list[tuple[str, Any]] = []
    left = iter(says)

    async def ask(url: str, *, method: str = "GET", json: Any = None, max_bytes: int | None = None) -> Answer:
        asked.append((url, json))
        said = next(left)
        if said == DOWN:
            return Answer(url, 503, {}, b"", DOWN, now())
        return Answer(url, 200, {}, said if isinstance(said, bytes) else _json(said), None, now())

    blobs, notes = (kind(Workspace(str(tmp_path))) for kind in (Blobs, Notes))

    def run() -> Row:
        errand = DownloadErrand(TAXA, HarvestOptions(), blobs, "tess@herb.example", Journal(notes, "files"))
        asyncio.run(errand.run(ask, lambda note: None))  # type: ignore[arg-type]
        return errand.rows[0]

    row = run()
    assert asked[0][0] == f"{ROOT}/v2/download" and asked[0][1]["email"] == "tess@herb.example"
    assert "tess" not in json.dumps(row, default=str)
    assert pauses == waits
    assert (row["issue"], row["page_key"]) == (None if comes else "SOURCE_UNREACHABLE", PAGE_KEY)
    if comes:
        (record,) = idigbio_download.read_records(blobs.file(row["blob"]), PAGE_KEY)
        assert (record.source, record.record_id, record.terms["catalogNumber"]) == ("idigbio", "u-1", "NY1")
        assert record.terms["datasetKey"] == "r-1" and record.media[0].url == "http://127.0.0.1/1.jpg"
        questions = len(asked)
        assert run() == row and len(asked) == questions, "another build asks for what is missing alone"


@pytest.mark.parametrize(("recordset", "key"), [("r-1", "r-1"), ("", None)])
def test_a_record_of_no_recordset_has_no_dataset(recordset: str, key: str | None, tmp_path: Path) -> None:
    (tmp_path / "abc.zip").write_bytes(pack([RECORD | {"indexTerms": {"recordset": recordset}}], []))
    (record,) = idigbio_download.read_records(nullcontext(str(tmp_path / "abc.zip")), PAGE_KEY)
    assert record.terms.get("datasetKey") == key


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.slow
def test_by_download_or_by_pages_the_records_are_the_same(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.10.0.1", 0))
        options = SandboxOptions(species=6, specimens_per_species=10, port=probe.getsockname()[1])
    tables = []
    with sandbox_running(options):
        for way in ("search", "download"):
            harvest = {"sources": ["idigbio"], "idigbio": way, "gbif_poll_s": 0.05}
            given = {"name": "small", "sandbox": options.model_dump(), "harvest": harvest}
            workspace = Workspace(str(tmp_path / way))
            workspace.make()
            recipe = make_recipe(given | {"http": {"default": {"per_second": 200.0}}}, folder=tmp_path)
            build_recipe(point_recipe(recipe, tmp_path), workspace, until="records")
            table = Receipts(workspace).table("records")
            tables.append(table.drop_columns(["page_key", "copy_urls"]))
    assert tables[0].num_rows > 30 and tables[0].equals(tables[1])
