"""What the towers are taught by: the loss; the optimiser and its rate, a linear warm-up, then half a cosine to zero."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from naflora_etl.learning.contrast.recipe import AdamOptions
from naflora_etl.learning.contrast.towers import Towers, import_open_clip
from naflora_etl.learning.distributed import World

HIGHEST_SCALE = math.log(100)
"""CLIP's bound on the learnt scale."""


def pair_loss(images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor, world: World) -> torch.Tensor:
    """Return CLIP's loss of this process's pairs, B x D unit vectors each, told apart from those of all processes.

    The mean over the processes is open_clip's ClipLoss of all pairs at once, and so is that of the gradients.
    """
    if world.size == 1:
        loss: torch.Tensor = import_open_clip().ClipLoss()(images, texts, scale)
        return loss
    right = torch.arange(len(images), device=images.device) + world.rank * len(images)
    of_images = scale * images @ world.gathered(texts).T
    of_texts = scale * texts @ world.gathered(images).T
    return (functional.cross_entropy(of_images, right) + functional.cross_entropy(of_texts, right)) / 2


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
