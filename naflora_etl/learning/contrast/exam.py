"""The test part named by words alone after an epoch, as LiT's curves show it: top-1 and top-5 by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from naflora_etl.engine.progress import Progress
from naflora_etl.learning.contrast.features import cached_features, compute_features
from naflora_etl.learning.contrast.recipe import ContrastRecipe
from naflora_etl.learning.contrast.runs import ContrastRun
from naflora_etl.learning.contrast.towers import Towers
from naflora_etl.learning.contrast.zeroshot import class_prompts, class_rows, class_vectors, judge, places_of, rank
from naflora_etl.learning.data import SheetDataset
from naflora_etl.learning.distributed import World
from naflora_etl.learning.releases import Release

FEATURES = "features-test.safetensors"


class Exam:
    """The test part of a release, asked again and again; a locked tower looks at its sheets once."""

    def __init__(
        self, run: ContrastRun, recipe: ContrastRecipe, release: Release, dataset: SheetDataset, world: World
    ) -> None:
        self.run, self.dataset, self.world, self.prompts = run, dataset, world, recipe.words.prompts
        self.batch, self.workers = min(recipe.loop.batch, 64), recipe.loop.workers
        rows = class_rows(release, recipe.words.names)
        self.asked, self.truth = class_prompts(list(rows.values()), self.prompts), places_of(dataset.part, rows)
        self.is_kept = recipe.tower.lock_image and recipe.tower.cache
        self.arch = recipe.tower.arch

    def score(self, towers: Towers) -> dict[str, float]:
        """Return top1 and top5; the towers are in evaluation mode afterwards."""
        vectors = class_vectors(towers, self.asked)
        if self.is_kept:
            key = self.run.key_of(towers, self.arch, self.dataset.options.fit)
            features = cached_features(
                towers, self.dataset, self.run.folder / FEATURES, key=key, batch=self.batch, workers=self.workers,
                progress=Progress(), world=self.world,
            )  # fmt: skip
        else:
            features = compute_features(
                towers, self.dataset, batch=self.batch, workers=self.workers, progress=Progress(), world=self.world
            )
        found = judge(rank(features, vectors.cpu()), self.truth, len(self.asked), self.prompts, {})
        return {"top1": found.top1, "top5": found.top5}


@contextmanager
def exam_of(
    run: ContrastRun, recipe: ContrastRecipe, release: Release, towers: Towers, world: World
) -> Iterator[Exam | None]:
    """Give the exam that a recipe asks for; None where it asks for none, or the release has no test images."""
    part = release.part("test")
    if not recipe.loop.score_epochs or not len(part):
        yield None
        return
    with closing(SheetDataset(part, recipe.data.model_copy(update={"size_px": towers.shape}))) as dataset:
        yield Exam(run, recipe, release, dataset, world)
