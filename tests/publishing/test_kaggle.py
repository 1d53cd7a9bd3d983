"""The Herbarium 2022 files: their form, to the key; distances between genera along a tree."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from naflora_etl.engine.tables import read_parquet
from naflora_etl.publishing.kaggle import file_name


@pytest.mark.parametrize(
    ("image_id", "path"),
    [
        ("00026__004", "000/26/00026__004.jpg"),
        ("11741__001", "117/41/11741__001.jpg"),
        ("0", "000/test-000000.jpg"),
        ("8005", "008/test-008005.jpg"),
        ("210407", "210/test-210407.jpg"),
    ],
)
def test_paths_are_those_of_the_competition(image_id: str, path: str) -> None:
    assert file_name(image_id) == path


def test_train_metadata_has_the_competitions_keys(release: Path) -> None:
    told = json.loads((release / "train_metadata.json").read_text())
    assert {key: set(items[0]) if items else set() for key, items in told.items()} == {
        "annotations": {"image_id", "category_id", "genus_id", "institution_id"},
        "categories": {"category_id", "scientificName", "authors", "family", "genus", "species"},
        "genera": {"genus_id", "genus"},
        "images": {"image_id", "file_name", "license"},
        "distances": set(),
        "licenses": {"id", "name", "url"},
        "institutions": {"institution_id", "collectionCode"},
    }
    assert told["categories"][0]["scientificName"] == "Acer rubrum L."


def test_annotations_and_images_are_in_one_order_which_the_competitions_code_zips(release: Path) -> None:
    told = json.loads((release / "train_metadata.json").read_text())
    ids = [item["image_id"] for item in told["images"]]
    assert ids == [item["image_id"] for item in told["annotations"]]
    assert ids == [f"{number:05d}__{serial:03d}" for number, count in ((0, 3), (1, 2), (2, 2))
                   for serial in range(1, count + 1)]  # fmt: skip


def test_ids_of_other_lists_lead_where_they_should(release: Path) -> None:
    told = json.loads((release / "train_metadata.json").read_text())
    genera = {item["genus_id"]: item["genus"] for item in told["genera"]}
    categories = {item["category_id"]: item for item in told["categories"]}
    institutions = {item["institution_id"]: item["collectionCode"] for item in told["institutions"]}
    licenses = {item["id"]: item["name"] for item in told["licenses"]}
    rows = {row["image_id"]: row for row in read_parquet(release / "manifest.parquet").to_pylist()}
    for note, image in zip(told["annotations"], told["images"], strict=True):
        row = rows[note["image_id"]]
        assert genera[note["genus_id"]] == row["genus"] == categories[note["category_id"]]["genus"]
        assert institutions[note["institution_id"]] == (row["institutionCode"] or "unknown")
        assert ("NonCommercial" in licenses[image["license"]]) == (row["license"] == "CC-BY-NC-4.0")


def test_test_files_give_no_label_away(release: Path) -> None:
    told = json.loads((release / "test_metadata.json").read_text())
    assert [item["image_id"] for item in told] == [0, 1, 2]
    assert all(set(item) == {"image_id", "file_name", "license"} for item in told)
    rows = list(csv.reader((release / "sample_submission.csv").read_text().splitlines()))
    assert rows == [["Id", "Predicted"], ["0", "0"], ["1", "0"], ["2", "0"]]


def test_the_manifest_leads_from_an_id_to_a_key(release: Path) -> None:
    manifest = read_parquet(release / "manifest.parquet")
    ids = manifest["image_id"].to_pylist()
    assert len(set(ids)) == len(ids) == 10
    keys = [row["image_key"] for row in manifest.to_pylist() if row["part"] == "test"]
    assert keys == sorted(keys), "numbers of test images follow a hash, which tells nothing of the class"
