"""split: parts, classes, and what is set aside after the downloads."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from naflora_etl.engine.contracts import check_table, conform, read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.recipe import SplitOptions
from naflora_etl.selecting.groups import join_groups
from naflora_etl.selecting.keys import encode_keys
from naflora_etl.stages.split import split_images

Row = dict[str, str | None]


def image(number: int, taxon: str, **facts: str | None) -> Row:
    key = f"{number:020x}"
    return {
        "image_key": key,
        "taxon_id": taxon,
        "specimen_key": f"specimen of {key}",
        "gathering_key": None,
        "source_sha256": hashlib.sha256(key.encode()).hexdigest(),
    } | facts


def images(start: int, count: int, taxon: str, **facts: str | None) -> list[Row]:
    return [image(number, taxon, **facts) for number in range(start, start + count)]


def taxa_of(names: dict[str, str | None]) -> pa.Table:
    rows = [{"checklist_key": f"list:{i}", "taxon_id": key, "taxon_name": name} for i, (key, name) in
            enumerate(names.items())]
    return pa.Table.from_pylist(rows, schema=read_contract("taxa").arrow_schema)


def split(rows: list[Row], names: dict[str, str | None] | None = None, **knobs: float) -> pa.Table:
    """Split, hold the result against its contract and its promise, and return it."""
    names = names or {row["taxon_id"] or "": f"Name of {row['taxon_id']}" for row in rows}
    given = pa.Table.from_pylist(rows, schema=read_contract("images").arrow_schema)
    table = split_images(given, taxa_of(names), options=SplitOptions(**knobs))  # type: ignore[arg-type]
    contract = read_contract("split")
    assert table.column_names == contract.arrow_schema.names
    assert check_table(conform(table, contract), contract) == []
    assert sorted(table["image_key"].to_pylist()) == sorted(row["image_key"] or "" for row in rows)
    for fact in ("part", "class_id"):
        assert pc.is_valid(table[fact]).equals(pc.is_null(table["issue"]))
    return table


def column(table: pa.Table, name: str) -> dict[str, str]:
    return dict(zip(table["image_key"].to_pylist(), table[name].to_pylist(), strict=True))


def issues_of(table: pa.Table) -> list[tuple[int, str]]:
    """Return (image number, issue) of what is set aside."""
    return [(int(key, 16), issue) for key, issue in sorted(column(table, "issue").items()) if issue]


def test_a_fifth_is_tested_on() -> None:
    parts = split(images(0, 50, "oak"))["part"].to_pylist()
    assert (parts.count("test"), parts.count("train")) == (10, 40)


def test_classes_are_numbered_by_name_then_taxon() -> None:
    names = {"3-az": "Quercus alba", "1-az": "Zea mays", "4-az": "Acer rubrum", "2-az": "Quercus alba"}
    rows = [row for i, taxon in enumerate(names) for row in images(100 * i, 3 if taxon == "4-az" else 10, taxon)]
    table = split(rows, names)
    found = {row["taxon_id"]: row["class_id"] for row in table.to_pylist()}
    assert found == {"2-az": 0, "3-az": 1, "1-az": 2, "4-az": None}


SET_ASIDE = {
    "fewer than the minimum": (images(0, 9, "oak"), [(n, "TOO_FEW_IMAGES") for n in range(9)]),
    "as many as the minimum": (images(0, 10, "oak"), []),
    "same bytes in one species: the smallest key stays": (
        images(0, 10, "oak") + images(20, 2, "oak", source_sha256="a" * 64),
        [(21, "DUPLICATE_IMAGE")],
    ),
    "same bytes in two species: neither knows": (
        images(0, 11, "oak") + images(20, 2, "oak", source_sha256="a" * 64)
        + images(40, 10, "elm") + images(60, 1, "elm", source_sha256="a" * 64),
        [(n, "IMAGE_IN_SEVERAL_CLASSES") for n in (20, 21, 60)],
    ),
    "duplicates do not count towards the minimum": (
        images(0, 9, "oak") + images(20, 2, "oak", source_sha256="a" * 64) + images(40, 8, "elm"),
        [(21, "DUPLICATE_IMAGE")] + [(n, "TOO_FEW_IMAGES") for n in range(40, 48)],
    ),
    "unknown bytes are no duplicates": (images(0, 10, "oak", source_sha256=None), []),
    "one gathering cannot be split": (
        images(0, 14, "oak", gathering_key="Bell 17"), [(n, "CANNOT_BE_SPLIT") for n in range(14)]
    ),
    "two gatherings can": (
        images(0, 7, "oak", gathering_key="Bell 17") + images(7, 7, "oak", gathering_key="Bell 18"), []
    ),
    "nothing at all": ([], []),
}


@pytest.mark.parametrize(("rows", "expected"), SET_ASIDE.values(), ids=SET_ASIDE)
def test_what_is_set_aside(rows: list[Row], expected: list[tuple[int, str]]) -> None:
    assert issues_of(split(rows)) == expected


def test_images_bound_through_others_share_a_part() -> None:
    """First and last have nothing in common but the images between them, of which one is a duplicate."""
    chain = [
        image(1, "oak", specimen_key="sheet 1"),
        image(2, "oak", specimen_key="sheet 1", gathering_key="Bell 17"),
        image(3, "oak", specimen_key="sheet 2", gathering_key="Bell 17", source_sha256="a" * 64),
        image(4, "oak", specimen_key="sheet 3", source_sha256="a" * 64),
        image(5, "oak", specimen_key="sheet 3"),
    ]
    seen = set()
    for seed in range(30):
        part = column(split(chain + images(20, 20, "oak"), seed=seed), "part")
        parts = {part[row["image_key"] or ""] for row in chain} - {None}
        assert len(parts) == 1
        seen |= parts
    assert seen == {"train", "test"}


def test_a_placeholder_picture_binds_nothing() -> None:
    """The same bytes under two species are set aside, and do not make one group of all their specimens."""
    rows = [
        image(100 * n + view, taxon, specimen_key=f"sheet {n}", **({"source_sha256": "a" * 64} if view == 0 else {}))
        for n, taxon in enumerate(["oak"] * 12 + ["elm"] * 12)
        for view in range(2)
    ]
    table = split(rows)
    assert len(issues_of(table)) == 24
    assert set(table["part"].to_pylist()) == {None, "train", "test"}


def test_a_species_without_a_name_is_told() -> None:
    with pytest.raises(Fault, match="split: taxa has no accepted name for oak"):
        split(images(0, 10, "oak"), {"elm": "Ulmus"})


def test_the_part_is_not_the_cap_s_draw() -> None:
    """With one and the same seed, images that the cap would take first are no likelier to be tested on."""
    rows = images(0, 1000, "oak")
    keys = [row["image_key"] or "" for row in rows]
    keys.sort(key=lambda key: hashlib.sha256(f"cap|5|{key}".encode()).hexdigest())
    part = column(split(rows, seed=5), "part")
    assert 0.1 < np.mean([part[key] == "test" for key in keys[:200]]) < 0.3


def random_rows(seed: int, count: int = 1200) -> list[Row]:
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        taxon = int(rng.pareto(1.0) * 4) % 30
        sheet = rng.integers(0, count) if rng.random() < 0.97 else rng.integers(0, 20)
        facts: dict[str, str | None] = {"specimen_key": f"{'' if sheet < 20 else taxon} sheet {sheet}"}
        if rng.random() < 0.3:
            facts["gathering_key"] = f"{taxon} gathering {rng.integers(0, count // 4)}"
        if rng.random() < 0.05:
            facts["source_sha256"] = f"{rng.integers(0, 200):064x}"
        rows.append(image(number, f"{taxon}-az", **facts))
    return rows


@pytest.mark.parametrize("seed", range(6))
def test_random_images(seed: int) -> None:
    """No group straddles, every class has its least of both parts, and the order of the rows has no say."""
    rows = random_rows(seed)
    knobs = dict(min_test=2 + seed % 2, min_train=3, minimum=10)
    table = split(rows, **knobs)
    clean = table.filter(pc.is_null(table["issue"]))
    assert 0.15 < pc.mean(pc.equal(clean["part"], "test").cast(pa.float64())).as_py() < 0.3
    groups = join_groups(encode_keys(table["specimen_key"]), encode_keys(table["gathering_key"]))
    parts_of: dict[int, set[str]] = {}
    for group, part in zip(groups.tolist(), table["part"].to_pylist(), strict=True):
        parts_of.setdefault(group, set()).add(part or "")
    assert all(len(parts - {""}) <= 1 for parts in parts_of.values())
    classes = sorted(set(clean["class_id"].to_pylist()))
    assert classes == list(range(len(classes)))
    for number in classes:
        parts = clean.filter(pc.equal(clean["class_id"], number))["part"].to_pylist()
        assert parts.count("test") >= knobs["min_test"]
        assert parts.count("train") >= knobs["min_train"]
        assert len(parts) >= knobs["minimum"]
    order = np.random.default_rng(seed).permutation(len(rows))
    assert split([rows[i] for i in order], **knobs).equals(table)


def test_a_later_release_moves_few_images() -> None:
    """From scratch, without a ledger of what was released: under 2 % change sides after -1 % and +3 %."""
    rows = random_rows(3, 6000)
    rng = np.random.default_rng(4)
    later = [row for row in rows if rng.random() > 0.01]
    later += [image(10**6 + i, rows[j]["taxon_id"] or "") for i, j in enumerate(rng.integers(0, len(rows), 180))]
    now, then = column(split(rows), "part"), column(split(later), "part")
    both = [key for key in now if now[key] and then.get(key)]
    assert len(both) > 5000
    assert np.mean([now[key] != then[key] for key in both]) <= 0.02
