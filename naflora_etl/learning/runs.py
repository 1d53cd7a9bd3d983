"""The folder of one training: what it was asked, what it has reached, what it logged."""

from __future__ import annotations

import csv
import io
import json
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.boards import Board, open_board
from naflora_etl.learning.models import SheetClassifier, make_model
from naflora_etl.learning.recipe import LearnRecipe, learn_recipe_text, read_learn_recipe
from naflora_etl.learning.releases import Classes, Release, read_classes
from naflora_etl.learning.warp import sheet_shape

LOG_COLUMNS = ("step", "epoch", "lr", "loss", "images_per_second", "wait_share")
# knobs that change how a run is carried out and not what comes out of it
FREE_KNOBS = {"loop": {"device", "workers", "log_steps", "checkpoint_steps", "compile", "report_to"}}


class Run:
    """A run folder: recipe.toml, classes.parquet, run.json, log.csv, last.pt, metrics.json, evaluation.json.

    Each file is written beside its place and renamed, so a kill leaves the one before.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(str(folder))

    @classmethod
    def begin(cls, folder: Path, recipe: LearnRecipe, release: Release, *, resume: bool) -> Run:
        """Return the run in `folder`, made anew, or the one to resume; raises Fault where neither is right."""
        if folder.is_file():
            raise Fault(f"{folder} is a file; give a folder for the run.")
        run = cls(folder)
        if run.workspace.exists("run.json"):
            if not resume:
                raise Fault(f"{folder} holds a run already; go on with --resume, or give another folder.")
            run._check_same(recipe, release)
            return run
        if folder.is_dir() and any(folder.iterdir()) and not run.workspace.exists("recipe.toml"):
            raise Fault(f"{folder} is not empty and holds no run; give a new or an empty folder.")
        run.workspace.write("recipe.toml", learn_recipe_text(recipe).encode())
        run.workspace.write("classes.parquet", (release.folder / "classes.parquet").read_bytes())
        run.write_json("run.json", {"release": release.digest, "classes": len(release.classes)})
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

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Write one JSON file."""
        self.workspace.write(name, (json.dumps(values, indent=2) + "\n").encode())

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Write last.pt, whole or not at all."""
        with self.workspace.writing("last.pt") as stream:
            torch.save(state, stream)

    def read_checkpoint(self) -> dict[str, Any] | None:
        """Return the last checkpoint, on the CPU; None when there is none. Raises Fault for a damaged one."""
        path = self.folder / "last.pt"
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            return state
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise Fault(f"{path} cannot be read ({str(error).splitlines()[0]}); train into a new folder.") from None

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
        boards = [open_board(name, self.folder) for name in report_to]
        path = self.folder / "log.csv"
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        kept = io.StringIO()
        writer = csv.DictWriter(kept, LOG_COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in csv.DictReader(io.StringIO(before)):
            if row["step"].isdigit() and int(row["step"]) <= from_step:
                writer.writerow(row)
        self.workspace.write("log.csv", kept.getvalue().encode())
        with path.open("a", newline="", buffering=1) as stream:
            yield Log(stream, boards)

    def _check_same(self, recipe: LearnRecipe, release: Release) -> None:
        before, now = (_flat(some) for some in (self.recipe(), recipe))
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                raise Fault(
                    f"{self.folder} was begun with {key} = {before.get(key)}, and the recipe now says {now.get(key)}; "
                    "resume with the recipe it was begun with, or train into a new folder."
                )
        if json.loads((self.folder / "run.json").read_text())["release"] != release.digest:
            raise Fault(f"{self.folder} was begun on another release than {release.folder}; train into a new folder.")


class Log:
    """log.csv, a row per so many steps."""

    def __init__(self, stream: io.TextIOBase | Any, boards: Sequence[Board] = ()) -> None:
        self.boards = boards
        self.writer = csv.DictWriter(stream, LOG_COLUMNS, lineterminator="\n")

    def write(self, row: dict[str, Any]) -> None:
        """Add a row; floats to six digits."""
        self.writer.writerow({key: f"{item:.6g}" if isinstance(item, float) else item for key, item in row.items()})
        for board in self.boards:
            board(row["step"], {key: item for key, item in row.items() if key != "step"})


def _flat(recipe: LearnRecipe) -> dict[str, Any]:
    sections = recipe.model_dump(exclude={"name": True, **FREE_KNOBS})
    return {f"{section}.{key}": value for section, knobs in sections.items() for key, value in knobs.items()}
