"""Macro-F1 and accuracy at three ranks, from species predictions alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from naflora_etl.learning.releases import RANKS, Classes, Integers, Rank


@dataclass(frozen=True)
class RankScore:
    """A row of an evaluation: how well one rank was told."""

    rank: Rank
    images: int
    accuracy: float
    macro_f1: float
    """Mean of F1 over the classes that have test images; the one we mean by macro-F1."""
    classes: int
    """Classes that have test images."""
    macro_f1_seen: float
    """Mean of F1 over classes that have test images or were predicted (scikit-learn's default)."""
    classes_seen: int
    """Classes that have test images or were predicted."""


@dataclass(frozen=True)
class Score:
    """What a set of predictions is worth."""

    images: int
    top1: float
    chance: float
    """Accuracy of always answering the class with most test images."""
    ranks: tuple[RankScore, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.images} images, top-1 {self.top1:.2%} (always the commonest class: {self.chance:.2%})"]
        for row in self.ranks:
            lines.append(
                f"{row.rank:8} macro-F1 {row.macro_f1:.4f} over the {row.classes} classes with test images "
                f"({row.macro_f1_seen:.4f} over the {row.classes_seen} tested or predicted), "
                f"accuracy {row.accuracy:.2%}"
            )
        return "\n".join(lines)


def score_predictions(truth: Integers, predicted: Integers, classes: Classes | None) -> Score:
    """Return the score of predicted class_ids against the true ones; both not empty.

    They are mapped up to genus and family; without `classes` only the species are scored.
    """
    ranks: tuple[RankScore, ...] = (_score_rank("species", truth, predicted),)
    if classes is not None:
        ranks = tuple(_score_rank(rank, classes.groups(rank)[truth], classes.groups(rank)[predicted]) for rank in RANKS)
    return Score(
        images=len(truth),
        top1=float((truth == predicted).mean()),
        chance=float(np.bincount(truth).max() / len(truth)),
        ranks=ranks,
    )


def _score_rank(rank: Rank, truth: Integers, predicted: Integers) -> RankScore:
    hits, support, answers = count_hits(truth, predicted)
    with_support, seen = support > 0, (support + answers) > 0
    f1 = 2 * hits / np.maximum(support + answers, 1)
    return RankScore(
        rank=rank,
        images=len(truth),
        accuracy=float((truth == predicted).mean()),
        macro_f1=float(f1[with_support].mean()),
        classes=int(with_support.sum()),
        macro_f1_seen=float(f1[seen].mean()),
        classes_seen=int(seen.sum()),
    )


def count_hits(truth: Integers, predicted: Integers) -> tuple[Integers, Integers, Integers]:
    """Return, for each class, how often it was rightly answered, how often it was true, how often it was answered."""
    classes = int(max(truth.max(), predicted.max())) + 1
    right = truth[truth == predicted]
    return (
        np.bincount(right, minlength=classes),
        np.bincount(truth, minlength=classes),
        np.bincount(predicted, minlength=classes),
    )
