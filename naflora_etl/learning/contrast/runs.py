"""The folder of one tuning: recipe.json, run.json, log.csv, features.safetensors, last.pt, metrics.json."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.contrast.recipe import ContrastRecipe
from naflora_etl.learning.contrast.towers import Towers
from naflora_etl.learning.releases import Release
from naflora_etl.learning.runs import LOG_COLUMNS, Log

FREE_KNOBS = {"loop": {"device", "workers", "log_steps", "checkpoint_steps"}}
"""What changes how a run is carried out and not what comes out of it."""


class ContrastRun:
    """A run folder of `naflora clip`; each file is written beside its place and renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(str(folder))
        self.release = ""

    @classmethod
    def begin(cls, folder: Path, recipe: ContrastRecipe, release: Release, *, resume: bool) -> ContrastRun:
        """Return the run in `folder`, made anew, or the one to resume; raises Fault where neither is right."""
        if folder.is_file():
            raise Fault(f"{folder} is a file; give a folder for the run.")
        run = cls(folder)
        run.release = release.digest
        if run.workspace.exists("recipe.json"):
            if not resume:
                raise Fault(f"{folder} holds a run already; go on with --resume, or give another folder.")
            run._check_same(recipe)
            return run
        if folder.is_dir() and any(folder.iterdir()):
            raise Fault(f"{folder} is not empty and holds no run; give a new or an empty folder.")
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

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Write one JSON file."""
        self.workspace.write(name, (json.dumps(values, indent=2) + "\n").encode())

    def keep(self, towers: Towers, optimiser: torch.optim.Optimizer, reached: Any) -> None:
        """Write last.pt, whole or not at all."""
        state = {"model": towers.clip.state_dict(), "optimiser": optimiser.state_dict()}
        with self.workspace.writing("last.pt") as stream:
            torch.save({**state, "steps": reached.steps, "loss": reached.loss, "seconds": reached.seconds}, stream)

    def restore(self, towers: Towers, optimiser: torch.optim.Optimizer | None, reached: Any | None) -> None:
        """Take up the last checkpoint, if there is one; raises Fault for a damaged one, and for other towers'."""
        path = self.folder / "last.pt"
        if not path.exists():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            towers.clip.load_state_dict(state["model"])
        except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
            raise Fault(f"{path} cannot be taken up ({str(error).splitlines()[0]}); train into a new folder.") from None
        if optimiser is not None and reached is not None:
            optimiser.load_state_dict(state["optimiser"])
            reached.steps, reached.loss, reached.seconds = state["steps"], state["loss"], state["seconds"]

    def digest_of(self, towers: Towers) -> str:
        """Return the sha256 of the image tower's weights: a cache of features is good for these alone."""
        digest = hashlib.sha256()
        for name, tensor in towers.clip.visual.state_dict().items():
            digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @contextmanager
    def logging(self, from_step: int) -> Iterator[Log]:
        """Give the log, in which rows after `from_step` (of a killed run) are struck out."""
        path = self.folder / "log.csv"
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        kept = io.StringIO()
        writer = csv.DictWriter(kept, LOG_COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in csv.DictReader(io.StringIO(before)) if int(row["step"]) <= from_step)
        self.workspace.write("log.csv", kept.getvalue().encode())
        with path.open("a", newline="", buffering=1) as stream:
            yield Log(stream)

    def _check_same(self, recipe: ContrastRecipe) -> None:
        if json.loads((self.folder / "run.json").read_text())["release"] != self.release:
            raise Fault(f"{self.folder} was begun on another release; train into a new folder.")
        before, now = (some.model_dump(exclude={"name": True, **FREE_KNOBS}) for some in (self.recipe(), recipe))
        for section, knobs in before.items():
            for knob, value in knobs.items():
                if now[section][knob] != value:
                    raise Fault(
                        f"{self.folder} was begun with {section}.{knob} = {value}, and the recipe now says "
                        f"{now[section][knob]}; resume with the recipe it was begun with, or train into a new folder."
                    )
