"""What the folders of all trainings share: whole files, a checkpoint, a log, and one recipe from beginning to end."""

from __future__ import annotations

import csv
import io
import json
import pickle
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.workspace import Workspace
from naflora_etl.learning.boards import Board

LOG_COLUMNS = ("step", "epoch", "lr", "loss", "images_per_second", "wait_share")


class RunFolder:
    """A folder in which each file is written beside its place and renamed, so a kill leaves the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(str(folder))

    def holds_run(self, mark: str, *, resume: bool, begun: str) -> bool:
        """Return whether there is a run to resume: its file `mark` is there.

        Raises Fault for one that is not to be resumed, and for a folder of something else: `begun` is the file that a
        run killed at its very start may have left alone.
        """
        if self.folder.is_file():
            raise Fault(f"{self.folder} is a file; give a folder for the run.")
        if self.workspace.exists(mark):
            if not resume:
                raise Fault(f"{self.folder} holds a run already; go on with --resume, or give another folder.")
            return True
        if self.folder.is_dir() and any(self.folder.iterdir()) and not self.workspace.exists(begun):
            raise Fault(f"{self.folder} is not empty and holds no run; give a new or an empty folder.")
        return False

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
            reason = str(error).splitlines()[0].split(". ")[0]
            raise Fault(f"{path} cannot be read ({reason}); train into a new folder.") from None

    def check_knobs(self, before: BaseModel, now: BaseModel, free: dict[str, set[str]]) -> None:
        """Raise Fault where a knob that decides what comes out, thus not one of `free`, was another when it began."""
        then, today = (_flat(recipe, free) for recipe in (before, now))
        for key in sorted(then.keys() | today.keys()):
            if then.get(key) != today.get(key):
                raise Fault(
                    f"{self.folder} was begun with {key} = {then.get(key)}, and the recipe now says {today.get(key)}; "
                    "resume with the recipe it was begun with, or train into a new folder."
                )

    def check_step(self, step: int, total: int) -> None:
        """Raise Fault for a checkpoint that is further than the whole training goes."""
        if step > total:
            raise Fault(
                f"{self.folder}/last.pt is at step {step} and this recipe's training has {total}: it is of another "
                "recipe; train into a new folder."
            )

    def check_release(self, digest: str, where: Path) -> None:
        """Raise Fault when the run was begun on another release."""
        if json.loads((self.folder / "run.json").read_text())["release"] != digest:
            raise Fault(f"{self.folder} was begun on another release than {where}; train into a new folder.")

    @contextmanager
    def log_from(
        self, step: int, boards: Sequence[Board] = (), *, name: str = "log.csv", columns: Sequence[str] = LOG_COLUMNS
    ) -> Iterator[Log]:
        """Give a log, in which rows after `step` (of a killed run, to be done again) are struck out."""
        path = self.folder / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        kept = io.StringIO()
        writer = csv.DictWriter(kept, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in csv.DictReader(io.StringIO(before)):
            if row["step"].isdigit() and int(row["step"]) <= step:
                writer.writerow(row)
        self.workspace.write(name, kept.getvalue().encode())
        with ExitStack() as stack:
            stream = stack.enter_context(path.open("a", newline="", buffering=1))
            for board in boards:
                stack.callback(board.close)
            yield Log(stream, boards, columns)


class Log:
    """A CSV file of steps: log.csv, a row per so many; or that of scores, a row an epoch."""

    def __init__(
        self, stream: io.TextIOBase | Any, boards: Sequence[Board] = (), columns: Sequence[str] = LOG_COLUMNS
    ) -> None:
        self.boards = boards
        self.writer = csv.DictWriter(stream, columns, lineterminator="\n")

    def write(self, row: dict[str, Any]) -> None:
        """Add a row; floats to six digits."""
        self.writer.writerow({key: f"{item:.6g}" if isinstance(item, float) else item for key, item in row.items()})
        for board in self.boards:
            board.write(row["step"], {key: item for key, item in row.items() if key != "step"})


def _flat(recipe: BaseModel, free: dict[str, set[str]]) -> dict[str, Any]:
    sections = recipe.model_dump(exclude={"name": True, **free})
    return {f"{section}.{key}": value for section, knobs in sections.items() for key, value in knobs.items()}
