"""Archives of any size: as many images as were asked for, of both aggregators, and the truth about them."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from naflora_etl.sandbox.mass_archive import MassFiles, write_mass
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.darwincore import Occurrence

IMAGES = 3_000


@pytest.fixture(scope="module")
def mass(tmp_path_factory: pytest.TempPathFactory) -> MassFiles:
    return write_mass(tmp_path_factory.mktemp("mass") / "big", IMAGES, species=40, seed=3)


def read(path: Path) -> list[Occurrence]:
    return list(Archive(str(path)).read_records("archive:x"))


def test_there_are_as_many_images_as_were_asked_for(mass: MassFiles) -> None:
    records = read(mass.gbif) + read(mass.idigbio)
    issues = Counter(record.issue for record in records)
    assert sum(len(record.media) for record in records if record.issue is None) <= IMAGES
    assert sum(len(record.media) for record in records) - 2 * 3 > IMAGES - 10  # but those whose rows are broken
    assert issues["IMAGE_WITHOUT_RECORD"] >= 6 and issues["SOURCE_UNREADABLE"] >= 2
    assert max(len(text) for record in records for text in record.terms.values()) == 2_000_000


def test_a_quarter_of_the_specimens_is_in_both_aggregators(mass: MassFiles) -> None:
    with mass.truth.open(encoding="utf-8") as stream:
        seen: dict[str, list[str]] = defaultdict(list)
        for row in csv.DictReader(stream):
            seen[row["specimen"]].append(row["aggregator"])
    assert abs(sum(len(where) == 2 for where in seen.values()) / len(seen) - 0.25) < 0.05
    assert {len(where) for where in seen.values()} == {1, 2}


def test_the_truth_knows_the_records(mass: MassFiles) -> None:
    told = {tuple(line.split(",")[:2]) for line in mass.truth.read_text().splitlines()[1:]}
    for name, path in (("gbif", mass.gbif), ("idigbio", mass.idigbio)):
        ids = {record.record_id for record in read(path) if record.issue is None} - {"large"}
        assert {(name, record_id) for record_id in ids} <= told


def test_the_same_seed_writes_the_same_bytes_and_a_zip_holds_the_same_files(mass: MassFiles, tmp_path: Path) -> None:
    again = write_mass(tmp_path / "big.zip", IMAGES, species=40, seed=3)
    assert read(again.gbif) == read(mass.gbif)
    assert again.truth.read_bytes() == mass.truth.read_bytes()
    twice = write_mass(tmp_path / "twice" / "big.zip", IMAGES, species=40, seed=3)
    assert twice.gbif.read_bytes() == again.gbif.read_bytes()


@pytest.mark.parametrize("images", [1, 2, 3])
def test_a_handful_that_one_aggregator_does_not_hold_is_written_too(images: int, tmp_path: Path) -> None:
    made = write_mass(tmp_path / "few", images)
    shown = [medium for path in (made.gbif, made.idigbio) for record in read(path) for medium in record.media]
    assert len(shown) > 0
