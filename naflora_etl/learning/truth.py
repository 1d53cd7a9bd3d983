"""What a submission is held against: the test part of a release, or a file of answers such as a host has."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet
from naflora_etl.learning.releases import Classes, Integers, Release, open_release

IDS, ANSWERS = ("id", "image_id"), ("predicted", "category", "category_id", "class_id")
HALVES = ("Public", "Private")
MOST_CLASSES = 10_000_000
"""More than any flora has: a larger answer is no class_id but an identifier, and would be counted up to."""


@dataclass(frozen=True)
class Truth:
    """The answers."""

    where: str
    image_ids: tuple[str, ...]
    class_ids: Integers
    is_public: np.ndarray
    """Of each image, whether the first half's score counts it."""
    halves_from: str
    """Who made the halves, as a sentence tells it."""
    classes: Classes | None
    """For the ranks above the species; a file of answers has none."""

    @property
    def number(self) -> int:
        """How many classes may be answered."""
        return len(self.classes) if self.classes else int(self.class_ids.max()) + 1


def read_truth(path: Path, release: Path | None = None, *, seed: int = 1) -> Truth:
    """Read the truth from a release folder or from a CSV or Parquet file with Id, Predicted and, if it likes, Usage.

    Without Usage (Public or Private), a half of each class is drawn by `seed`. `release` lends a file its genera and
    families. Raises Fault.
    """
    if path.is_dir():
        return _of_release(open_release(path, need_images=False), seed)
    rows = list(_read(path))
    doubled = [key for key, count in Counter(key for key, _, _ in rows).items() if count > 1]
    if not rows or doubled:
        raise Fault(f"{path} holds no answers." if not rows else f"{path}: {doubled[0]} stands in it twice.")
    for _, answer, _ in rows:
        if not 0 <= answer < MOST_CLASSES:
            raise Fault(f"{path}: an answer is a class_id, 0 or more; found {str(answer)[:40]}.")
    ids, answers = tuple(key for key, _, _ in rows), np.array([answer for _, answer, _ in rows], dtype=np.int64)
    usages = {usage for _, _, usage in rows}
    classes = open_release(release, need_images=False).classes if release else None
    if classes and answers.max() >= len(classes):
        raise Fault(f"{path} has answers of class {answers.max()}, and {release} has {len(classes)} classes.")
    if usages == {None}:
        public, told = draw_half(ids, answers, seed), f"a half of each class, drawn by seed {seed}"
    elif usages <= set(HALVES):
        public, told = np.array([usage == HALVES[0] for _, _, usage in rows]), "the column Usage of the truth"
    else:
        strange = sorted(str(usage) for usage in usages - set(HALVES))[0]
        raise Fault(f'{path}: Usage is Public or Private; found "{strange}".')
    return Truth(str(path), ids, answers, public, told, classes)


def draw_half(image_ids: tuple[str, ...], class_ids: Integers, seed: int) -> np.ndarray:
    """Return which images are public: every second of each class in the order of sha256("half|seed|id").

    Of a class with an odd number the first half gets the odd one in every second class.
    """
    keys = [hashlib.sha256(f"half|{seed}|{key}".encode()).hexdigest() for key in image_ids]
    public = np.zeros(len(image_ids), bool)
    for label in np.unique(class_ids):
        members = sorted(np.flatnonzero(class_ids == label), key=keys.__getitem__)
        public[members[int(label) % 2 :: 2]] = True
    return public


def _of_release(release: Release, seed: int) -> Truth:
    part = release.part("test")
    if not len(part):
        raise Fault(f"{release.folder} has no test images, so there is nothing to score.")
    public = draw_half(part.image_ids, part.class_ids, seed)
    told = f"a half of each class, drawn by seed {seed}"
    return Truth(str(release.folder), part.image_ids, part.class_ids, public, told, release.classes)


def _read(path: Path) -> Iterator[tuple[str, int, str | None]]:
    try:
        if path.suffix == ".parquet":
            table = read_parquet(path)
            names, lines = table.column_names, table.to_pylist()
        else:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                reader = csv.DictReader(stream)
                names, lines = list(reader.fieldnames or []), list(reader)
    except FileNotFoundError:
        raise Fault(f"{path}: no such truth; give a release folder or a file Id,Predicted,Usage.") from None
    except (UnicodeDecodeError, csv.Error, OSError, pa.ArrowException) as error:
        raise Fault(f"{path} cannot be read as a table ({str(error).splitlines()[0]}).") from None
    known = {name.strip().lower(): name for name in names}
    key = next((known[name] for name in IDS if name in known), None)
    answer = next((known[name] for name in ANSWERS if name in known), None)
    if key is None or answer is None:
        raise Fault(f"{path} needs a column Id and a column Predicted; found {', '.join(names)[:80] or 'none'}.")
    for number, line in enumerate(lines, start=2):
        try:
            yield str(line[key]).strip(), int(line[answer]), line.get(known.get("usage", "")) or None
        except (TypeError, ValueError):
            raise Fault(f'{path}: row {number} has no class number but "{line[answer]}".') from None
