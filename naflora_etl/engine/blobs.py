"""Bytes as they came, filed under their own sha256, compressed."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager

import pyarrow as pa

from naflora_etl.engine.arrivals import Arrival, path_of, settled_file
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.workspace import Workspace


class Blobs:
    """The raw answers of aggregators: put once, never changed, found by hash."""

    def __init__(self, workspace: Workspace, folder: str = "raw") -> None:
        self.workspace = workspace
        self.folder = folder

    def put(self, data: bytes) -> str:
        """Keep `data` and return its sha256 in hex; the same bytes are kept once."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        if not self.workspace.exists(path):
            sink = pa.BufferOutputStream()
            with pa.CompressedOutputStream(sink, "zstd") as packed:
                packed.write(data)
            self.workspace.write(path, sink.getvalue().to_pybytes())
        return digest

    def get(self, digest: str) -> bytes:
        """Return the bytes that were put under `digest`; Fault when they are gone or no longer the same."""
        path = self._path(digest)
        if not self.workspace.exists(path):
            raise Fault(f"{self.workspace.at(path)} is gone; change harvest.snapshot in the recipe to ask for it anew.")
        try:
            with pa.CompressedInputStream(pa.BufferReader(self.workspace.read(path)), "zstd") as packed:
                data: bytes = packed.read()
        except OSError:
            data = b""
        if hashlib.sha256(data).hexdigest() != digest:
            raise Fault(f"{self.workspace.at(path)} is damaged; remove it and change harvest.snapshot in the recipe.")
        return data

    def arrival(self, name: str) -> Arrival:
        """Return a file too large for memory that comes in pieces; those of an earlier run are in it."""
        return Arrival(self.workspace, name, self.folder)

    def file(self, digest: str) -> AbstractContextManager[str]:
        """Give the path of such a file, for a block of work; Fault when it is gone or no longer the same."""
        return settled_file(self.workspace, digest, self.folder)

    def has_file(self, digest: str) -> bool:
        """Return whether such a file is here."""
        return self.workspace.exists(path_of(self.folder, digest))

    def drop_file(self, digest: str) -> None:
        """Remove such a file."""
        self.workspace.remove(path_of(self.folder, digest))

    def _path(self, digest: str) -> str:
        return f"{self.folder}/{digest[:2]}/{digest}.zst"
