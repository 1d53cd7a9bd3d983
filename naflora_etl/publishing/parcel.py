"""A release where it lies: a folder, a tarball, or a tarball in parts; read in place, never unpacked."""

from __future__ import annotations

import io
import re
import tarfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import IO, Protocol, cast

from naflora_etl.engine.faults import Fault
from naflora_etl.publishing.checksums import NAME as SUMS
from naflora_etl.publishing.checksums import parse_sums
from naflora_etl.publishing.findings import TAKE_ANEW, Finding
from naflora_etl.publishing.tar import padded, plain_member

PART = re.compile(r"(?P<tar>.+\.tar)\.part-(?P<number>\d{3,})")
MANIFEST = "manifest.parquet"
UNFINISHED = ".partial-"
"""Begins the name of a tarball that is being written."""
END_BYTES = tarfile.RECORDSIZE


class Parcel(Protocol):
    """The files of a release by name."""

    sizes: dict[str, int]

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading; it can be sought in."""

    def check_wrapping(self) -> Iterator[Finding]:
        """Yield what is wrong around the files."""

    def close(self) -> None:
        """Let go of what is open."""


class FolderParcel:
    """A release folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        self.sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}

    def open(self, name: str) -> IO[bytes]:
        return (self.folder / name).open("rb")

    def check_wrapping(self) -> Iterator[Finding]:
        return iter(())

    def close(self) -> None:
        pass


