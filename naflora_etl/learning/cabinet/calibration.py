"""Honest probabilities: a temperature, and sets of species that hold the right one as often as they promise.

Both work on the probabilities that a model gives, since softmax(logits / T) is p ** (1 / T), normalised.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from naflora_etl.learning.releases import Integers

Floats = npt.NDArray[np.float64]
COVERAGES = (0.8, 0.9, 0.95, 0.99)
LEAST = 1e-30
"""Below every float32 softmax that means anything; keeps the logarithm finite."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted on held-out sheets, and what it was worth on the half that each fit had not seen."""

    sheets: int
    temperature: float
    thresholds: dict[str, float]
    """By promised coverage ("0.9"): the least probability with which a species still stands in a set."""
    measured: dict[str, dict[str, float]]
    """By promised coverage: `coverage` and mean `species` of a set, by two-fold fitting on the same sheets."""
    ece_before: float
    ece_after: float
    """Expected calibration error, 10 bins, before and (two-fold) after the temperature."""

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)


def soften(probabilities: Floats, temperature: float) -> Floats:
    """Return the probabilities, sheets x classes, at a temperature: over 1 more doubtful, below 1 more certain."""
    logs = np.log(np.maximum(probabilities, LEAST)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: Floats, truth: Integers) -> float:
    """Return the temperature with the least mean log loss (Guo et al. 2017), between 1/20 and 20.

    The loss is convex in 1 / T, so a golden section finds it.
    """
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        true = soften(probabilities, math.exp(log_temperature))[rows, truth]
        return float(-np.log(np.maximum(true, LEAST)).mean())

    low, high, share = math.log(1 / 20), math.log(20), (math.sqrt(5) - 1) / 2
    left, right = high - share * (high - low), low + share * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-6:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - share * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + share * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)


def fit_threshold(probabilities: Floats, truth: Integers, coverage: float) -> float:
    """Return the least probability with which a species stands in a set, so that `coverage` of sets hold the true one.

    Split conformal prediction with the score 1 - p(true) (Sadinle et al. 2019): of n sorted scores the one at
    ceil((n + 1) * coverage), which promises the coverage for sheets like these; 0, all species, where n is too small.
    """
    scores = np.sort(1 - probabilities[np.arange(len(truth)), truth])
    place = math.ceil((len(scores) + 1) * coverage)
    return float(1 - scores[place - 1]) if place <= len(scores) else 0.0


def in_sets(probabilities: Floats, threshold: float) -> npt.NDArray[np.bool_]:
    """Return, sheets x classes, what stands in each set; the likeliest always does, so that no set is empty.

    Leaving species out beforehand and normalising the rest only raises the others: a set keeps the true one.
    """
    held = probabilities >= threshold
    held[np.arange(len(held)), probabilities.argmax(axis=1)] = True
    return np.asarray(held)


def calibration_error(probabilities: Floats, truth: Integers, bins: int = 10) -> float:
    """Return the expected calibration error: |accuracy - confidence| of equal bins of confidence, by their share."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(number, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def calibrate(probabilities: Floats, truth: Integers, half: npt.NDArray[np.bool_]) -> Calibration:
    """Fit on all sheets, and measure two-fold: on each half, what was fitted on the other."""
    softened = np.empty_like(probabilities)
    held = {coverage: np.zeros(probabilities.shape, np.bool_) for coverage in COVERAGES}
    for fit, see in ((half, ~half), (~half, half)):
        temperature = fit_temperature(probabilities[fit], truth[fit])
        softened[see] = soften(probabilities[see], temperature)
        fitted = soften(probabilities[fit], temperature)
        for coverage, sets in held.items():
            sets[see] = in_sets(softened[see], fit_threshold(fitted, truth[fit], coverage))
    temperature = fit_temperature(probabilities, truth)
    final, rows = soften(probabilities, temperature), np.arange(len(truth))
    return Calibration(
        sheets=len(truth),
        temperature=temperature,
        thresholds={str(coverage): fit_threshold(final, truth, coverage) for coverage in COVERAGES},
        measured={
            str(coverage): {"coverage": float(sets[rows, truth].mean()), "species": float(sets.sum(axis=1).mean())}
            for coverage, sets in held.items()
        },
        ece_before=calibration_error(probabilities, truth),
        ece_after=calibration_error(softened, truth),
    )
