"""Train a model on a release: the loop, on a page."""

from __future__ import annotations

import math
import platform
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.learning.data import SheetDataset, steps_per_epoch, training_batches
from naflora_etl.learning.devices import choose_device, seed_step, settled
from naflora_etl.learning.losses import Loss, make_loss
from naflora_etl.learning.models import count_parameters, make_model
from naflora_etl.learning.optim import highest_rate, make_optimiser, rate_at
from naflora_etl.learning.recipe import LearnRecipe
from naflora_etl.learning.releases import Classes, Integers, Part, open_release
from naflora_etl.learning.runs import Run
from naflora_etl.learning.warp import sheet_shape
from naflora_etl.learning.watch import Watch
from naflora_etl.learning.zoo import import_timm


@dataclass(frozen=True)
class TrainResult:
    """What a call of train reached; metrics.json holds the same."""

    run: str
    arch: str
    classes: int
    sheets: int
    parameters: int
    """Trainable ones."""
    steps: int
    total_steps: int
    epochs: float
    loss: float | None
    """Mean over the last logged steps; None before the first."""
    seconds: float
    """Of all calls together, without the start-up."""
    images_per_second: float | None
    """Of all calls together; None before the first step."""
    device: str
    torch: str
    timm: str

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done."""
        return self.steps == self.total_steps

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)

    def __str__(self) -> str:
        loss = "" if self.loss is None else f", loss {self.loss:.3f}"
        speed = "" if self.images_per_second is None else f", {self.images_per_second:.0f} images/s on {self.device}"
        rest = "" if self.is_finished else f" of {self.total_steps}; go on with --resume"
        return (
            f"{self.run}: {self.arch} ({self.parameters:,} parameters), {self.sheets} sheets of {self.classes} "
            f"classes, {self.epochs:.3g} epochs{loss}, {self.seconds:.0f} s{speed}; at step {self.steps}{rest}."
        )


def train(
    release: Path,
    *,
    recipe: LearnRecipe,
    out: Path,
    resume: bool = False,
    progress: Progress | None = None,
    stop_after_steps: int | None = None,
) -> TrainResult:
    """Train by `recipe` on the training part of `release`, into the run folder `out`.

    `resume` goes on from the last checkpoint of `out` (or begins, when there is none); on the CPU it ends with the
    very bits of an undisturbed run. `stop_after_steps` ends this call early, with a checkpoint. Raises Fault for a
    release or a folder that cannot be used, and for a loss that is no number any more; the last checkpoint then stands.
    """
    opened = open_release(release)
    part = opened.part("train")
    counts = count_classes(part, opened.classes)
    device = choose_device(recipe.loop)
    with settled(recipe.loop, device):
        shape, normalize = sheet_shape(recipe.data), recipe.data.normalize
        model = make_model(recipe.model, len(counts), shape=shape, normalize=normalize).to(device)
        run = Run.begin(Path(out), recipe, opened, resume=resume)
        criterion = make_loss(recipe.loss, counts, device)
        with closing(SheetDataset(part, recipe.data)) as dataset:
            reached = _loop(run, recipe, model, criterion, dataset, progress or Progress(), stop_after_steps)
    result = _summarise(run, recipe, model, dataset, reached)
    run.write_json("metrics.json", {**result.as_dict(), "platform": platform.platform()})
    return result


def count_classes(part: Part, classes: Classes) -> Integers:
    """Return the training images of each class; raises Fault when one has none, since it could not be learnt."""
    counts = np.bincount(part.class_ids, minlength=len(classes))
    without = np.flatnonzero(counts == 0)
    if len(without):
        raise Fault(
            f"{part.folder}: {len(without)} of {len(classes)} classes have no training image, first "
            f"{classes.species[without[0]]}; build the release with split.min_train of at least 1."
        )
    return counts


@dataclass
class Reached:
    """How far a training is."""

    step: int = 0
    total: int = 0
    loss: float | None = None
    seconds: float = 0.0


def _loop(
    run: Run,
    recipe: LearnRecipe,
    model: nn.Module,
    criterion: Loss,
    dataset: SheetDataset,
    progress: Progress,
    stop_after_steps: int | None,
) -> Reached:
    loop, device = recipe.loop, next(model.parameters()).device
    batch = min(loop.batch, len(dataset))
    an_epoch = steps_per_epoch(len(dataset), batch)
    save_every = loop.checkpoint_steps or an_epoch
    optimiser = make_optimiser(recipe.optimiser, model)
    highest = highest_rate(recipe.optimiser, batch)

    reached = Reached(total=loop.epochs * an_epoch)
    _restore(run, model, optimiser, reached)
    start = reached.step
    end = reached.total if stop_after_steps is None else min(reached.total, start + stop_after_steps)

    model.train()
    steps = range(start, end)
    batches = training_batches(dataset, batch=batch, seed=loop.seed, steps=steps, workers=loop.workers)
    watch = Watch(batch)
    with run.logging(start) as log, closing(batches):
        for step in steps:
            with watch.waiting():
                images, labels = next(batches)
            seed_step(loop.seed, step)
            rate = rate_at(step, reached.total, highest, recipe.schedule)
            for group in optimiser.param_groups:
                group["lr"] = rate
            with torch.autocast(device.type, torch.bfloat16, enabled=loop.precision == "bfloat16"):
                logits = model(images.to(device, non_blocking=True))
            loss = criterion(logits, labels.to(device, non_blocking=True))
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            watch.add(loss)

            reached.step = step + 1
            is_due = reached.step == end or reached.step % save_every == 0
            if is_due or reached.step % loop.log_steps == 0:
                row = watch.read()
                reached.loss, reached.seconds = row["loss"], reached.seconds + row.pop("seconds")
                if not math.isfinite(row["loss"]) or (is_due and not _is_finite(model)):
                    raise Fault(_told_not_a_number(run, reached.step, rate))
                log.write({"step": reached.step, "epoch": step // an_epoch + 1, "lr": rate, **row})
            if is_due:
                _keep(run, model, optimiser, reached)
            progress(reached.step, reached.total, watch.note)
    return reached


def _restore(run: Run, model: nn.Module, optimiser: torch.optim.Optimizer, reached: Reached) -> None:
    if state := run.read_checkpoint():
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        reached.step, reached.loss, reached.seconds = state["step"], state["loss"], state["seconds"]


def _keep(run: Run, model: nn.Module, optimiser: torch.optim.Optimizer, reached: Reached) -> None:
    states = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
    run.save_checkpoint({**states, "step": reached.step, "loss": reached.loss, "seconds": reached.seconds})


def _summarise(run: Run, recipe: LearnRecipe, model: nn.Module, dataset: SheetDataset, reached: Reached) -> TrainResult:
    batch = min(recipe.loop.batch, len(dataset))
    on_gpu = next(model.parameters()).device.type == "cuda"
    return TrainResult(
        run=str(run.folder),
        arch=recipe.model.arch,
        classes=len(run.classes()),
        sheets=len(dataset),
        parameters=count_parameters(model)[0],
        steps=reached.step,
        total_steps=reached.total,
        epochs=reached.step / steps_per_epoch(len(dataset), batch),
        loss=reached.loss,
        seconds=reached.seconds,
        images_per_second=reached.step * batch / reached.seconds if reached.seconds else None,
        device=torch.cuda.get_device_name() if on_gpu else "cpu",
        torch=torch.__version__,
        timm=import_timm().__version__,
    )


def _is_finite(model: nn.Module) -> bool:
    return bool(torch.stack([weight.isfinite().all() for weight in model.parameters()]).all())


def _told_not_a_number(run: Run, step: int, rate: float) -> str:
    state = run.read_checkpoint()
    stands = f"the checkpoint of step {state['step']} stands" if state else "there was no checkpoint yet"
    return (
        f"{run.folder}: the loss is no finite number any more at step {step}, at a learning rate of {rate:.3g}; "
        f"{stands}. Train into a new folder with a lower optimiser.lr."
    )
