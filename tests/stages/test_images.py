"""images: who is fetched, which spares are drawn on, and what a crash leaves."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from naflora_etl.engine.contracts import check_table, conform, read_contract
from naflora_etl.engine.http import Answer
from naflora_etl.engine.packs import Packs
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import HostPolicy, ImagesOptions
from naflora_etl.stages.images import fetch_images

OPTIONS = ImagesOptions(redact="none", size_px=64, min_side_px=32)


def key_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:20]


def sheet(name: str) -> bytes:
    pixels = np.random.default_rng(sum(name.encode())).integers(0, 255, (80, 60, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


class FakeHttp:
    """Answers by name: `dead` in a URL is gone, `busy` is trouble, `page` is HTML; counts what it was asked."""

    def __init__(self, mended: bool = False) -> None:
        self.asked: Counter[str] = Counter()
        self.mended = mended
        self.stop_at: str | None = None

    def policy(self, host: str) -> HostPolicy:
        return HostPolicy()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run(work)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        yield self.ask

    async def ask(self, url: str, **how: Any) -> Answer:
        name = url.rsplit("/", 1)[-1]
        if name == self.stop_at:
            raise KeyboardInterrupt
        self.asked[name] += 1
        issue, status, body = None, 200, sheet(name)
        if "dead" in name:
            issue, status, body = "HTTP_GONE", 404, b""
        elif "busy" in name and not self.mended:
            issue, status, body = "HOST_TROUBLE", 503, b""
        elif "page" in name:
            body = b"<!doctype html><html>Not here</html>"
        return Answer(url, status, {}, body, issue, datetime(2026, 1, 1, tzinfo=UTC))


def selection(**species: str) -> pa.Table:
    """`a="good dead | s1 s2"`: two chosen images and two spares of taxon a."""
    rows = []
    for taxon, text in species.items():
        chosen, _, spares = text.partition("|")
        names = [(name, "chosen") for name in chosen.split()] + [(name, "spare") for name in spares.split()]
        for rank, (name, role) in enumerate(names, start=1):
            rows.append({"image_key": key_of(name), "taxon_id": taxon, "specimen_key": f"s-{name}", "host": "h",
                         "gathering_key": None, "image_url": f"http://h/{name}", "role": role, "rank": rank,
                         "issue": None})
    return pa.Table.from_pylist(rows, read_contract("selection").arrow_schema)


def outcome(table: pa.Table, names: str) -> list[str]:
    issues = dict(zip(table["image_key"].to_pylist(), table["issue"].to_pylist(), strict=True))
    return [issues[key_of(name)] or "ok" for name in names.split()]


def fetch(
    given: pa.Table, http: FakeHttp, folder: Path, bench: str = "b", options: ImagesOptions = OPTIONS
) -> pa.Table:
    packs = Packs(Workspace(str(folder)), bench)
    table = fetch_images(given, options=options, http=http, packs=packs, progress=lambda *_: None)  # type: ignore[arg-type]
    table = conform(table, read_contract("images"))
    assert check_table(table, read_contract("images")) == []
    return table


@pytest.mark.parametrize(
    ("given", "names", "expected"),
    [
        ("g1 g2 | s1 s2", "g1 g2 s1 s2", "ok ok SPARE_NOT_NEEDED SPARE_NOT_NEEDED"),
        ("g1 dead1 | s1 s2", "g1 dead1 s1 s2", "ok HTTP_GONE ok SPARE_NOT_NEEDED"),
        ("g1 dead1 | dead2 s2 s3", "g1 dead1 dead2 s2 s3", "ok HTTP_GONE HTTP_GONE ok SPARE_NOT_NEEDED"),
        ("page1 dead1 | dead2 s2", "page1 dead1 dead2 s2", "NOT_AN_IMAGE HTTP_GONE HTTP_GONE ok"),
        ("busy1 g1 | s1 s2", "busy1 g1 s1 s2", "HOST_TROUBLE ok ok SPARE_NOT_NEEDED"),
        ("dead1 | dead2", "dead1 dead2", "HTTP_GONE HTTP_GONE"),
    ],
)
def test_spares_are_drawn_on_for_as_many_as_fail(tmp_path: Path, given: str, names: str, expected: str) -> None:
    assert outcome(fetch(selection(a=given), FakeHttp(), tmp_path), names) == expected.split()


def test_the_address_of_an_image_leads_to_its_bytes(tmp_path: Path) -> None:
    table = fetch(selection(a="g1 g2"), FakeHttp(), tmp_path)
    packs = Packs(Workspace(str(tmp_path)), "other")
    for row in table.to_pylist():
        data = packs.read(row["pack"], row["offset"], row["size_bytes"])
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert Image.open(io.BytesIO(data)).size == (row["width_px"], row["height_px"]) == (48, 64)
        before = packs.read(row["pack"], row["before_offset"], row["before_length_bytes"])
        assert Image.open(io.BytesIO(before)).format == "JPEG"


def test_a_later_build_points_at_the_pack_and_asks_nobody(tmp_path: Path) -> None:
    first = fetch(selection(a="g1 g2", b="g3"), FakeHttp(), tmp_path, "one")
    http = FakeHttp()
    second = fetch(selection(a="g2 g1 g4"), http, tmp_path, "two")
    assert http.asked == {"g4": 1}
    address = {row["image_key"]: (row["pack"], row["offset"]) for row in first.to_pylist()}
    for row in second.to_pylist():
        assert address.get(row["image_key"], (row["pack"], row["offset"])) == (row["pack"], row["offset"])


def test_transient_trouble_is_asked_again_and_the_spare_steps_back(tmp_path: Path) -> None:
    given = selection(a="busy1 g1 | s1")
    assert outcome(fetch(given, FakeHttp(), tmp_path), "busy1 g1 s1") == ["HOST_TROUBLE", "ok", "ok"]
    http = FakeHttp(mended=True)
    assert outcome(fetch(given, http, tmp_path), "busy1 g1 s1") == ["ok", "ok", "SPARE_NOT_NEEDED"]
    assert http.asked == {"busy1": 1}


def test_what_was_finished_before_a_crash_is_not_asked_again_and_the_bytes_are_the_same(tmp_path: Path) -> None:
    given = selection(a="g1 dead1 g2 g3 g4 | s1")
    crashed = FakeHttp()
    crashed.stop_at = "g4"
    with pytest.raises(KeyboardInterrupt):
        fetch(given, crashed, tmp_path / "crashed")
    again = FakeHttp()
    table = fetch(given, again, tmp_path / "crashed")
    benched = {name for name in crashed.asked if again.asked[name] == 0}
    assert all(count == 1 for count in again.asked.values())
    assert again.asked["g4"] == 1
    assert table.equals(fetch(given, FakeHttp(), tmp_path / "undisturbed"))
    assert benched <= set(crashed.asked)
    crashed_packs, calm_packs = (sorted((tmp_path / where / "packs").iterdir()) for where in ("crashed", "undisturbed"))
    assert [path.name for path in crashed_packs] == [path.name for path in calm_packs]


def test_a_failure_for_good_is_not_asked_for_again_under_the_same_snapshot(tmp_path: Path) -> None:
    given = selection(a="g1 dead1 page1")
    fetch(given, FakeHttp(), tmp_path, "one")
    again = FakeHttp()
    assert outcome(fetch(given, again, tmp_path, "two"), "g1 dead1 page1") == ["ok", "HTTP_GONE", "NOT_AN_IMAGE"]
    assert again.asked == {}
    later = FakeHttp()
    anew = OPTIONS.model_copy(update={"snapshot": "2027-01"})
    fetch(given, later, tmp_path, "three", anew)
    assert later.asked == {"dead1": 1, "page1": 1}
    quiet = FakeHttp()
    fetch(given, quiet, tmp_path, "four", anew)
    assert quiet.asked == {}


def test_what_broke_a_limit_is_asked_for_again_only_under_another_limit(tmp_path: Path) -> None:
    given, strict = selection(a="g1"), OPTIONS.model_copy(update={"min_side_px": 70})
    fetch(given, FakeHttp(), tmp_path, "one", strict)
    for name, options, asked in (("two", strict, {}), ("three", OPTIONS, {"g1": 1}), ("four", OPTIONS, {})):
        again = FakeHttp()
        issue = "IMAGE_TOO_SMALL" if options is strict else "ok"
        assert outcome(fetch(given, again, tmp_path, name, options), "g1") == [issue]
        assert again.asked == asked, name


def test_a_raised_limit_judges_what_is_packed_and_asks_nobody(tmp_path: Path) -> None:
    given = selection(a="g1 g2")
    fetch(given, FakeHttp(), tmp_path, "one")
    http = FakeHttp()
    larger = OPTIONS.model_copy(update={"min_side_px": 70})
    assert outcome(fetch(given, http, tmp_path, "two", larger), "g1 g2") == ["IMAGE_TOO_SMALL"] * 2
    assert http.asked == {}
