"""Any Darwin Core archive, a zip or a folder: its meta.xml is read, its files are trusted only as far as they go."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.metafile import DataFile, read_meta
from naflora_etl.sources.darwincore import Media, Occurrence, clean_text
from naflora_etl.sources.pythonrows import Row
from naflora_etl.sources.rowblocks import BLOCK_BYTES, Room, RowBlock
from naflora_etl.sources.rowtables import RowReader, open_rows

MEDIA_ROW_TYPES = ("multimedia", "image", "simplemultimedia")
LICENSE_TERMS = ("license", "rights", "UsageTerms", "WebStatement")
LARGEST_META = 16 << 20
BOMB_BYTES, BOMB_RATIO = 100_000_000, 150
"""Beyond so many bytes a member may not shrink so many times; tables of records shrink some seven, empty ones 30."""
AGAIN = "download it again, or take it out of harvest.archives"


def _holds_media(file: DataFile) -> bool:
    """Say whether its rows are media of the core's rows."""
    return file.row_type in MEDIA_ROW_TYPES


class Archive:
    """An opened archive; raises Fault, in one sentence, for one that cannot be used."""

    def __init__(self, path: str, name: str | None = None, *, block_bytes: int = BLOCK_BYTES) -> None:
        self.path = path
        self._room = Room(block_bytes)
        self.name = name or PurePosixPath(path).stem
        self.zip = _open_zip(path)
        with _telling(path):
            self.root, meta = self._find_meta()
            self.core, self.extensions = read_meta(meta, path, AGAIN)
        for file in (self.core, *self.media_files):
            if not self._has(file.location):
                raise Fault(f"{path}: its meta.xml promises {file.location}, which is not in it; {AGAIN}.")
            if self.zip:
                _refuse_bomb(path, self.zip.getinfo(self.root + file.location))

    @property
    def media_files(self) -> list[DataFile]:
        """The extensions that hold media."""
        return [file for file in self.extensions if _holds_media(file)]

    def read_records(self, page_key: str) -> Iterator[Occurrence]:
        """Yield every record of the core with its media, in the file's order.

        A row that has not the columns its header promises is SOURCE_UNREADABLE; media that belong to no row of the
        core are IMAGE_WITHOUT_RECORD.
        """
        media: dict[str, list[Media]] = defaultdict(list)
        for file in self.media_files:
            for number, core_id, terms in self.read_rows(file):
                if terms is not None and core_id:
                    media[core_id].append(_medium(terms))
                else:
                    yield self._unreadable(f"{file.location}:{number}", page_key)
        for number, core_id, terms in self.read_rows(self.core):
            if terms is None or not core_id:
                yield self._unreadable(f"{self.core.location}:{number}", page_key)
                continue
            of_record = tuple(terms.get(term) for term in LICENSE_TERMS)
            terms.setdefault("datasetKey", self.name)
            yield Occurrence("archive", core_id, page_key, terms, tuple(media.pop(core_id, ())), of_record)
        for core_id, orphans in media.items():
            yield Occurrence("archive", core_id, page_key, {}, tuple(orphans), issue="IMAGE_WITHOUT_RECORD")

    def read_rows(self, file: DataFile) -> Iterator[tuple[int, str, Row | None]]:
        """Yield (number of the row, its id, its terms) of one file; the terms are None for a row that does not fit."""
        told = [*(name for _, name in file.columns), *(name for name, _ in file.constants)]
        wanted = tuple(dict.fromkeys(told))
        for table in self.read_tables(file, wanted):
            for row in table.sort_by("number").to_pylist():
                terms = {name: row[name] for name in wanted if row[name] is not None}
                yield row["number"], row["id"] or "", terms if row["fits"] else None

    def read_tables(self, file: DataFile, wanted: Sequence[str]) -> Iterator[pa.Table]:
        """Yield the rows of one file as tables (rowtables.RowReader); rows that do not fit have no terms."""
        for read in self.read_blocks(file, wanted):
            yield read()

    def read_blocks(
        self, file: DataFile, wanted: Sequence[str], encoded: frozenset[str] = frozenset()
    ) -> Iterator[Callable[[], pa.Table]]:
        """Yield what gives a table of the next rows of one file when it is called, in any thread."""
        with _telling(self.path), self._open(file.location) as stream:
            reader, blocks = open_rows(stream, file, wanted, encoded=encoded, room=self._room)
            for block in blocks:
                yield partial(self._read_block, reader, block)

    def _read_block(self, reader: RowReader, block: RowBlock | pa.Table) -> pa.Table:
        with _telling(self.path):
            return reader.read_block(block) if isinstance(block, RowBlock) else block

    def read_beside(self, location: str) -> bytes | None:
        """Return a document that lies beside meta.xml; None where there is none, or one far too large for a document.

        `location` must come from a known name, never from the archive.
        """
        with _telling(self.path):
            if self.zip is None:
                place = Path(self.path) / location
                return place.read_bytes() if place.is_file() and place.stat().st_size <= LARGEST_META else None
            try:
                member = self.zip.getinfo(self.root + location)
            except KeyError:
                return None
            return self.zip.read(member) if member.file_size <= LARGEST_META else None

    @property
    def size_bytes(self) -> int:
        """Size of the zip, or of all files in the folder."""
        place = Path(self.path)
        return sum(p.stat().st_size for p in ([place] if self.zip else place.rglob("*")) if p.is_file())

    def count_rows(self) -> int:
        """Read everything that will be needed, so that a cut archive is told at once; return the core's rows."""
        counts = [self._count(file) for file in (*self.media_files, self.core)]
        return counts[-1]

    def _count(self, file: DataFile) -> int:
        count = 0
        with _telling(self.path), self._open(file.location) as stream:
            reader, blocks = open_rows(stream, file, (), room=self._room)
            for block in blocks:
                count += len(block) if isinstance(block, RowBlock) else block.num_rows
                if isinstance(block, RowBlock):
                    reader.read_odd(block)
        return count

    def _unreadable(self, place: str, page_key: str) -> Occurrence:
        return Occurrence("archive", place, page_key, {}, issue="SOURCE_UNREADABLE")

    def _find_meta(self) -> tuple[str, bytes]:
        names = self.zip.namelist() if self.zip else [p.name for p in Path(self.path).iterdir()]
        found = sorted((name for name in names if PurePosixPath(name).name == "meta.xml"), key=lambda n: n.count("/"))
        if not found:
            raise Fault(f"{self.path} has no meta.xml, so it is no Darwin Core archive; name one in harvest.archives.")
        root = found[0].removesuffix("meta.xml")
        if self.zip and self.zip.getinfo(found[0]).file_size > LARGEST_META:
            raise Fault(f"{self.path}: its meta.xml has over {LARGEST_META >> 20} MB, as none has; {AGAIN}.")
        return root, self.zip.read(found[0]) if self.zip else (Path(self.path) / found[0]).read_bytes()

    def _has(self, location: str) -> bool:
        if self.zip:
            return self.root + location in self.zip.namelist()
        return "/" not in location and (Path(self.path) / location).is_file()

    def _open(self, location: str) -> IO[bytes]:
        return self.zip.open(self.root + location) if self.zip else (Path(self.path) / location).open("rb")


