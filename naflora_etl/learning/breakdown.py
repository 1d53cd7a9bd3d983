"""Where a model is right: by the number of training images, family, genus or institution; analysis of variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from naflora_etl.learning.releases import Integers

Flags = npt.NDArray[np.bool_]
COUNT_EDGES = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)


@dataclass(frozen=True)
class GroupScore:
    """Top-1 accuracy within a group: the mean over its species, each counting once, and the standard error of it."""

    group: str
    species: int
    images: int
    accuracy: float
    """Mean of the species' accuracies."""
    error: float | None
    """Standard error of that mean; None for a single species."""
    image_accuracy: float
    """Share of the group's images that are right."""


@dataclass(frozen=True)
class Variance:
    """One-way analysis of variance of the species' accuracies."""

    of: str
    groups: int
    species: int
    f: float | None
    """None where the species of a group are all alike: no number is as large."""
    p: float
    eta_squared: float
    """Share of the variance that the groups explain."""

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)


def species_accuracy(truth: Integers, right: Flags, classes: int) -> tuple[npt.NDArray[np.float64], Integers]:
    """Return (accuracy of each class, its images); the accuracy of a class without images is nan."""
    images = np.bincount(truth, minlength=classes)
    hits = np.bincount(truth, weights=right, minlength=classes)
    with np.errstate(invalid="ignore"):
        return hits / images, images


def score_groups(truth: Integers, right: Flags, names: Sequence[str]) -> list[GroupScore]:
    """Return a row for each group of classes; `names` has the group of each class. Sorted by accuracy, then name."""
    accuracy, images = species_accuracy(truth, right, len(names))
    rows = []
    for name in sorted(set(names)):
        members = np.array([own == name for own in names]) & (images > 0)
        if members.any():
            rows.append(_group(name, accuracy[members], images[members]))
    return sorted(rows, key=lambda row: (row.accuracy, row.group))


def score_counts(
    truth: Integers, right: Flags, train_counts: Integers, edges: Sequence[int] = COUNT_EDGES
) -> list[GroupScore]:
    """Return a row for each bin of training images, [5, 10), [10, 20) ..., the last without an end (Fig. 3b)."""
    accuracy, images = species_accuracy(truth, right, len(train_counts))
    rows = []
    for low, high in zip(edges, (*edges[1:], np.inf), strict=True):
        members = (train_counts >= low) & (train_counts < high) & (images > 0)
        if members.any():
            name = f"[{low}, {int(high)})" if np.isfinite(high) else f"{low} and more"
            rows.append(_group(name, accuracy[members], images[members]))
    return rows


def score_places(right: Flags, places: Sequence[str | None], truth: Integers) -> list[GroupScore]:
    """Return a row for each institution (or any word an image bears); images without one stand under "unknown"."""
    words = np.array([place or "unknown" for place in places])
    rows = []
    for word in sorted(set(words.tolist())):
        here = words == word
        accuracy, images = species_accuracy(truth[here], right[here], int(truth.max()) + 1)
        rows.append(_group(word, accuracy[images > 0], images[images > 0]))
    return rows


def analyse_variance(truth: Integers, right: Flags, names: Sequence[str], of: str) -> Variance | None:
    """Return the one-way analysis by `names` (the group of each class); a species is one observation.

    None where it cannot be done: fewer than two groups, none with two species, or all species alike.
    """
    accuracy, images = species_accuracy(truth, right, len(names))
    groups = np.array(names)
    samples = [accuracy[(groups == name) & (images > 0)] for name in sorted(set(names))]
    samples = [sample for sample in samples if len(sample)]
    every = np.concatenate(samples) if samples else np.array([])
    spread = ((every - every.mean()) ** 2).sum() if len(every) else 0.0
    if len(samples) < 2 or len(every) <= len(samples) or not spread:
        return None
    within = sum(((sample - sample.mean()) ** 2).sum() for sample in samples)
    freedom = len(samples) - 1, len(every) - len(samples)
    f = float((spread - within) / freedom[0] / (within / freedom[1])) if within else None
    p = 0.0 if f is None else float(stats.f.sf(f, *freedom))
    return Variance(of, len(samples), len(every), f, p, float(1 - within / spread))


def _group(name: str, accuracy: npt.NDArray[np.float64], images: Integers) -> GroupScore:
    error = float(accuracy.std(ddof=1) / np.sqrt(len(accuracy))) if len(accuracy) > 1 else None
    share = float((accuracy * images).sum() / images.sum())
    return GroupScore(name, len(accuracy), int(images.sum()), float(accuracy.mean()), error, share)
