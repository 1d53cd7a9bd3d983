"""How sure a difference between two models is: both scored on the same test sheets, drawn again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from naflora_etl.learning.releases import Integers

ROUNDS = 1000
Measure = Callable[[Integers, Integers], float]
"""From (truth, predicted) to a number."""


@dataclass(frozen=True)
class Difference:
    """B against A on the same sheets."""

    measure: str
    a: float
    b: float
    low: float
    """Of the 95 % interval of b - a."""
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out nothing at all."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        interval = f"95 % {self.low:+.4f} to {self.high:+.4f}"
        return f"{self.measure}: {self.a:.4f} -> {self.b:.4f}, {self.b - self.a:+.4f} ({interval})"


def macro_f1(truth: Integers, predicted: Integers) -> float:
    """Return the mean of F1 over the classes of `truth`."""
    number = int(max(truth.max(), predicted.max())) + 1
    hits = np.bincount(truth[truth == predicted], minlength=number)
    support, answers = np.bincount(truth, minlength=number), np.bincount(predicted, minlength=number)
    f1 = 2 * hits / np.maximum(support + answers, 1)
    return float(f1[support > 0].mean())


def accuracy(truth: Integers, predicted: Integers) -> float:
    """Return the share of right answers."""
    return float((truth == predicted).mean())


def compare_paired(
    truth: Integers, a: Integers, b: Integers, *, measure: Measure, name: str, rounds: int = ROUNDS, seed: int = 1
) -> Difference:
    """Return b - a with its percentile bootstrap interval: sheets are drawn within each class, so none falls out."""
    random = np.random.default_rng(seed)
    by_class = [np.flatnonzero(truth == label) for label in np.unique(truth)]
    differences: npt.NDArray[np.float64] = np.empty(rounds)
    for number in range(rounds):
        drawn = np.concatenate([places[random.integers(0, len(places), len(places))] for places in by_class])
        differences[number] = measure(truth[drawn], b[drawn]) - measure(truth[drawn], a[drawn])
    low, high = np.quantile(differences, [0.025, 0.975])
    return Difference(name, measure(truth, a), measure(truth, b), float(low), float(high))
