"""images, from a real server: the size that is asked for, what a refusal leads to, and the bill."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from test_images import OPTIONS, key_of, sheet

from naflora_etl.engine.bill import bill_hosts, read_asked
from naflora_etl.engine.contracts import check_table, conform, read_contract
from naflora_etl.engine.packs import Packs
from naflora_etl.engine.workspace import Workspace
from naflora_etl.sources.alternatives import wanted_px
from naflora_etl.stages.images import fetch_images

sys.path.append(str(Path(__file__).parents[1] / "engine"))
from raw_server import WISHES, Call, RawServer, make_client, serving

FULL, SMALL = "full/full/0/default.jpg", "full/!64,64/0/default.jpg"


async def image(call: Call) -> None:
    await call.reply(200, sheet(call.path), Content_Type="image/jpeg")


async def refuse(call: Call) -> None:
    await call.reply(400, b"this size is not offered")


async def page(call: Call) -> None:
    await call.reply(200, b"<!doctype html><html>Not here</html>")


async def blocked(call: Call) -> None:
    await call.reply(403)


BEHAVIOURS = {
    f"/offers/{SMALL}": image, f"/offers/{FULL}": image,
    f"/refuses/{SMALL}": refuse, f"/refuses/{FULL}": image,
    f"/lies/{SMALL}": page, f"/lies/{FULL}": image,
    f"/lost/{SMALL}": page, f"/lost/{FULL}": page,
    f"/blocks/{SMALL}": blocked, f"/blocks/{FULL}": image,
    "/plain.jpg": image,
}  # fmt: skip
# the image asked for -> the issue, and the paths that its server saw
EXPECTED: dict[str, tuple[str | None, list[str]]] = {
    f"/offers/{FULL}": (None, [f"/offers/{SMALL}"]),
    f"/refuses/{FULL}": (None, [f"/refuses/{SMALL}", f"/refuses/{FULL}"]),
    f"/lies/{FULL}": (None, [f"/lies/{SMALL}", f"/lies/{FULL}"]),
    f"/lost/{FULL}": ("NOT_AN_IMAGE", [f"/lost/{SMALL}", f"/lost/{FULL}"]),
    f"/blocks/{FULL}": ("HTTP_BLOCKED", [f"/blocks/{SMALL}"]),
    "/plain.jpg": (None, ["/plain.jpg"]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    made = RawServer(BEHAVIOURS)
    with serving(made):
        yield made


def fetch(server: RawServer, folder: Path, *paths: str, **knobs: object) -> dict[str, dict[str, object]]:
    rows = [
        {"image_key": key_of(path), "taxon_id": "a", "specimen_key": f"s-{path}", "gathering_key": None,
         "host": server.host, "image_url": server.url(path), "role": "chosen", "rank": rank, "issue": None}
        for rank, path in enumerate(paths, start=1)
    ]  # fmt: skip
    given = pa.Table.from_pylist(rows, read_contract("selection").arrow_schema)
    server.calls.clear()
    made = fetch_images(
        given,
        options=OPTIONS.model_copy(update=knobs),
        http=make_client(server.host),
        packs=Packs(Workspace(str(folder)), "b"),
        progress=lambda *_: None,
    )
    made = conform(made, read_contract("images"))
    assert check_table(made, read_contract("images")) == []
    server.table = made  # type: ignore[attr-defined]
    by_key = {row["image_key"]: row for row in made.to_pylist()}
    return {path: by_key[key_of(path)] for path in paths}


@pytest.mark.parametrize("path", EXPECTED)
def test_a_service_is_asked_for_the_size_that_is_needed(server: RawServer, tmp_path: Path, path: str) -> None:
    issue, paths = EXPECTED[path]
    row = fetch(server, tmp_path, path)[path]
    seen = [call.path for call in server.calls if call.path not in WISHES]
    assert (row["issue"], seen) == (issue, paths)
    assert row["fetched_url"] == (server.url(paths[0]) if issue is None and paths == [f"/offers/{SMALL}"] else None)
    assert next(asked.status for asked in read_asked(str(row["asked"]))) == 404, "robots.txt comes first"


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, 64),
        ({"redact": "craft", "detect_px": 2560}, 2560),
        ({"redact": "craft", "detect_px": 1280, "keep": "master", "master_px": 2000}, 2000),
        ({"keep": "original"}, None),
        ({"size_px": 0}, None),
        ({"iiif": False}, None),
    ],
)
def test_the_size_that_is_needed(knobs: dict[str, object], expected: int | None) -> None:
    assert wanted_px(OPTIONS.model_copy(update=knobs)) == expected


def test_the_bill_is_what_the_server_saw(server: RawServer, tmp_path: Path) -> None:
    rows = fetch(server, tmp_path, *EXPECTED)
    [bill] = bill_hosts(server.table)  # type: ignore[attr-defined]
    assert bill.requests == len(server.calls)
    assert bill.given == sum(row["issue"] is None for row in rows.values()) == 4
    assert dict(bill.issues) == {"NOT_AN_IMAGE": 1, "HTTP_BLOCKED": 1}
    again = fetch(server, tmp_path, "/plain.jpg", f"/offers/{FULL}")
    assert server.calls == []
    assert {path: row["asked"] for path, row in again.items()} == {path: rows[path]["asked"] for path in again}
