"""What a JPEG carries besides its pixels."""

from __future__ import annotations

import pytest
from PIL import Image
from small_world import draw_jpeg

from naflora_etl.publishing.jpeg import read_jpeg


def exif() -> bytes:
    tags = Image.Exif()
    tags[0x010E] = "Quercus alba, det. J. Smith"
    return tags.tobytes()


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


PLAIN = draw_jpeg(1, 40, 56)
CASES = {
    "plain": (PLAIN, []),
    "progressive": (draw_jpeg(1, 40, 56, progressive=True), []),
    "restart markers": (draw_jpeg(1, 40, 56, restart_marker_rows=1), []),
    "EXIF": (draw_jpeg(1, 40, 56, exif=exif()), ["segment APP1"]),
    "colour profile": (draw_jpeg(1, 40, 56, icc_profile=b"x" * 200), ["segment APP2"]),
    "comment": (draw_jpeg(1, 40, 56, comment=b"Quercus alba"), ["a comment"]),
    "IPTC": (with_segment(PLAIN, 0xED, b"Photoshop 3.0\0"), ["segment APP13"]),
    "thumbnail": (with_segment(PLAIN, 0xE0, b"JFXX\0\x10thumb"), ["a thumbnail or another extension of JFIF"]),
    "appended": (PLAIN + b"Quercus", ["7 bytes after the end"]),
}


@pytest.mark.parametrize(("data", "extras"), CASES.values(), ids=CASES)
def test_whatever_is_not_pixels_is_named(data: bytes, extras: list[str]) -> None:
    facts = read_jpeg(data)
    assert facts.extras == extras
    assert (facts.width_px, facts.height_px) == (40, 56)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "does not begin"),
        (b"\x89PNG\r\n", "does not begin"),
        (PLAIN[:300], "cut short"),
        (PLAIN[:-2], "no end"),
        (PLAIN[:2] + b"garbage" + PLAIN[2:], "stray bytes"),
    ],
    ids=["nothing", "a PNG", "cut in a table", "cut at the end", "stray bytes"],
)
def test_what_is_no_jpeg_is_told(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_jpeg(data)
