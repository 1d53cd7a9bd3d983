"""Predict a part of a release with a run: straight, by five crops, or by many random crops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.learning.data import SheetDataset, plain_batches
from naflora_etl.learning.devices import autocast, device_for_answers, settled
from naflora_etl.learning.models import SheetClassifier
from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.predictions import KEPT, Floats, Predictions, keep_likeliest
from naflora_etl.learning.recipe import LearnRecipe
from naflora_etl.learning.releases import Part, check_same_species, open_release
from naflora_etl.learning.runs import Run
from naflora_etl.learning.warp import STRAIGHT, View

CORNERS = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
FIVE_CROP_AREA = 0.766  # a side of 0.875, the share that ImageNet's evaluation keeps


@dataclass(frozen=True)
class Looks:
    """The views of a sheet that are predicted, and of how many of them, the surest, the odds are added up."""

    views: tuple[View, ...] = (STRAIGHT,)
    best: int | None = None

    @classmethod
    def read(cls, text: str, data: DataOptions) -> Looks:
        """Read none, five-crop, or rrc:N[:topK] (N random crops, the K surest count); raises Fault."""
        if text == "none":
            return cls()
        if text == "five-crop":
            return cls(tuple(View(area=FIVE_CROP_AREA, x=x, y=y) for x, y in CORNERS))
        match = re.fullmatch(r"rrc:([1-9]\d{0,3})(?::top([1-9]\d{0,3}))?", text)
        if not match:
            raise Fault(f"--tta {text} is not known; take none, five-crop, or rrc:N:topK as in rrc:100:top5.")
        number, best = int(match[1]), int(match[2]) if match[2] else None
        random = np.random.default_rng(0)
        least = min(data.crop_area, 0.25) if data.crop_area == 1 else data.crop_area
        views = (
            View(least + (1 - least) * a, x, y, bool(data.flip and m < 0.5))
            for a, x, y, m in random.random((number, 4))
        )
        return cls(tuple(views), min(best, number) if best else None)


def predict_run(
    run: Path,
    release: Path,
    *,
    part: Literal["train", "test"] = "test",
    tta: str = "none",
    kept: int = KEPT,
    progress: Progress | None = None,
) -> Predictions:
    """Return the predictions of the last checkpoint of `run` on a part of `release`.

    Raises Fault for a run or release that cannot be used, and where they do not have the same classes.
    """
    folder = Run.open(Path(run))
    recipe, opened = folder.recipe(), open_release(release)
    check_same_species(folder.classes().species, opened.classes.species, str(folder.folder), str(opened.folder))
    sheets = opened.part(part)
    if not len(sheets):
        raise Fault(f"{release} has no {part} images, so there is nothing to evaluate on.")
    device = device_for_answers(recipe.loop)
    looks = Looks.read(tta, recipe.data)
    told: dict[str, object] = {"run": str(run), "release": opened.digest, "part": part, "tta": tta}
    with settled(recipe.loop, device):
        model = folder.load_model().to(device)
        found = [keep_likeliest(odds, kept) for odds in predict_odds(model, sheets, recipe, looks, progress)]
    ids, odds = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return Predictions(sheets.image_keys, ids, odds, opened.classes.species, told)


def predict_odds(
    model: SheetClassifier, part: Part, recipe: LearnRecipe, looks: Looks, progress: Progress | None = None
) -> Iterator[Floats]:
    """Yield the logarithms of the odds, batch x classes, sheet by sheet in the order of the part."""
    loop, device = recipe.loop, next(model.parameters()).device
    dataset = SheetDataset(part, recipe.data)
    model.eval()
    number = len(looks.views)
    done = 0
    batches = plain_batches(dataset, batch=max(1, loop.batch // number), workers=loop.workers, views=looks.views)
    with torch.inference_mode(), closing(dataset), closing(batches):
        for images, _ in batches:
            with autocast(loop, device):
                logits = model(images.to(device))[:, : model.classes]
            odds = logits.float().softmax(1).view(-1, number, model.classes)
            yield _joined(odds, looks.best).clamp(min=1e-38).log().cpu().numpy()
            done += len(odds)
            if progress:
                progress(done, len(part))


def _joined(odds: torch.Tensor, best: int | None) -> torch.Tensor:
    """Return the mean odds of the views, B x classes, or of the `best` that are surest of one class."""
    if best is not None:
        surest = odds.amax(2).topk(best, dim=1).indices
        odds = odds.gather(1, surest[:, :, None].expand(-1, -1, odds.shape[2]))
    return odds.mean(1)
