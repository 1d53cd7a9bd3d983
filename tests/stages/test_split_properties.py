"""split, for any images: nothing is lost, nothing straddles, order has no say, and a release is kept for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from naflora_etl.engine.contracts import check_table, conform, read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes
from naflora_etl.recipe import SplitOptions
from naflora_etl.selecting.ledger import COLUMNS
from naflora_etl.stages.split import split_images

SHEET, ALMOST = "00ff00ff0f0f0f0f", "00ff00ff0f0f0f07"
KEYS = ("specimen_key", "gathering_key", "source_sha256")
Row = dict[str, str | None]


@st.composite
def worlds(draw: st.DrawFn, least: int = 0) -> list[Row]:
    """Up to 70 images of up to 4 species, with shared specimens, gatherings, bytes and pictures here and there."""
    rows: list[Row] = []
    for number in range(draw(st.integers(least, 70))):
        key = hashlib.sha256(f"image {number}".encode()).hexdigest()[:20]
        bound = draw(st.sampled_from((None, None, None, *KEYS, "dhash")))
        row: Row = {
            "image_key": key,
            "taxon_id": f"{draw(st.integers(0, 3))}-az",
            "specimen_key": f"specimen of {key}",
            "gathering_key": None,
            "source_sha256": hashlib.sha256(key.encode()).hexdigest(),
            "dhash": None,
        }
        if bound == "dhash":
            row["dhash"] = draw(st.sampled_from((SHEET, ALMOST, "0" * 16)))
        elif bound is not None:
            row[bound] = f"{draw(st.integers(0, 9)):064x}"
        rows.append(row)
    return rows


def split(rows: list[Row], **knobs: object) -> pa.Table:
    images = pa.Table.from_pylist(rows, schema=read_contract("images").arrow_schema)
    named = [{"taxon_id": f"{n}-az", "taxon_name": f"Name {n}", "genus": f"Genus{n // 3}"} for n in range(4)]
    taxa = pa.Table.from_pylist(named, schema=read_contract("taxa").arrow_schema)
    table = conform(split_images(images, taxa, options=SplitOptions(**knobs)), read_contract("split"))  # type: ignore[arg-type]
    assert check_table(table, read_contract("split")) == []
    return table


quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def straddling(table: pa.Table, rows: list[Row], name: str = "part") -> list[str]:
    """Return the keys that clean images of both parts bear."""
    part = dict(zip(table["image_key"].to_pylist(), table[name].to_pylist(), strict=True))
    found = []
    for key in (*KEYS, "group_key"):
        told = {row["image_key"]: row[key] for row in (table.to_pylist() if key == "group_key" else rows)}
        parts: dict[str, set[str]] = {}
        for image, value in told.items():
            if value is not None and part[image] is not None:
                parts.setdefault(value, set()).add(part[image])
        found += [value for value, seen in parts.items() if len(seen) > 1]
    return found


@quick
@given(rows=worlds(), infeasible=st.sampled_from(("drop", "train", "merge")), order=st.randoms(use_true_random=False))
def test_conservation_minima_and_order(rows: list[Row], infeasible: str, order: object) -> None:
    knobs = {"minimum": 4, "infeasible": infeasible, "public_share": 0.5, "folds": 3}
    table = split(rows, **knobs)
    assert sorted(table["image_key"].to_pylist()) == sorted(row["image_key"] or "" for row in rows)
    for name in ("part", "test_half", "fold"):
        assert straddling(table, rows, name) == []
    clean = table.filter(pc.is_null(table["issue"]))
    for number in set(clean["class_id"].to_pylist()):
        parts = clean.filter(pc.equal(clean["class_id"], number))["part"].to_pylist()
        assert len(parts) >= 4
        assert parts.count("test") >= 2 or (infeasible == "train" and not parts.count("test"))
        assert parts.count("train") >= 1
    assert pc.is_valid(clean["test_half"]).equals(pc.equal(clean["part"], "test"))
    assert pc.is_valid(clean["fold"]).equals(pc.equal(clean["part"], "train"))
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert split(shuffled, **knobs).equals(table)


def release(table: pa.Table, rows: list[Row], path: Path) -> str:
    """Write the clean images of a split as the manifest of a release."""
    facts = {row["image_key"]: row for row in rows}
    told = [facts[row["image_key"]] | {"part": row["part"]} for row in table.to_pylist() if row["issue"] is None]
    path.write_bytes(parquet_bytes(pa.table({name: pa.array([row[name] for row in told], pa.string()) for name in
                                             COLUMNS})))  # fmt: skip
    return str(path)


@quick
@given(rows=worlds(least=12), cut=st.integers(10, 60), gone=st.integers(2, 9))
def test_a_release_is_kept_for_ever(tmp_path: Path, rows: list[Row], cut: int, gone: int) -> None:
    """What was released and is still there keeps its side; nothing published later shares a key across the sides."""
    first = split(rows[:cut], minimum=3)
    if not pc.any(pc.is_null(first["issue"])).as_py():
        return
    ledger = release(first, rows[:cut], tmp_path / "manifest.parquet")
    later = [row for n, row in enumerate(rows) if n >= cut or n % gone]
    try:
        table = split(later, minimum=3, ledger=ledger)
    except Fault:  # everything that was released is gone
        released = {row["image_key"] for row in first.to_pylist() if row["issue"] is None}
        assert not released & {row["image_key"] for row in later}
        return
    was = {row["image_key"]: row["part"] for row in first.to_pylist() if row["part"]}
    now = {row["image_key"]: row["part"] for row in table.to_pylist() if row["part"]}
    assert all(now[key] == part for key, part in was.items() if key in now)
    facts = {row["image_key"]: row for row in rows}
    for key in KEYS:
        sides: dict[str, set[str]] = {}
        for image, part in [*was.items(), *now.items()]:
            if (value := facts[image][key]) is not None:
                sides.setdefault(value, set()).add(part)
        assert all(len(seen) == 1 for seen in sides.values())


def image(number: int, taxon: str = "0-az", **facts: str | None) -> Row:
    key = hashlib.sha256(f"one {number}".encode()).hexdigest()[:20]
    return {"image_key": key, "taxon_id": taxon, "specimen_key": f"of {key}", "gathering_key": None,
            "source_sha256": hashlib.sha256(key.encode()).hexdigest(), "dhash": None} | facts  # fmt: skip


def test_deficits_are_filled_from_what_was_never_released(tmp_path: Path) -> None:
    rows = [image(n) for n in range(20)]
    first = split(rows)
    part = {row["image_key"]: row["part"] for row in first.to_pylist()}
    later = [row for row in rows if part[row["image_key"]] == "train"] + [image(n) for n in range(100, 104)]
    table = split(later, ledger=release(first, rows, tmp_path / "m.parquet"))
    now = {row["image_key"]: row["part"] for row in table.to_pylist()}
    assert [now[row["image_key"]] for row in later[:16]] == ["train"] * 16
    assert [now[row["image_key"]] for row in later[16:]] == ["test"] * 4


def test_what_was_withdrawn_still_binds_and_a_bridge_is_embargoed(tmp_path: Path) -> None:
    rows = [image(n) for n in range(20)]
    first = split(rows)
    part = {row["image_key"]: row["part"] for row in first.to_pylist()}
    tested = next(row for row in rows if part[row["image_key"]] == "test")
    trained = next(row for row in rows if part[row["image_key"]] == "train")
    twin = image(100, specimen_key=tested["specimen_key"])
    bridge = image(101, specimen_key=tested["specimen_key"], source_sha256=trained["source_sha256"])
    later = [row for row in rows if row is not tested] + [twin, bridge]
    table = split(later, ledger=release(first, rows, tmp_path / "m.parquet"))
    found = {row["image_key"]: (row["part"], row["issue"]) for row in table.to_pylist()}
    assert found[twin["image_key"]] == ("test", None)
    assert found[bridge["image_key"]] == (None, "DUPLICATE_IMAGE")
    bridge["source_sha256"], bridge["gathering_key"] = "b" * 64, "Bell 17"
    trained["gathering_key"] = "Bell 17"
    table = split(later, ledger=release(first, rows, tmp_path / "m.parquet"))
    found = {row["image_key"]: (row["part"], row["issue"]) for row in table.to_pylist()}
    assert found[bridge["image_key"]] == (None, "EMBARGOED")
    assert found[twin["image_key"]] == ("test", None)


def test_of_two_with_the_same_bytes_the_released_one_stays(tmp_path: Path) -> None:
    rows = [image(n) for n in range(12)]
    ledger = release(split(rows), rows, tmp_path / "m.parquet")
    last = max(rows, key=lambda row: row["image_key"] or "")
    smaller = image(0, source_sha256=last["source_sha256"]) | {"image_key": "0" * 20, "specimen_key": "of another"}
    table = split([*rows, smaller], ledger=ledger)
    issues = {row["image_key"]: row["issue"] for row in table.to_pylist()}
    assert (issues[smaller["image_key"]], issues[last["image_key"]]) == ("DUPLICATE_IMAGE", None)


@pytest.mark.parametrize(("infeasible", "left"), [("drop", 0), ("train", 12)])
def test_a_class_of_one_gathering(infeasible: str, left: int) -> None:
    rows = [image(n, gathering_key="Bell 17") for n in range(12)] + [image(n, "1-az") for n in range(50, 62)]
    table = split(rows, infeasible=infeasible)
    parts = [row["part"] for row in table.to_pylist() if row["taxon_id"] == "0-az"]
    assert (parts.count("train"), parts.count("test")) == (left, 0)
    assert table["issue"].to_pylist().count("CANNOT_BE_SPLIT") == 12 - left
    assert {row["group_species"] for row in table.to_pylist()} == {1}


def test_species_that_cannot_be_split_are_one_class_with_others_of_their_genus() -> None:
    """Genus0 has three species of one gathering each, of which two stay in one part each; Genus1 has one alone."""
    rows = [image(n, f"{n % 4}-az", gathering_key=f"Bell {n % 4}") for n in range(48)]
    rows += [image(n, "2-az") for n in range(100, 112)]
    drop, merge = split(rows), split(rows, infeasible="merge")
    found = [(row["taxon_id"], row["class_key"], row["issue"]) for row in merge.to_pylist()]
    assert set(found) == {
        *(("0-az", "genus:Genus0", None), ("1-az", "genus:Genus0", None), ("2-az", "2-az", None)),
        ("3-az", None, "CANNOT_BE_SPLIT"),
    }
    of_genus = [row["part"] for row in merge.to_pylist() if row["class_key"] == "genus:Genus0"]
    assert (of_genus.count("train"), of_genus.count("test")) == (12, 12)
    assert set(merge["class_id"].to_pylist()) == {0, 1, None}
    assert [row["part"] for row in drop.to_pylist() if row["taxon_id"] == "2-az"] == [
        row["part"] for row in merge.to_pylist() if row["taxon_id"] == "2-az"
    ], "nothing else changes for their sake"


def test_groups_over_several_species_are_flagged_and_whole() -> None:
    rows = [image(n, f"{n % 2}-az", specimen_key="one sheet" if n < 4 else f"sheet {n}") for n in range(40)]
    table = split(rows)
    flagged = [row for row in table.to_pylist() if row["group_species"] == 2]
    assert len(flagged) == 4
    assert len({(row["group_key"], row["part"]) for row in flagged}) == 1
