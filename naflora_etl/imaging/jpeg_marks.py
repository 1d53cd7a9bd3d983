"""The marks of a JPEG, counted before a decoder works through them: a file may be made of little else."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from naflora_etl.imaging.faults import ImageFault

MOST_SCANS = 100
"""A progressive JPEG has some ten scans; each costs a pass over all coefficients, so thousands are an attack."""
MOST_MARKS = 50_000
"""Segments and fill bytes together. A sheet has some tens; Pillow walks them one by one, slowly."""
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
END, SCAN = 0xD9, 0xDA
MARK = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")
"""Not those that stand within a scan. What lies before a mark is a scan's data, or rubbish; decoders skip it, too."""


def is_progressive(body: bytes) -> bool:
    """Tell whether the JPEG's frame header is of a progressive kind; false where none is found."""
    return next((marker in PROGRESSIVE for marker, _ in _marks(body) if marker in FRAMES), False)


def check_marks(body: bytes) -> None:
    """Raise ImageFault for a JPEG of a hundred scans, or of tens of thousands of segments.

    What only looks like a mark, in a comment, a profile or behind the end, is none.
    """
    scans = 0
    may_be_many = body.count(b"\xff\xda") > MOST_SCANS
    for marker, seen in _marks(body):
        scans += marker == SCAN
        if scans > MOST_SCANS:
            raise ImageFault("IMAGE_TOO_LARGE", f"The image has over {MOST_SCANS} scans, each as dear as a decode.")
        if seen > MOST_MARKS:
            raise ImageFault("IMAGE_TOO_LARGE", f"The image has over {MOST_MARKS} segments or fill bytes.")
        if scans and not may_be_many:  # what follows holds no more than those
            return


def _marks(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield each mark up to the end of the picture, with the marks and fill bytes seen so far."""
    place, seen = 2, 0
    while seen <= MOST_MARKS and (found := MARK.search(body, place)):
        seen += 1
        if found[1][0] != SCAN:
            seen += body.count(b"\xff", place, found.start())
        yield found[1][0], seen
        if found[1][0] == END or found.end() + 2 > len(body):
            return
        place = found.end() + int(struct.unpack_from(">H", body, found.end())[0])
