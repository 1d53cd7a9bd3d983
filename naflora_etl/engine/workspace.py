"""Where everything lies under one data folder, which is a URL: a path here, s3:// there."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from naflora_etl.engine.faults import Fault

MENDS = {
    errno.ENOSPC: "the disk is full; make room and run the same command again, it goes on where it stopped",
    errno.EDQUOT: "your quota is used up; make room and run the same command again, it goes on where it stopped",
    errno.EACCES: "it may not be written; give yourself the right, or choose another folder with --work",
    errno.EPERM: "it may not be written; give yourself the right, or choose another folder with --work",
    errno.EROFS: "it lies on a read-only file system; choose another folder with --work",
    errno.ENOTDIR: "a file stands where a folder is needed; choose another folder with --work",
    errno.EISDIR: "a folder stands where a file is needed; choose another folder with --work",
}


class Workspace:
    """A data folder. Paths in it are relative, with slashes; what is written is there whole or not at all."""

    def __init__(self, url: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self.url = url
        self.is_local = isinstance(self.fs, LocalFileSystem)

    def at(self, path: str) -> str:
        """Return the file system's own name of `path`."""
        return f"{self.root}/{path}"

    def local(self, path: str) -> Path:
        """Return `path` as a local path; only where the workspace is local."""
        if not self.is_local:
            raise Fault(f"{self.url}: this step needs a local data folder; give one with --work.")
        return Path(self.at(path))

    def exists(self, path: str) -> bool:
        """Return whether `path` is there."""
        return bool(self.fs.exists(self.at(path)))

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""
        return int(self.fs.size(self.at(path)))

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; unfinished writes left out; none when it is not there."""
        if not self.fs.exists(self.at(folder)):
            return []
        found = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in self.fs.ls(self.at(folder), detail=False))
        return sorted(name for name in found if not name.startswith(".partial-"))

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        with telling(self.at(path)):
            return cast(bytes, self.fs.cat_file(self.at(path)))

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """Return `length` bytes of a file from `offset`."""
        return cast(bytes, self.fs.cat_file(self.at(path), start=offset, end=offset + length))

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""
        return cast(IO[bytes], self.fs.open(self.at(path), "rb"))

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        with self.writing(path) as stream:
            stream.write(data)

    @contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Give a stream to write to; it becomes `path` when the block ends well, and vanishes when it does not."""
        target = self.at(path)
        with telling(target):
            if self.is_local:
                with _written_beside(Path(target)) as stream:
                    yield stream
            else:
                # an object store's put is whole or not at all; the bytes wait in a local file until it
                with tempfile.NamedTemporaryFile() as waiting:
                    yield waiting
                    waiting.flush()
                    self.fs.put_file(waiting.name, target)

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all in it; nothing happens when it is not there."""
        if self.fs.exists(self.at(path)):
            with telling(self.at(path)):
                self.fs.rm(self.at(path), recursive=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other build out of this workspace; a killed process leaves no lock behind."""
        if not self.is_local:
            yield
            return
        path = Path(self.at(".lock"))
        with telling(str(path.parent)):
            path.parent.mkdir(parents=True, exist_ok=True)
            stream = path.open("w")
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Fault(f"{self.root} is in use by another naflora command; wait for it, or use --work.") from None
            yield


@contextmanager
def telling(place: str) -> Iterator[None]:
    """Turn the system's errors on writing into a Fault that says where, what and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in MENDS:
            raise Fault(f"{error.filename or place}: {MENDS[error.errno]}.") from error
        raise


@contextmanager
def _written_beside(target: Path) -> Iterator[IO[bytes]]:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".partial-{os.getpid()}-{threading.get_ident()}-{target.name}")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
