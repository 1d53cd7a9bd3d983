"""What a path holds: a file as it lies, in a gzip, in a zip, in a folder; bounded, so that no bomb goes off."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from naflora_etl.engine.faults import Fault
from naflora_etl.names.textfile import read_bytes, refuse_empty

ZIP = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"
GZIP = b"\x1f\x8b"
TABLES = (".csv", ".txt", ".tsv", ".tab", ".dat", ".psv", ".parquet", ".xlsx", ".xls", ".ods")
MOST_BYTES = 4 << 30  # WCVP's names are 0.5 GB; nothing that is read here is ten times that
MOST_BYTES_OF_A_LIST = 512 << 20  # a checklist is read into memory whole
LEAST_SUSPECT_BYTES = 64 << 20
MOST_TIMES = 150  # text of names packs into a tenth; a thousand times smaller is a bomb
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Pack:
    """The files in a zip or folder, by their names."""

    path: Path
    sizes: dict[str, int]
    """Bytes, unpacked."""
    is_zip: bool = False

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open one file, to be read forwards; raises Fault for one that is too large, locked or damaged."""
        if not self.is_zip:
            with (self.path / name).open("rb") as stream:
                yield stream
            return
        with telling_of_zips(self.path), zipfile.ZipFile(self.path) as archive:
            info = archive.getinfo(name)
            _refuse_bomb(info, self.path)
            with archive.open(info) as stream:
                yield stream

    def read(self, name: str, most: int = MOST_BYTES_OF_A_LIST) -> bytes:
        """Return the bytes of one file; Fault where there are more than `most`."""
        with self.open(name) as stream:
            return _read_bounded(stream, f"{self.path}: {name}", most)

    def find(self, *names: str) -> str | None:
        """Return the file that bears one of these names, in whatever folder; the least deep one."""
        wanted = {name.lower() for name in names}
        found = [name for name in self.sizes if PurePosixPath(name).name.lower() in wanted]
        return min(found, key=lambda name: (name.count("/"), name), default=None)

    def tables(self) -> list[str]:
        """Return the files whose names say that they are tables, those that operating systems leave behind not."""
        return sorted(
            name
            for name in self.sizes
            if name.lower().endswith(TABLES)
            and not PurePosixPath(name).name.startswith((".", "~$"))
            and "__MACOSX" not in name
            and not PurePosixPath(name).name.lower().startswith(("readme", "license", "licence", "citation", "rights"))
        )


def open_pack(path: Path) -> Pack | None:
    """Return the pack at `path`, if it is a zip (a spreadsheet is none) or a folder; None for any other file."""
    if path.is_dir():
        files = sorted(place for place in path.rglob("*") if place.is_file())
        return Pack(path, {str(place.relative_to(path).as_posix()): place.stat().st_size for place in files})
    if not path.is_file() or _first_bytes(path) not in (ZIP, EMPTY_ZIP):
        return None
    with telling_of_zips(path), zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
    if is_spreadsheet(sizes):
        return None
    return Pack(path, sizes, is_zip=True)


def is_spreadsheet(names: dict[str, int]) -> bool:
    """Whether a zip's files are those of an XLSX or ODS document."""
    return "xl/workbook.xml" in names or "xl/workbook.bin" in names or "content.xml" in names


def read_unpacked(path: Path, what: str, most: int = MOST_BYTES_OF_A_LIST) -> bytes:
    """Return the bytes of a file, those inside it if it is a gzip."""
    if path.is_file() and path.stat().st_size > most:
        raise Fault(f"{path} has {path.stat().st_size:,} bytes; {what} has at most {most:,}.")
    data = read_bytes(path, what)
    if not data.startswith(GZIP):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            unpacked = _read_bounded(io.BufferedReader(stream), str(path), most)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Fault(f"{path} is a damaged gzip file ({error}); download it again.") from None
    refuse_empty(unpacked, path, what)
    return unpacked


def check_spreadsheet(data: bytes, path: Path) -> None:
    """Read a zipped spreadsheet once through, so that what opens it next meets no bomb and no lie about sizes."""
    with telling_of_zips(path), zipfile.ZipFile(io.BytesIO(data)) as archive:
        total = 0
        for info in archive.infolist():
            _refuse_bomb(info, path)
            with archive.open(info) as stream:
                while block := stream.read(_BLOCK):
                    total += len(block)
                    if total > MOST_BYTES_OF_A_LIST:
                        raise Fault(_too_large(str(path), MOST_BYTES_OF_A_LIST))


@contextmanager
def telling_of_zips(path: Path) -> Iterator[None]:
    """Turn what goes wrong inside a zip into one sentence."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError) as error:
        raise Fault(f"{path} is a damaged zip ({error}); download it again.") from None
    except RuntimeError as error:  # so zipfile tells of a password
        raise Fault(f"{path} is locked with a password ({error}); unpack it and name the table.") from None


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(len(ZIP))
    except OSError as error:
        raise Fault(f"{path} cannot be read: {error.strerror}.") from None


def _refuse_bomb(info: zipfile.ZipInfo, path: Path) -> None:
    if info.flag_bits & 1:
        raise Fault(f"{path} is locked with a password; unpack it and name the table.")
    is_bomb = info.file_size > LEAST_SUSPECT_BYTES and info.file_size > MOST_TIMES * max(info.compress_size, 1)
    if info.file_size > MOST_BYTES or is_bomb:
        raise Fault(
            f"{path}: {info.filename} would unpack to {info.file_size:,} bytes out of {info.compress_size:,}, "
            "which no table of names does; it was not opened."
        )


def _read_bounded(stream: IO[bytes], where: str, most: int) -> bytes:
    blocks, total = [], 0
    while block := stream.read(_BLOCK):
        total += len(block)
        if total > most:
            raise Fault(_too_large(where, most))
        blocks.append(block)
    return b"".join(blocks)


def _too_large(where: str, most: int) -> str:
    return f"{where} unpacks to more than {most:,} bytes, which no list of names does; it was not read further."
