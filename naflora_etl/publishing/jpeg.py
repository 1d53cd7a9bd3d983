"""What a JPEG holds besides its pixels, read from its markers alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

JFIF = b"JFIF\x00"
PLAIN_JFIF_BYTES = 16
"""Length of a JFIF segment without a thumbnail in it."""
SOI, EOI, SOS, APP0, COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xFE
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# entropy-coded data stuffs a 00 after each FF and may hold restart markers; anything else ends the scan
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


@dataclass
class JpegFacts:
    """Size of a JPEG, and whatever it carries that is not needed to see its pixels."""

    width_px: int = 0
    height_px: int = 0
    extras: list[str] = field(default_factory=list)


def read_jpeg(data: bytes) -> JpegFacts:
    """Return the facts of a JPEG file; ValueError for bytes that are none."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("it does not begin as a JPEG does")
    facts, place = JpegFacts(), 2
    while True:
        match = MARKER.search(data, place)
        if match is None:
            raise ValueError("it has no end")
        if match.start() != place and data[place : match.start()].strip(b"\xff"):
            raise ValueError(f"stray bytes stand at {place}")
        marker, place = data[match.start() + 1], match.end()
        if marker == EOI:
            if data[place:]:
                facts.extras.append(f"{len(data) - place} bytes after the end")
            return facts
        length = int.from_bytes(data[place : place + 2], "big")
        body = data[place + 2 : place + length]
        if length < 2 or len(body) != length - 2:
            raise ValueError(f"segment {marker:02X} is cut short")
        _read_segment(marker, body, facts)
        place += length
        if marker == SOS:
            scan_end = MARKER.search(data, place)
            if scan_end is None:
                raise ValueError("it has no end")
            place = scan_end.start()


def _read_segment(marker: int, body: bytes, facts: JpegFacts) -> None:
    if marker in FRAMES:
        facts.height_px = int.from_bytes(body[1:3], "big")
        facts.width_px = int.from_bytes(body[3:5], "big")
    elif marker == COM:
        facts.extras.append("a comment")
    elif marker == APP0:
        if not body.startswith(JFIF) or len(body) + 2 != PLAIN_JFIF_BYTES:
            facts.extras.append("a thumbnail or another extension of JFIF")
    elif APP0 < marker <= APP0 + 15:
        facts.extras.append(f"segment APP{marker - APP0}")
