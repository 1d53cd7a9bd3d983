"""Where everything lies under one data folder, which is a URL: a path here, s3:// there."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import threading
import time
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
    errno.EACCES: "it may not be read or written; give yourself the right, or choose another folder with --work",
    errno.EPERM: "it may not be read or written; give yourself the right, or choose another folder with --work",
    errno.EROFS: "it lies on a read-only file system; choose another folder with --work",
    errno.ENOTDIR: "a file stands where a folder is needed; choose another folder with --work",
    errno.EISDIR: "a folder stands where a file is needed; choose another folder with --work",
    errno.EEXIST: "a file stands where a folder is needed; choose another folder with --work",
    errno.EFBIG: "no file may grow so large here; raise the limit (ulimit -f), or choose another folder with --work",
    errno.EIO: "the disk cannot read or write it; remove it if it can be made again, or choose another disk",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n) and run the same command again",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter folder with --work",
    errno.ELOOP: "links lead in a circle; choose another folder with --work",
}
UNFINISHED = ".partial-"
LEFT_BEHIND_S = 3600
"""An unfinished write that nobody has touched for so long is a killed process's."""


class Workspace:
    """A data folder. Paths in it are relative, with slashes; what is written is there whole or not at all."""

    def __init__(self, url: str) -> None:
        try:
            # no listings kept: a slice on another machine writes what this one looks for
            self.fs, self.root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise Fault(f"{url} cannot be a data folder: {error}. Give a path, or another URL, with --work.") from None
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

    def make(self) -> None:
        """Make the data folder where there is none; Fault when that cannot be."""
        if self.is_local:
            with telling(self.root):
                _make_folder(Path(self.root))

    def exists(self, path: str) -> bool:
        """Return whether `path` is there."""
        # fsspec's own exists() takes any error for a no, an interruption too
        try:
            self.fs.info(self.at(path))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""
        return int(self.fs.size(self.at(path)))

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; unfinished writes left out; none when it is not there."""
        if not self.exists(folder):
            return []
        found = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in self.fs.ls(self.at(folder), detail=False))
        return sorted(name for name in found if not name.startswith(UNFINISHED))

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the sizes of a folder's files in bytes by name; none when it is not there."""
        if not self.exists(folder):
            return {}
        entries = self.fs.ls(self.at(folder), detail=True)
        found = {entry["name"].rsplit("/", 1)[-1]: int(entry["size"]) for entry in entries if entry["type"] == "file"}
        return {name: found[name] for name in sorted(found) if not name.startswith(UNFINISHED)}

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        with telling(self.at(path)):
            return cast(bytes, self.fs.cat_file(self.at(path)))

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """Return `length` bytes of a file from `offset`."""
        with telling(self.at(path)):
            return cast(bytes, self.fs.cat_file(self.at(path), start=offset, end=offset + length))

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""
        with telling(self.at(path)):
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
        if self.exists(path):
            with telling(self.at(path)):
                self.fs.rm(self.at(path), recursive=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other build out of this workspace; a killed process leaves no lock behind.

        The unfinished writes that it may leave are removed here, once they are old.
        """
        if not self.is_local:
            yield
            return
        self.make()
        path = Path(self.at(".lock"))
        with telling(str(path)):
            stream = path.open("w")
        with stream:
            with telling(str(path)):
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise Fault(
                        f"{self.root} is in use by another naflora command; wait for it, or use --work."
                    ) from None
                _remove_unfinished(path.parent)
            yield


@contextmanager
def telling(place: str) -> Iterator[None]:
    """Turn the system's errors on writing into a Fault that says where, what and what to do."""
    try:
        yield
    except OSError as error:
        if told := tell_error(error, place):
            raise Fault(told) from error
        raise


def tell_error(error: OSError, place: str = "") -> str | None:
    """Return the sentence for an error of the system that a user can mend; None for any other."""
    mend = MENDS.get(error.errno or 0)
    where = error.filename if isinstance(error.filename, str) else place
    return f"{where or 'a file'}: {mend}." if mend else None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError:
        raise Fault(f"{folder} cannot be made there; choose another folder with --work.") from None


def _remove_unfinished(root: Path) -> None:
    """Remove what killed processes were writing; what is young may be at work in another process."""
    for folder, _, names in os.walk(root):
        for name in names:
            if name.startswith(UNFINISHED):
                path = Path(folder, name)
                if path.stat().st_mtime < time.time() - LEFT_BEHIND_S:
                    path.unlink(missing_ok=True)


@contextmanager
def _written_beside(target: Path) -> Iterator[IO[bytes]]:
    _make_folder(target.parent)
    beside = target.with_name(f"{UNFINISHED}{os.getpid()}-{threading.get_ident()}-{target.name}")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
