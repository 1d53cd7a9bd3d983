"""The optimiser of the towers, and its rate: a linear warm-up, then half a cosine to zero."""

from __future__ import annotations

import math

import torch

from naflora_etl.learning.contrast.recipe import AdamOptions
from naflora_etl.learning.contrast.towers import Towers

HIGHEST_SCALE = math.log(100)
"""CLIP's bound on the learnt scale."""


def warm_rate(step: int, steps: int, options: AdamOptions) -> float:
    """Return the rate of step 0, 1 ... steps - 1, as open_clip's trainer has it."""
    if step < options.warmup_steps:
        return options.lr * (step + 1) / options.warmup_steps
    share = (step - options.warmup_steps) / max(1, steps - options.warmup_steps)
    return options.lr * 0.5 * (1 + math.cos(math.pi * share))


def make_adam(options: AdamOptions, towers: Towers) -> torch.optim.AdamW:
    """Return AdamW over what is not locked; vectors and scalars do not decay."""
    weights = [weight for weight in towers.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], options.lr, options.betas, options.eps)


def bound_scale(towers: Towers) -> None:
    """Keep the scale between 1 and 100."""
    with torch.no_grad():
        towers.logit_scale.clamp_(0, HIGHEST_SCALE)
