"""shards: samples in WebDataset tars, the same bytes every time, nothing lost on the way."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from small_world import SmallWorld, make_world

from naflora_etl.engine.contracts import check_table, read_contract


@pytest.fixture
def world(tmp_path: Path) -> SmallWorld:
    return make_world(tmp_path)


def members(world: SmallWorld, shard: str) -> list[str]:
    with tarfile.open(world.workspace.local(f"shards/{shard}")) as tar:
        return tar.getnames()


def test_every_sample_of_the_split_is_in_one_tar_of_its_part(world: SmallWorld) -> None:
    made = world.pack_shards()
    assert check_table(made, read_contract("shards")) == []
    assert world.workspace.names("shards") == ["test-00000.tar", "train-00000.tar", "train-00001.tar"]
    split = {row["image_key"]: row for row in world.tables["split"].to_pylist() if row["issue"] is None}
    assert made["image_key"].to_pylist() == sorted(split)
    for row in made.to_pylist():
        assert row["shard"].startswith(row["part"])
        assert (row["part"], row["class_id"]) == tuple(split[row["image_key"]][name] for name in ("part", "class_id"))


def test_an_image_and_its_label_stand_side_by_side(world: SmallWorld) -> None:
    world.pack_shards()
    for shard in world.workspace.names("shards"):
        names = members(world, shard)
        keys = [name.removesuffix(".jpg") for name in names[::2]]
        assert names == [f"{key}.{kind}" for key in keys for kind in ("jpg", "json")]
        assert all("." not in key for key in keys)


def test_offset_and_length_are_one_range_read(world: SmallWorld) -> None:
    for row in world.pack_shards().to_pylist():
        data = world.workspace.read_range(f"shards/{row['shard']}", row["offset"], row["length_bytes"])
        packed = next(r for r in world.tables["images"].to_pylist() if r["image_key"] == row["image_key"])
        assert data == world.packs.read(packed["pack"], packed["offset"], packed["size_bytes"])


def test_the_label_says_what_the_tables_say(world: SmallWorld) -> None:
    row = world.pack_shards().to_pylist()[0]
    with tarfile.open(world.workspace.local(f"shards/{row['shard']}")) as tar:
        label = json.load(tar.extractfile(f"{row['image_key']}.json"))  # type: ignore[arg-type]
    assert label == {
        "key": row["image_key"],
        "class_id": 2,
        "taxon_name": "Viola × odorata",
        "family": "Violaceae",
        "genus": "Viola",
        "species": "odorata",
        "taxon_id": "w-2",
        "specimen_key": "NY:00000007",
    }


def test_samples_are_shuffled_by_the_seed_alone(tmp_path: Path) -> None:
    orders = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        world = make_world(tmp_path / name, shards={"shuffle_seed": seed})
        world.pack_shards()
        orders.append(members(world, "train-00000.tar"))
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) != orders[0]


def test_headers_bear_no_trace_of_when_or_by_whom(world: SmallWorld) -> None:
    world.pack_shards()
    with tarfile.open(world.workspace.local("shards/train-00000.tar")) as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
            assert member.mode == 0o644


@pytest.mark.parametrize("damage", ["other bytes", "a short pack", "no pack"])
def test_a_damaged_image_is_set_aside_and_the_others_go_on(world: SmallWorld, damage: str) -> None:
    bad = next(row for row in world.tables["images"].to_pylist() if row["issue"] is None)
    pack = world.workspace.local(f"packs/{bad['pack']}")
    if damage == "other bytes":
        data = bytearray(pack.read_bytes())
        data[bad["offset"] + 500] ^= 1
        pack.write_bytes(data)
    elif damage == "a short pack":
        world.change("images", bad["image_key"], offset=10_000_000)
    else:
        world.change("images", bad["image_key"], pack="gone.tar")
    made = world.pack_shards()
    issues = {row["image_key"]: row["issue"] for row in made.to_pylist()}
    assert issues.pop(bad["image_key"]) == "PACK_DAMAGED"
    assert set(issues.values()) == {None}
    names = [name for shard in world.workspace.names("shards") for name in members(world, shard)]
    assert len(names) == 18 and not any(bad["image_key"] in name for name in names)
    assert check_table(made, read_contract("shards")) == []


def test_no_tar_is_empty_when_all_images_of_a_part_are_gone(world: SmallWorld) -> None:
    for row in world.tables["split"].to_pylist():
        if row["part"] == "test":
            world.change("images", row["image_key"], pack="gone.tar")
    world.pack_shards()
    assert world.workspace.names("shards") == ["train-00000.tar", "train-00001.tar"]
