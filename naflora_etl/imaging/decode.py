"""Foreign bytes in, upright RGB pixels out; what is no image, or a dangerous one, is refused before it is decoded."""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from naflora_etl.imaging.faults import ImageFault

Pixels = npt.NDArray[np.uint8]

# Our own check of the header, by the recipe's limits, stands in place of Pillow's fixed one.
Image.MAX_IMAGE_PIXELS = None

MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
"""First bytes of what we read. The sender's name or type for it is never asked."""

PROGRESSIVE_SHARE = 0.3
"""A progressive JPEG keeps all its coefficients in memory at any scale, so less of it is allowed."""
ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class Decoded:
    """Upright pixels, perhaps at a reduced scale, with the size that the source has when upright."""

    pixels: Pixels
    """uint8 RGB [H, W, 3]."""
    source_width_px: int
    source_height_px: int

    @property
    def scale(self) -> float:
        """Length in `pixels` of one source pixel, at most 1."""
        height, width = self.pixels.shape[:2]
        return float(max(height, width) / max(self.source_width_px, self.source_height_px))


def decode_image(body: bytes, *, need_px: int, max_pixels: int, min_side_px: int = 1) -> Decoded:
    """Decode `body` upright, as 8-bit RGB; a JPEG at the least of 1, 1/2, 1/4, 1/8 whose long side keeps `need_px`.

    Raises ImageFault: NOT_AN_IMAGE, IMAGE_DAMAGED, IMAGE_TOO_LARGE (by the header, before decoding), IMAGE_TOO_SMALL.
    """
    kind = kind_of(body)
    if kind == "JPEG":
        return _decode_jpeg(body, need_px, max_pixels, min_side_px)
    return _decode_other(body, kind, max_pixels, min_side_px)


def kind_of(body: bytes) -> str:
    """Return the image format by its first bytes; raise ImageFault NOT_AN_IMAGE when there is none that we read."""
    for magic, kind in MAGIC:
        if body.startswith(magic):
            return kind
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "WEBP"
    raise ImageFault("NOT_AN_IMAGE", f"The answer is {_describe(body)}, not an image.")


def _describe(body: bytes) -> str:
    if not body:
        return "empty"
    start = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for mark, name in ((b"<svg", "SVG"), (b"<!doctype html", "HTML"), (b"<html", "HTML"), (b"%pdf", "PDF")):
        if start.startswith(mark):
            return name
    if start.startswith(b"<?xml"):
        return "SVG" if b"<svg" in start else "XML"
    try:
        body[:512].decode("ascii")
    except UnicodeDecodeError:
        return "of an unknown kind"
    return "text"


def _decode_jpeg(body: bytes, need_px: int, max_pixels: int, min_side_px: int) -> Decoded:
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(body)
    except ValueError as error:
        raise _damaged(error) from None
    allowed = int(max_pixels * PROGRESSIVE_SHARE) if _is_progressive(body) else max_pixels
    _check_size(width, height, allowed, min_side_px)
    eighths = _least_eighths(max(width, height), need_px)
    try:
        # Strict, for libjpeg fills what is missing with grey and goes on.
        pixels = simplejpeg.decode_jpeg(
            body,
            "RGB",
            min_height=math.ceil(height * eighths / 8),
            min_width=math.ceil(width * eighths / 8),
            strict=True,
        )
    except (ValueError, MemoryError) as error:
        raise _damaged(error) from None
    orientation = _orientation(body)
    if orientation >= 5:
        width, height = height, width
    return Decoded(_upright(pixels, orientation), width, height)


def _least_eighths(long_side_px: int, need_px: int) -> int:
    """Return the least of 8, 4, 2, 1 eighths (the scales with a fast inverse DCT) that keeps `need_px`."""
    return next((eighths for eighths in (1, 2, 4) if math.ceil(long_side_px * eighths / 8) >= need_px), 8)


def _decode_other(body: bytes, kind: str, max_pixels: int, min_side_px: int) -> Decoded:
    try:
        with Image.open(io.BytesIO(body), formats=[kind]) as image:
            _check_size(*image.size, max_pixels, min_side_px)
            image.load()  # the first frame of several
            pixels = _as_rgb(image)
            orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except ImageFault:
        raise
    except Exception as error:  # Pillow's plugins raise anything on foreign bytes
        raise _damaged(error) from None
    pixels = _upright(pixels, orientation if orientation in range(1, 9) else 1)
    height, width = pixels.shape[:2]
    return Decoded(pixels, width, height)


def _as_rgb(image: Image.Image) -> Pixels:
    if image.mode[0] in "IF":  # I;16, I;16B, I, F: Pillow's own way would clip all above 255 to white
        deep = np.asarray(image).astype(np.float32)
        top = next((limit for limit in (255.0, 65535.0) if deep.max() <= limit), float(deep.max()))
        grey = (np.clip(deep, 0, top) * (255.0 / top)).round().astype(np.uint8)
        return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    if image.has_transparency_data:
        see_through = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        return np.array(Image.alpha_composite(paper, see_through).convert("RGB"))
    return np.array(image.convert("RGB"))


def _check_size(width: int, height: int, max_pixels: int, min_side_px: int) -> None:
    if width * height > max_pixels:
        raise ImageFault("IMAGE_TOO_LARGE", f"{width} x {height} pixels are more than the {max_pixels} allowed.")
    if min(width, height) < min_side_px:
        raise ImageFault("IMAGE_TOO_SMALL", f"{width} x {height} pixels; each side must have {min_side_px} at least.")


def _damaged(error: BaseException) -> ImageFault:
    reason = str(error).rstrip(".") or type(error).__name__
    return ImageFault("IMAGE_DAMAGED", f"The image cannot be decoded: {reason}.")


def _is_progressive(body: bytes) -> bool:
    """Tell whether the JPEG's frame header is SOF2, walking from segment to segment."""
    place = 2
    while place + 4 <= len(body) and body[place] == 0xFF:
        marker = body[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return marker == 0xC2
        (length,) = struct.unpack_from(">H", body, place + 2)
        place += 2 + length
    return False


def _orientation(body: bytes) -> int:
    try:
        with Image.open(io.BytesIO(body), formats=["JPEG"]) as image:
            orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # an unreadable EXIF says nothing about how the sheet stands
        return 1
    return orientation if orientation in range(1, 9) else 1


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (1 to 8), so that row 0 is the top."""
    turned: Any = pixels
    if orientation in (5, 6, 7, 8):
        turned = turned.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return np.ascontiguousarray(turned)
