"""Finished images: on the bench at once, in a pack when their slice is whole, found again by every later build."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

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


@pytest.mark.parametrize("pack", ["missing.tar", "short.tar"])
def test_a_damaged_pack_is_told_of(packs: Packs, pack: str) -> None:
    packs.workspace.write("packs/short.tar", b"123")
    with pytest.raises(PackDamaged):
        packs.read(pack, 1, 10)