def _open_zip(path: str) -> zipfile.ZipFile | None:
    place = Path(path)
    if place.is_dir():
        return None
    if not place.exists():
        raise Fault(f"{path}: no such file or folder; harvest.archives wants Darwin Core archives.")
    try:
        return zipfile.ZipFile(place)
    except zipfile.BadZipFile:
        raise Fault(f"{path} is not a zip, or was cut short; {AGAIN}.") from None
    except OSError as error:
        raise Fault(f"{path} cannot be read: {error.strerror}.") from None


def _refuse_bomb(path: str, member: zipfile.ZipInfo) -> None:
    """Raise Fault for a member that would unpack to far more than texts of records do."""
    if member.file_size > BOMB_BYTES and member.file_size > BOMB_RATIO * max(member.compress_size, 1):
        raise Fault(
            f"{path}: {member.filename} would unpack to {member.file_size / 1e9:,.1f} GB from "
            f"{member.compress_size / 1e6:,.1f} MB, which is no table of records; take it out of harvest.archives."
        )


@contextmanager
def _telling(path: str) -> Iterator[None]:
    """Turn what goes wrong inside an archive into one sentence."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise Fault(f"{path} is damaged ({error}); {AGAIN}.") from None
    except csv.Error as error:
        raise Fault(f"{path} cannot be read as its meta.xml says ({error}); {AGAIN}.") from None
    except OSError as error:
        raise Fault(f"{error.filename or path} cannot be read: {error.strerror}.") from None


def _medium(terms: Row) -> Media:
    """Return the medium that a row of a Multimedia or Audubon extension describes."""
    return Media(
        url=clean_text(terms.get("accessURI") or terms.get("identifier") or terms.get("goodQualityAccessURI")),
        kind=terms.get("type"),
        format=terms.get("format"),
        licenses=tuple(terms.get(term) for term in LICENSE_TERMS),
        rights_holder=terms.get("rightsHolder") or terms.get("Owner"),
        creator=terms.get("creator"),
    )
