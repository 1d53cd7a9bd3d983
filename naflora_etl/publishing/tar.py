"""Samples into WebDataset tars that come out byte for byte the same."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

KEY = re.compile(r"[a-z0-9_-]{1,90}")
"""WebDataset cuts a member's name at its first dot, and ustar holds names of at most 100 bytes."""


class Span(NamedTuple):
    """Where a file's bytes lie in its tar."""

    offset: int
    length_bytes: int


def plain_member(name: str, size_bytes: int) -> tarfile.TarInfo:
    """Return the header of a file that bears no trace of when, where or by whom it was written."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size_bytes, 0o644, 0
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def padded(size_bytes: int) -> int:
    """Return the room that a file takes in a tar, which is whole blocks of 512 bytes."""
    return -(-size_bytes // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


class SampleTar:
    """A tar of samples on a binary stream: `<key>.jpg`, then `<key>.json`, in the order they are added."""

    def __init__(self, stream: IO[bytes], legal_key: re.Pattern[str] = KEY) -> None:
        self._legal_key = legal_key
        self._tar = tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        self.samples = 0

    def add(self, key: str, jpeg: bytes, facts: Mapping[str, Any]) -> Span:
        """Add a sample and return where the JPEG's bytes lie; ValueError for a key that readers would not understand.

        `facts` are written as JSON, which readers hand out as the sample's label.
        """
        if not self._legal_key.fullmatch(key):
            raise ValueError(f'"{key}" cannot be the key of a sample; keys are 1 to 90 of a-z, 0-9, _ and -')
        span = self._add_file(f"{key}.jpg", jpeg)
        self._add_file(f"{key}.json", json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode())
        self.samples += 1
        return span

    def _add_file(self, name: str, data: bytes) -> Span:
        self._tar.addfile(plain_member(name, len(data)), io.BytesIO(data))
        return Span(self._tar.offset - padded(len(data)), len(data))

    def close(self) -> None:
        """Write the end of the tar; the stream stays open."""
        self._tar.close()
