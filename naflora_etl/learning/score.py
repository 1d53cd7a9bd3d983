"""Score a submission: a CSV `Id,Predicted` with one class_id per test image. Needs no torch."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.metrics import Score, score_predictions
from naflora_etl.learning.releases import Part, open_release


def score_submission(path: Path | str, release: Path | str) -> Score:
    """Return what a submission is worth on the test part of `release`.

    Id is the image_id, as in sample_submission.csv, Predicted the class_id; the header may be `Id,Predicted` or
    `Id,predicted`, as both are used for the competition. Every test image must stand in it once. Raises Fault, telling
    all that is wrong at once.
    """
    opened = open_release(release, need_images=False)
    part = opened.part("test")
    if not len(part):
        raise Fault(f"{release} has no test images, so there is nothing to score.")
    rows = _read_rows(Path(path))
    faults = [*_misfits([key for key, _ in rows], part), *_not_classes(rows, len(opened.classes))]
    if faults:
        raise Fault(
            f"{path}: {'; '.join(faults)}. A submission holds each of the {len(part)} test images of {release} once, "
            f"with a class_id of 0 to {len(opened.classes) - 1}."
        )
    answers = dict(rows)
    predicted = np.array([int(answers[key]) for key in part.image_ids], dtype=np.int64)
    return score_predictions(part.class_ids, predicted, opened.classes)


def _read_rows(path: Path) -> list[tuple[str, str]]:
    if path.is_dir():
        raise Fault(f"{path} is a folder; give the submission file in it, a .csv.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = [line for line in csv.reader(stream) if line]
    except FileNotFoundError:
        raise Fault(f"{path}: no such submission; the release's sample_submission.csv shows how one looks.") from None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise Fault(f"{path} cannot be read as a CSV file ({error}).") from None
    header = [cell.strip().lower() for cell in lines[0]] if lines else []
    if header != ["id", "predicted"]:
        raise Fault(f'{path} must begin with the header "Id,Predicted"; found "{",".join(header)[:60]}".')
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != 2:
            raise Fault(f"{path}: row {number} has {len(line)} values; each row is an image_id and a class_id.")
    return [(key.strip(), answer.strip()) for key, answer in lines[1:]]


def _misfits(keys: list[str], part: Part) -> list[str]:
    wanted, counts = set(part.image_ids), Counter(keys)
    return [
        *_told("missing", wanted - counts.keys()),
        *_told("given more than once", {key for key, count in counts.items() if count > 1}),
        *_told("unknown", counts.keys() - wanted),
    ]


def _not_classes(rows: Iterable[tuple[str, str]], classes: int) -> list[str]:
    bad = [answer for _, answer in rows if not (answer.isascii() and answer.isdigit() and int(answer) < classes)]
    return [f'{len(bad)} answers are no class_id (first "{bad[0][:40]}")'] if bad else []


def _told(what: str, keys: set[str]) -> list[str]:
    if not keys:
        return []
    first = ", ".join(key[:40] for key in sorted(keys, key=lambda key: (len(key), key))[:3])
    return [f"{len(keys)} Id{'s' if len(keys) > 1 else ''} {what} (first {first})"]
