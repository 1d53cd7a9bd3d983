"""The features of a locked image tower, computed once and kept beside the run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from naflora_etl.engine.progress import Progress
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.contrast.towers import Towers
from naflora_etl.learning.data import SheetDataset, plain_batches
from naflora_etl.learning.distributed import World

FILE = "features.safetensors"
ALONE = World()


def cached_features(
    towers: Towers,
    dataset: SheetDataset,
    path: Path,
    *,
    key: str,
    batch: int,
    progress: Progress,
    workers: int = 0,
    world: World = ALONE,
) -> torch.Tensor:
    """Return sheets x D unit vectors, seen straight; from `path`, an earlier call's, where its `key` is the same.

    A cache is exact only without augmentation: a locked tower sees each sheet in one way. Of several processes each
    sees its share, and the first writes.
    """
    if path.is_file():
        try:
            with safe_open(path, "pt") as found:
                if (found.metadata() or {}).get("key") == key:
                    kept: torch.Tensor = found.get_tensor("features")
                    return kept
        except (SafetensorError, OSError):
            pass  # damaged: computed anew
    features = compute_features(towers, dataset, batch=batch, workers=workers, progress=progress, world=world)
    if world.is_first:
        Workspace(str(path.parent)).write(path.name, save({"features": features}, metadata={"key": key}))
    return features


def compute_features(
    towers: Towers, dataset: SheetDataset, *, batch: int, progress: Progress, workers: int = 0, world: World = ALONE
) -> torch.Tensor:
    """Return sheets x D unit vectors of all sheets, on the CPU; the towers are in evaluation mode afterwards."""
    world = world if world.size <= len(dataset) else ALONE  # too few to deal out: each process sees them all
    device, seen, done = towers.mean.device, [], 0
    towers.eval()
    batches = plain_batches(dataset, batch=batch, workers=workers, share=(world.rank, world.size))
    with torch.inference_mode(), closing(batches):
        for images, _ in batches:
            seen.append(towers.see(images.to(device)).float().cpu())
            done += len(images) * world.size
            progress(min(done, len(dataset)), len(dataset), "features")
    return world.together(torch.cat(seen).clone().to(device), len(dataset)).cpu()
