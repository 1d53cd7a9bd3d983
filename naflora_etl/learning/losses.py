"""Losses: cross entropy plain, class-balanced, Seesaw or ArcFace on species; genus, family and distance added to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from naflora_etl.learning.options import LossOptions
from naflora_etl.learning.releases import Classes, Integers, Rank

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From outputs (B x classes, with rank heads the genera and families behind) and class_ids (B, or B x classes when
sheets were mixed) to their mean loss, float32."""
SEESAW_EPS = 0.01


@dataclass(frozen=True)
class Problem:
    """What a loss may know of the classes."""

    counts: Integers
    """Training images of each class, all above 0."""
    classes: Classes | None = None
    """Only the losses of ranks and distances need them."""
    distances: npt.NDArray[np.float64] | None = None
    """Between classes, classes x classes; only where distance_weight is above 0."""


def make_loss(options: LossOptions, problem: Problem, device: torch.device, *, scale: float = 64.0) -> Loss:
    """Return the loss that the options describe; `scale` is that of the sub_center head, for arcface."""
    species = _species_loss(options, problem.counts, device, scale)
    more: list[Loss] = []
    ranks: tuple[tuple[Rank, float], ...] = (("genus", options.genus_weight), ("family", options.family_weight))
    if problem.classes is not None:
        more += [_rank_loss(options, problem.classes, rank, weight, device) for rank, weight in ranks if weight]
    if options.distance_weight and problem.distances is not None:
        more.append(_distance_loss(problem.distances, options.distance_weight, device))
    number = len(problem.counts)

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        outputs = outputs.float()
        total = species(outputs[:, :number], labels)
        for part in more:
            total = total + part(outputs, labels)
        return total

    return loss


def _species_loss(options: LossOptions, counts: Integers, device: torch.device, scale: float) -> Loss:
    smoothing = options.smoothing
    if options.name == "ce":
        return lambda logits, labels: functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    if options.name == "class_balanced":
        weights = class_balanced_weights(counts, options.beta, options.weight_decimals)
        return _class_balanced(torch.from_numpy(weights).float().to(device), options)
    if options.name == "seesaw":
        log_counts = torch.from_numpy(np.log(counts)).float().to(device)
        return lambda logits, labels: functional.cross_entropy(
            logits + seesaw_terms(logits.detach(), labels, log_counts, p=options.seesaw_p, q=options.seesaw_q),
            labels,
            label_smoothing=smoothing,
        )
    margin = math.radians(options.margin_deg)
    return lambda logits, labels: functional.cross_entropy(
        scale * add_margin(logits / scale, labels, margin), labels, label_smoothing=smoothing
    )


def _class_balanced(weights: torch.Tensor, options: LossOptions) -> Loss:
    def class_balanced(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if options.weighting == "target":
            return functional.cross_entropy(logits, labels, weights, label_smoothing=options.smoothing)
        # cross_entropy's own `weight` divides by the sum of weights and weighs each smoothed target apart; Keras, and
        # with it the published script, multiplies the loss of a sample and divides by the batch
        each = functional.cross_entropy(logits, labels, label_smoothing=options.smoothing, reduction="none")
        return (each * (weights[labels] if labels.ndim == 1 else labels @ weights)).mean()

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


def seesaw_terms(
    logits: torch.Tensor, labels: torch.Tensor, log_counts: torch.Tensor, *, p: float, q: float
) -> torch.Tensor:
    """Return what Seesaw adds to the logits (B x classes): the logarithm of mitigation times compensation.

    Of a sample of class i, the logit of class j gets p log(N_j / N_i) where j is rarer, and q log(s_j / s_i) where j is
    thought likelier (Wang et al. 2021, equations 4 to 6). N are the counts of the training part: what the original's
    running counts come to.
    """
    rarer = log_counts[None] - log_counts[labels][:, None]
    scores = logits.softmax(1)
    own = scores.gather(1, labels[:, None]).clamp(min=SEESAW_EPS)
    likelier = (scores.clamp(min=torch.finfo(scores.dtype).tiny) / own).log()
    terms = p * rarer.clamp(max=0) + q * likelier.clamp(min=0)
    return terms.scatter(1, labels[:, None], 0.0)


def add_margin(cosines: torch.Tensor, labels: torch.Tensor, margin: float) -> torch.Tensor:
    """Return the cosines (B x classes) with `margin` radians added to the angle of the true class (ArcFace).

    Beyond 180 degrees, where the cosine would rise again, it goes on falling by a line (Deng et al. 2019).
    """
    own = cosines.gather(1, labels[:, None]).clamp(-1 + 1e-7, 1 - 1e-7)
    turned = (own.acos() + margin).cos()
    turned = torch.where(own > math.cos(math.pi - margin), turned, own - margin * math.sin(margin))
    return cosines.scatter(1, labels[:, None], turned)


def _rank_loss(options: LossOptions, classes: Classes, rank: Rank, weight: float, device: torch.device) -> Loss:
    groups = torch.from_numpy(classes.groups(rank)).to(device)
    number, species = int(groups.max()) + 1, len(classes)
    begin = species if rank == "genus" else species + len(set(classes.genus))

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        truth = groups[labels]
        if outputs.shape[1] > species:  # heads of their own
            logits = outputs[:, begin : begin + number]
            return weight * functional.cross_entropy(logits, truth, label_smoothing=options.smoothing)
        return weight * functional.nll_loss(roll_up(outputs.softmax(1), groups, number).clamp(min=1e-12).log(), truth)

    return loss


def roll_up(odds: torch.Tensor, groups: torch.Tensor, number: int) -> torch.Tensor:
    """Return the odds of `number` groups, B x groups: each the sum over its classes."""
    return odds.new_zeros(len(odds), number).index_add_(1, groups, odds)


def _distance_loss(distances: npt.NDArray[np.float64], weight: float, device: torch.device) -> Loss:
    table = torch.from_numpy(distances).float().to(device)

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        odds = outputs[:, : len(table)].softmax(1)
        return weight * (odds * table[labels]).sum(1).mean()

    return loss
