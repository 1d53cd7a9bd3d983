"""Heads: what stands between the features of a backbone and the logits."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from naflora_etl.learning.options import ModelOptions


def make_head(options: ModelOptions, features: int, classes: int, more_ranks: tuple[int, ...] = ()) -> nn.Module:
    """Return the head of the species, with a linear head for each of `more_ranks` (genera, families) beside it."""
    species = _species_head(options, features, classes)
    if not more_ranks:
        return species
    return RankHeads(species, [nn.Linear(features, number) for number in more_ranks])


def _species_head(options: ModelOptions, features: int, classes: int) -> nn.Module:
    if options.head == "sub_center":
        return SubCenters(features, classes, centers=options.centers, scale=options.scale)
    if options.head == "linear":
        return nn.Sequential(nn.Dropout(options.dropout), nn.Linear(features, classes))
    return nn.Sequential(  # the published script's
        nn.Dropout(options.dropout),
        nn.Linear(features, 1024),
        nn.ReLU(),
        nn.Dropout(options.dropout),
        nn.Linear(1024, classes),
    )


class RankHeads(nn.Module):
    """Logits of species, genera and families from the same features, one behind the other."""

    def __init__(self, species: nn.Module, others: list[nn.Linear]) -> None:
        super().__init__()
        self.species = species
        self.others = nn.ModuleList(others)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.species(features), *(head(features) for head in self.others)], dim=1)


class SubCenters(nn.Module):
    """The cosine to the nearest of several centres a class, times `scale` (sub-center ArcFace, Deng et al. 2020).

    The margin is the loss's; without it these are the logits of a prediction.
    """

    def __init__(self, features: int, classes: int, *, centers: int, scale: float) -> None:
        super().__init__()
        self.classes, self.centers, self.scale = classes, centers, scale
        self.weight = nn.Parameter(torch.empty(classes * centers, features))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        # a cosine in half precision has three digits, and the scale multiplies its error
        with torch.autocast(features.device.type, enabled=False):
            cosines = functional.normalize(features.float()) @ functional.normalize(self.weight).T
        return self.scale * cosines.view(-1, self.classes, self.centers).amax(2)
