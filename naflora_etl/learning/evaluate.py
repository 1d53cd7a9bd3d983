"""Evaluate a run on the test part of a release."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.data import SheetDataset, plain_batches
from naflora_etl.learning.devices import autocast, choose_device, settled
from naflora_etl.learning.metrics import Score, score_predictions
from naflora_etl.learning.models import SheetClassifier
from naflora_etl.learning.recipe import LearnRecipe
from naflora_etl.learning.releases import Integers, Part, check_same_classes, open_release
from naflora_etl.learning.runs import Run


@dataclass(frozen=True)
class Evaluation(Score):
    """The score of a run; evaluation.json holds the same, its `ranks` are rows under schemas/evaluation.json."""

    top_k: int
    """As asked for, or the number of classes where that is less."""
    top_k_accuracy: float
    """Share of test images whose class is among the k likeliest."""

    def __str__(self) -> str:
        return f"{super().__str__()}\nspecies  among the {self.top_k} likeliest: {self.top_k_accuracy:.2%}"


def evaluate_run(
    run: Path, release: Path, *, out: Path | None = None, top_k: int = 5, progress: Progress | None = None
) -> Evaluation:
    """Predict the test part of `release` with the last checkpoint of `run`, and score it.

    Writes evaluation.json and submission.csv (`Id,Predicted`: image_id, class_id) into `out`, or into the run. Raises
    Fault for a run or a release that cannot be used, and where they do not have the same classes.
    """
    folder = Run.open(Path(run))
    recipe = folder.recipe()
    opened = open_release(release)
    check_same_classes(folder.classes(), opened.classes, run=folder.folder, release=opened.folder)
    part = opened.part("test")
    if not len(part):
        raise Fault(f"{release} has no test images, so there is nothing to evaluate on.")
    device = choose_device(recipe.loop)
    with settled(recipe.loop, device):
        model = folder.load_model().to(device)
        ranked = rank_classes(model, part, recipe, k=max(1, top_k), progress=progress or Progress())
    score = score_predictions(part.class_ids, ranked[:, 0], opened.classes)
    evaluation = Evaluation(
        images=score.images,
        top1=score.top1,
        chance=score.chance,
        ranks=score.ranks,
        top_k=ranked.shape[1],
        top_k_accuracy=float((ranked == part.class_ids[:, None]).any(axis=1).mean()),
    )
    target = Workspace(str(out or folder.folder))
    target.write("submission.csv", _submission(part, ranked[:, 0]))
    Run(Path(out or folder.folder)).write_json("evaluation.json", evaluation.as_dict())
    return evaluation


def rank_classes(model: SheetClassifier, part: Part, recipe: LearnRecipe, *, k: int, progress: Progress) -> Integers:
    """Return the k likeliest class_ids of each sheet, the likeliest first: sheets x k (or x classes, when fewer)."""
    loop, device = recipe.loop, next(model.parameters()).device
    dataset = SheetDataset(part, recipe.data)
    model.eval()
    ranked: list[torch.Tensor] = []
    done = 0
    batches = plain_batches(dataset, batch=loop.batch, workers=loop.workers)
    with torch.inference_mode(), closing(dataset), closing(batches):
        for images, _ in batches:
            with autocast(loop, device):
                logits = model(images.to(device)).float()[:, : model.classes]
            ranked.append(logits.topk(min(k, logits.shape[1])).indices.cpu())
            done += len(images)
            progress(done, len(part))
    return np.asarray(torch.cat(ranked).numpy())


def _submission(part: Part, predicted: Integers) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Id", "Predicted"])
    writer.writerows(zip(part.image_ids, predicted.tolist(), strict=True))
    return text.getvalue().encode()
