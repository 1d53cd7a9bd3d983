"""What is finished of a shard, in the order in which it came: appended at once, so that a kill loses what was in hand.

A record is a line of JSON, which says how many bytes of image follow and their sha256, and those bytes. No flush to
the disk a record: a killed process's writes are the system's and safe, and what a power cut spoils, the sha256 tells.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Record(NamedTuple):
    """One finished row: its facts, and where its image lies in the journal; `length` 0 for a failure."""

    facts: dict[str, Any]
    offset: int
    length: int


class Journal:
    """A journal that is written to by several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def append(self, facts: dict[str, Any], image: bytes) -> None:
        """Add a record; where the disk takes but a part of it, that part is taken back."""
        head = json.dumps(facts | {"length_bytes": len(image)}, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                before = os.fstat(file).st_size
                try:
                    _write_all(file, head + image)
                except OSError:
                    os.ftruncate(file, before)
                    raise
            finally:
                os.close(file)

    def records(self) -> Iterator[Record]:
        """Yield what is whole in it, in order, without the images."""
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            while record := _read_head(stream, size):
                yield record
                stream.seek(record.offset + record.length)

    def mend(self) -> list[Record]:
        """Cut off what a kill left half-written or a power cut spoiled; return what is whole."""
        whole: list[Record] = []
        end = 0
        for record in self.records():
            image = self.read(record)
            if record.length and hashlib.sha256(image).hexdigest() != record.facts.get("sha256"):
                break
            whole.append(record)
            end = record.offset + record.length
        if self.path.exists() and self.path.stat().st_size > end:
            os.truncate(self.path, end)
        return whole

    def read(self, record: Record) -> bytes:
        """Return a record's image."""
        with self.path.open("rb") as stream:
            stream.seek(record.offset)
            return stream.read(record.length)


def _read_head(stream: Any, size: int) -> Record | None:
    line = stream.readline()
    try:
        facts = json.loads(line) if line.endswith(b"\n") else None
        length = facts.pop("length_bytes") if isinstance(facts, dict) else None
    except (ValueError, KeyError):
        return None
    offset = stream.tell()
    if not isinstance(length, int) or facts is None or offset + length > size:
        return None
    return Record(facts, offset, length)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
