"""The promises that a release's tables make to each other: counts, split, licences, redaction, metadata."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice, zip_longest
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.json_lists import read_lists
from naflora_etl.publishing.findings import Finding, tell_keys
from naflora_etl.publishing.kaggle import TRAIN_KEYS
from naflora_etl.publishing.licences import UNKNOWN, kind_of
from naflora_etl.publishing.manifest import BULK, NAMING, list_datasets, list_specimens

APART = ("specimen_key", "gathering_key", "source_sha256", "sha256")
"""What must never stand in both parts of the split."""
SAME = ["image_key", "part", "class_id", "taxon_id", "license"]
"""Columns that smaller copies of images have as the images have them."""
OF_REDACTION = ["image_key", BULK, "text_boxes", "detector"]
OF_TRAINING = {
    "annotations": pa.schema({"image_id": pa.string(), "category_id": pa.int64()}),
    "images": pa.schema({"image_id": pa.string()}),
    "categories": pa.schema({"category_id": pa.int64()}),
}
"""What is compared of train_metadata.json."""
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
    if not copies.select(SAME).equals(manifest.select(SAME)):
        yield Finding(where, "its images, parts, classes or licences are not those of manifest.parquet")


def check_derived_tables(tables: Mapping[str, pa.Table]) -> Iterator[Finding]:
    """Yield the tables that tell otherwise than the manifest that they are counted from."""
    for name, count in (("specimens", list_specimens), ("datasets", list_datasets)):
        if name in tables and not _counted(tables[name]).equals(_counted(count(tables["manifest"]))):
            yield Finding(f"{name}.parquet", "it tells otherwise than manifest.parquet")


def _counted(table: pa.Table) -> pa.Table:
    """Return a table without what a manifest cannot tell: the names of datasets."""
    return table.drop_columns([name for name in NAMING if name in table.column_names])


def check_policy(manifest: pa.Table, recipe: dict[str, Any]) -> Iterator[Finding]:
    """Yield licences that the recipe does not allow."""
    allowed = {kind_of(license) for license in recipe["records"]["allow_licenses"]}
    if recipe["records"]["unknown_license"] == "allow":
        allowed.add(UNKNOWN)
    bad = [license for license in pc.unique(manifest["license"]).to_pylist() if kind_of(license) not in allowed]
    yield from tell_keys("manifest.parquet", "licence that recipe.json does not allow", bad)


def check_redaction(pieces: Iterable[pa.Table], recipe: dict[str, Any]) -> Iterator[Finding]:
    """Yield the images whose redaction is not told, where the recipe wants one; `pieces` have OF_REDACTION."""
    if recipe["images"]["redact"] == "none":
        return
    untold = []
    for piece in pieces:
        for batch in piece.select(OF_REDACTION).to_batches(max_chunksize=ROWS_AT_ONCE):
            untold += [row["image_key"] for row in batch.to_pylist() if not _tells_redaction(row)]
    yield from tell_keys("manifest.parquet", "images without the boxes that were covered, or their detector", untold)


def _tells_redaction(row: dict[str, Any]) -> bool:
    try:
        return row["detector"] is not None and len(json.loads(row[BULK])) == row["text_boxes"]
    except (TypeError, ValueError):
        return False


def check_train_metadata(stream: IO[bytes], manifest: pa.Table, classes: pa.Table) -> Iterator[Finding]:
    """Yield where train_metadata.json differs from the manifest or from the competition's form."""
    where = "train_metadata.json"
    told = {key: _gather(items, OF_TRAINING.get(key, pa.schema([]))) for key, items in read_lists(stream)}
    if sorted(told) != sorted(TRAIN_KEYS):
        yield Finding(where, f"its keys are not {', '.join(TRAIN_KEYS)}")
        return
    truth = manifest.select(["image_id", "class_id"]).filter(pc.equal(manifest["part"], "train"))
    labels, images = told["annotations"], told["images"]["image_id"]
    if len(labels) != len(truth) or not images.equals(labels["image_id"]):
        found = f"annotations and images are not the manifest's {len(truth)} training images, in one order"
        yield Finding(where, found)
    place = pc.index_in(labels["image_id"], truth["image_id"].combine_chunks())
    is_right = pc.fill_null(pc.equal(truth["class_id"].take(place), labels["category_id"]), False)
    is_told = pc.is_in(truth["image_id"], labels["image_id"].combine_chunks())
    wrong = [labels["image_id"].filter(pc.invert(is_right)), truth["image_id"].filter(pc.invert(is_told))]
    keys = (key for some in wrong for key in some.to_pylist())
    yield from tell_keys(where, "images whose category is not the manifest's", keys)
    if not told["categories"]["category_id"].equals(classes["class_id"]):
        yield Finding(where, "its categories are not those of classes.parquet")


def _gather(items: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return the columns of `schema` out of the items of a list, which are Python's a few at a time."""
    tables, rest = [schema.empty_table()], iter(items)
    while some := list(islice(rest, ROWS_AT_ONCE)):
        columns = [pa.array([item[field.name] for item in some], field.type) for field in schema]
        tables.append(pa.table(columns, schema=schema))
    return pa.concat_tables(tables)


def check_test_files(metadata: IO[bytes], submission: IO[bytes], manifest: pa.Table) -> Iterator[Finding]:
    """Yield where the test metadata or the sample submission differ from the manifest, or give labels away."""
    test = manifest["image_id"].filter(pc.equal(manifest["part"], "test")).to_pylist()
    ids, is_plain = [], True
    for key, items in read_lists(metadata):
        if key:
            raise TypeError("it is no list")
        for item in items:
            ids.append(str(item["image_id"]))
            is_plain = is_plain and set(item) == {"image_id", "file_name", "license"}
    if ids != test:
        yield Finding("test_metadata.json", f"it does not list the manifest's {len(test)} test images")
    if not is_plain:
        yield Finding("test_metadata.json", "an image in it has other keys than image_id, file_name and license")
    with _as_text(submission) as text:
        rows = csv.reader(text)
        asks = next(rows, None) == ["Id", "Predicted"] and all(
            row is not None and row[:1] == [key] for row, key in zip_longest(rows, test)
        )
    if not asks:
        yield Finding("sample_submission.csv", f"it does not ask for the manifest's {len(test)} test images")


def check_attribution(stream: IO[bytes], manifest: pa.Table) -> Iterator[Finding]:
    """Yield where attribution.csv does not name every image and its licence as the manifest does."""
    batches = manifest.select(["image_key", "license"]).to_batches(max_chunksize=ROWS_AT_ONCE)
    truth = ((row["image_key"], row["license"]) for batch in batches for row in batch.to_pylist())
    with _as_text(stream) as text:
        told = ((row["image_key"], row["license"]) for row in csv.DictReader(text))
        is_same = all(ours == theirs for ours, theirs in zip_longest(told, truth))
    if not is_same:
        yield Finding("attribution.csv", "its images or their licences are not those of the manifest")


@contextmanager
def _as_text(stream: IO[bytes]) -> Iterator[IO[str]]:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    try:
        yield text
    finally:
        text.detach()  # or it would close the stream, which is not ours
