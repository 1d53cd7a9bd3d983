"""A release folder as a tarball, whole or in parts, that comes out byte for byte the same."""

from __future__ import annotations

import errno
import hashlib
import io
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from naflora_etl.engine.faults import Fault
from naflora_etl.publishing.checksums import NAME as SUMS
from naflora_etl.publishing.checksums import parse_sums, render_sums, sum_stream
from naflora_etl.publishing.parcel import PART, UNFINISHED, refuse_inside
from naflora_etl.publishing.tar import padded, plain_member

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGT]?i?[bB])?")
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
MOST_PARTS = 9999
FULL = (errno.ENOSPC, errno.EDQUOT)


def parse_size(text: str) -> int:
    """Return the bytes that a size like 2GB, 500MB or 1.5GiB means; Fault for anything else."""
    match = SIZE.fullmatch(text.strip())
    size_bytes = int(float(match[1]) * UNITS[(match[2] or "b")[:-1].lower()]) if match else 0
    if size_bytes < 1:
        raise Fault(f'"{text}" is not a size; write it as 500MB, 2GB or 1.5GiB.')
    return size_bytes


def write_tarballs(
    release_folder: Path,
    out: Path,
    *,
    name: str,
    part_size_bytes: int | None = None,
    overwrite: bool = False,
    progress: Callable[..., None] | None = None,
) -> list[Path]:
    """Write `<out>/<name>.tar`, or `<name>.tar.part-001` ... of at most `part_size_bytes`, and list them in SHA256SUMS.

    The parts are plain slices: `cat <name>.tar.part-* | tar x` unpacks them. The same folder gives the same bytes.
    What is there already with the same bytes stays; what differs is not overwritten unless told. Returns the files
    written, SHA256SUMS last. Raises Fault for a folder that is no release, and when `out` cannot hold the tarball, or
    lies in the release.
    """
    files = _list_files(release_folder)
    refuse_inside(out, release_folder, or_same=True)
    if not NAME.fullmatch(name):
        raise Fault(f'"{name}" cannot be the name of a tarball; use letters, digits, dot, plus, minus and underscore.')
    total = _tar_bytes(files, release_folder)
    parts = _name_parts(name, total, part_size_bytes)
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = SliceWriter(out, parts, part_size_bytes or total)
        try:
            _write_tar(written, release_folder, files, name, progress or (lambda done, total, note="": None))
            sums = written.finish()
            _refuse_strangers(out, name, sums, overwrite)
            written.bring_into_place()
        finally:
            written.clear()
        return [*(out / part for part in parts), _list_sums(out, name, sums)]
    except OSError as error:
        raise Fault(_tell_error(error, out)) from None


def _list_files(folder: Path) -> list[str]:
    """Return the release's files: what tells about it first, the shards after it, SHA256SUMS before all."""
    if not (folder / SUMS).is_file():
        raise Fault(f"{folder} is no release folder (it has no {SUMS}); build the recipe to its end first.")
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(names, key=lambda name: (name != SUMS, name.endswith(".tar"), name))


def _tar_bytes(files: list[str], folder: Path) -> int:
    inside = sum(tarfile.BLOCKSIZE + padded((folder / name).stat().st_size) for name in files)
    return -(-(inside + 2 * tarfile.BLOCKSIZE) // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


def _name_parts(name: str, total: int, part_size_bytes: int | None) -> list[str]:
    if part_size_bytes is None:
        return [f"{name}.tar"]
    count = -(-total // part_size_bytes)
    if count > MOST_PARTS:
        raise Fault(f"parts of {part_size_bytes} bytes would be {count} files; take a larger --part-size.")
    width = max(3, len(str(count)))
    return [f"{name}.tar.part-{number:0{width}d}" for number in range(1, count + 1)]


@dataclass(frozen=True)
class _Beside:
    """A file that is being written under another name than the one it will have."""

    path: Path
    beside: Path


class SliceWriter(io.RawIOBase):
    """A stream that is cut into files of one size, each written beside its place and brought there at the end."""

    def __init__(self, out: Path, names: list[str], slice_bytes: int) -> None:
        super().__init__()
        self.files = [_Beside(out / name, out / f"{UNFINISHED}{name}") for name in names]
        self.slice_bytes = slice_bytes
        self.sums: dict[str, str] = {}
        self.place = 0
        self._file: IO[bytes] | None = None
        self._digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def write(self, data: bytes) -> int:  # type: ignore[override]
        rest = memoryview(data)
        while rest:
            number, used = divmod(self.place, self.slice_bytes)
            if self._file is None:
                self._file, self._digest = self.files[number].beside.open("wb"), hashlib.sha256()
            piece = rest[: self.slice_bytes - used]
            self._file.write(piece)
            self._digest.update(piece)
            self.place += len(piece)
            rest = rest[len(piece) :]
            if used + len(piece) == self.slice_bytes:
                self._end_slice(number)
        return len(data)

    def finish(self) -> dict[str, str]:
        """End the last slice; return name to sha256 of all."""
        if self._file is not None:
            self._end_slice(self.place // self.slice_bytes)
        return self.sums

    def bring_into_place(self) -> None:
        """Give every file its name."""
        for file in self.files:
            file.beside.replace(file.path)

    def clear(self) -> None:
        """Remove what was not brought into place."""
        if self._file is not None:
            self._file.close()
        for file in self.files:
            file.beside.unlink(missing_ok=True)

    def _end_slice(self, number: int) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        self.sums[self.files[number].path.name] = self._digest.hexdigest()


def _write_tar(stream: SliceWriter, folder: Path, files: list[str], name: str, progress: Callable[..., None]) -> None:
    total, done = sum((folder / file).stat().st_size for file in files), 0
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file in files:
            path = folder / file
            with path.open("rb") as data:
                try:
                    tar.addfile(plain_member(f"{name}/{file}", path.stat().st_size), data)
                except ValueError as error:
                    raise Fault(f"{path} does not fit into a tar ({error}); lower shards.samples_per_shard.") from None
            done += path.stat().st_size
            progress(done, total, file)


def _refuse_strangers(out: Path, name: str, sums: dict[str, str], overwrite: bool) -> None:
    """Look at what is there of the same tarball: parts of another cut would mix with ours when joined."""
    others = []
    for path in sorted(out.iterdir()):
        part = PART.fullmatch(path.name)
        if path.name in sums:
            with path.open("rb") as stream:
                if sum_stream(stream).sha256 != sums[path.name]:
                    others.append(path)
        elif part is not None and part["tar"] == f"{name}.tar" and any(PART.fullmatch(mine) for mine in sums):
            others.append(path)
    if others and not overwrite:
        raise Fault(
            f"{others[0]} is there already and differs; remove it, raise release.version, or choose another --out."
        )
    for path in others:
        path.unlink()


def _list_sums(out: Path, name: str, sums: dict[str, str]) -> Path:
    """Write SHA256SUMS; what it tells of other files that are still there stays."""
    path, beside = out / SUMS, out / f"{UNFINISHED}{SUMS}"
    try:
        others = parse_sums(path.read_bytes()) if path.exists() else {}
    except ValueError as error:
        raise Fault(f"{path} is not a list of checksums ({error}); remove it, or choose another --out.") from None
    kept = {other: digest for other, digest in others.items() if (out / other).is_file()}
    beside.write_bytes(render_sums(kept | sums))
    beside.replace(path)
    return path


def _tell_error(error: OSError, out: Path) -> str:
    place = error.filename or out
    if error.errno in FULL:
        return f"{place}: the disk is full; nothing was published there. Make room, or choose another --out."
    return f"{place} cannot be used ({error.strerror}); choose another --out."
