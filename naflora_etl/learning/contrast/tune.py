"""Tune two towers on the pairs of a release: the loop, on a page. With a locked image tower this is LiT."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.progress import Progress
from naflora_etl.learning.contrast.features import cached_features
from naflora_etl.learning.contrast.recipe import ContrastRecipe
from naflora_etl.learning.contrast.runs import ContrastRun
from naflora_etl.learning.contrast.schedule import bound_scale, make_adam, warm_rate
from naflora_etl.learning.contrast.texts import Words, rows_of
from naflora_etl.learning.contrast.towers import Towers, import_open_clip, make_towers
from naflora_etl.learning.data import SheetDataset, order_of_epoch, steps_per_epoch, training_batches
from naflora_etl.learning.devices import choose_device, seed_step, settled
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

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)

    def __str__(self) -> str:
        rest = "" if self.steps == self.total_steps else f" of {self.total_steps}; go on with --resume"
        loss = "" if self.loss is None else f", loss {self.loss:.3f}"
        speed = "" if self.pairs_per_second is None else f", {self.pairs_per_second:.0f} pairs/s"
        return f"{self.run}: {self.sheets} sheets{loss}, {self.seconds:.0f} s{speed}; at step {self.steps}{rest}."


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

    `resume` goes on from the last checkpoint; on the CPU it ends with the bits of an undisturbed run. Raises Fault for
    a release, weights or a folder that cannot be used, and for a loss that is no number any more.
    """
    progress = progress or Progress()
    opened = open_release(release)
    part = opened.part("train")
    if len(part) < 2:
        raise Fault(f"{release} has {len(part)} training images; pairs are told apart from each other, so give two.")
    loop = LoopOptions(device=recipe.loop.device, threads=recipe.loop.threads, seed=recipe.loop.seed)
    device = choose_device(loop)
    with settled(loop, device):
        towers = make_towers(recipe.tower).to(device)
        words = Words(rows_of(part, recipe.words.names), recipe.words)
        run = ContrastRun.begin(Path(out), recipe, opened, resume=resume)  # nothing is begun that cannot go on
        data = recipe.data.model_copy(update={"size_px": towers.shape})
        with closing(SheetDataset(part, data)) as dataset:
            reached = _loop(run, recipe, towers, dataset, words, progress, stop_after_steps)
    run.write_json("metrics.json", reached.as_dict())
    return reached


def _loop(
    run: ContrastRun,
    recipe: ContrastRecipe,
    towers: Towers,
    dataset: SheetDataset,
    words: Words,
    progress: Progress,
    stop_after_steps: int | None,
) -> Tuned:
    loop, batch, device = recipe.loop, min(recipe.loop.batch, len(dataset)), towers.mean.device
    an_epoch = steps_per_epoch(len(dataset), batch)
    total = loop.epochs * an_epoch
    optimiser, criterion = make_adam(recipe.optimiser, towers), import_open_clip().ClipLoss()
    reached = Tuned(str(run.folder), len(dataset), 0, total, None, 0.0, 0.0, None)
    run.restore(towers, optimiser, reached)
    start = reached.steps
    end = total if stop_after_steps is None else min(total, start + stop_after_steps)
    towers.train()
    if recipe.tower.lock_image:
        towers.clip.visual.eval()  # else norms of batches would move
    watch, steps = Watch(batch), range(start, end)
    with run.log_from(start) as log, _seeing(run, recipe, towers, dataset, steps, progress) as see:
        for step in steps:
            sheets = _sheets_of(step, len(dataset), batch, loop.seed)
            with watch.waiting():
                given = next(see)
            seed_step(loop.seed, step)
            rate = warm_rate(step, total, recipe.optimiser)
            for group in optimiser.param_groups:
                group["lr"] = rate
            with torch.autocast(device.type, torch.bfloat16, enabled=loop.precision == "bfloat16"):
                images = given if given.is_floating_point() else towers.see(given)
                texts = towers.read(words.of(sheets, seed=loop.seed, step=step))
            loss = criterion(images.float(), texts.float(), towers.logit_scale.exp())
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            bound_scale(towers)
            watch.add(loss)
            reached.steps = step + 1
            is_due = reached.steps == end or reached.steps % (loop.checkpoint_steps or an_epoch) == 0
            if is_due or reached.steps % loop.log_steps == 0:
                row = watch.read()
                reached.loss, reached.seconds = row["loss"], reached.seconds + row.pop("seconds")
                if not math.isfinite(row["loss"]):
                    raise Fault(
                        f"{run.folder}: the loss is no finite number any more at step {reached.steps}, at a rate of "
                        f"{rate:.3g}; train into a new folder with a lower optimiser.lr or more optimiser.warmup_steps."
                    )
                log.write({"step": reached.steps, "epoch": step // an_epoch + 1, "lr": rate, **row})
            if is_due:
                run.keep(towers, optimiser, reached)
            progress(reached.steps, total, watch.note)
    reached.scale = float(towers.logit_scale.detach().exp())
    reached.pairs_per_second = reached.steps * batch / reached.seconds if reached.seconds else None
    return reached


def _sheets_of(step: int, sheets: int, batch: int, seed: int) -> Integers:
    epoch, position = divmod(step, steps_per_epoch(sheets, batch))
    return order_of_epoch(sheets, seed=seed, epoch=epoch)[position * batch : (position + 1) * batch]


@contextmanager
def _seeing(
    run: ContrastRun, recipe: ContrastRecipe, towers: Towers, dataset: SheetDataset, steps: range, progress: Progress
) -> Iterator[Iterator[torch.Tensor]]:
    """Give what each step starts from: sheets as bytes, or the kept features of a locked tower."""
    loop, batch, device = recipe.loop, min(recipe.loop.batch, len(dataset)), towers.mean.device
    if recipe.tower.lock_image and recipe.tower.cache:
        key = f"{run.release}|{recipe.tower.arch}|{run.digest_of(towers)}|{dataset.options.fit}"
        features = cached_features(towers, dataset, run.folder, key=key, batch=batch, progress=progress).to(device)
        yield (features[torch.from_numpy(_sheets_of(step, len(dataset), batch, loop.seed))] for step in steps)
        return
    batches = training_batches(dataset, batch=batch, seed=loop.seed, steps=steps, workers=loop.workers)
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
