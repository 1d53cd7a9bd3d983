"""What a frozen backbone makes of every sheet, computed once: the head then learns without a look at an image."""

from __future__ import annotations

from contextlib import closing

import torch

from naflora_etl.engine.progress import Progress
from naflora_etl.learning.data import SheetDataset, plain_batches
from naflora_etl.learning.devices import autocast
from naflora_etl.learning.models import SheetClassifier
from naflora_etl.learning.options import LoopOptions


def compute_features(
    model: SheetClassifier, dataset: SheetDataset, options: LoopOptions, progress: Progress
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return features (sheets x features, float32) and class_ids of all sheets, seen straight, on the CPU.

    Exact for a backbone in evaluation mode and without augmentation; both are so here.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    features, labels = [], []
    batches = plain_batches(dataset, batch=options.batch, workers=options.workers)
    with torch.inference_mode(), closing(batches):
        for images, class_ids in batches:
            with autocast(options, device):
                features.append(model.features(images.to(device)).float().cpu())
            labels.append(class_ids)
            progress(sum(map(len, labels)), len(dataset), "features of the frozen backbone")
    model.train(was_training)
    # clones: a tensor made in inference mode takes no part in learning
    return torch.cat(features).clone(), torch.cat(labels).clone()
