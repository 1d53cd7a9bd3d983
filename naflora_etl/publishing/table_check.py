"""The promises that a release's tables make to each other: counts, split, licences, redaction, metadata."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.publishing.findings import Finding, tell_keys
from naflora_etl.publishing.kaggle import TRAIN_KEYS
from naflora_etl.publishing.licences import UNKNOWN, kind_of
from naflora_etl.publishing.manifest import list_datasets, list_specimens

APART = ("specimen_key", "gathering_key", "source_sha256", "sha256")
"""What must never stand in both parts of the split."""
ROWS_AT_ONCE = 20_000


def check_classes(manifest: pa.Table, classes: pa.Table, *, untested: bool = False) -> Iterator[Finding]:
    """Yield where the classes and the manifest tell different numbers or names; `untested` classes may be wanted."""
    numbers = classes["class_id"].to_pylist()
    if numbers != list(range(len(numbers))):
        yield Finding("classes.parquet", f"class_id does not count from 0 to {len(numbers) - 1}")
    counts: Counter[tuple[int, str]] = Counter()
    names: dict[int, tuple[Any, ...]] = {}
    told = ("taxon_id", "taxon_name", "family", "genus")
    grouped = manifest.group_by(["class_id", "part", *told]).aggregate([([], "count_all")])
    known = {row["class_id"]: tuple(row[name] for name in told) for row in classes.to_pylist()}
    for row in grouped.to_pylist():
        counts[row["class_id"], row["part"]] += row["count_all"]
        names[row["class_id"]] = tuple(row[name] for name in told)
        if names[row["class_id"]] != known.get(row["class_id"]):
            here, there = names[row["class_id"]], known.get(row["class_id"])
            yield Finding("manifest.parquet", f"class {row['class_id']} is {here}, in classes.parquet {there}")
    for row in classes.to_pylist():
        for part in ("train", "test"):
            stated, counted = row[f"images_{part}"], counts[row["class_id"], part]
            if stated != counted:
                found = f"class {row['class_id']} has {stated} images in {part}, the manifest {counted}"
                yield Finding("classes.parquet", found)
            elif not counted and not (untested and part == "test"):
                found = f"class {row['class_id']} ({row['taxon_name']}) has no image in {part}"
                yield Finding("classes.parquet", found)


def check_split(manifest: pa.Table) -> Iterator[Finding]:
    """Yield what stands in both parts of the split and must not."""
    for name in APART:
        known = manifest.select([name, "part"]).filter(pc.is_valid(manifest[name]))
        rows = known.group_by(name).aggregate([("part", "count_distinct")])
        both = rows.filter(pc.greater(rows["part_count_distinct"], 1))[name].to_pylist()
        yield from tell_keys("manifest.parquet", f"{name} that stands in train and in test", both)
    of_the_shard = pc.starts_with(manifest["shard"], "train-")
    elsewhere = pc.not_equal(of_the_shard, pc.equal(manifest["part"], "train"))
    strays = manifest["image_key"].filter(elsewhere).to_pylist()
    yield from tell_keys("manifest.parquet", "images whose part is not that of their shard", strays)


def check_copies(where: str, copies: pa.Table, manifest: pa.Table) -> Iterator[Finding]:
    """Yield where the manifest of smaller copies tells other images, labels or parts than the release's."""
    told = ["image_key", "part", "class_id", "taxon_id", "license"]
    if not copies.select(told).equals(manifest.select(told)):
        yield Finding(where, "its images, parts, classes or licences are not those of manifest.parquet")


def check_derived_tables(tables: Mapping[str, pa.Table]) -> Iterator[Finding]:
    """Yield the tables that tell otherwise than the manifest that they are counted from."""
    for name, count in (("specimens", list_specimens), ("datasets", list_datasets)):
        if name in tables and not tables[name].equals(count(tables["manifest"])):
            yield Finding(f"{name}.parquet", "it tells otherwise than manifest.parquet")


