"""What kind of image some bytes are, by the bytes alone; the sender's name or type for them is never asked."""

from __future__ import annotations

from naflora_etl.imaging.faults import ImageFault

MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
"""First bytes of what we read."""
MARKUP: tuple[tuple[bytes, str], ...] = (
    (b"<svg", "SVG"),
    (b"<!doctype html", "HTML"),
    (b"<html", "HTML"),
    (b"%pdf", "PDF"),
)


def kind_of(body: bytes) -> str:
    """Return the image format by its first bytes; raise ImageFault NOT_AN_IMAGE when there is none that we read."""
    for magic, kind in MAGIC:
        if body.startswith(magic):
            return kind
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "WEBP"
    raise ImageFault("NOT_AN_IMAGE", f"This is {_describe(body)}, not an image.")


def _describe(body: bytes) -> str:
    if not body:
        return "empty"
    start = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for mark, name in MARKUP:
        if start.startswith(mark):
            return name
    if start.startswith(b"<?xml"):
        return "SVG" if b"<svg" in start else "XML"
    if body[4:8] == b"ftyp":
        return "HEIF, AVIF or a film"
    try:
        body[:512].decode("ascii")
    except UnicodeDecodeError:
        return "of an unknown kind"
    # zeros are ASCII, too, but nobody would call them text
    return "of an unknown kind" if b"\x00" in body[:512] else "text"


def is_image(body: bytes) -> bool:
    """Return whether `kind_of` knows the format of `body`."""
    try:
        kind_of(body)
    except ImageFault:
        return False
    return True
