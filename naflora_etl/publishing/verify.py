"""Does a release keep its promises? Every file is read once, where it lies; nothing is unpacked."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.contracts import Contract, check_table, read_contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet, read_row_groups, read_schema
from naflora_etl.publishing.checksums import NAME as SUMS
from naflora_etl.publishing.checksums import parse_sums, sum_stream
from naflora_etl.publishing.derived import check_derived
from naflora_etl.publishing.findings import BUILD_ANEW, TAKE_ANEW, Finding, tell_keys
from naflora_etl.publishing.lock import check_lock
from naflora_etl.publishing.manifest import BULK
from naflora_etl.publishing.parcel import MANIFEST, Parcel, open_parcel
from naflora_etl.publishing.publish import MARKER, check_marker
from naflora_etl.publishing.sample_check import Counted, check_shard
from naflora_etl.publishing.split_check import check_minima
from naflora_etl.publishing.table_check import (
    OF_REDACTION,
    SAME,
    check_attribution,
    check_classes,
    check_copies,
    check_derived_tables,
    check_policy,
    check_redaction,
    check_split,
    check_test_files,
    check_train_metadata,
)
from naflora_etl.publishing.withdrawn import check_withdrawn

TABLES = ("manifest", "classes", "excluded", "specimens", "datasets", "names")
ONLY_READ = ("excluded", "names")
"""Tables of which nothing else is counted."""
DOCUMENTS = (
    "README.md", "report.html", "recipe.json", "attribution.csv", "train_metadata.json", "test_metadata.json",
    "sample_submission.csv", "croissant.json", "datapackage.json", "CITATION.cff", "derived_dataset.json",
    "citations.bib", "citations.json", "ACKNOWLEDGEMENTS.txt", "lock.json", "withdrawn.csv",
)  # fmt: skip
SHARD_COLUMNS = ["image_key", "offset", "length_bytes", "sha256", "width_px", "height_px", "class_id", "taxon_name",
                 "specimen_key"]  # fmt: skip
OF_COPIES = [*SHARD_COLUMNS, "shard", *(name for name in SAME if name not in SHARD_COLUMNS)]


def verify_release(path: Path, progress: Callable[..., None] | None = None) -> list[Finding]:
    """Return every promise that the release at `path` breaks; a folder, a tarball, or any part of one in parts.

    A single changed byte anywhere is found. Raises Fault when there is no release at `path`, or a subset.
    """
    parcel = open_parcel(Path(path))
    try:
        if "subset.json" in parcel.sizes and "recipe.json" not in parcel.sizes:
            raise Fault(
                f"{path} is a subset, which has no documents of its own; verify the release that it was taken from, "
                f"and the subset's files with `sha256sum --check {SUMS}`."
            )
        if "variant.json" in parcel.sizes and "recipe.json" not in parcel.sizes:
            raise Fault(
                f"{path} is a variant, laid out by `naflora shard`; verify the release that it was taken from, and the "
                f"variant's files with `sha256sum --check {SUMS}`."
            )
        return list(Inspection(parcel, progress or (lambda done, total, note="": None)).run())
    finally:
        parcel.close()


class Inspection:
    """One reading of one release."""

    def __init__(self, parcel: Parcel, progress: Callable[..., None]) -> None:
        self.parcel = parcel
        self.progress = progress
        self.total = sum(parcel.sizes.values())
        self.done = 0
        self.sums: dict[str, str] = {}
        self.note = ""

    def run(self) -> Iterator[Finding]:
        """Yield the findings, from the outermost inwards."""
        yield from self.parcel.check_wrapping()
        yield from self._check_names()
        tables: dict[str, pa.Table] = {}
        for name in TABLES:
            yield from self._read_table(name, tables)
            if name in ONLY_READ:
                tables.pop(name, None)
        manifests = yield from self._read_manifests(tables)
        placed = {folder: Placed(manifest) for folder, manifest in manifests.items()}
        for name in sorted(self.parcel.sizes):
            if name != SUMS:
                yield from self._check_file(name, placed.get(name.rpartition("/")[0]))
        if "manifest" in tables and "classes" in tables:
            yield from check_classes(tables["manifest"], tables["classes"], untested=self._keeps_untested_classes())
            yield from check_split(tables["manifest"])
            yield from check_derived_tables(tables)
            yield from self._check_documents(tables["manifest"], tables["classes"])

    def _keeps_untested_classes(self) -> bool:
        if "recipe.json" not in self.parcel.sizes:
            return False  # that it is missing is told already
        try:
            return bool(json.loads(self._read("recipe.json"))["split"]["infeasible"] == "train")
        except (KeyError, TypeError, ValueError):
            return False  # what is wrong with recipe.json itself is told where it is checked

    def _check_names(self) -> Iterator[Finding]:
        if SUMS not in self.parcel.sizes:
            yield Finding(SUMS, "it is missing", TAKE_ANEW)
        else:
            try:
                self.sums = parse_sums(self._read(SUMS))
            except ValueError as error:
                yield Finding(SUMS, f"it is not as it was written ({error})", TAKE_ANEW)
            else:
                if not self.sums:
                    yield Finding(SUMS, "it lists no file", TAKE_ANEW)
        there = set(self.parcel.sizes) - {SUMS}
        if MARKER in there - set(self.sums):  # a release that was taken from where it was published
            there.remove(MARKER)
            if SUMS in self.parcel.sizes:
                yield from check_marker(self._read(MARKER), self._read(SUMS))
        needed = {*self.sums, *DOCUMENTS, *(f"{name}.parquet" for name in TABLES)}
        for name in sorted(needed - there):
            yield Finding(name, "it is missing", TAKE_ANEW)
        for name in sorted(there - set(self.sums)) if self.sums else ():
            yield Finding(name, f"{SUMS} does not list it", "remove it, or take the release anew")

    def _read_table(self, name: str, tables: dict[str, pa.Table]) -> Iterator[Finding]:
        """Put a table into `tables`, without BULK, unless it breaks its contract."""
        file = f"{name}.parquet"
        if file not in self.parcel.sizes:
            return
        with self.parcel.open(file) as stream:
            if self.sums.get(file, found := sum_stream(stream).sha256) != found:
                return  # told where its bytes are summed; what a flipped bit makes of Parquet need not even be text
            try:
                stream.seek(0)
                table, faults = _read_checked(stream, read_contract(name.rpartition("/")[2]))
            except (pa.ArrowException, OSError, ValueError) as error:
                yield Finding(file, f"it cannot be read as Parquet ({str(error).splitlines()[0]})", TAKE_ANEW)
                return
        for fault in faults:
            yield Finding(file, fault.removesuffix("."), BUILD_ANEW)
        if not faults:
            tables[name] = table

    def _read_manifests(self, tables: dict[str, pa.Table]) -> Generator[Finding, None, dict[str, pa.Table]]:
        """Return the manifest of the release and those of its smaller copies, by folder; yield where they disagree."""
        found = {"": tables["manifest"]} if "manifest" in tables else {}
        for name in sorted(self.parcel.sizes):
            folder, _, file = name.rpartition("/")
            if not folder or file != MANIFEST:
                continue
            copies: dict[str, pa.Table] = {}
            yield from self._read_table(f"{folder}/manifest", copies)
            if f"{folder}/manifest" in copies and found:
                found[folder] = copies[f"{folder}/manifest"].select(OF_COPIES)
                yield from check_copies(f"{folder}/{MANIFEST}", found[folder], found[""])
        return found

    def _check_file(self, name: str, placed: Placed | None) -> Iterator[Finding]:
        self.note = name
        with self.parcel.open(name) as stream:
            if name.endswith(".tar") and placed is not None:
                counted = Counted(stream, self._tell)
                yield from check_shard(name, counted, placed.rows_of(name.rpartition("/")[2]))
                found = counted.digest.hexdigest()
            else:
                found = sum_stream(stream, self._tell).sha256
        if name in self.sums and found != self.sums[name]:
            yield Finding(name, f"its bytes are not those that {SUMS} promises", TAKE_ANEW)

    def _check_documents(self, manifest: pa.Table, classes: pa.Table) -> Iterator[Finding]:
        shards = set(pc.unique(manifest["shard"]).to_pylist())
        yield from tell_keys("manifest.parquet", "shards that are missing", shards - set(self.parcel.sizes), TAKE_ANEW)
        checks: dict[tuple[str, ...], Callable[..., Iterator[Finding]]] = {
            ("recipe.json",): lambda told: self._check_recipe(manifest, classes, json.load(told)),
            ("lock.json",): lambda told: check_lock(told.read(), self.sums),
            ("train_metadata.json",): lambda told: check_train_metadata(told, manifest, classes),
            ("test_metadata.json", "sample_submission.csv"): lambda told, ask: check_test_files(told, ask, manifest),
            ("attribution.csv",): lambda told: check_attribution(told, manifest),
            ("derived_dataset.json",): lambda told: check_derived(told.read(), manifest),
            ("withdrawn.csv",): lambda told: check_withdrawn(told.read(), manifest),
        }
        for names, check in checks.items():
            if all(name in self.parcel.sizes for name in names):
                with ExitStack() as opened:
                    try:
                        yield from check(*(opened.enter_context(self.parcel.open(name)) for name in names))
                    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
                        yield Finding(" and ".join(names), f"it cannot be understood ({type(error).__name__}: {error})")

    def _check_recipe(self, manifest: pa.Table, classes: pa.Table, recipe: dict[str, Any]) -> Iterator[Finding]:
        yield from check_policy(manifest, recipe)
        yield from check_minima(classes, recipe)
        with self.parcel.open(MANIFEST) as stream:
            yield from check_redaction(read_row_groups(stream, OF_REDACTION), recipe)

    def _read(self, name: str) -> bytes:
        with self.parcel.open(name) as stream:
            return stream.read()

    def _tell(self, size_bytes: int) -> None:
        self.done += size_bytes
        self.progress(self.done, self.total, self.note)


def _read_checked(stream: IO[bytes], contract: Contract) -> tuple[pa.Table, list[str]]:
    """Return a Parquet file's table without BULK, and how the file breaks its contract."""
    schema = read_schema(stream)
    if faults := check_table(schema.empty_table(), contract):
        return schema.empty_table(), faults
    table = read_parquet(stream, [name for name in schema.names if name != BULK])
    return table, check_table(table, contract.without(BULK))


class Placed:
    """A manifest's rows by their shard, found without a search of all rows for each shard."""

    def __init__(self, manifest: pa.Table) -> None:
        self.rows = manifest.select(SHARD_COLUMNS).combine_chunks()
        coded = manifest["shard"].combine_chunks().dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False)
        self.order = np.argsort(codes, kind="stable")
        self.ends = np.cumsum(np.bincount(codes, minlength=len(coded.dictionary)))
        self.codes = {shard: code for code, shard in enumerate(coded.dictionary.to_pylist())}

    def rows_of(self, shard: str) -> dict[str, dict[str, Any]]:
        """Return the rows of a shard by image_key; none of one that the manifest does not name."""
        code = self.codes.get(shard)
        if code is None:
            return {}
        start = self.ends[code - 1] if code else 0
        rows = self.rows.take(pa.array(self.order[start : self.ends[code]]))
        return {row["image_key"]: row for row in rows.to_pylist()}
