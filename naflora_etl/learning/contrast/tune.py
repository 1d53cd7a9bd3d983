"""Tune two towers on the pairs of a release: the loop, on a page. With a locked image tower this is LiT."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.learning.contrast.exam import Exam, exam_of
from naflora_etl.learning.contrast.features import FILE, cached_features
from naflora_etl.learning.contrast.recipe import ContrastRecipe
from naflora_etl.learning.contrast.runs import ContrastRun
from naflora_etl.learning.contrast.schedule import bound_scale, make_adam, pair_loss, warm_rate
from naflora_etl.learning.contrast.texts import Words, rows_of
from naflora_etl.learning.contrast.towers import Towers, make_towers
from naflora_etl.learning.data import SheetDataset, order_of_epoch, steps_per_epoch, training_batches
from naflora_etl.learning.devices import choose_device, seed_step, settled
from naflora_etl.learning.distributed import World, joined, whole_batch
from naflora_etl.learning.recipe import LoopOptions
from naflora_etl.learning.releases import Integers, open_release
from naflora_etl.learning.watch import Watch


@dataclass
class Tuned:
    """How far a tuning is; metrics.json holds the same."""

    run: str
    sheets: int
    steps: int
    total_steps: int
    loss: float | None
    scale: float
    """Of similarities, learnt."""
    seconds: float
    pairs_per_second: float | None
    processes: int = 1
    top1: float | None = None
    """Of the test part by words alone, when it was last asked."""
    top5: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)

    def __str__(self) -> str:
        rest = "" if self.steps == self.total_steps else f" of {self.total_steps}; go on with --resume"
        loss = "" if self.loss is None else f", loss {self.loss:.3f}"
        speed = "" if self.pairs_per_second is None else f", {self.pairs_per_second:.0f} pairs/s"
        named = "" if self.top1 is None else f", test part by words alone top-1 {self.top1:.2%}"
        return (
            f"{self.run}: {self.sheets} sheets{loss}{named}, {self.seconds:.0f} s{speed}; at step {self.steps}{rest}."
        )


@dataclass(frozen=True)
class _Task:
    """What is tuned on what, and by how many processes."""

    run: ContrastRun
    recipe: ContrastRecipe
    towers: Towers
    dataset: SheetDataset
    words: Words
    world: World
    exam: Exam | None
    batch: int

    @property
    def an_epoch(self) -> int:
        return steps_per_epoch(len(self.dataset), self.batch)

    def sheets_of(self, step: int) -> Integers:
        """Return the sheets of a step, of all processes."""
        epoch, position = divmod(step, self.an_epoch)
        order = order_of_epoch(len(self.dataset), seed=self.recipe.loop.seed, epoch=epoch)
        return order[position * self.batch : (position + 1) * self.batch]

    def mine(self) -> slice:
        """Return which of a step's sheets are this process's."""
        each = self.batch // self.world.size
        return slice(self.world.rank * each, (self.world.rank + 1) * each)

    def is_scored(self, step: int, total: int) -> bool:
        epoch, rest = divmod(step, self.an_epoch)
        return self.exam is not None and not rest and (step == total or not epoch % self.recipe.loop.score_epochs)


def tune(
    release: Path,
    *,
    recipe: ContrastRecipe,
    out: Path,
    resume: bool = False,
    progress: Progress | None = None,
    stop_after_steps: int | None = None,
) -> Tuned:
    """Tune by `recipe` on the training part of `release`, into the run folder `out`.

    `resume` goes on from the last checkpoint; on the CPU it ends with the bits of an undisturbed run. Under torchrun
    its processes share each batch, each pair is told apart from all others in it, and the first writes. Raises Fault
    for a release, weights or a folder that cannot be used, and for a loss that is no number any more.
    """
    progress = progress or Progress()
    opened = open_release(release)
    part = opened.part("train")
    if len(part) < 2:
        raise Fault(f"{release} has {len(part)} training images; pairs are told apart from each other, so give two.")
    loop = LoopOptions(device=recipe.loop.device, threads=recipe.loop.threads, seed=recipe.loop.seed)
    device = choose_device(loop)
    with settled(loop, device), joined(device) as world, ExitStack() as stack:
        batch = whole_batch(recipe.loop.batch, len(part), world)
        towers = make_towers(recipe.tower).to(device)
        words = Words(rows_of(part, recipe.words.names), recipe.words)
        run = ContrastRun(Path(out), opened.digest)
        exam = stack.enter_context(exam_of(run, recipe, opened, towers, world))
        if world.is_first:
            run.begin(recipe, opened, resume=resume)  # nothing is begun that cannot go on
        world.wait()
        data = recipe.data.model_copy(update={"size_px": towers.shape})
        dataset = stack.enter_context(closing(SheetDataset(part, data)))
        task = _Task(run, recipe, towers, dataset, words, world, exam, batch)
        reached = _loop(task, progress, stop_after_steps)
        if world.is_first:
            run.write_json("metrics.json", reached.as_dict())
    return reached


def _loop(task: _Task, progress: Progress, stop_after_steps: int | None) -> Tuned:
    run, recipe, towers, world, batch = task.run, task.recipe, task.towers, task.world, task.batch
    loop, total = recipe.loop, recipe.loop.epochs * task.an_epoch
    optimiser = make_adam(recipe.optimiser, towers)
    reached = Tuned(str(run.folder), len(task.dataset), 0, total, None, 0.0, 0.0, None, world.size)
    run.restore(towers, optimiser, reached)
    start = reached.steps
    end = total if stop_after_steps is None else min(total, start + stop_after_steps)
    net = _shared(towers, world)
    watch = Watch(batch, world.mean)
    with (
        run.logging(start, loop.report_to, is_writing=world.is_first) as (log, scores),
        _seeing(task, range(start, end), progress) as see,
    ):
        _teach(towers, recipe)
        watch.start()
        for step in range(start, end):
            with watch.waiting():
                given = next(see)
            seed_step(loop.seed, step, *([world.rank] if world.size > 1 else []))
            rate = warm_rate(step, total, recipe.optimiser)
            for group in optimiser.param_groups:
                group["lr"] = rate
            texts = task.words.of(task.sheets_of(step), seed=loop.seed, step=step)[task.mine()]
            with torch.autocast(towers.mean.device.type, torch.bfloat16, enabled=loop.precision == "bfloat16"):
                images, read, scale = net(given, texts)
            loss = pair_loss(images.float(), read.float(), scale.float(), world)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            bound_scale(towers)
            watch.add(loss)
            reached.steps = step + 1
            is_due = reached.steps == end or reached.steps % (loop.checkpoint_steps or task.an_epoch) == 0
            is_scored = task.is_scored(reached.steps, total)
            if is_due or is_scored or reached.steps % loop.log_steps == 0:
                row = watch.read()
                reached.loss, reached.seconds = row["loss"], reached.seconds + row.pop("seconds")
                if not math.isfinite(row["loss"]):
                    raise Fault(
                        f"{run.folder}: the loss is no finite number any more at step {reached.steps}, at a rate of "
                        f"{rate:.3g}; train into a new folder with a lower optimiser.lr or more optimiser.warmup_steps."
                    )
                log.write({"step": reached.steps, "epoch": step // task.an_epoch + 1, "lr": rate, **row})
            if is_scored and task.exam is not None:
                found = task.exam.score(towers)
                _teach(towers, recipe)
                reached.top1, reached.top5 = found["top1"], found["top5"]
                # before the checkpoint: a run killed in between is scored again, not left without its row
                scores.write({"step": reached.steps, "epoch": reached.steps // task.an_epoch, **found})
                watch.start()
            if is_due and world.is_first:
                run.keep(towers, optimiser, reached)
            progress(reached.steps, total, watch.note)
    reached.scale = float(towers.logit_scale.detach().exp())
    reached.pairs_per_second = reached.steps * batch / reached.seconds if reached.seconds else None
    return reached


def _shared(towers: Towers, world: World) -> torch.nn.Module:
    if world.size == 1:
        return towers
    device = towers.mean.device
    return torch.nn.parallel.DistributedDataParallel(towers, device_ids=[device] if device.type == "cuda" else None)


def _teach(towers: Towers, recipe: ContrastRecipe) -> None:
    towers.train()
    if recipe.tower.lock_image:
        towers.clip.visual.eval()  # else norms of batches would move


@contextmanager
def _seeing(task: _Task, steps: range, progress: Progress) -> Iterator[Iterator[torch.Tensor]]:
    """Give what each step starts from: sheets as bytes, or the kept features of a locked tower."""
    recipe, towers, dataset, world = task.recipe, task.towers, task.dataset, task.world
    device = towers.mean.device
    if recipe.tower.lock_image and recipe.tower.cache:
        key = task.run.key_of(towers, recipe.tower.arch, dataset.options.fit)
        features = cached_features(
            towers, dataset, task.run.folder / FILE, key=key, batch=task.batch, workers=recipe.loop.workers,
            progress=progress, world=world,
        ).to(device)  # fmt: skip
        yield (features[torch.from_numpy(task.sheets_of(step)[task.mine()])] for step in steps)
        return
    batches = training_batches(
        dataset, batch=task.batch, seed=recipe.loop.seed, steps=steps, workers=recipe.loop.workers,
        share=(world.rank, world.size),
    )  # fmt: skip
    with closing(batches):
        yield (images.to(device) for images, _ in batches)


def open_towers(run: Path) -> tuple[ContrastRecipe, Towers]:
    """Return the recipe and the towers of a run at its last checkpoint; raises Fault for another folder."""
    opened = ContrastRun.open(run)
    recipe = opened.recipe()
    bare = recipe.tower.model_copy(update={"weights": "none", "image_weights": "none"})
    towers = make_towers(bare)
    opened.restore(towers, None, None)
    return recipe, towers
