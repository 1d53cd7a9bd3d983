"""What is done to a whole batch on the device: mixup, CutMix and random erasing, all timm's."""

from __future__ import annotations

from typing import Any

import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.augment import borrowed_random
from naflora_etl.learning.models import SheetClassifier
from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.zoo import import_timm


class Mixing:
    """Changes images (B x 3 x H x W uint8, to float of the same range) and labels (B, to B x classes when mixed)."""

    def __init__(self, options: DataOptions, model: SheetClassifier, batch: int) -> None:
        self.mean, self.std = model.mean, model.std
        self.mixup: Any = None
        self.erasing: Any = None
        if options.mixup or options.cutmix:
            if batch % 2:
                raise Fault(f"data.mixup and data.cutmix pair sheets, and a batch here has {batch}; take an even one.")
            import_timm()
            from timm.data.mixup import Mixup

            self.mixup = Mixup(options.mixup, options.cutmix, label_smoothing=0.0, num_classes=model.classes)
        if options.erase_share:
            import_timm()
            from timm.data.random_erasing import RandomErasing

            self.erasing = RandomErasing(options.erase_share, mode="pixel", device=self.mean.device)

    def __call__(
        self, images: torch.Tensor, labels: torch.Tensor, seeds: list[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.mixup is None and self.erasing is None:
            return images, labels
        with borrowed_random(seeds):
            images = images.float()
            if self.mixup is not None:
                images, labels = self.mixup(images, labels)
            if self.erasing is not None:  # its noise is that of normalised images
                images = self.erasing((images - self.mean) / self.std) * self.std + self.mean
        return images, labels
