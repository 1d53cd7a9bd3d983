"""Train a model on a release: the loop, on a page."""

from __future__ import annotations

import math
import platform
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.learning.data import Batches, SheetDataset, steps_per_epoch, stored_batches, training_batches
from naflora_etl.learning.devices import choose_device, settled
from naflora_etl.learning.distances import class_distances
from naflora_etl.learning.distributed import joined, whole_batch
from naflora_etl.learning.features import compute_features
from naflora_etl.learning.learner import Learner
from naflora_etl.learning.losses import Loss, Problem, make_loss
from naflora_etl.learning.models import count_parameters, make_model
from naflora_etl.learning.optim import highest_rate, rate_at
from naflora_etl.learning.recipe import LearnRecipe
from naflora_etl.learning.releases import Classes, Integers, Part, open_release
from naflora_etl.learning.results import TrainResult
from naflora_etl.learning.runs import Run
from naflora_etl.learning.warp import sheet_shape
from naflora_etl.learning.watch import Watch
from naflora_etl.learning.zoo import import_timm


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
    very bits of an undisturbed run. `stop_after_steps` ends this call early, with a checkpoint. Under torchrun its
    processes share each batch, and the first writes. Raises Fault for a release or a folder that cannot be used, and
    for a loss that is no number any more; the last checkpoint then stands.
    """
    opened = open_release(release)
    part, classes = opened.part("train"), opened.classes
    counts = count_classes(part, classes)
    device = choose_device(recipe.loop)
    with settled(recipe.loop, device), joined(device) as world, ExitStack() as stack:
        batch = whole_batch(recipe.loop.batch, len(part), world, parts=recipe.loop.accumulate)
        criterion = _criterion(recipe, counts, classes, device)
        shape, normalize = sheet_shape(recipe.data), recipe.data.normalize
        model = make_model(
            recipe.model, len(classes), shape=shape, normalize=normalize, more_ranks=classes.rank_sizes()
        )
        learner = Learner(recipe, model.to(device), criterion, batch=batch, world=world)
        run = Run.begin(Path(out), recipe, opened, resume=resume) if world.is_first else Run(Path(out))
        world.wait()
        dataset = stack.enter_context(closing(SheetDataset(part, recipe.data)))
        reached = _loop(run, learner, dataset, progress or Progress(), stop_after_steps)
        result = _summarise(run, learner, reached, sheets=len(dataset))
        if world.is_first:
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
    run: Run, learner: Learner, dataset: SheetDataset, progress: Progress, stop_after_steps: int | None
) -> Reached:
    recipe, loop = learner.recipe, learner.recipe.loop
    an_epoch = steps_per_epoch(len(dataset), learner.batch)
    save_every = loop.checkpoint_steps or an_epoch
    highest = highest_rate(recipe.optimiser, learner.batch)
    reached = Reached(total=loop.epochs * an_epoch)
    _restore(run, learner, reached)
    start = reached.step
    end = reached.total if stop_after_steps is None else min(reached.total, start + stop_after_steps)

    watch = Watch(learner.batch, learner.world.mean)
    batches = _batches(learner, dataset, range(start, end), progress)
    with run.logging(start, loop.report_to, is_writing=learner.world.is_first) as log, closing(batches):
        waited = watch.timed(batches)
        for step in range(start, end):
            rate = rate_at(step, reached.total, highest, recipe.schedule)
            watch.add(learner.step(waited, step, rate))

            reached.step = step + 1
            is_due = reached.step == end or reached.step % save_every == 0
            if is_due or reached.step % loop.log_steps == 0:
                row = watch.read()
                reached.loss, reached.seconds = row["loss"], reached.seconds + row.pop("seconds")
                if not math.isfinite(row["loss"]) or (is_due and not learner.is_finite()):
                    raise Fault(_told_not_a_number(run, reached.step, rate))
                log.write({"step": reached.step, "epoch": step // an_epoch + 1, "lr": rate, **row})
            if is_due and learner.world.is_first:
                kept = {"step": reached.step, "loss": reached.loss, "seconds": reached.seconds}
                run.save_checkpoint({**learner.state(), **kept})
            progress(reached.step, reached.total, watch.note)
    return reached


def _criterion(recipe: LearnRecipe, counts: Integers, classes: Classes, device: torch.device) -> Loss:
    distances = class_distances(recipe.loss.distances, classes) if recipe.loss.distance_weight else None
    return make_loss(recipe.loss, Problem(counts, classes, distances), device, scale=recipe.model.scale)


def _batches(learner: Learner, dataset: SheetDataset, steps: range, progress: Progress) -> Batches:
    loop, world = learner.recipe.loop, learner.world
    share, parts = (world.rank, world.size), loop.accumulate
    if loop.cache_features and steps:
        features, labels = compute_features(learner.model, dataset, loop, progress)
        return stored_batches(
            features, labels, batch=learner.batch, seed=loop.seed, steps=steps, share=share, parts=parts
        )
    return training_batches(
        dataset, batch=learner.batch, seed=loop.seed, steps=steps, workers=loop.workers, share=share, parts=parts
    )


def _restore(run: Run, learner: Learner, reached: Reached) -> None:
    if state := run.read_checkpoint():
        run.check_step(state["step"], reached.total)
        learner.restore(state, where=f"{run.folder}/last.pt")
        reached.step, reached.loss, reached.seconds = state["step"], state["loss"], state["seconds"]


def _summarise(run: Run, learner: Learner, reached: Reached, *, sheets: int) -> TrainResult:
    return TrainResult(
        run=str(run.folder),
        arch=learner.recipe.model.arch,
        classes=len(run.classes()),
        sheets=sheets,
        parameters=sum(weight.numel() for weight in learner.model.parameters()),
        trainable=count_parameters(learner.model)[0],
        steps=reached.step,
        total_steps=reached.total,
        epochs=reached.step / steps_per_epoch(sheets, learner.batch),
        loss=reached.loss,
        seconds=reached.seconds,
        images_per_second=reached.step * learner.batch / reached.seconds if reached.seconds else None,
        device=torch.cuda.get_device_name() if learner.device.type == "cuda" else "cpu",
        processes=learner.world.size,
        torch=torch.__version__,
        timm=import_timm().__version__,
    )


def _told_not_a_number(run: Run, step: int, rate: float) -> str:
    state = run.read_checkpoint()
    stands = f"the checkpoint of step {state['step']} stands" if state else "there was no checkpoint yet"
    return (
        f"{run.folder}: the loss is no finite number any more at step {step}, at a learning rate of {rate:.3g}; "
        f"{stands}. Train into a new folder with a lower optimiser.lr."
    )