def check_policy(manifest: pa.Table, recipe: dict[str, Any]) -> Iterator[Finding]:
    """Yield licences that the recipe does not allow, and images whose redaction is not told."""
    allowed = {kind_of(license) for license in recipe["records"]["allow_licenses"]}
    if recipe["records"]["unknown_license"] == "allow":
        allowed.add(UNKNOWN)
    bad = [license for license in pc.unique(manifest["license"]).to_pylist() if kind_of(license) not in allowed]
    yield from tell_keys("manifest.parquet", "licence that recipe.json does not allow", bad)
    if recipe["images"]["redact"] == "none":
        return
    untold = []
    wanted = manifest.select(["image_key", "text_quads", "text_boxes", "detector"])
    for batch in wanted.to_batches(max_chunksize=ROWS_AT_ONCE):
        untold += [row["image_key"] for row in batch.to_pylist() if not _tells_redaction(row)]
    yield from tell_keys("manifest.parquet", "images without the boxes that were covered, or their detector", untold)


def _tells_redaction(row: dict[str, Any]) -> bool:
    try:
        return row["detector"] is not None and len(json.loads(row["text_quads"])) == row["text_boxes"]
    except (TypeError, ValueError):
        return False


def check_train_metadata(body: bytes, manifest: pa.Table, classes: pa.Table) -> Iterator[Finding]:
    """Yield where train_metadata.json differs from the manifest or from the competition's form."""
    where = "train_metadata.json"
    told = json.loads(body)
    if not isinstance(told, dict) or sorted(told) != sorted(TRAIN_KEYS):
        yield Finding(where, f"its keys are not {', '.join(TRAIN_KEYS)}")
        return
    train = manifest.select(["image_id", "class_id"]).filter(pc.equal(manifest["part"], "train"))
    truth = dict(zip(train["image_id"].to_pylist(), train["class_id"].to_pylist(), strict=True))
    labels = {item["image_id"]: item["category_id"] for item in told["annotations"]}
    images = [item["image_id"] for item in told["images"]]
    if len(told["annotations"]) != len(truth) or images != [item["image_id"] for item in told["annotations"]]:
        found = f"annotations and images are not the manifest's {len(truth)} training images, in one order"
        yield Finding(where, found)
    wrong = [key for key in labels.keys() | truth.keys() if labels.get(key) != truth.get(key)]
    yield from tell_keys(where, "images whose category is not the manifest's", wrong)
    if [item["category_id"] for item in told["categories"]] != classes["class_id"].to_pylist():
        yield Finding(where, "its categories are not those of classes.parquet")


def check_test_files(metadata: bytes, submission: bytes, manifest: pa.Table) -> Iterator[Finding]:
    """Yield where the test metadata or the sample submission differ from the manifest, or give labels away."""
    test = manifest["image_id"].filter(pc.equal(manifest["part"], "test")).to_pylist()
    told = json.loads(metadata)
    if [str(item["image_id"]) for item in told] != test:
        yield Finding("test_metadata.json", f"it does not list the manifest's {len(test)} test images")
    if any(set(item) != {"image_id", "file_name", "license"} for item in told):
        yield Finding("test_metadata.json", "an image in it has other keys than image_id, file_name and license")
    rows = list(csv.reader(io.StringIO(submission.decode())))
    if rows[:1] != [["Id", "Predicted"]] or [row[0] for row in rows[1:]] != test:
        yield Finding("sample_submission.csv", f"it does not ask for the manifest's {len(test)} test images")


def check_attribution(body: bytes, manifest: pa.Table) -> Iterator[Finding]:
    """Yield where attribution.csv does not name every image and its licence as the manifest does."""
    rows = csv.DictReader(io.TextIOWrapper(io.BytesIO(body), encoding="utf-8", newline=""))
    told = ((row["image_key"], row["license"]) for row in rows)
    batches = manifest.select(["image_key", "license"]).to_batches(max_chunksize=ROWS_AT_ONCE)
    truth = ((row["image_key"], row["license"]) for batch in batches for row in batch.to_pylist())
    if not all(ours == theirs for ours, theirs in zip_longest(told, truth)):
        yield Finding("attribution.csv", "its images or their licences are not those of the manifest")
