"""diff: every kind of change between two releases is seen, counted once, and nothing else is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.engine.tables import parquet_bytes, read_parquet
from naflora_etl.publishing.diff import KINDS, compare_releases, describe_difference
from naflora_etl.publishing.name_changes import UNTOLD

Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def first(**facts: Any) -> Change:
    return lambda rows: [rows[0] | facts, *rows[1:]]


CASES: dict[str, tuple[Change, dict[str, int]]] = {
    "nothing": (lambda rows: rows, {}),
    "one fewer": (lambda rows: rows[1:], {"withdrawn": 1}),
    "one more": (lambda rows: [*rows, rows[0] | {"image_key": "f" * 20, "image_id": "x"}], {"added": 1}),
    "another taxon": (first(taxon_id="w-99", taxon_name="Acer nigrum"), {"relabelled": 1}),
    "another name of the taxon": (first(taxon_name="Acer carolinianum"), {"renamed": 1}),
    "other bytes at the source": (first(source_sha256="0" * 64, sha256="1" * 64), {"fetched_anew": 1}),
    "redacted otherwise": (first(sha256="1" * 64), {"redone": 1}),
    "other side": (lambda rows: [r | {"part": "test"} if r == rows[0] else r for r in rows], {"moved": 1}),
    "another licence": (first(license="CC-BY-SA-4.0"), {"relicensed": 1}),
    "all others": (
        lambda rows: [row | {"image_key": row["image_key"][::-1]} for row in rows],
        {"added": 10, "withdrawn": 10},
    ),
}


@pytest.fixture
def newer(release: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """Make a release of which the manifest alone differs."""

    def make(change: Change) -> Path:
        folder = Path(shutil.copytree(release, tmp_path / "newer"))
        manifest = read_parquet(folder / "manifest.parquet")
        rows = sorted(manifest.to_pylist(), key=lambda row: (row["part"] != "train", row["image_key"]))
        made = pa.Table.from_pylist(change(rows), manifest.schema)
        (folder / "manifest.parquet").write_bytes(parquet_bytes(made))
        return folder

    return make


@pytest.mark.parametrize(("change", "counts"), CASES.values(), ids=CASES)
def test_a_change_is_counted_as_what_it_is(
    change: Change, counts: dict[str, int], release: Path, newer: Callable[[Change], Path]
) -> None:
    found = compare_releases(release, newer(change))
    assert {kind: count for kind, count in found.counts.items() if count} == counts
    assert found.is_empty == (not counts)


def test_a_new_taxon_is_a_class_that_came_and_its_old_name_is_told(
    release: Path, newer: Callable[[Change], Path]
) -> None:
    found = compare_releases(release, newer(first(taxon_id="w-99", taxon_name="Acer nigrum")))
    assert found.classes_in == ("Acer nigrum",) and found.classes_out == ()
    assert [(new, images) for _, new, images in found.renames] == [("Acer nigrum", 1)]


@pytest.mark.parametrize(
    ("change", "same"), [(CASES["one fewer"][0], True), (CASES["other side"][0], False)], ids=["train", "test"]
)
def test_whether_the_test_set_is_untouched(
    change: Change, same: bool, release: Path, newer: Callable[[Change], Path]
) -> None:
    assert compare_releases(release, newer(change)).test_set_is_same is same


def test_the_command_writes_the_rows_that_changed_and_no_others(
    release: Path, newer: Callable[[Change], Path], tmp_path: Path
) -> None:
    new, out = newer(CASES["one fewer"][0]), tmp_path / "out" / "changes.parquet"
    told = CliRunner().invoke(main, ["diff", str(release), str(new), "--json", "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert json.loads(told.output)["counts"] == dict.fromkeys(KINDS, 0) | {"withdrawn": 1}
    changes = read_parquet(out)
    assert changes.num_rows == 1 and pc.all(changes["withdrawn"]).as_py()


def test_a_subset_that_has_no_version_is_named_without(release: Path, newer: Callable[[Change], Path]) -> None:
    subset = newer(CASES["one fewer"][0])
    (subset / "recipe.json").unlink()
    told = CliRunner().invoke(main, ["diff", str(release), str(subset)])
    assert told.output.startswith("# newer after small 0.1.0\n"), told.output


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda folder: (folder / "manifest.parquet").write_bytes(b"PAR1"), "its manifest.parquet cannot be read"),
        (lambda folder: (folder / "recipe.json").write_text("{"), "its recipe.json is not JSON"),
        (lambda folder: (folder / "manifest.parquet").unlink(), "has no manifest.parquet"),
    ],
    ids=["torn manifest", "torn recipe", "no manifest"],
)
def test_a_broken_release_is_told_in_a_sentence(
    break_it: Callable[[Path], object], sentence: str, release: Path, copy_release: Callable[[], Path]
) -> None:
    broken = copy_release()
    break_it(broken)
    told = CliRunner().invoke(main, ["diff", str(release), str(broken)])
    assert told.exit_code == 1
    assert sentence in told.output and "Traceback" not in told.output


def with_names(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    names = read_parquet(folder / "names.parquet")
    made = pa.Table.from_pylist([change(row) for row in names.to_pylist()], names.schema)
    (folder / "names.parquet").write_bytes(parquet_bytes(made))


def sunk(row: dict[str, Any]) -> dict[str, Any]:
    if row["taxon_id"] != "w-10":
        return row
    return row | {"taxon_id": "w-99", "taxon_name": "Acer nigrum", "taxon_status": "Synonym"}


CAUSES: dict[str, tuple[Change, Callable[[dict[str, Any]], dict[str, Any]], str]] = {
    "the name became a synonym": (
        first(taxon_id="w-99", taxon_name="Acer nigrum"), sunk,
        "Acer rubrum: a name of Acer rubrum, now synonym of Acer nigrum"),
    "the record is named otherwise": (
        first(taxon_id="w-99", taxon_name="Acer nigrum", scientificName="Acer nigrum F.Michx."), lambda row: row,
        "its record was named Acer rubrum L. and is named Acer nigrum F.Michx."),
    "the name leads nowhere now": (
        first(taxon_id="w-99", taxon_name="Acer nigrum"),
        lambda row: row | {"taxon_id": None, "issue": "NAME_AMBIGUOUS"} if row["taxon_id"] == "w-10" else row,
        "names that led to Acer rubrum: NAME_AMBIGUOUS"),
    "the same taxon is spelt otherwise": (
        first(taxon_name="Acer carolinianum"), lambda row: row, "the backbone spells the same taxon otherwise"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "names", "cause"), CAUSES.values(), ids=CAUSES)
def test_the_cause_of_another_name_is_told(
    change: Change,
    names: Callable[[dict[str, Any]], dict[str, Any]],
    cause: str,
    release: Path,
    newer: Callable[[Change], Path],
) -> None:
    def of_the_first_class(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ours = [row for row in rows if row["taxon_id"] == "w-10" and row["part"] == "train"]
        return [*change(ours), *(row for row in rows if row not in ours)]

    def named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"scientificName": f"{row['taxon_name']} L."} for row in rows]

    old = newer(named)
    new = Path(shutil.copytree(old, old.with_name("newest")))
    manifest = read_parquet(new / "manifest.parquet")
    made = pa.Table.from_pylist(of_the_first_class(manifest.to_pylist()), manifest.schema)
    (new / "manifest.parquet").write_bytes(parquet_bytes(made))
    with_names(new, names)
    found = compare_releases(old, new)
    assert list(found.causes.values()) == [(cause,)]
    assert cause in describe_difference(found)
    assert [row for row in found.changes["cause"].to_pylist() if row] == [cause]


def test_without_the_names_of_both_the_cause_is_said_to_be_unknown(
    release: Path, newer: Callable[[Change], Path]
) -> None:
    new = newer(first(taxon_id="w-99", taxon_name="Acer nigrum"))
    (new / "names.parquet").unlink()
    assert list(compare_releases(release, new).causes.values()) == [(UNTOLD,)]
