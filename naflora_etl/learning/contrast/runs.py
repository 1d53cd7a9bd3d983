"""The folder of one tuning: recipe.json, run.json, log.csv, features.safetensors, last.pt, metrics.json."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.contrast.recipe import ContrastRecipe
from naflora_etl.learning.contrast.towers import Towers
from naflora_etl.learning.folders import RunFolder
from naflora_etl.learning.releases import Release

FREE_KNOBS = {"loop": {"device", "workers", "log_steps", "checkpoint_steps"}}
"""What changes how a run is carried out and not what comes out of it."""


class ContrastRun(RunFolder):
    """A run folder of `naflora clip`."""

    release = ""
    """Digest of the release it is taught on."""

    @classmethod
    def begin(cls, folder: Path, recipe: ContrastRecipe, release: Release, *, resume: bool) -> ContrastRun:
        """Return the run in `folder`, made anew, or the one to resume; raises Fault where neither is right."""
        run = cls(folder)
        run.release = release.digest
        if run.holds_run("recipe.json", resume=resume, begun="run.json"):
            run.check_knobs(run.recipe(), recipe, FREE_KNOBS)
            run.check_release(release.digest, release.folder)
            return run
        run.write_json("run.json", {"release": release.digest})
        run.write_json("recipe.json", recipe.model_dump(mode="json"))
        return run

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
        self.save_checkpoint({**state, "steps": reached.steps, "loss": reached.loss, "seconds": reached.seconds})

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
            optimiser.load_state_dict(state["optimiser"])
            reached.steps, reached.loss, reached.seconds = state["steps"], state["loss"], state["seconds"]

    def digest_of(self, towers: Towers) -> str:
        """Return the sha256 of the image tower's weights: a cache of features is good for these alone."""
        digest = hashlib.sha256()
        for name, tensor in towers.clip.visual.state_dict().items():
            digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()
