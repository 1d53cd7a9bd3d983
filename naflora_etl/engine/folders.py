"""The output folder of a stage: written under another name, brought into place whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Literal

from naflora_etl.engine.workspace import Workspace


class Folder:
    """Files that a stage publishes. While it runs they lie in `<stage>.partial`."""

    def __init__(self, workspace: Workspace, stage: str) -> None:
        self.workspace = workspace
        self.stage = stage
        self.place = f"{stage}.partial"

    @contextmanager
    def open(self, name: str, mode: Literal["rb", "wb"] = "rb") -> Iterator[IO[bytes]]:
        """Open a file of the folder, for reading or to write it whole."""
        if mode == "wb":
            with self.workspace.writing(f"{self.place}/{name}") as stream:
                yield stream
        else:
            with self.workspace.open(f"{self.place}/{name}") as stream:
                yield stream

    def names(self) -> list[str]:
        """Return the names of its files, sorted."""
        return self.workspace.names(self.place)

    def size(self, name: str) -> int:
        """Return the size of one of its files in bytes."""
        return self.workspace.size(f"{self.place}/{name}")

    def take(self, stage: str, name: str) -> None:
        """Bring in a finished file of another stage's folder: a hard link where there can be one, else a copy."""
        source, target = f"{stage}/{name}", f"{self.place}/{name}"
        if not self.workspace.is_local:
            self.workspace.fs.copy(self.workspace.at(source), self.workspace.at(target))
            return
        path = self.workspace.local(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            path.hardlink_to(self.workspace.local(source))
        except OSError:
            with self.workspace.writing(target) as stream, self.workspace.open(source) as given:
                shutil.copyfileobj(given, stream)

    @contextmanager
    def open_private(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file to write that no published folder holds: it lies in private/, beside them."""
        with self.workspace.writing(f"private/{name}") as stream:
            yield stream

    def find(self, stage: str, name: str) -> bytes | None:
        """Return a finished file of another stage's folder; None when there is none."""
        place = f"{stage}/{name}"
        return self.workspace.read(place) if self.workspace.exists(place) else None

    def published(self) -> dict[str, int]:
        """Return the sizes in bytes, by name, of the files that are in place."""
        return self.workspace.sizes(self.stage)

    def begin(self) -> None:
        """Start empty: what an interrupted run left is removed."""
        self.workspace.remove(self.place)

    def commit(self) -> None:
        """Put the finished folder in the place of the old one."""
        if not self.workspace.exists(self.place):
            return
        self.workspace.remove(self.stage)
        self.workspace.fs.mv(self.workspace.at(self.place), self.workspace.at(self.stage), recursive=True)
