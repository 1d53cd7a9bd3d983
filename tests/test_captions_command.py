"""naflora captions: a table, and tars of images and texts, read back by the readers people use."""

import csv
import tarfile
from pathlib import Path

import pytest
import small_world
from click.testing import CliRunner

from naflora_etl.cli import main


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = small_world.make_world(tmp_path_factory.mktemp("world"))
    world.pack_shards()
    world.write_release()
    return world.release


def call(*words: object) -> str:
    result = CliRunner().invoke(main, ["captions", *map(str, words)])
    return result.output


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_a_table_of_captions(release: Path, tmp_path: Path):
    told = call(release, "--out", tmp_path / "captions.csv")
    rows = rows_of(tmp_path / "captions.csv")
    assert told.startswith(f"{tmp_path / 'captions.csv'}: {len(rows)} images, ")
    assert list(rows[0]) == ["image_key", "caption"]
    assert all(row["caption"].startswith("A photo of the Plants ") for row in rows)


def test_names_from_elsewhere_and_columns_by_themselves(release: Path, tmp_path: Path):
    call(release, "--out", tmp_path / "auto.csv", "--columns", "auto")
    name = rows_of(tmp_path / "auto.csv")[0]["caption"].removeprefix("A photo of the ").removesuffix(".")
    (tmp_path / "names.csv").write_text(f"taxon_name,common_name,order\n{name},Little one,Poales\n")
    call(release, "--out", tmp_path / "named.csv", "--names", tmp_path / "names.csv")
    assert f"A photo of the Little one Plants {name}." in {row["caption"] for row in rows_of(tmp_path / "named.csv")}
    told = call(release, "--out", tmp_path / "com.csv", "--text", "com", "--names", tmp_path / "names.csv")
    assert "images have no common name; give them with --names, or take sci." in told


@pytest.mark.filterwarnings("ignore")  # it leaves its files to the collector
def test_tars_are_read_by_webdataset(release: Path, tmp_path: Path):
    import webdataset

    told = call(release, "--out", tmp_path / "pairs", "--text", "all", "--pack", "--chunk", 3)
    tars = sorted((tmp_path / "pairs").iterdir())
    assert tars[0].name.startswith("test-") and tars[-1].name.startswith("train-"), told
    samples = [sample for tar in tars for sample in webdataset.WebDataset(str(tar), shardshuffle=False)]
    assert f"{len(samples)} images" in told
    for sample in samples:
        assert sample["jpg"].startswith(b"\xff\xd8")
        assert sample["sci.txt"].startswith(b"a photo of ")
        assert "com.txt" not in sample and "json" in sample


def test_the_same_release_and_seed_give_the_same_bytes(release: Path, tmp_path: Path):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        call(release, "--out", tmp_path / name, "--pack", "--chunk", 3, "--seed", seed)
    read = [[path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("one", "two", "three")]
    assert read[0] == read[1] != read[2]
    with tarfile.open(tmp_path / "one" / "train-00000.tar") as tar:
        assert [name.split(".")[1] for name in tar.getnames()[:2]] == ["jpg", "txt"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--template", "{leaf}", "--columns", "auto"), "give one of --template, --columns and --text."),
        (("--names", "nowhere.csv"), "--names nowhere.csv: no such file; give a CSV with taxon_name and common_name."),
        (("--names", "."), "--names . cannot be read as a CSV file (Is a directory)."),
        (("--template", "A {leaf}."), "there is no column leaf;"),
    ],
)
def test_what_is_refused(release: Path, tmp_path: Path, options: tuple[str, ...], sentence: str):
    assert sentence in call(release, "--out", tmp_path / "out.csv", *options)
    assert not (tmp_path / "out.csv").exists()
