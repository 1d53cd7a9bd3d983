"""The folder of one training: what it was asked, what it has reached, what it logged."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.boards import open_board
from naflora_etl.learning.curves import pretrained_classes
from naflora_etl.learning.folders import Log, RunFolder
from naflora_etl.learning.models import SheetClassifier, make_model
from naflora_etl.learning.recipe import LearnRecipe, learn_recipe_text, read_learn_recipe
from naflora_etl.learning.releases import Classes, Release, check_same_classes, read_classes
from naflora_etl.learning.warp import sheet_shape

# knobs that change how a run is carried out and not what comes out of it
FREE_KNOBS = {"loop": {"device", "workers", "log_steps", "checkpoint_steps", "compile", "report_to"}}


class Run(RunFolder):
    """A run folder: recipe.toml, classes.parquet, run.json, log.csv, last.pt, metrics.json, evaluation.json."""

    @classmethod
    def begin(cls, folder: Path, recipe: LearnRecipe, release: Release, *, resume: bool) -> Run:
        """Return the run in `folder`, made anew, or the one to resume; raises Fault where neither is right."""
        run = cls(folder)
        if run.holds_run("run.json", resume=resume, begun="recipe.toml"):
            run.check_knobs(run.recipe(), recipe, FREE_KNOBS)
            run.check_release(release.digest, release.folder)
            check_same_classes(run.classes(), release.classes, run=folder, release=release.folder)
            return run
        run.workspace.write("recipe.toml", learn_recipe_text(recipe).encode())
        run.workspace.write("classes.parquet", (release.folder / "classes.parquet").read_bytes())
        told = {"release": release.digest, "classes": len(release.classes)}
        run.write_json("run.json", told | {"pretrained_classes": pretrained_classes(recipe.model.weights)})
        return run

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Return an existing run; raises Fault when `folder` holds none, or none that got as far as a checkpoint."""
        run = cls(folder)
        if not run.workspace.exists("run.json"):
            raise Fault(f"{folder} holds no run; `naflora train` makes one.")
        if not run.workspace.exists("last.pt"):
            raise Fault(f"{folder} has no checkpoint yet (last.pt); go on with `naflora train --resume`.")
        return run

    def recipe(self) -> LearnRecipe:
        """Return the recipe, every knob of it."""
        return read_learn_recipe(self.folder / "recipe.toml")

    def classes(self) -> Classes:
        """Return the classes that the model tells apart."""
        return read_classes(self.folder / "classes.parquet")

    def load_model(self) -> SheetClassifier:
        """Return the model at the last checkpoint, on the CPU: the moving mean of its weights where there is one."""
        recipe, classes = self.recipe(), self.classes()
        # the checkpoint holds all weights: none are fetched again
        options = recipe.model.model_copy(update={"weights": "none"})
        shape, normalize = sheet_shape(recipe.data), recipe.data.normalize
        model = make_model(options, len(classes), shape=shape, normalize=normalize, more_ranks=classes.rank_sizes())
        state = self.read_checkpoint() or {}
        try:
            model.load_state_dict(state.get("ema", state.get("model", {})))
        except (RuntimeError, KeyError):
            raise Fault(f"{self.folder}: last.pt is not of the model that recipe.toml describes.") from None
        return model

    @contextmanager
    def logging(self, from_step: int, report_to: Sequence[str] = (), *, is_writing: bool = True) -> Iterator[Log]:
        """Give the log, in which rows after `from_step` (of a killed run, to be done again) are struck out."""
        if not is_writing:
            yield Log(io.StringIO())
            return
        with self.log_from(from_step, [open_board(name, self.folder) for name in report_to]) as log:
            yield log
