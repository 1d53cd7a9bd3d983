"""One set of predictions out of several, and predictions that answer for how rare a class is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.predictions import KEPT, Floats, Predictions, keep_likeliest
from naflora_etl.learning.releases import Integers, check_same_species

LOST = 1e-12
"""Odds that a class which was not kept counts for where the kept ones sum to 1."""


def join_predictions(
    several: Sequence[Predictions],
    *,
    weights: Sequence[float] | None = None,
    mean: Literal["odds", "log-odds"] = "odds",
    kept: int = KEPT,
) -> Predictions:
    """Return the mean of several models' odds, or of their logarithms, weighed (by validation F1, say).

    A class that a model did not keep gets an even share of the odds it left. Raises Fault for models of other classes
    or sheets, and for weights that do not fit.
    """
    first = several[0]
    shares = np.ones(len(several)) if weights is None or not len(weights) else np.array(weights, dtype=float)
    if len(shares) != len(several) or (shares < 0).any() or not 0 < shares.sum() < np.inf:
        raise Fault(
            f"{len(shares)} weights for {len(several)} predictions; give one each, finite, none below 0, not all 0."
        )
    for other in several[1:]:
        check_same_species(first.classes, other.classes, "the first predictions", "another")
        if set(other.image_keys) != set(first.image_keys):
            raise Fault("the predictions are not of the same images; predict the same part of the same release.")
    places = [{key: place for place, key in enumerate(other.image_keys)} for other in several]
    found = []
    step = max(1, 20_000_000 // len(first.classes))
    for begin in range(0, len(first), step):
        keys = first.image_keys[begin : begin + step]
        total = np.zeros((len(keys), len(first.classes)), np.float32)
        for other, place, share in zip(several, places, shares / shares.sum(), strict=True):
            odds = spread_odds(other, [place[key] for key in keys])
            total += share * (odds if mean == "odds" else np.log(odds))
        if mean == "odds":
            total = np.log(total)
        total -= np.logaddexp.reduce(total, axis=1, keepdims=True)
        found.append(keep_likeliest(total, kept))
    ids, log_odds = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    told = {"joined": [other.told for other in several], "weights": shares.tolist(), "mean": mean}
    return Predictions(first.image_keys, ids, log_odds, first.classes, told)


def weigh_by_rarity(predictions: Predictions, train_counts: Integers, tau: float) -> Predictions:
    """Return the predictions with each class's odds divided by its training images to the power `tau`.

    tau 0 changes nothing; 1 is the second team's of Herbarium 2022, logit adjustment (Menon et al. 2021) after the
    fact. Only the kept classes can come to the front.
    """
    if not tau:
        return predictions
    adjusted = predictions.log_odds - tau * np.log(train_counts)[predictions.class_ids].astype(np.float32)
    left = np.maximum(1 - np.exp(predictions.log_odds).sum(1, keepdims=True), 0)
    # what was not kept is as rare as the mean class
    rest = np.log(np.maximum(left, LOST)) - tau * np.log(train_counts).mean()
    adjusted -= np.logaddexp(np.logaddexp.reduce(adjusted, axis=1, keepdims=True), rest)
    order = np.argsort(-adjusted, axis=1, kind="stable")
    return Predictions(
        predictions.image_keys,
        np.take_along_axis(predictions.class_ids, order, 1),
        np.take_along_axis(adjusted, order, 1).astype(np.float32),
        predictions.classes,
        {**predictions.told, "rarity_tau": tau},
    )


def spread_odds(predictions: Predictions, rows: Sequence[int]) -> Floats:
    """Return the odds of all classes, rows x classes; what was not kept shares evenly what the kept ones left."""
    ids, odds = predictions.class_ids[rows], np.exp(predictions.log_odds[rows])
    others = len(predictions.classes) - ids.shape[1]
    left = np.maximum(1 - odds.sum(1, keepdims=True), 0) / max(others, 1)
    full = np.repeat(np.maximum(left, LOST), len(predictions.classes), axis=1)
    np.put_along_axis(full, ids, np.maximum(odds, LOST), 1)
    return full.astype(np.float32)
