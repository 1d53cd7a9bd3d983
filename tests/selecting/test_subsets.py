"""Subsets by rule: exact thresholds, no image across the sides, no say for the order of rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naflora_etl.engine.faults import Fault
from naflora_etl.selecting.subsets import LIKE_MINI, Rule, choose_subset, chunk_keys, fold_keys

FAMILIES = ("Rosaceae", "Fabaceae")


def manifest(sizes: list[tuple[int, int]]) -> pa.Table:
    """Return so many training and test images of each class; even classes are Rosaceae."""
    rows = []
    for taxon, size in enumerate(sizes):
        for part, count in zip(("train", "test"), size, strict=True):
            for number in range(count):
                key = hashlib.sha256(f"{taxon} {part} {number}".encode()).hexdigest()[:20]
                rows.append({
                    "image_key": key, "part": part, "taxon_id": f"{taxon}-az", "class_id": taxon,
                    "family": FAMILIES[taxon % 2], "genus": f"Genus{taxon // 2}", "specimen_key": f"sheet {key[:19]}",
                    "gathering_key": f"{taxon} {part} {number // 3}" if number < 6 else None, "source_sha256": key,
                    "dhash": None, "institutionCode": ("NY", "MO", None)[number % 3],
                })  # fmt: skip
    names = ("image_key", "part", "taxon_id", "family", "genus", "specimen_key", "gathering_key", "source_sha256",
             "dhash", "institutionCode")  # fmt: skip
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in names}
    return pa.table(columns | {"class_id": pa.array([row["class_id"] for row in rows], pa.int64())})


def counts(rows: pa.Table) -> dict[str, tuple[int, int]]:
    """Return training and test images by class."""
    found = Counter(zip(rows["taxon_id"].to_pylist(), rows["part"].to_pylist(), strict=True))
    return {taxon: (found[taxon, "train"], found[taxon, "test"]) for taxon in sorted({key for key, _ in found})}


SIZES = [(8, 2), (16, 4), (80, 20), (7, 2), (4, 1)]
RULES = {
    "nothing asked": (Rule(), {f"{n}-az": size for n, size in enumerate(SIZES)}),
    "rare: exactly ten stay, nine go": (Rule(rare=10), {"0-az": (8, 2), "1-az": (16, 4), "2-az": (80, 20)}),
    "cap: no class goes": (
        Rule(cap=10), {"0-az": (8, 2), "1-az": (8, 2), "2-az": (8, 2), "3-az": (7, 2), "4-az": (4, 1)},
    ),
    "rare and cap": (Rule(rare=20, cap=5), {"1-az": (4, 1), "2-az": (4, 1)}),
    "a part's cap": (
        Rule(cap_train=5, cap_test=2, least_test=2),
        {"0-az": (5, 2), "1-az": (5, 2), "2-az": (5, 2), "3-az": (5, 2)},
    ),
    "a family": (Rule(families=("Fabaceae",)), {"1-az": (16, 4), "3-az": (7, 2)}),
    "a genus": (Rule(genera=("Genus1",)), {"2-az": (80, 20), "3-az": (7, 2)}),
    "an institution held out": (Rule(hold_out=("NY",), rare=12), {"1-az": (10, 2), "2-az": (53, 7)}),
}


@pytest.mark.parametrize(("rule", "expected"), RULES.values(), ids=RULES)
def test_named_rules(rule: Rule, expected: dict[str, tuple[int, int]]) -> None:
    assert counts(choose_subset(manifest(SIZES), rule)) == expected


def test_a_held_out_institution_is_tested_on_alone() -> None:
    rows = choose_subset(manifest(SIZES), Rule(hold_out=("NY", "MO"), rare=12))
    seen = set(zip(rows["part"].to_pylist(), rows["institutionCode"].to_pylist(), strict=True))
    assert seen == {("train", None), ("test", "NY"), ("test", "MO")}


def test_classes_are_drawn_by_the_seed_and_more_of_them_hold_the_fewer() -> None:
    table = manifest([(8, 2)] * 40)
    drawn = {n: set(counts(choose_subset(table, Rule(classes=n)))) for n in (1, 5, 20)}
    assert {n: len(classes) for n, classes in drawn.items()} == {1: 1, 5: 5, 20: 20}
    assert drawn[1] < drawn[5] < drawn[20]
    assert set(counts(choose_subset(table, Rule(classes=5, seed=2)))) != drawn[5]
    order = sorted(counts(table), key=lambda taxon: hashlib.sha256(f"subset|1|{taxon}".encode()).hexdigest())
    assert drawn[5] == set(order[:5]), "the same in any language"


def test_validation_takes_whole_groups_out_of_training_alone() -> None:
    rows = choose_subset(manifest([(30, 7)] * 8), replace(LIKE_MINI, classes=8))
    uses = Counter(zip(rows["taxon_id"].to_pylist(), rows["use"].to_pylist(), strict=True))
    assert set(uses.values()) == {5, 7, 25}
    told: dict[str, set[str]] = {}
    for group, use in zip(rows["gathering_key"].to_pylist(), rows["use"].to_pylist(), strict=True):
        if group:
            told.setdefault(group, set()).add(use)
    assert all(len(seen) == 1 for seen in told.values())


def test_chunks_hold_every_key_once() -> None:
    rows = choose_subset(manifest(SIZES), Rule())
    lists = chunk_keys(rows, 50, 1)
    assert [(name, len(keys)) for name, keys in lists.items()] == [
        ("train-00000", 50), ("train-00001", 50), ("train-00002", 15), ("test-00000", 29),
    ]  # fmt: skip
    assert sorted(key for keys in lists.values() for key in keys) == sorted(rows["image_key"].to_pylist())
    whole = chunk_keys(rows, None, 1)
    assert whole["train"] == lists["train-00000"] + lists["train-00001"] + lists["train-00002"]
    assert whole["train"] != sorted(whole["train"])


def test_folds_are_even_and_hold_whole_gatherings() -> None:
    rows = choose_subset(manifest([(30, 7)] * 5), Rule(validation=5))
    folds = fold_keys(rows, 3, 1)
    assert sorted(key for keys in folds.values() for key in keys) == sorted(
        row["image_key"] for row in rows.to_pylist() if row["use"] == "train"
    )
    assert all(abs(len(keys) - 125 / 3) <= 5 * 3 for keys in folds.values())
    gathering = dict(zip(rows["image_key"].to_pylist(), rows["gathering_key"].to_pylist(), strict=True))
    told = [{gathering[key] for key in keys} - {None} for keys in folds.values()]
    assert not told[0] & told[1] | told[0] & told[2] | told[1] & told[2]


REFUSED = {
    "no such family": (Rule(families=("Poaceae",)), "the release has no family Poaceae"),
    "no such institution": (Rule(hold_out=("K",)), "the release has no institutionCode K"),
    "too many classes": (Rule(rare=10, classes=4), "4 classes are asked for, and 3 of the release's meet the rule"),
    "nothing left": (Rule(rare=1000), "no class of the release meets the rule"),
}


@pytest.mark.parametrize(("rule", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(rule: Rule, sentence: str) -> None:
    with pytest.raises(Fault, match=sentence):
        choose_subset(manifest(SIZES), rule)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=6),
    rare=st.integers(1, 12),
    cap=st.integers(2, 25),
    validation=st.integers(0, 4),
    order=st.randoms(use_true_random=False),
)
def test_any_release(sizes: list[tuple[int, int]], rare: int, cap: int, validation: int, order: object) -> None:
    table, rule = manifest(sizes), Rule(rare=rare, cap=cap, validation=validation)
    if max(map(sum, sizes)) < rare:
        return
    rows = choose_subset(table, rule)
    was = dict(zip(table["image_key"].to_pylist(), table["part"].to_pylist(), strict=True))
    assert all(was[row["image_key"]] == row["part"] for row in rows.to_pylist())
    assert all((row["use"] == "test") == (row["part"] == "test") for row in rows.to_pylist())
    found = counts(rows)
    assert set(found) == {f"{n}-az" for n, size in enumerate(sizes) if sum(size) >= rare}
    for taxon, (train, test) in found.items():
        had = sizes[int(taxon.split("-")[0])]
        assert train + test == min(cap, sum(had))
        assert train >= 1
        assert test >= 1
    places = list(range(table.num_rows))
    order.shuffle(places)  # type: ignore[attr-defined]
    assert choose_subset(table.take(places), rule).equals(rows)
