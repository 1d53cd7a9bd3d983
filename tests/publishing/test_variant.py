"""shard: the images of a release smaller, or laid otherwise; out of its tars, the same bytes every time."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image
from small_world import make_world

from naflora_etl.cli import main
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes, read_parquet
from naflora_etl.imaging.smaller import shrink_jpeg
from naflora_etl.learning.releases import open_release
from naflora_etl.publishing.bundle import write_tarballs
from naflora_etl.publishing.layouts import class_folder
from naflora_etl.publishing.variant import Variant, write_variant
from naflora_etl.publishing.verify import verify_release

CopyRelease = Callable[[], Path]


def shard(release: Path, out: Path, *options: str) -> dict[str, object]:
    command = ["shard", str(release), "--out", str(out), "--json", *options]
    told = CliRunner().invoke(main, command, catch_exceptions=False)
    assert told.exit_code == 0, told.output
    return dict(json.loads(told.output))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_smaller_tars_can_be_trained_on_and_are_the_same_out_of_a_tarball(release: Path, tmp_path: Path) -> None:
    facts = shard(release, tmp_path / "32", "--size", "32")
    assert facts["images"] == 10 and facts["size_px"] == 32
    manifest = read_parquet(tmp_path / "32" / "manifest.parquet")
    assert open_release(tmp_path / "32").manifest.num_rows == 10
    for row in manifest.to_pylist():
        body = (tmp_path / "32" / row["shard"]).read_bytes()[row["offset"] :][: row["length_bytes"]]
        with Image.open(io.BytesIO(body)) as image:
            assert image.size == (row["width_px"], row["height_px"]) == (24, 32)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path / "32", check=True)
    *parts, _ = write_tarballs(release, tmp_path / "dist", name="s", part_size_bytes=50_000)
    shard(parts[0], tmp_path / "again", "--size", "32", "--threads", "3")
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "32")


def test_the_number_of_the_class_alone_stands_beside_the_image(release: Path, tmp_path: Path) -> None:
    shard(release, tmp_path / "out", "--label", "cls")
    with tarfile.open(tmp_path / "out" / "train-00000.tar") as tar:
        names = tar.getnames()
        label = tar.extractfile(names[1])
        assert names[1] == names[0].replace(".jpg", ".cls") and label is not None
        rows = {r["image_key"]: r for r in read_parquet(release / "manifest.parquet").to_pylist()}
        assert int(label.read()) == rows[names[1].removesuffix(".cls")]["class_id"]


def test_a_folder_a_class(release: Path, tmp_path: Path) -> None:
    shard(release, tmp_path / "out", "--layout", "imagefolder")
    assert sorted(path.name for path in (tmp_path / "out" / "train").iterdir()) == [
        "00000-acer-rubrum", "00001-acer-saccharum", "00002-viola-x-odorata",
    ]  # fmt: skip
    for row in read_parquet(tmp_path / "out" / "manifest.parquet").to_pylist():
        assert len((tmp_path / "out" / row["shard"]).read_bytes()) == row["length_bytes"]


def test_the_competition_has_its_files_and_no_label_of_a_test_image(release: Path, tmp_path: Path) -> None:
    shard(release, tmp_path / "out", "--layout", "competition")
    folder = tmp_path / "out"
    assert not (folder / "manifest.parquet").exists() and not list(folder.rglob("*.parquet"))
    train = json.loads((folder / "train_metadata.json").read_text())
    assert all((folder / "train_images" / image["file_name"]).is_file() for image in train["images"])
    test = json.loads((folder / "test_metadata.json").read_text())
    assert len(test) == 3 and all((folder / "test_images" / image["file_name"]).is_file() for image in test)
    assert (folder / "train_images/000/00/00000__001.jpg").is_file()
    thanked = list(csv.DictReader((folder / "attribution.csv").read_text().splitlines()))
    assert len(thanked) == 10 and "image_key" not in thanked[0]
    assert [row["url"] for row in thanked] == sorted(row["url"] for row in thanked)


@pytest.mark.parametrize("label", ["json", pytest.param("cls", marks=pytest.mark.slow)])
def test_sizes_by_recipe_lie_in_the_release_and_are_verified(tmp_path: Path, label: str) -> None:
    world = make_world(tmp_path, shards={"samples_per_shard": 4, "label": label}, release={"sizes_px": [16, 32]})
    world.pack_shards()
    made = world.write_release()
    assert verify_release(world.release) == []
    assert {"size-16/train-00000.tar", "size-32/manifest.parquet"} <= set(made["path"].to_pylist())
    assert open_release(world.release / "size-32").manifest.num_rows == 10
    path = world.release / "size-16" / "test-00000.tar"
    body = bytearray(path.read_bytes())
    body[700] ^= 1
    path.write_bytes(body)
    assert any("size-16/test-00000.tar" in str(finding) for finding in verify_release(world.release))


@pytest.mark.slow
def test_halves_of_the_test_part_and_the_solution_lie_apart(tmp_path: Path) -> None:
    world = make_world(tmp_path, shards={"test_halves": True}, split={"public_share": 0.5})
    keys = [row["image_key"] for row in world.tables["split"].to_pylist() if row["part"] == "test"]
    for key in keys:
        world.change("split", key, test_half="public" if key == keys[0] else "private")
    world.pack_shards()
    made = world.write_release()
    shards = [name for name in made["path"].to_pylist() if name.endswith(".tar")]
    assert shards == ["test-private-00000.tar", "test-public-00000.tar", "train-00000.tar"]
    assert verify_release(world.release) == []
    rows = list(csv.DictReader((tmp_path / "private" / "solution.csv").read_text().splitlines()))
    assert [row["Id"] for row in rows] == ["0", "1", "2"]
    assert sorted(row["Usage"] for row in rows) == ["Private", "Private", "Public"]
    assert not [name for name in made["path"].to_pylist() if "solution" in name]


def test_halves_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"set split\.public_share, which makes them"):
        make_world(tmp_path, shards={"test_halves": True}).pack_shards()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Viola × odorata", "00007-viola-x-odorata"),
        ("../../etc/passwd", "00007-etc-passwd"),
        ("A\0b", "00007-a-b"),
        ("Ärenaria " + "x" * 300, "00007-arenaria-" + "x" * 71),
        ("苔", "00007"),
    ],
)
def test_a_name_of_a_class_makes_a_legal_folder(name: str, folder: str) -> None:
    assert class_folder(7, name) == folder


BROKEN = {
    "a shard outside": ("shard", "../../train-00000.tar", "cannot be the name of a shard"),
    "a shard that is missing": ("shard", "train-00077.tar", r"train-00077\.tar is missing"),
    "other bytes": ("sha256", "0" * 64, "has other bytes than the manifest promises"),
}


@pytest.mark.parametrize(("column", "value", "sentence"), BROKEN.values(), ids=BROKEN)
def test_a_damaged_release_is_told_and_leaves_nothing(
    copy_release: CopyRelease, tmp_path: Path, column: str, value: str, sentence: str
) -> None:
    folder = copy_release()
    rows = read_parquet(folder / "manifest.parquet")
    changed = [row | {column: value} for row in rows.to_pylist()]
    (folder / "manifest.parquet").write_bytes(parquet_bytes(rows.from_pylist(changed, rows.schema)))
    with pytest.raises(Fault, match=sentence):
        write_variant(folder, tmp_path / "out", Variant(size_px=16), shrink_jpeg)
    assert not (tmp_path / "out").exists() and not (tmp_path / ".out.part").exists()


def test_a_folder_that_holds_something_is_left(release: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(Fault, match="is there already and not empty; name a new folder"):
        write_variant(release, tmp_path / "out", Variant(), shrink_jpeg)
    shard(release, tmp_path / "variant")
    with pytest.raises(Fault, match="is a variant, laid out by `naflora shard`"):
        verify_release(tmp_path / "variant")
