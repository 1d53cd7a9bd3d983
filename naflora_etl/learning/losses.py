"""Losses: cross entropy with label smoothing, plain or class-balanced."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from naflora_etl.learning.recipe import LossOptions

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def make_loss(options: LossOptions, class_counts: npt.NDArray[np.int64], device: torch.device) -> Loss:
    """Return a function from (logits B x classes, class_ids B) to their mean loss, always float32."""
    if options.name == "ce":
        return lambda logits, labels: functional.cross_entropy(
            logits.float(), labels, label_smoothing=options.smoothing
        )
    weights = torch.from_numpy(class_balanced_weights(class_counts, options.beta, options.weight_decimals))
    weights = weights.float().to(device)

    def class_balanced(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        # cross_entropy's own `weight` divides by the sum of weights and weighs each smoothed target apart; Keras, and
        # with it the published script, multiplies the loss of a sample and divides by the batch
        each = functional.cross_entropy(logits.float(), labels, label_smoothing=options.smoothing, reduction="none")
        return (each * weights[labels]).mean()

    return class_balanced


def class_balanced_weights(
    class_counts: npt.NDArray[np.int64], beta: float, decimals: int | None = None
) -> npt.NDArray[np.float64]:
    """Return a weight per class, their sum being the number of classes: one over its effective number of images.

    The effective number of n images is (1 - beta^n) / (1 - beta) (Cui et al. 2019, equation 2); every n is above 0.
    """
    weights = (1 - beta) / (1 - np.power(beta, class_counts, dtype=np.float64))
    weights *= len(weights) / weights.sum()
    return weights if decimals is None else weights.round(decimals)
