"""A release folder opened for learning: its classes, its sheets and where their bytes lie; checked before any use."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet

Integers = npt.NDArray[np.int64]
Rank = Literal["species", "genus", "family"]
RANKS: tuple[Rank, ...] = ("species", "genus", "family")

CLASS_COLUMNS = ["class_id", "taxon_name", "genus", "family"]
SHEET_COLUMNS = ["image_key", "image_id", "part", "class_id", "shard", "offset", "length_bytes"]
INSTITUTION = "institutionCode"
MEND = "`naflora verify` tells all that is wrong with a release"


@dataclass(frozen=True)
class Classes:
    """What a model tells apart, in the order of class_id."""

    species: tuple[str, ...]
    genus: tuple[str, ...]
    family: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.species)

    def groups(self, rank: Rank) -> Integers:
        """Return, for each class, the number of its group at `rank`, 0 to groups - 1 by the alphabet."""
        names: tuple[str, ...] = getattr(self, rank)
        numbers = {name: number for number, name in enumerate(sorted(set(names)))}
        return np.array([numbers[name] for name in names], dtype=np.int64)

    def rank_sizes(self) -> tuple[int, int]:
        """Return how many genera and how many families there are."""
        return len(set(self.genus)), len(set(self.family))


@dataclass(frozen=True)
class Part:
    """The sheets of one part of the split, in the order of their keys."""

    folder: Path
    image_keys: tuple[str, ...]
    image_ids: tuple[str, ...]
    """Ids of the competition's files, by which submissions name images."""
    class_ids: Integers
    shards: tuple[str, ...]
    offsets: Integers
    lengths: Integers
    institutions: tuple[str | None, ...] | None = None
    """Codes of the herbaria, where the manifest tells them."""

    def __len__(self) -> int:
        return len(self.image_keys)


@dataclass(frozen=True)
class Release:
    """A release folder whose tables have been read and whose shards are as long as the manifest promises."""

    folder: Path
    classes: Classes
    manifest: pa.Table

    @cached_property
    def digest(self) -> str:
        """The sha256 of manifest.parquet, which holds that of every image: it names the data a model saw."""
        return hashlib.sha256((self.folder / "manifest.parquet").read_bytes()).hexdigest()

    def part(self, name: Literal["train", "test"]) -> Part:
        """Return the sheets of one part."""
        rows = self.manifest.filter(pc.equal(self.manifest["part"], name)).sort_by("image_key")
        return Part(
            folder=self.folder,
            image_keys=tuple(rows["image_key"].to_pylist()),
            image_ids=tuple(rows["image_id"].to_pylist()),
            class_ids=rows["class_id"].to_numpy(),
            shards=tuple(rows["shard"].to_pylist()),
            offsets=rows["offset"].to_numpy(),
            lengths=rows["length_bytes"].to_numpy(),
            institutions=tuple(rows[INSTITUTION].to_pylist()) if INSTITUTION in rows.column_names else None,
        )


def open_release(folder: Path | str, *, need_images: bool = True) -> Release:
    """Open a release folder; raises Fault, telling all that is wrong at once.

    `need_images=False` looks at the tables alone, as scoring does.
    """
    folder = Path(folder)
    if folder.is_file():
        raise Fault(f"{folder} is a file; unpack the tarball and give the folder that comes out of it.")
    if not folder.is_dir():
        raise Fault(f"{folder}: no such release folder; `naflora build` makes one.")
    classes = read_classes(folder / "classes.parquet")
    manifest = _read_table(folder / "manifest.parquet", SHEET_COLUMNS, more=(INSTITUTION,))
    faults = _unknown_classes(manifest, classes)
    if need_images:
        faults += _broken_shards(folder, manifest)
    if faults:
        raise Fault(f"{folder} is not a whole release: {'; '.join(faults)}. {MEND}.")
    return Release(folder, classes, manifest)


def read_classes(path: Path) -> Classes:
    """Read a classes table, of a release or of a run; raises Fault unless its class_ids are 0, 1, 2 ..."""
    table = _read_table(path, CLASS_COLUMNS).sort_by("class_id")
    if not table.num_rows:
        raise Fault(f"{path} holds no classes; {MEND}.")
    if table["class_id"].to_pylist() != list(range(table.num_rows)):
        raise Fault(f"{path}: class_id does not count from 0 to {table.num_rows - 1}; {MEND}.")
    return Classes(*(tuple(table[column].to_pylist()) for column in ("taxon_name", "genus", "family")))


def check_same_classes(model: Classes, data: Classes, *, run: Path, release: Path) -> None:
    """Raise Fault unless model and release have the same species under the same numbers."""
    check_same_species(model.species, data.species, str(run), str(release))


def check_same_species(ours: tuple[str, ...], theirs: tuple[str, ...], here: str, there: str) -> None:
    """Raise Fault unless both have the same species under the same numbers."""
    if ours == theirs:
        return
    number, one, other = next(
        (number, one, other)
        for number, (one, other) in enumerate(zip((*ours, "nothing"), (*theirs, "nothing"), strict=False))
        if one != other
    )
    raise Fault(
        f"{len(ours)} classes stand in {here}, {there} has {len(theirs)}; they differ first at class {number}: "
        f"{one} in {here}, {other} in {there}. Evaluate on a release of the classes it was trained on."
    )


def _read_table(path: Path, columns: list[str], *, more: tuple[str, ...] = ()) -> pa.Table:
    if not path.is_file():
        raise Fault(f"{path.parent} has no {path.name}, so it is no release folder; give the folder that holds it.")
    try:
        table = read_parquet(path)
    except (pa.ArrowException, OSError) as error:
        raise Fault(f"{path} cannot be read as Parquet ({str(error).splitlines()[0]}); take it anew.") from None
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise Fault(f"{path} has no column {', '.join(missing)}; it was not made as a release of this kind.")
    table = table.select([*columns, *(column for column in more if column in table.column_names)])
    empty = [column for column in columns if table[column].null_count]
    if empty:
        raise Fault(f"{path} has empty values in {', '.join(empty)}; {MEND}.")
    return table


def _unknown_classes(manifest: pa.Table, classes: Classes) -> list[str]:
    ids = manifest["class_id"]
    outside = ids.filter(pc.or_(pc.less(ids, 0), pc.greater_equal(ids, len(classes))))
    if not len(outside):
        return []
    return [f"{len(outside)} images are of classes that classes.parquet lacks, first {outside[0].as_py()}"]


def _broken_shards(folder: Path, manifest: pa.Table) -> list[str]:
    ends = pa.table({"shard": manifest["shard"], "end": pc.add(manifest["offset"], manifest["length_bytes"])})
    faults = []
    for row in ends.group_by("shard").aggregate([("end", "max")]).sort_by("shard").to_pylist():
        shard, path = row["shard"], folder / row["shard"]
        if path.parent != folder:
            faults.append(f'"{shard}" is not the name of a file in it')
        elif not path.is_file():
            faults.append(f"shard {shard} is missing")
        elif path.stat().st_size < row["end_max"]:
            faults.append(f"shard {shard} is cut short ({path.stat().st_size} bytes, {row['end_max']} needed)")
    return faults
