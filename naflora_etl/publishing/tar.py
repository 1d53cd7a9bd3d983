"""Samples into WebDataset tars that come out byte for byte the same."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Mapping
from typing import IO, Any, Literal, NamedTuple

KEY = re.compile(r"[a-z0-9_-]{1,90}")
"""WebDataset cuts a member's name at its first dot, and ustar holds names of at most 100 bytes."""

LABEL = ("class_id", "taxon_name", "family", "genus", "species", "taxon_id", "specimen_key")
"""What the label of a sample tells, after its key."""
LabelKind = Literal["json", "cls"]
"""json: the facts of LABEL; cls: the number of the class alone, which loaders hand out as an integer."""


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
    """A tar of samples on a binary stream: `<key>.jpg`, then `<key>.json` (or .cls), in the order they are added."""

    def __init__(self, stream: IO[bytes], legal_key: re.Pattern[str] = KEY, label: LabelKind = "json") -> None:
        self._legal_key = legal_key
        self._label = label
        self._tar = tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        self.samples = 0

    def add(self, key: str, jpeg: bytes, facts: Mapping[str, Any]) -> Span:
        """Add a sample and return where the JPEG's bytes lie; ValueError for a key that readers would not understand.

        `facts` are written as JSON, or their class_id alone, which readers hand out as the sample's label.
        """
        if not self._legal_key.fullmatch(key):
            raise ValueError(f'"{key}" cannot be the key of a sample; keys are 1 to 90 of a-z, 0-9, _ and -')
        span = self._add_file(f"{key}.jpg", jpeg)
        told = str(facts["class_id"]) if self._label == "cls" else _as_json(facts)
        self._add_file(f"{key}.{self._label}", told.encode())
        self.samples += 1
        return span

    def _add_file(self, name: str, data: bytes) -> Span:
        self._tar.addfile(plain_member(name, len(data)), io.BytesIO(data))
        return Span(self._tar.offset - padded(len(data)), len(data))

    def close(self) -> None:
        """Write the end of the tar; the stream stays open."""
        self._tar.close()


def _as_json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
