"""Score a submission: a CSV `Id,Predicted` with one class_id per test image. Needs no torch."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.metrics import Score, score_predictions
from naflora_etl.learning.truth import HALVES, Truth, read_truth


@dataclass(frozen=True)
class HalfScore:
    """What a submission is worth on one half of the test images, as the competition showed it."""

    half: str
    images: int
    macro_f1: float
    """Over the classes that the half's images have."""
    top1: float


@dataclass(frozen=True)
class SubmissionScore(Score):
    """What a submission is worth."""

    halves: tuple[HalfScore, ...]
    """Public and Private; a half without images is left out."""
    halves_from: str

    def __str__(self) -> str:
        lines = [
            f"{row.half:8} macro-F1 {row.macro_f1:.4f}, accuracy {row.top1:.2%} of {row.images} images"
            for row in self.halves
        ]
        return "\n".join([super().__str__(), *lines, f"halves: {self.halves_from}"])


def score_submission(
    path: Path | str, truth: Path | str, *, release: Path | None = None, seed: int = 1
) -> SubmissionScore:
    """Return what a submission is worth on `truth`: the test part of a release folder, or a file of answers.

    Id is the image_id, as in sample_submission.csv, Predicted the class_id; the header may be `Id,Predicted` or
    `Id,predicted`, as both are used for the competition. Every test image must stand in it once. Raises Fault, telling
    all that is wrong at once.
    """
    answers = read_truth(Path(truth), release, seed=seed)
    rows = _read_rows(Path(path))
    faults = [*_misfits([key for key, _ in rows], answers), *_not_classes(rows, answers.number)]
    if faults:
        raise Fault(
            f"{path}: {'; '.join(faults)}. A submission holds each of the {len(answers.image_ids)} test images of "
            f"{answers.where} once, with a class_id of 0 to {answers.number - 1}."
        )
    given = dict(rows)
    predicted = np.array([int(given[key]) for key in answers.image_ids], dtype=np.int64)
    whole = score_predictions(answers.class_ids, predicted, answers.classes)
    return SubmissionScore(
        images=whole.images,
        top1=whole.top1,
        chance=whole.chance,
        ranks=whole.ranks,
        halves=tuple(_score_halves(answers, predicted)),
        halves_from=answers.halves_from,
    )


def _score_halves(truth: Truth, predicted: np.ndarray) -> Iterable[HalfScore]:
    for half, members in zip(HALVES, (truth.is_public, ~truth.is_public), strict=True):
        if members.any():
            score = score_predictions(truth.class_ids[members], predicted[members], None)
            yield HalfScore(half, score.images, score.ranks[0].macro_f1, score.top1)


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


def _misfits(keys: list[str], truth: Truth) -> list[str]:
    wanted, counts = set(truth.image_ids), Counter(keys)
    return [
        *_told("missing", wanted - counts.keys()),
        *_told("given more than once", {key for key, count in counts.items() if count > 1}),
        *_told("unknown", counts.keys() - wanted),
    ]


def _not_classes(rows: Iterable[tuple[str, str]], classes: int) -> list[str]:
    bad = [answer for _, answer in rows if not _is_class(answer, classes)]
    return [f'{len(bad)} answers are no class_id (first "{bad[0][:40]}")'] if bad else []


def _is_class(answer: str, classes: int) -> bool:
    # float, since int refuses thousands of digits and float only finds them large
    return answer.isascii() and answer.isdigit() and float(answer) < classes


def _told(what: str, keys: set[str]) -> list[str]:
    if not keys:
        return []
    first = ", ".join(key[:40] for key in sorted(keys, key=lambda key: (len(key), key))[:3])
    return [f"{len(keys)} Id{'s' if len(keys) > 1 else ''} {what} (first {first})"]
