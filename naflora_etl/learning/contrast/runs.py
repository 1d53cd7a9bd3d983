"""The folder of one tuning: recipe.json, run.json, log.csv, epochs.csv, features, last.pt, metrics.json."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.boards import open_board
from naflora_etl.learning.contrast.recipe import ContrastRecipe
from naflora_etl.learning.contrast.towers import Towers
from naflora_etl.learning.folders import Log, RunFolder
from naflora_etl.learning.releases import Release

REACHED = ("steps", "loss", "seconds", "top1", "top5")
SCORES = ("step", "epoch", "top1", "top5")
FREE_KNOBS = {
    "loop": {"device", "workers", "log_steps", "checkpoint_steps", "score_epochs", "report_to"},
    "words": {"prompts"},
}
"""What changes how a run is carried out and not what comes out of it."""


class ContrastRun(RunFolder):
    """A run folder of `naflora clip`."""

    def __init__(self, folder: Path, release: str = "") -> None:
        super().__init__(folder)
        self.release = release
        """Digest of the release it is taught on."""

    def begin(self, recipe: ContrastRecipe, release: Release, *, resume: bool) -> None:
        """Make the run anew, or find the one to resume; raises Fault where neither is right."""
        if self.holds_run("recipe.json", resume=resume, begun="run.json"):
            self.check_knobs(self.recipe(), recipe, FREE_KNOBS)
            self.check_release(release.digest, release.folder)
            return
        self.write_json("run.json", {"release": release.digest})
        self.write_json("recipe.json", recipe.model_dump(mode="json"))

    @contextmanager
    def logging(self, step: int, report_to: Sequence[str], *, is_writing: bool) -> Iterator[tuple[Log, Log]]:
        """Give the logs of steps and of scores, in which rows after `step` are struck out."""
        if not is_writing:
            yield Log(io.StringIO()), Log(io.StringIO(), columns=SCORES)
            return
        boards = [open_board(name, self.folder) for name in report_to]
        with (
            self.log_from(step, boards) as log,
            self.log_from(step, name="epochs.csv", columns=SCORES) as scores,
        ):
            scores.boards = boards  # which the other log closes
            yield log, scores

    @classmethod
    def open(cls, folder: Path) -> ContrastRun:
        """Return an existing run; raises Fault when `folder` holds none that got as far as a checkpoint."""
        if not ((folder / "recipe.json").is_file() and (folder / "last.pt").is_file()):
            raise Fault(f"{folder} holds no run of `naflora clip` with a checkpoint.")
        return cls(folder)

    def recipe(self) -> ContrastRecipe:
        """Return the recipe, every knob of it."""
        return ContrastRecipe.model_validate_json((self.folder / "recipe.json").read_bytes())

    def keep(self, towers: Towers, optimiser: torch.optim.Optimizer, reached: Any) -> None:
        """Write last.pt, whole or not at all."""
        state = {"model": towers.clip.state_dict(), "optimiser": optimiser.state_dict()}
        self.save_checkpoint(state | {name: getattr(reached, name) for name in REACHED})

    def restore(self, towers: Towers, optimiser: torch.optim.Optimizer | None, reached: Any | None) -> None:
        """Take up the last checkpoint, if there is one; raises Fault for a damaged one, and for other towers'."""
        state = self.read_checkpoint()
        if state is None:
            return
        try:
            towers.clip.load_state_dict(state["model"])
        except (RuntimeError, KeyError):
            raise Fault(f"{self.folder}: last.pt is not of the towers that recipe.json describes.") from None
        if optimiser is not None and reached is not None:
            self.check_step(state["steps"], reached.total_steps)
            optimiser.load_state_dict(state["optimiser"])
            for name in REACHED:
                setattr(reached, name, state[name])

    def key_of(self, towers: Towers, arch: str, fit: str) -> str:
        """Return what a cache of features is good for: this release, tower, its weights, and how sheets go in."""
        return f"{self.release}|{arch}|{self.digest_of(towers)}|{fit}"

    def digest_of(self, towers: Towers) -> str:
        """Return the sha256 of the image tower's weights."""
        digest = hashlib.sha256()
        for name, tensor in towers.clip.visual.state_dict().items():
            digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()
