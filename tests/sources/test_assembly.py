"""In many buckets or in one, from a folder or a zip, in blocks of any size: the same rows."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from naflora_etl.engine import spool as spool_module
from naflora_etl.engine.spool import Spool
from naflora_etl.engine.workspace import Workspace
from naflora_etl.sandbox.mass_archive import MassFiles, write_mass
from naflora_etl.sources import assembly, distinct, duplicates, encoded
from naflora_etl.sources.archive import Archive
from naflora_etl.sources.assembly import PART_BYTES, Assembly, count_parts
from naflora_etl.sources.staging import Whose, stage_archive


@pytest.fixture(scope="module")
def mass(tmp_path_factory: pytest.TempPathFactory) -> MassFiles:
    return write_mass(tmp_path_factory.mktemp("mass") / "big", 3_000, species=40, seed=5)


def assemble(mass: MassFiles, work: Path, *, buckets: int = 1, block_bytes: int = 1 << 24) -> list[dict[str, Any]]:
    with Spool(Workspace(str(work))) as spool:
        made = Assembly(
            spool,
            find_taxon=lambda name, authors, qualifier: (name, None),
            license_issue=lambda name: None if name else "LICENSE_UNKNOWN",
            countries=("US", "CA"),
            apis=("https://api.gbif.org", "https://search.idigbio.org"),
            size_bytes=buckets * PART_BYTES,
        )
        archives = [(Archive(str(path), block_bytes=block_bytes), path) for path in (mass.gbif, mass.idigbio)]
        for number, (archive, path) in enumerate(archives):
            made.add(stage_archive(archive, Whose("archive", f"archive:{path.stem}"), number))
        parts = list(made.parts(lambda done, of: None))
    assert len(parts) == count_parts(buckets * PART_BYTES)
    for part in parts:
        assert part["record_key"].to_pylist() == sorted(part["record_key"].to_pylist())
    told = pa.concat_tables(parts)
    return sorted(told.to_pylist(), key=lambda row: row["record_key"])


def test_of_several_parts_two_threads_have_as_many() -> None:
    assert [count_parts(times * PART_BYTES + more) for times, more in ((0, 0), (1, 0), (1, 1), (2, 1), (6, 0))] == [
        1, 1, 2, 4, 6
    ]  # fmt: skip


def test_the_number_of_buckets_and_the_size_of_blocks_make_no_difference(mass: MassFiles, tmp_path: Path) -> None:
    rows = assemble(mass, tmp_path / "one")
    assert len({row["record_key"] for row in rows}) == len(rows) > 3_000
    assert assemble(mass, tmp_path / "many", buckets=7, block_bytes=70_000) == rows
    clean = [row["image_key"] for row in rows if row["issue"] is None]
    assert len(set(clean)) == len(clean) > 1_500
    kept = {row["record_key"] for row in rows if row["issue"] is None}
    assert {row["duplicate_of"] for row in rows if row["issue"] == "DUPLICATE_RECORD"} <= kept


def test_nothing_is_left_on_the_scratch_disk(mass: MassFiles, tmp_path: Path) -> None:
    assemble(mass, tmp_path, buckets=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("files", ["multimedia.*", "occurrence.*"])
def test_in_any_order_media_hang_on_their_records(files: str, mass: MassFiles, tmp_path: Path) -> None:
    """An archive whose media come in another order than its records gives the rows of one in order, but for numbers."""
    mixed = MassFiles(tmp_path / mass.gbif.name, tmp_path / mass.idigbio.name, mass.truth, mass.recipe)
    for given, made in ((mass.gbif, mixed.gbif), (mass.idigbio, mixed.idigbio)):
        shutil.copytree(given, made)
        for path in made.glob(files):
            heading, *lines = path.read_bytes().splitlines(keepends=True)
            Random("media").shuffle(lines)
            path.write_bytes(heading + b"".join(lines))

    def told(rows: list[dict[str, Any]]) -> list[tuple[str | None, ...]]:
        names = ("source_record_id", "image_url", "specimen_key", "issue", "flags", "license", "taxon_id")
        return sorted((tuple(row[name] for name in names) for row in rows if row["image_url"]), key=str)

    rows = assemble(mixed, tmp_path / "mixed", buckets=5, block_bytes=70_000)
    in_order = assemble(mass, tmp_path / "in order")
    assert [row[:3] for row in told(rows)] == [row[:3] for row in told(in_order)]
    assert len(rows) == len(in_order)


LIMITS = {
    (assembly, "MANY_BROKEN"): 3, (duplicates, "ROWS_AT_ONCE"): 300, (distinct, "MOST_KNOWN"): 50,
    (encoded, "MOST_COUNTED"): 10, (encoded, "MOST_CODES"): 1000,
}  # fmt: skip


def test_how_much_is_done_at_a_time_makes_no_difference(
    mass: MassFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = assemble(mass, tmp_path / "much")
    for (module, name), value in LIMITS.items():
        monkeypatch.setattr(module, name, value)
    assert assemble(mass, tmp_path / "little", buckets=2, block_bytes=200_000) == rows


def test_what_no_memory_has_room_for_lies_on_the_scratch_disk(
    mass: MassFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = assemble(mass, tmp_path / "memory", buckets=3, block_bytes=70_000)
    monkeypatch.setattr(spool_module, "ROOM_BYTES", 400_000)
    assert assemble(mass, tmp_path / "disk", buckets=3, block_bytes=70_000) == rows
