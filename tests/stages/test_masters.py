"""images.keep: what a change of detector, fill or size asks of servers when masters or originals are kept: nothing."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from test_images import FakeHttp, fetch, key_of, outcome, selection

from naflora_etl.engine.packs import Packs
from naflora_etl.engine.workspace import Workspace
from naflora_etl.imaging import masters
from naflora_etl.recipe import ImagesOptions

GIVEN = selection(a="g1 g2 dead1 | s1 s2", b="page1 g3 | s3")
NAMES = "g1 g2 dead1 s1 s2 page1 g3 s3"
EXPECTED = ["ok", "ok", "HTTP_GONE", "ok", "SPARE_NOT_NEEDED", "NOT_AN_IMAGE", "ok", "ok"]


def options(**knobs: Any) -> ImagesOptions:
    return ImagesOptions(**({"redact": "none", "size_px": 64, "min_side_px": 32} | knobs))


CHANGES: dict[str, dict[str, Any]] = {
    "size": {"size_px": 40},
    "quality": {"jpeg_quality": 50},
    "fill": {"fill": "paper"},
    "growth": {"grow": 0.5},
    "where text is looked for": {"detect_px": 1280},
    "noise": {"noise_seed": 9},
}


@pytest.mark.parametrize("keep", ["master", "original"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_what_is_made_asks_nobody(tmp_path: Path, keep: str, change: dict[str, Any]) -> None:
    first = fetch(GIVEN, FakeHttp(), tmp_path, "one", options(keep=keep))
    assert outcome(first, NAMES) == EXPECTED
    again = FakeHttp()
    second = fetch(GIVEN, again, tmp_path, "two", options(keep=keep, **change))
    assert again.asked == {}
    assert outcome(second, NAMES) == EXPECTED
    assert made_of(second) != made_of(first)
    for name in ("source_sha256", "source_width_px", "source_height_px", "source_size_bytes", "fetched_at"):
        assert second[name].to_pylist() == first[name].to_pylist()
    there = fetch(GIVEN, FakeHttp(), tmp_path / "elsewhere", "one", options(keep=keep, **change))
    assert told(there) == told(second), "redone and fetched anew are not the same"


def made_of(table: pa.Table) -> list[tuple[str, str]]:
    return [(row["sha256"], row["made_with"]) for row in table.to_pylist() if row["issue"] is None]


def told(table: pa.Table) -> list[dict[str, Any]]:
    where = {"pack", "offset", "before_offset"}
    return [{name: value for name, value in row.items() if name not in where} for row in table.to_pylist()]


def test_without_masters_the_same_change_asks_again(tmp_path: Path) -> None:
    fetch(GIVEN, FakeHttp(), tmp_path, "one", options())
    again = FakeHttp()
    fetch(GIVEN, again, tmp_path, "two", options(size_px=40))
    assert again.asked["g1"] == 1


def test_who_wants_masters_now_asks_for_them_once(tmp_path: Path) -> None:
    fetch(GIVEN, FakeHttp(), tmp_path, "one", options())
    asking, quiet = FakeHttp(), FakeHttp()
    fetch(GIVEN, asking, tmp_path, "two", options(keep="original"))
    assert asking.asked["g1"] == 1
    fetch(GIVEN, quiet, tmp_path, "three", options(keep="original", size_px=40))
    assert quiet.asked == {}


def test_originals_change_no_byte_of_what_is_made(tmp_path: Path) -> None:
    plain = fetch(GIVEN, FakeHttp(), tmp_path / "none", "one", options())
    kept = fetch(GIVEN, FakeHttp(), tmp_path / "original", "one", options(keep="original"))
    assert told(plain) == told(kept)


def test_limits_that_change_are_asked_about_anew(tmp_path: Path) -> None:
    small = fetch(GIVEN, FakeHttp(), tmp_path, "one", options(keep="master", min_side_px=70))
    assert outcome(small, "g1 g2 g3") == ["IMAGE_TOO_SMALL"] * 3
    same, other = FakeHttp(), FakeHttp()
    fetch(GIVEN, same, tmp_path, "two", options(keep="master", min_side_px=70, size_px=40))
    assert same.asked == {}
    again = fetch(GIVEN, other, tmp_path, "three", options(keep="master"))
    assert other.asked["g1"] == 1
    assert outcome(again, "g1 g2 g3") == ["ok"] * 3


def test_a_new_snapshot_asks_for_failures_alone(tmp_path: Path) -> None:
    fetch(GIVEN, FakeHttp(), tmp_path, "one", options(keep="master"))
    later = FakeHttp()
    fetch(GIVEN, later, tmp_path, "two", options(keep="master", snapshot="2", size_px=40))
    assert set(later.asked) == {"dead1", "page1"}


def test_a_damaged_master_is_noticed_and_asked_for_again(tmp_path: Path) -> None:
    given = selection(a="g1 g2")
    fetch(given, FakeHttp(), tmp_path, "one", options(keep="original"))
    for path in (tmp_path / "packs").glob("*.tar"):
        body = bytearray(path.read_bytes())
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.startswith(f"{key_of('g1')}@original"):
                    body[member.offset_data + 200] ^= 1
        path.write_bytes(bytes(body))
    http = FakeHttp()
    again = fetch(given, http, tmp_path, "two", options(keep="original", size_px=40))
    assert http.asked == {"g1": 1}
    assert outcome(again, "g1 g2") == ["ok", "ok"]


def test_after_a_crash_what_was_kept_is_not_asked_for_and_the_packs_are_the_same(tmp_path: Path) -> None:
    given = selection(a="g1 dead1 g2 g3 g4 | s1")
    crashed, again = FakeHttp(), FakeHttp()
    crashed.stop_at = "g4"
    with pytest.raises(KeyboardInterrupt):
        fetch(given, crashed, tmp_path / "crashed", options=options(keep="master"))
    table = fetch(given, again, tmp_path / "crashed", options=options(keep="master"))
    assert all(count == 1 for count in again.asked.values()) and again.asked["g4"] == 1
    assert table.equals(fetch(given, FakeHttp(), tmp_path / "undisturbed", options=options(keep="master")))
    names = [
        sorted((path.name, path.read_bytes()) for path in (tmp_path / where / "packs").iterdir())
        for where in ("crashed", "undisturbed")
    ]
    assert names[0] == names[1]


def test_masters_go_into_packs_of_their_own_that_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masters, "PACK_BYTES", 8_000)
    table = fetch(selection(a="g1 g2 g3 g4"), FakeHttp(), tmp_path, "one", options(keep="original"))
    finished = set(table["pack"].to_pylist())
    tars = list((tmp_path / "packs").glob("*.tar"))
    assert len(finished) == 1 and len(tars) > 2
    assert all(path.stat().st_size < 50_000 for path in tars)
    quiet = FakeHttp()
    fetch(selection(a="g1 g2 g3 g4"), quiet, tmp_path, "two", options(keep="original", size_px=40))
    assert quiet.asked == {}


def test_a_master_is_upright_reduced_and_bare() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Carex scoparia"
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (600, 900, 3), np.uint8)).save(stream, "JPEG", exif=exif)
    body, size = masters.make_master(stream.getvalue(), options(keep="master", master_px=450))
    with Image.open(io.BytesIO(body)) as image:
        assert (image.size, size) == ((300, 450), (600, 900))
        assert not image.getexif() and b"Carex" not in body


def test_a_spare_that_steps_in_for_what_is_no_sheet(tmp_path: Path) -> None:
    """Noise is no sheet of paper: all are set aside, with the measures that say why, and no pack points at them."""
    table = fetch(selection(a="g1 g2 | s1"), FakeHttp(), tmp_path, "one", options(only_sheets=True))
    assert outcome(table, "g1 g2 s1") == ["NOT_A_SHEET"] * 3
    for row in table.to_pylist():
        assert row["looks"] == "other" and row["frame_share"] is not None and row["pack"] is None
    quiet = FakeHttp()
    assert outcome(fetch(selection(a="g1 g2 | s1"), quiet, tmp_path, "two", options()), "g1 g2") == ["ok", "ok"]
    assert quiet.asked == {}, "the knob only judges"


def test_kept_bodies_are_what_came(tmp_path: Path) -> None:
    fetch(selection(a="g1"), FakeHttp(), tmp_path, "one", options(keep="original"))
    kept = masters.Masters(Packs(Workspace(str(tmp_path)), "x"), options(keep="original"), [key_of("g1")])
    source = kept.find(key_of("g1"))
    assert source is not None and source.body is not None
    assert hashlib.sha256(source.body).hexdigest() == source.facts["source_sha256"]