class TarParcel:
    """A tarball, whole or in parts; its files are read where they lie."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.where = paths[0].name if len(paths) == 1 else f"{paths[0].name} to {paths[-1].name}"
        self.stream = io.BufferedReader(JoinedFiles(paths), 1 << 20)
        self.length = sum(path.stat().st_size for path in paths)
        try:
            self.tar = tarfile.open(fileobj=self.stream, mode="r:")  # noqa: SIM115 - closed in close
            self.members = self.tar.getmembers()
        except tarfile.TarError as error:
            more = f"; is a part after {paths[-1].name} missing?" if len(paths) > 1 else ""
            raise Fault(
                f"{paths[0]} is not a whole tarball ({error}){more or '; give a release folder or its tarball.'}"
            ) from None
        tops = {member.name.partition("/")[0] for member in self.members}
        self.top = tops.pop() + "/" if len(tops) == 1 else ""
        named = {member.name.removeprefix(self.top): member for member in self.members}
        self.files = {name: member for name, member in named.items() if member.isfile()}
        self.sizes = {name: member.size for name, member in self.files.items()}
        if SUMS not in self.files and MANIFEST not in self.files:
            raise Fault(f"{paths[0]} holds no release (neither {SUMS} nor {MANIFEST}); give a release tarball.")

    def open(self, name: str) -> IO[bytes]:
        return cast(IO[bytes], self.tar.extractfile(self.files[name]))

    def check_wrapping(self) -> Iterator[Finding]:
        """Yield what differs from the tar that `naflora release` writes: headers, padding, end."""
        end = 0
        for member in self.members:
            header = plain_member(member.name, member.size).tobuf(tarfile.USTAR_FORMAT)
            padding_at = member.offset_data + member.size
            padding = padded(member.size) - member.size
            if member.offset != end or self._read(member.offset, len(header)) != header:
                yield Finding(self.where, f"the header of {member.name} is not as it was written", TAKE_ANEW)
            if any(self._read(padding_at, padding)):
                yield Finding(self.where, f"the padding after {member.name} is not empty", TAKE_ANEW)
            end = padding_at + padding
        whole = -(-(end + 2 * tarfile.BLOCKSIZE) // END_BYTES) * END_BYTES
        if self.length != whole or any(self._read(end, self.length - end)):
            yield Finding(self.where, f"its end is not as it was written ({self.length} bytes, not {whole})", TAKE_ANEW)

    def _read(self, offset: int, length: int) -> bytes:
        self.stream.seek(offset)
        return self.stream.read(length)

    def close(self) -> None:
        self.tar.close()
        self.stream.close()


class JoinedFiles(io.RawIOBase):
    """Several files read as one, in the order given."""

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self.files = [path.open("rb", buffering=0) for path in paths]
        self.ends = list(accumulate(path.stat().st_size for path in paths))
        self.place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.ends[-1]}[whence]
        return self.place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number = bisect_right(self.ends, self.place)
        if number == len(self.ends):
            return 0
        file, start = self.files[number], self.ends[number - 1] if number else 0
        file.seek(self.place - start)
        count = file.readinto(buffer)
        self.place += count
        return count

    def close(self) -> None:
        for file in self.files:
            file.close()
        super().close()


def open_parcel(path: Path) -> Parcel:
    """Open the release at `path`; Fault when there is none."""
    if not path.exists():
        raise Fault(f"{path}: no such release; `naflora build` makes one, `naflora release` its tarball.")
    try:
        return _open_folder(path) if path.is_dir() else TarParcel(_parts_of(path))
    except PermissionError as error:
        raise Fault(f"{error.filename or path} may not be read; give yourself the right to read it.") from None


def refuse_inside(out: Path, *releases: Path, or_same: bool = False) -> None:
    """Raise Fault where `out` would lie in a release, or with `or_same` be one: it holds its own files and no other."""
    place = out.resolve()
    for release in releases:
        if not release.is_file() and not (release / SUMS).is_file():
            continue  # what is wrong with it is told where it is opened
        if release.resolve() in place.parents or (or_same and place == release.resolve()):
            raise Fault(f"{out} lies in {release}, and a release holds its own files only; name a place outside of it.")


def _open_folder(path: Path) -> Parcel:
    if _is_release(path):
        return FolderParcel(path)
    inside = sorted(entry.name for entry in path.iterdir())
    if not inside:
        raise Fault(f"{path} is an empty folder; give a release folder or its tarball.")
    tarballs = [name for name in inside if name.endswith(".tar") or name.endswith(".tar.part-001")]
    if tarballs and all(name.startswith(UNFINISHED) for name in tarballs):
        raise Fault(f"{path} holds a tarball that was not finished; run the same `naflora release` again.")
    tarballs = [name for name in tarballs if not name.startswith(UNFINISHED)]
    if tarballs:
        raise Fault(f"{path} holds tarballs; give one of them, such as {path / tarballs[0]}.")
    raise Fault(f"{path} is no release folder (it has no {MANIFEST}); give one, or a release tarball.")


def _is_release(folder: Path) -> bool:
    """Return whether a folder is a release, whole or broken; a folder of tarballs has a SHA256SUMS too."""
    sums = folder / SUMS
    return (folder / MANIFEST).is_file() or (sums.is_file() and MANIFEST.encode() in sums.read_bytes())


def _parts_of(path: Path) -> list[Path]:
    """Return the parts that a tarball lies in, in order: itself alone when it is whole."""
    match = PART.fullmatch(path.name)
    if match is None:
        return [path]
    found = {}
    for name in sorted(entry.name for entry in path.parent.iterdir()):
        part = PART.fullmatch(name)
        if part is not None and part["tar"] == match["tar"]:
            found[int(part["number"])] = path.parent / name
    listed = _listed_parts(path.parent, match["tar"])
    missing = sorted({*range(1, max(found, default=0) + 1), *listed} - set(found))
    if missing:
        name = listed.get(missing[0]) or f"part {missing[0]} of {match['tar']}"
        raise Fault(f"{path.parent} lacks {name}; put all parts into one folder.")
    return [found[number] for number in sorted(found)]


def _listed_parts(folder: Path, tar: str) -> dict[int, str]:
    """Return the parts of a tarball that the SHA256SUMS beside them names, since the last may be what is missing."""
    try:
        names = parse_sums((folder / SUMS).read_bytes())
    except (OSError, ValueError):
        return {}  # the bytes tell as well whether all is there
    parts = {name: PART.fullmatch(name) for name in names}
    return {int(part["number"]): name for name, part in parts.items() if part is not None and part["tar"] == tar}
