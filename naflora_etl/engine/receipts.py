"""What was built, from what, how many rows: the receipt is written last, and a table without one does not exist."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import clean_rows, read_metadata, read_parquet, read_row_groups, sha256_of
from naflora_etl.engine.workspace import Workspace, telling


@dataclass(frozen=True)
class Receipt:
    """A table that was committed."""

    stage: str
    fingerprint: str
    """Digest of all that the table was made from."""
    parts: tuple[str, ...]
    """Its Parquet files, in order, each with its sha256 after a colon."""
    rows: int
    clean: int
    issues: dict[str, int] = field(default_factory=dict)
    given: int = 0
    """Clean rows of the first table that the stage read."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Fingerprints and digests that went into the fingerprint, to say what changed."""
    seconds: float = 0.0
    folder: dict[str, int] = field(default_factory=dict)
    """Sizes in bytes of the files that the stage published beside its table."""

    @property
    def digest(self) -> str:
        """Digest of the table's content, whatever it was made from: the same rows leave what follows unchanged."""
        return digest_of([part.rsplit(":", 1)[-1] for part in self.parts])


def digest_of(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def digest_path(path: str) -> str:
    """Return the sha256 of a local file, or of a folder's files with their names; Fault when it is not there."""
    place = Path(path)
    if not place.exists():
        raise Fault(f"{path}: no such file or folder, though the recipe names it.")
    digest = hashlib.sha256()
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    with telling(path):
        for file in files:
            try:
                if place.is_dir():
                    digest.update(f"{file.relative_to(place)}\0{file.stat().st_size}\0".encode())
                with file.open("rb") as stream:
                    while block := stream.read(1 << 20):
                        digest.update(block)
            except PermissionError:
                raise Fault(f"{file} may not be read; give yourself the right to read it.") from None
    return digest.hexdigest()


class Receipts:
    """The receipts of a workspace, and the tables they vouch for."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def find(self, stage: str) -> Receipt | None:
        """Return the receipt of a stage's table, or None when the table does not exist."""
        path = f"tables/{stage}/receipt.json"
        if not self.workspace.exists(path):
            return None
        try:
            values = json.loads(self.workspace.read(path))
            return Receipt(**{**values, "parts": tuple(values["parts"])})
        except (ValueError, TypeError, KeyError):
            raise Fault(f"{self.workspace.at(path)} is not a receipt; remove it, and the stage runs again.") from None

    def write(self, receipt: Receipt) -> None:
        """Commit a table: from this moment it exists."""
        body = json.dumps(asdict(receipt), indent=2, ensure_ascii=False)
        self.workspace.write(f"tables/{receipt.stage}/receipt.json", body.encode())

    def parts(self, receipt: Receipt) -> Iterator[str]:
        """Yield the paths of a table's Parquet files."""
        for part in receipt.parts:
            yield f"tables/{receipt.stage}/{part.split(':')[0]}"

    def vouched_parts(self, receipt: Receipt) -> Iterator[tuple[str, bytes | None]]:
        """Yield the path of each part with its bytes; without them when they are not the ones that were committed."""
        for path, named in zip(self.parts(receipt), receipt.parts, strict=True):
            body = self.workspace.read(path) if self.workspace.exists(path) else b""
            yield path, body if sha256_of(body) == named.rsplit(":", 1)[-1] else None

    def table(self, stage: str, columns: Sequence[str] | None = None, *, clean: bool = False) -> pa.Table:
        """Return a committed table, all its rows or the clean ones; Fault when it does not exist or cannot be read.

        Of `columns`, where they are named, no more than these is ever in memory.
        """
        receipt = self._known(stage)
        tables: list[pa.Table] = []
        read: dict[str, pa.Table] = {}  # of a long stage most parts may be empty, and so the same
        for path, named in zip(self.parts(receipt), receipt.parts, strict=True):
            digest = named.rsplit(":", 1)[-1]
            if digest not in read:
                with self._telling(path), self.workspace.open(path) as stream:
                    read[digest] = _read_part(stream, columns, clean)
            tables.append(read[digest])
        return pa.concat_tables(tables)

    def pieces(self, stage: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows of a committed table, a row group of a part at a time; `columns` and Fault as `table`."""
        for path in self.parts(self._known(stage)):
            with self._telling(path), self.workspace.open(path) as stream:
                yield from read_row_groups(stream, columns)

    def _known(self, stage: str) -> Receipt:
        receipt = self.find(stage)
        if receipt is None:
            raise Fault(f"{self.workspace.root} has no table {stage} yet; run `naflora build` first.")
        return receipt

    @contextmanager
    def _telling(self, path: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException):
            raise Fault(
                f"{self.workspace.at(path)} is missing or damaged; `naflora build` makes the table again."
            ) from None

    def metadata(self, stage: str) -> dict[bytes, bytes]:
        """Return what stands beside the rows of a committed table; nothing where there is none, or a damaged one."""
        receipt = self.find(stage)
        for path in self.parts(receipt) if receipt else ():
            try:
                with self.workspace.open(path) as stream:
                    return read_metadata(stream)
            except (OSError, pa.ArrowException):
                break  # who reads the rows is told
        return {}


def _read_part(stream: IO[bytes], columns: Sequence[str] | None, clean: bool) -> pa.Table:
    wanted = None if columns is None else list(dict.fromkeys([*columns, *(["issue"] if clean else [])]))
    part = read_parquet(stream, wanted)
    part = clean_rows(part) if clean else part
    return part if columns is None else part.select(list(columns))
