"""Finished shards: a WebDataset tar each, or a folder of files; written beside, then renamed, in the list's order."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from naflora_etl.publishing.tar import SampleTar

STATE = ".fetch"
"""Folder, in the out folder, of what is not finished."""
KEY = re.compile(r"[A-Za-z0-9_-]{1,90}")
"""WebDataset ends a key at its first dot, and a tar's header holds names of at most 100 bytes."""


class Sample(NamedTuple):
    """An image of a shard, with what its .json says; `path` is where its bytes lie already, if they lie in place."""

    key: str
    jpeg: bytes
    label: dict[str, Any]


class Place(NamedTuple):
    """Where an image lies in its shard; `offset` is None in a folder."""

    offset: int | None
    length_bytes: int


class Form(Protocol):
    """One of the two forms of output."""

    def name(self, stem: str) -> str:
        """Return the name of a shard in the out folder."""

    def write(self, samples: Iterator[Sample], beside: Path) -> list[Place]:
        """Write a shard at `beside`."""

    def read(self, shard: Path, key: str, place: Place) -> bytes:
        """Return an image's bytes; fewer, or none, where it is damaged."""

    def measure(self, shard: Path, samples: int) -> dict[str, Any]:
        """Return what is told of a shard in the receipt, `bytes` among it."""

    def stands(self, shard: Path, told: dict[str, Any]) -> bool:
        """Return whether a shard is there at the size that was told of it."""


class Tars:
    """`00000.tar` ...: <key>.jpg and <key>.json, as WebDataset's readers take them."""

    def name(self, stem: str) -> str:
        return f"{stem}.tar"

    def write(self, samples: Iterator[Sample], beside: Path) -> list[Place]:
        with beside.open("wb") as stream:
            tar = SampleTar(stream, KEY)
            places = [Place(*tar.add(*sample)) for sample in samples]
            tar.close()
            stream.flush()
            os.fsync(stream.fileno())
        return places

    def read(self, shard: Path, key: str, place: Place) -> bytes:
        with shard.open("rb") as stream:
            stream.seek(place.offset or 0)
            return stream.read(place.length_bytes)

    def measure(self, shard: Path, samples: int) -> dict[str, Any]:
        with shard.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"samples": samples, "bytes": shard.stat().st_size, "sha256": digest}

    def stands(self, shard: Path, told: dict[str, Any]) -> bool:
        return shard.is_file() and shard.stat().st_size == told["bytes"]


class Folders:
    """`00000/` ...: <key>.jpg and <key>.json as files."""

    def name(self, stem: str) -> str:
        return stem

    def write(self, samples: Iterator[Sample], beside: Path) -> list[Place]:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        places = []
        for key, jpeg, label in samples:
            (beside / f"{key}.jpg").write_bytes(jpeg)
            text = json.dumps(label, ensure_ascii=False, separators=(",", ":"))
            (beside / f"{key}.json").write_text(text, encoding="utf-8")
            places.append(Place(None, len(jpeg)))
        return places

    def read(self, shard: Path, key: str, place: Place) -> bytes:
        path = shard / f"{key}.jpg"
        return path.read_bytes() if path.is_file() else b""

    def measure(self, shard: Path, samples: int) -> dict[str, Any]:
        with os.scandir(shard) as entries:
            return {"samples": samples, "bytes": sum(entry.stat().st_size for entry in entries)}

    def stands(self, shard: Path, told: dict[str, Any]) -> bool:
        return shard.is_dir() and self.measure(shard, told["samples"])["bytes"] == told["bytes"]


FORMS: dict[str, Form] = {"webdataset": Tars(), "files": Folders()}


def put_in_place(beside: Path, target: Path) -> None:
    """Bring what was written beside into place, over a file or a folder that stands there."""
    if target.is_dir():  # a folder cannot be renamed over another
        away = beside.with_name(f"{beside.name}.away")
        shutil.rmtree(away, ignore_errors=True)
        target.rename(away)
        beside.rename(target)
        shutil.rmtree(away)
    else:
        beside.rename(target)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a stream to write to; it becomes `path` when the block ends well."""
    beside = path.with_name(f".{path.name}.partial")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
