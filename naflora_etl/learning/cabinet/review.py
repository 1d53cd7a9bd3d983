"""Sheets whose label a model confidently disputes: a curator's list of likely mislabels, as a table and a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.engine.tables import read_parquet
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.cabinet.calibration import Floats
from naflora_etl.learning.cabinet.review_page import Sheet, page_text
from naflora_etl.learning.releases import RANKS, Classes, Integers, Part, Release

Tell = Callable[[Part], Iterable[Floats]]
"""Gives the probabilities of a part's sheets, in order, batch by batch."""
FACTS = ("institutionCode", "catalogNumber", "recordedBy", "recordNumber", "eventDate", "occurrenceID", "image_url")
COLUMNS = (
    "image_key", "image_id", "part", "label", "label_family", "label_probability", "predicted", "predicted_family",
    "predicted_probability", "differs_at", *FACTS, "verdict", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What a model said of sheets with labels; all as long as the sheets."""

    predicted: Integers
    confidence: Floats
    """Probability of the predicted class."""
    of_label: Floats
    """Probability of the label."""


@dataclass(frozen=True)
class Review:
    """What was found."""

    out: Path
    sheets: int
    disputed: int
    shown: int

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self) | {"out": str(self.out)}

    def __str__(self) -> str:
        shown = f", {self.shown} of them in review.html" if self.shown < self.disputed else ""
        return f"{self.out}: the model confidently disputes {self.disputed} of {self.sheets} labels{shown}."


def find_disputes(told: Told, labels: Integers, classes: int) -> Integers:
    """Return the numbers of the sheets whose label is disputed, the surest first.

    A sheet is disputed when another class is predicted, at least as probably as that class is on average for the
    sheets that bear its label (the threshold of confident learning, Northcutt et al. 2021): a class that the model
    finds hard asks for less certainty than an easy one. They are ordered by p(predicted) - p(label).
    """
    sums = np.bincount(labels, weights=told.of_label, minlength=classes)
    counts = np.bincount(labels, minlength=classes)
    # a class without a sheet here has no average; only certainty convinces
    usual = np.where(counts > 0, sums / np.maximum(counts, 1), 1.0)
    disputed = (told.predicted != labels) & (told.confidence >= usual[told.predicted])
    numbers = np.flatnonzero(disputed)
    margin = told.confidence[numbers] - told.of_label[numbers]
    return np.asarray(numbers[np.argsort(-margin, kind="stable")], np.int64)


def review_labels(
    release: Release,
    tell: Tell,
    out: Path,
    *,
    name: str,
    part: Literal["train", "test"] = "test",
    most: int = 200,
    progress: Progress | None = None,
) -> Review:
    """Write review.csv (all disputed sheets) and review.html (at most `most`, with pictures) into `out`.

    Both name the sheet as its collection does. Raises Fault for an empty part and for a folder that is not empty.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise Fault(f"{out} is not empty, and may hold somebody's verdicts; give a new or an empty folder.")
    sheets = release.part(part)
    if not len(sheets):
        raise Fault(f"{release.folder} has no {part} images, so there is nothing to review.")
    told = _listen(tell(sheets), sheets, progress or Progress())
    numbers = find_disputes(told, sheets.class_ids, len(release.classes))
    rows = _rows(numbers, told, sheets, release, part)
    shown = [Sheet(row, int(number), int(told.predicted[number])) for row, number in zip(rows, numbers, strict=True)]
    target = Workspace(str(out))
    page = page_text(shown[:most], release, sheets, title=name, of=len(rows))
    target.write("review.html", page.encode())
    target.write("review.csv", _csv(rows).encode())
    return Review(out, len(sheets), len(rows), min(most, len(rows)))


def _listen(batches: Iterable[Floats], sheets: Part, progress: Progress) -> Told:
    predicted, confidence, of_label, done = [], [], [], 0
    for batch in batches:
        labels = sheets.class_ids[done : done + len(batch)]
        predicted.append(batch.argmax(axis=1))
        confidence.append(batch.max(axis=1))
        of_label.append(batch[np.arange(len(batch)), labels])
        done += len(batch)
        progress(done, len(sheets))
    return Told(np.concatenate(predicted), np.concatenate(confidence), np.concatenate(of_label))


def _rows(numbers: Integers, told: Told, sheets: Part, release: Release, part: str) -> list[dict[str, Any]]:
    facts = _facts_of({sheets.image_keys[number] for number in numbers.tolist()}, release)
    classes, rows = release.classes, []
    for number in numbers.tolist():
        label, predicted = int(sheets.class_ids[number]), int(told.predicted[number])
        rows.append(
            facts.get(sheets.image_keys[number], {})
            | {
                "image_key": sheets.image_keys[number],
                "image_id": sheets.image_ids[number],
                "part": part,
                "label": classes.species[label],
                "label_family": classes.family[label],
                "label_probability": round(float(told.of_label[number]), 4),
                "predicted": classes.species[predicted],
                "predicted_family": classes.family[predicted],
                "predicted_probability": round(float(told.confidence[number]), 4),
                "differs_at": differs_at(classes, label, predicted),
            }
        )
    return rows


def differs_at(classes: Classes, one: int, other: int) -> str:
    """Return the highest rank at which two classes differ: species, genus or family."""
    return [rank for rank in RANKS if getattr(classes, rank)[one] != getattr(classes, rank)[other]][-1]


def _facts_of(keys: set[str], release: Release) -> dict[str, dict[str, Any]]:
    manifest = read_parquet(release.folder / "manifest.parquet")
    known = [column for column in FACTS if column in manifest.column_names]
    here = manifest.filter(pc.is_in(manifest["image_key"], pa.array(sorted(keys), pa.string()))).select(
        ["image_key", *known]
    )
    return {row.pop("image_key"): row for row in here.to_pylist()}


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)
    return text.getvalue()
