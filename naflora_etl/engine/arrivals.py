"""A file too large for memory: it comes in pieces, a kill keeps those that came, and lies under its sha256 at last."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.workspace import Workspace

BLOCK_BYTES = 1 << 20


class Arrival:
    """One file on its way in, named by who sends it."""

    def __init__(self, workspace: Workspace, name: str, folder: str = "raw") -> None:
        self.workspace = workspace
        self.folder = folder
        self.place = f"{folder}/arriving/{name}"

    @property
    def size_bytes(self) -> int:
        """Bytes that came so far, without a gap; the next piece begins there."""
        size = 0
        for name, length in self.workspace.sizes(self.place).items():
            if int(name) != size:
                break
            size += length
        return size

    def add(self, piece: bytes) -> None:
        """Keep the next piece; it is on the disk when this returns."""
        self.workspace.write(f"{self.place}/{self.size_bytes:015d}", piece)

    def settle(self) -> str:
        """File the whole under its sha256, as it is; return that in hex. The pieces go."""
        digest = hashlib.sha256()
        for block in self._blocks():
            digest.update(block)
        path = path_of(self.folder, digest.hexdigest())
        if not self.workspace.exists(path):
            with self.workspace.writing(path) as stream:
                for block in self._blocks():
                    stream.write(block)
        self.discard()
        return digest.hexdigest()

    def discard(self) -> None:
        """Forget what came."""
        self.workspace.remove(self.place)

    def _blocks(self) -> Iterator[bytes]:
        end = 0
        for name, length in self.workspace.sizes(self.place).items():
            if int(name) != end:
                break
            end += length
            with self.workspace.open(f"{self.place}/{name}") as stream:
                while block := stream.read(BLOCK_BYTES):
                    yield block


def path_of(folder: str, digest: str) -> str:
    """Return where a settled file lies in the workspace."""
    return f"{folder}/{digest[:2]}/{digest}.whole"


@contextmanager
def settled_file(workspace: Workspace, digest: str, folder: str = "raw") -> Iterator[str]:
    """Yield the path of a settled file on this machine; Fault where it is gone or no longer the same."""
    path = path_of(folder, digest)
    if not workspace.exists(path):
        raise Fault(f"{workspace.at(path)} is gone; change harvest.snapshot in the recipe to ask for it anew.")
    with tempfile.TemporaryDirectory() as beside:
        place = workspace.local(path) if workspace.is_local else Path(beside, digest)
        if not workspace.is_local:
            with workspace.open(path) as source, place.open("wb") as target:
                shutil.copyfileobj(source, target, BLOCK_BYTES)
        with place.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                raise Fault(f"{workspace.at(path)} is damaged; remove it and change harvest.snapshot in the recipe.")
        yield str(place)
