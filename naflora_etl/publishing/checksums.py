"""SHA256SUMS: written as `sha256sum` writes it, read without mercy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import IO, NamedTuple

NAME = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  (\S(?:.*\S)?)")
BLOCK_BYTES = 1 << 20


class Sum(NamedTuple):
    """Digest and size of a file."""

    sha256: str
    size_bytes: int


def sum_stream(stream: IO[bytes], tell: Callable[[int], None] = lambda size_bytes: None) -> Sum:
    """Read `stream` to its end and return its sha256 and size; `tell` hears of every block."""
    digest, size_bytes = hashlib.sha256(), 0
    while block := stream.read(BLOCK_BYTES):
        digest.update(block)
        size_bytes += len(block)
        tell(len(block))
    return Sum(digest.hexdigest(), size_bytes)


def render_sums(sums: Mapping[str, str]) -> bytes:
    """Return the text of a SHA256SUMS for `sums`, name to sha256, sorted by name."""
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()


def parse_sums(body: bytes) -> dict[str, str]:
    """Return name to sha256; ValueError for text that `render_sums` would not have written, to the byte."""
    lines = body.decode("utf-8").splitlines()
    sums: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        match = LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number} is not a sha256, two spaces and a name")
        sums[match.group(2)] = match.group(1)
    if render_sums(sums) != body:
        raise ValueError("its lines are not sorted, or end otherwise, or repeat a name")
    return sums
