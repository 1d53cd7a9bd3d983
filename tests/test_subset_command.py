"""naflora subset, as a user types it."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pyarrow.compute as pc
import pytest
from click.testing import CliRunner, Result
from small_world import make_world

from naflora_etl.cli import main
from naflora_etl.engine.contracts import check_table, read_contract
from naflora_etl.engine.tables import read_parquet
from naflora_etl.learning.releases import open_release
from naflora_etl.publishing.checksums import parse_sums


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = make_world(tmp_path_factory.mktemp("world"))
    world.pack_shards()
    world.write_release()
    return world.release


def subset(release: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["subset", str(release), "--out", str(out), *options])


def test_a_family_points_into_the_release(release: Path, tmp_path: Path) -> None:
    told = subset(release, tmp_path / "maples", "--family", "Sapindaceae")
    assert (told.exit_code, told.output) == (0, f"{tmp_path}/maples: 2 classes; images: 5 to train, 2 to test.\n")
    made = read_parquet(tmp_path / "maples" / "manifest.parquet")
    assert check_table(made, read_contract("manifest")) == []
    whole = {row["image_key"]: row for row in read_parquet(release / "manifest.parquet").to_pylist()}
    for row in made.to_pylist():
        assert row | {"image_id": "", "class_id": 0} == whole[row["image_key"]] | {"image_id": "", "class_id": 0}
    classes = read_parquet(tmp_path / "maples" / "classes.parquet")
    assert check_table(classes, read_contract("classes")) == []
    assert [(row["class_id"], row["images_train"], row["images_test"]) for row in classes.to_pylist()] == [
        (0, 3, 1), (1, 2, 1),
    ]  # fmt: skip


def test_verify_sends_a_subset_back_to_its_release(release: Path, tmp_path: Path) -> None:
    assert subset(release, tmp_path / "maples", "--family", "Sapindaceae").exit_code == 0
    told = CliRunner().invoke(main, ["verify", str(tmp_path / "maples")])
    assert told.exit_code == 1 and "is a subset, which has no documents of its own" in told.output


def test_packed_it_is_read_like_a_release(release: Path, tmp_path: Path) -> None:
    out = tmp_path / "packed"
    told = subset(release, out, "--family", "Violaceae", "--pack", "--json")
    facts = json.loads(told.stdout)
    assert (facts["classes"], facts["images"]) == (1, {"train": 2, "validation": 0, "test": 1})
    assert facts["source_manifest_sha256"] == hashlib.sha256((release / "manifest.parquet").read_bytes()).hexdigest()
    opened = open_release(out)
    assert (len(opened.classes), len(opened.part("train")), len(opened.part("test"))) == (1, 2, 1)
    for row in read_parquet(out / "manifest.parquet").to_pylist():
        with (out / row["shard"]).open("rb") as stream:
            stream.seek(row["offset"])
            assert hashlib.sha256(stream.read(row["length_bytes"])).hexdigest() == row["sha256"]
    with tarfile.open(out / "test-00000.tar") as tar:
        label = json.load(tar.extractfile(tar.getmembers()[1]))  # type: ignore[arg-type]
    assert (label["class_id"], label["taxon_name"]) == (0, "Viola × odorata")
    sums = parse_sums((out / "SHA256SUMS").read_bytes())
    for name, digest in sums.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest


def test_the_same_again_and_from_a_tarball(release: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "r.tar", "w") as tar:
        tar.add(release, "small")
    for name, source in (("one", release), ("two", tmp_path / "r.tar")):
        assert subset(source, tmp_path / name, "--chunk", "2", "--validation", "1", "--pack").exit_code == 0
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) > 10
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


REFUSED = {
    "no such family": (("--family", "Poaceae"), "the release has no family Poaceae"),
    "a release too small for the shape": (("--like", "mini"), "1,863 classes are asked for, and 0 of the release's"),
    "nothing left": (("--rare", "100"), "no class of the release meets the rule"),
}


@pytest.mark.parametrize(("options", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(release: Path, tmp_path: Path, options: tuple[str, ...], sentence: str) -> None:
    told = subset(release, tmp_path / "out", *options)
    assert (told.exit_code, sentence in told.stderr) == (1, True)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(release: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    told = subset(release, tmp_path)
    assert (told.exit_code, "is there already and not empty" in told.stderr) == (1, True)
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_no_image_crosses(release: Path, tmp_path: Path) -> None:
    subset(release, tmp_path / "s", "--classes", "2")
    parts = {row["image_key"]: row["part"] for row in read_parquet(release / "manifest.parquet").to_pylist()}
    made = read_parquet(tmp_path / "s" / "manifest.parquet")
    keys = {path.stem: set(path.read_text().split()) for path in (tmp_path / "s" / "keys").iterdir()}
    assert {parts[key] for key in keys["train"]} == {"train"}
    assert {parts[key] for key in keys["test"]} == {"test"}
    assert set().union(*keys.values()) == set(made["image_key"].to_pylist())
    assert len(pc.unique(made["class_id"])) == 2
