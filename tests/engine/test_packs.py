"""Finished images: on the bench at once, in a pack when their slice is whole, found again by every later build."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest

from naflora_etl.engine.packs import Kept, PackDamaged, Packs
from naflora_etl.engine.workspace import Workspace


@pytest.fixture
def packs(tmp_path: Path) -> Packs:
    return Packs(Workspace(str(tmp_path)), "slice-0").under("as-today")


def fill(packs: Packs, *keys: str) -> None:
    for key in keys:
        files = {"before": b"b" * 10, "jpg": key.encode() * 100}
        packs.put_on_bench(Kept(key, {"issue": None, "n": len(key)}, files))


def test_a_pack_is_a_plain_tar_and_its_addresses_lead_to_the_bytes(packs: Packs) -> None:
    fill(packs, "a", "bb")
    facts = packs.pack_bench(["bb", "a", "never-made"])
    assert list(facts) == ["bb", "a"]
    for key, row in facts.items():
        assert packs.read(row["pack"], row["jpg_offset"], row["jpg_length_bytes"]) == key.encode() * 100
    with tarfile.open(fileobj=io.BytesIO(packs.workspace.read(f"packs/{facts['a']['pack']}"))) as tar:
        assert tar.getnames() == ["bb.before", "bb.jpg", "a.before", "a.jpg"]


def test_the_order_of_finishing_does_not_change_the_bytes(packs: Packs, tmp_path: Path) -> None:
    fill(packs, "a", "b")
    other = Packs(Workspace(str(tmp_path / "other")), "slice-0").under("as-today")
    fill(other, "b", "a")
    assert packs.pack_bench(["a", "b"]) == other.pack_bench(["a", "b"])


def test_a_later_build_finds_what_was_made_the_same_way_only(packs: Packs) -> None:
    fill(packs, "a")
    facts = packs.pack_bench(["a"])
    later = Packs(packs.workspace, "slice-7")
    assert later.under("as-today").find("a") == facts["a"]
    assert later.under("otherwise").find("a") is None
    assert later.under("as-today").find("b") is None


def test_a_half_finished_image_is_not_on_the_bench(packs: Packs) -> None:
    packs.workspace.write(f"{packs.bench}/a.jpg", b"bytes whose receipt was never written")
    assert packs.take_from_bench("a") is None


def test_a_failure_is_found_again_without_a_file(packs: Packs) -> None:
    packs.put_on_bench(Kept("gone", {"issue": "HTTP_GONE"}, {}))
    assert packs.pack_bench(["gone"]) == {"gone": {"issue": "HTTP_GONE"}}
    assert Packs(packs.workspace, "later").under("as-today").find("gone") == {"issue": "HTTP_GONE"}
    assert not [name for name in packs.workspace.names("packs") if name.endswith(".tar")]


@pytest.mark.parametrize("damage", ["gone", "short", "noted", "index"])
def test_nothing_points_at_what_is_lost(packs: Packs, damage: str) -> None:
    fill(packs, "a", "b")
    facts = packs.pack_bench(["a", "b"])
    pack, offset = facts["b"]["pack"], facts["b"]["jpg_offset"]
    place = f"packs/{pack}"
    body = packs.workspace.read(place)
    if damage == "gone":
        packs.workspace.remove(place)
    elif damage == "short":
        packs.workspace.write(place, body[: offset + 10])
    elif damage == "noted":
        packs.note_damage(pack, offset)
    else:
        packs.workspace.write(place.replace(".tar", ".parquet"), b"no Parquet")
    later = Packs(packs.workspace, "slice-0").under("as-today", ["a", "b"])
    assert later.find("b") is None
    assert (later.find("a") is None) == (damage in ("gone", "index"))
    address = {"pack": [pack], "offset": [offset], "size_bytes": [facts["b"]["jpg_length_bytes"]]}
    assert later.has_lost(pa.table(address)) == (damage != "index")
    assert not later.has_lost(pa.table({name: [None] for name in address}))
    assert later.pack_bench(["a", "b"]) == facts  # made again, it heals whatever stands there under its name
    assert Packs(packs.workspace, "slice-1").under("as-today").find("b") == facts["b"]
    assert packs.workspace.read(place) == body


def test_a_damaged_bench_is_as_good_as_none(packs: Packs) -> None:
    fill(packs, "a", "b")
    packs.workspace.write(f"{packs.bench}/a.json", b"{")
    packs.workspace.remove(f"{packs.bench}/b.jpg")
    assert (packs.take_from_bench("a"), packs.take_from_bench("b")) == (None, None)


@pytest.mark.parametrize("pack", ["missing.tar", "short.tar"])
def test_a_damaged_pack_is_told_of(packs: Packs, pack: str) -> None:
    packs.workspace.write("packs/short.tar", b"123")
    with pytest.raises(PackDamaged):
        packs.read(pack, 1, 10)
