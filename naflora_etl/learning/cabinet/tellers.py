"""Who tells what a sheet is: a run, by torch, or an exported model, without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from naflora_etl.learning.cabinet.calibration import Floats
from naflora_etl.learning.cabinet.exported import read_exported
from naflora_etl.learning.cabinet.heldout import BATCH, read_sheets
from naflora_etl.learning.cabinet.inference import Classifier
from naflora_etl.learning.cabinet.review import Tell
from naflora_etl.learning.releases import Classes, Part


def open_teller(path: Path) -> tuple[str, Classes, Tell]:
    """Return the name, the classes and the voice of a run or of an exported model; raises Fault for neither."""
    if (path / "model.json").is_file():
        exported = read_exported(path)
        classifier = Classifier(exported)

        def by_onnx(part: Part) -> Iterator[Floats]:
            for start in range(0, len(part), BATCH):
                sheets = read_sheets(part, range(start, min(start + BATCH, len(part))), exported.data)
                yield classifier.calibrated(sheets)

        return exported.title, exported.classes(), by_onnx
    return _open_run(path)


def _open_run(path: Path) -> tuple[str, Classes, Tell]:
    import torch

    from naflora_etl.learning.data import SheetDataset, plain_batches
    from naflora_etl.learning.devices import device_for_answers, settled
    from naflora_etl.learning.runs import Run

    run = Run.open(path)
    recipe, classes = run.recipe(), run.classes()

    def by_torch(part: Part) -> Iterator[Floats]:
        device = device_for_answers(recipe.loop)
        dataset = SheetDataset(part, recipe.data)
        batches = plain_batches(dataset, batch=recipe.loop.batch, workers=recipe.loop.workers)
        with settled(recipe.loop, device), torch.inference_mode(), closing(dataset), closing(batches):
            model = run.load_model().to(device).eval()
            for images, _ in batches:
                yield np.asarray(model(images.to(device)).float().softmax(dim=-1).cpu().numpy(), np.float64)

    return f"{recipe.name} ({path.resolve().name})", classes, by_torch
