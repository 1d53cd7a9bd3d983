"""A part of a release by rule: which images stay, each on its side, whatever the order of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from naflora_etl.engine.faults import Fault
from naflora_etl.recipe import SplitOptions
from naflora_etl.selecting.draw import draw_keys
from naflora_etl.selecting.groups import join_groups
from naflora_etl.selecting.keys import Integers, encode_keys, first_of_runs
from naflora_etl.selecting.likeness import link_alike
from naflora_etl.selecting.parts import assign_parts, deal_folds

NEAR = 4
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rule:
    """What a subset keeps; the conditions apply in the order of the fields."""

    seed: int = 1
    families: tuple[str, ...] = ()
    genera: tuple[str, ...] = ()
    hold_out: tuple[str, ...] = ()
    """Institutions of which the test images stay and the training images go; of all others it is the other way."""
    rare: int = 1
    """Images a class at least, both parts together (BioTrove's rare_threshold); a class with fewer is left out."""
    least_train: int = 1
    least_test: int = 1
    """Images of a part a class at least; a class with fewer is left out."""
    classes: int | None = None
    """So many classes, drawn by sha256("subset|<seed>|<taxon_id>")."""
    cap: int | None = None
    """Images a class at most, test and train in their old shares (BioTrove's cap_threshold); a class never goes."""
    cap_train: int | None = None
    cap_test: int | None = None
    """Images of a part a class at most. Which ones stay is drawn by sha256("subset|<seed>|<image_key>")."""
    validation: int = 0
    """Training images a class to be listed for validation: by whole groups, so that training never sees their like."""


LIKE_MINI = Rule(least_train=30, least_test=7, classes=1863, cap_train=30, cap_test=7, validation=5)
"""NAFlora-mini's shape: 1,863 species, 5 validation images each. It has 46,782 training and 13,231 test images, 25.1
and 7.1 a species; this rule gives 25 and 7."""


def choose_subset(manifest: pa.Table, rule: Rule) -> pa.Table:
    """Return the rows of a manifest that stay, by image_key, with a column `use`: train, validation or test.

    No image changes its part. Raises Fault when nothing stays, when an asked-for family, genus or institution is not
    there, and when there are fewer classes than were asked for.
    """
    if pc.count_distinct(manifest["image_key"]).as_py() < manifest.num_rows:
        raise Fault("manifest.parquet has an image twice; `naflora verify` tells what is wrong with the release.")
    rows = _where(manifest.sort_by("image_key"), rule)
    rows = _filter(rows, _in_kept_classes(rows, rule))
    if not rows.num_rows:
        raise Fault("no class of the release meets the rule, so nothing is left; ask for less.")
    rows = _filter(rows, _within_caps(rows, rule))
    tested = np.asarray(pc.equal(rows["part"], "test"))
    use = np.where(tested, "test", "train").astype(object)
    use[_validate(rows, ~tested, rule)] = "validation"
    return rows.append_column("use", pa.array(use.tolist(), pa.string()))


def _filter(rows: pa.Table, stays: Flags) -> pa.Table:
    return rows.filter(pa.array(stays))


def _where(rows: pa.Table, rule: Rule) -> pa.Table:
    """Return the rows of the families, genera and institutions that are asked for."""
    for name, wanted in (("family", rule.families), ("genus", rule.genera), ("institutionCode", rule.hold_out)):
        strangers = sorted(set(wanted) - set(pc.unique(rows[name]).to_pylist()))
        if strangers:
            raise Fault(f"the release has no {name} {', '.join(strangers)}; `naflora audit` lists institutions, "
                        "classes.parquet families and genera.")  # fmt: skip
        if wanted and name != "institutionCode":
            rows = rows.filter(pc.is_in(rows[name], pa.array(wanted)))
    if rule.hold_out:
        is_out = pc.fill_null(pc.is_in(rows["institutionCode"], pa.array(rule.hold_out)), False)
        rows = rows.filter(pc.equal(is_out, pc.equal(rows["part"], "test")))
    return rows


def _in_kept_classes(rows: pa.Table, rule: Rule) -> Flags:
    taxon, tested = encode_keys(rows["taxon_id"]), np.asarray(pc.equal(rows["part"], "test"))
    classes = int(taxon.max(initial=-1)) + 1
    train, test = (np.bincount(taxon[part], minlength=classes) for part in (~tested, tested))
    kept = (train + test >= rule.rare) & (train >= rule.least_train) & (test >= rule.least_test)
    if rule.classes is not None:
        if kept.sum() < rule.classes:
            raise Fault(
                f"{rule.classes:,} classes are asked for, and {int(kept.sum()):,} of the release's meet the rule (at "
                f"least {rule.rare} images, {rule.least_train} of them to train on and {rule.least_test} to test on); "
                "ask for fewer with --classes."
            )
        names = pc.unique(rows["taxon_id"])  # in order of first sight, as the numbers are
        place = draw_keys(names, salt="subset", seed=rule.seed).place
        last = np.sort(place[kept])[rule.classes - 1]
        kept &= place <= last
    return np.asarray(kept[taxon], np.bool_)


def _within_caps(rows: pa.Table, rule: Rule) -> Flags:
    """Return which rows are within the caps: the first of each class and part, by the draw of their keys."""
    taxon, tested = encode_keys(rows["taxon_id"]), np.asarray(pc.equal(rows["part"], "test"))
    place = draw_keys(rows["image_key"], salt="subset", seed=rule.seed).place
    order = np.lexsort((place, tested, taxon))
    counted = np.arange(len(order))
    starts = first_of_runs(taxon[order], tested[order].astype(np.int64))
    rank = np.empty(len(order), np.int64)
    rank[order] = counted - np.maximum.accumulate(np.where(starts, counted, 0))
    train, test = (np.bincount(taxon[part], minlength=int(taxon.max()) + 1) for part in (~tested, tested))
    most_train, most_test = train.copy(), test.copy()
    if rule.cap is not None:
        share = np.rint(rule.cap * test / np.maximum(train + test, 1)).astype(np.int64)
        over = train + test > rule.cap
        tests = np.clip(share, np.minimum(test, 1), np.maximum(rule.cap - np.minimum(train, 1), 0))
        most_test = np.where(over, tests, test)
        most_train = np.where(over, rule.cap - tests, train)
    if rule.cap_train is not None:
        most_train = np.minimum(most_train, rule.cap_train)
    if rule.cap_test is not None:
        most_test = np.minimum(most_test, rule.cap_test)
    return np.asarray(rank < np.where(tested, most_test[taxon], most_train[taxon]), np.bool_)


def _validate(rows: pa.Table, trained: Flags, rule: Rule) -> Integers:
    """Return the places of the training images that are listed for validation: whole groups, as near to the number
    as they come; none of a class that would have nothing left to train on."""
    places = np.flatnonzero(trained)
    if not rule.validation or not len(places):
        return np.zeros(0, np.int64)
    part = rows.take(pa.array(places))
    taxon = encode_keys(part["taxon_id"])
    groups = _groups(part, taxon)
    options = SplitOptions(test_share=0, min_test=rule.validation)
    draw = draw_keys(part["image_key"], salt="validation", seed=rule.seed)
    return places[assign_parts(taxon, groups, draw, options=options).is_test]


def fold_keys(rows: pa.Table, folds: int, seed: int) -> dict[str, list[str]]:
    """Return the training keys dealt into `folds` lists, fold-0 and so on, each class evenly and groups whole.

    The draw is sha256("fold|<seed>|<image_key>"). Validation images are in none.
    """
    part = rows.filter(pc.equal(rows["use"], "train"))
    taxon = encode_keys(part["taxon_id"])
    fold = deal_folds(taxon, _groups(part, taxon), draw_keys(part["image_key"], salt="fold", seed=seed), folds)
    return {f"fold-{n}": part["image_key"].filter(pa.array(fold == n)).to_pylist() for n in range(folds)}


def _groups(rows: pa.Table, taxon: Integers) -> Integers:
    """Return the group of each row: the same specimen, gathering, bytes or picture."""
    keys = (encode_keys(rows[name]) for name in ("specimen_key", "gathering_key", "source_sha256"))
    return join_groups(*keys, pairs=link_alike(rows["dhash"], taxon, NEAR))


def chunk_keys(rows: pa.Table, size: int | None, seed: int) -> dict[str, list[str]]:
    """Return the keys of each use in lists of at most `size` (one list when it is None), shuffled by their draw.

    The draw is sha256("chunk|<seed>|<image_key>"): every chunk is a sample of all classes. Lists are named
    train-00000 and so on, or by the use alone.
    """
    lists: dict[str, list[str]] = {}
    for use in ("train", "validation", "test"):
        keys = rows.filter(pc.equal(rows["use"], use))["image_key"]
        place = draw_keys(keys, salt="chunk", seed=seed).place
        ordered = keys.take(pa.array(np.argsort(place))).to_pylist()
        if size is None and ordered:
            lists[use] = ordered
        for number, start in enumerate(range(0, len(ordered) if size else 0, size or 1)):
            lists[f"{use}-{number:05d}"] = ordered[start : start + (size or 0)]
    return lists


