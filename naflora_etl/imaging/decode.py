"""Foreign bytes in, upright RGB pixels out; what is no image, or a dangerous one, is refused before it is decoded."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from naflora_etl.imaging.colour import inks_to_srgb, to_srgb
from naflora_etl.imaging.decoded import (
    HELD_SHARE,
    ORIENTATION_TAG,
    Decoded,
    Limits,
    Pixels,
    damaged,
    least_eighths,
    picture_box,
    turn_upright,
)
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.jpeg_marks import check_marks, is_progressive
from naflora_etl.imaging.kinds import kind_of
from naflora_etl.imaging.rasters import decode_raster, size_of_raster

__all__ = ["Decoded", "decode_image", "kind_of", "working_bytes"]

MOST_PIXELS_PER_BYTE = {False: 300, True: 600}
"""A JPEG spends two bits at least on 64 pixels, a progressive one (True) one: with more pixels it was cut, or lies."""


def decode_image(
    body: bytes,
    *,
    need_px: int,
    max_pixels: int,
    min_side_px: int = 1,
    keep_profile: bool = False,
    lend: Callable[[int], Pixels] | None = None,
) -> Decoded:
    """Decode `body` upright, as 8-bit sRGB, at the least of 1, 1/2, 1/4, 1/8 whose long side keeps `need_px`.

    With `keep_profile` an ICC profile is handed on instead of applied: to_srgb costs less on the finished pixels.
    `lend` gives memory of so many bytes at least, into which a JPEG may be decoded instead of into memory of its own.
    Raises ImageFault: NOT_AN_IMAGE, IMAGE_DAMAGED, IMAGE_TOO_LARGE (by the header, before decoding), IMAGE_TOO_SMALL.
    """
    limits = Limits(max_pixels, min_side_px)
    kind = kind_of(body)
    if kind == "JPEG":
        decoded = _decode_jpeg(body, need_px, limits, lend)
    else:
        decoded = decode_raster(body, kind, need_px=need_px, limits=limits)
    if keep_profile or decoded.profile is None:
        return decoded
    return replace(decoded, pixels=to_srgb(decoded.pixels, decoded.profile), profile=None)


def working_bytes(body: bytes, *, need_px: int) -> int:
    """Return, by the header, some upper bound of the memory that decoding and covering such an image takes; 0: unknown.

    Never raises; what is no image needs none.
    """
    try:
        kind = kind_of(body)
        if kind == "JPEG":
            height, width, _, _ = simplejpeg.decode_jpeg_header(body)
            held = 3 * width * height if is_progressive(body) else 0  # coefficients
        else:
            width, height = size_of_raster(body, kind)
            held = 4 * width * height
    except Exception:  # the decoder proper will say what is wrong
        return 0
    scale = least_eighths(max(width, height), need_px) / 8
    return held + int(2 * 3 * width * height * scale * scale)  # as decoded, and as covered


def _decode_jpeg(body: bytes, need_px: int, limits: Limits, lend: Callable[[int], Pixels] | None) -> Decoded:
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(body)
    except ValueError as error:
        raise damaged(error) from None
    progressive = is_progressive(body)
    limits.check(width, height, HELD_SHARE if progressive else 1.0)
    _check_effort(body, width * height, progressive)
    eighths = least_eighths(max(width, height), need_px)
    orientation, profile = _read_tags(body)
    inks = space in ("CMYK", "YCCK")
    room = (4 if inks else 3) * math.ceil(height * eighths / 8) * math.ceil(width * eighths / 8)
    try:
        # Strict, for libjpeg fills what is missing with grey and goes on.
        pixels = simplejpeg.decode_jpeg(
            body,
            "CMYK" if inks else "RGB",
            min_height=math.ceil(height * eighths / 8),
            min_width=math.ceil(width * eighths / 8),
            strict=True,
            buffer=lend(room) if lend is not None else None,
        )
    except (ValueError, MemoryError) as error:
        raise damaged(error) from None
    if inks:
        # four inks in a JPEG lie there as Adobe laid them first, upside down
        pixels, profile = inks_to_srgb(255 - pixels, profile), None
    upright = turn_upright(np.asarray(pixels, np.uint8), orientation)
    box = picture_box(upright.shape, (width * eighths / 8, height * eighths / 8), orientation)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return Decoded(upright, width, height, profile, 8 // eighths, box)


def _check_effort(body: bytes, pixels: int, progressive: bool) -> None:
    """Raise ImageFault for a JPEG whose header promises more than its bytes can hold, or that is mostly marks."""
    if pixels > MOST_PIXELS_PER_BYTE[progressive] * len(body):
        raise ImageFault("IMAGE_DAMAGED", f"The image cannot be decoded: {len(body)} bytes hold no {pixels} pixels.")
    check_marks(body)


def _read_tags(body: bytes) -> tuple[Any, bytes | None]:
    """Return a JPEG's EXIF orientation and its ICC profile; 1 and None where they cannot be read."""
    orientation, profile = 1, None
    try:
        with Image.open(io.BytesIO(body), formats=["JPEG"]) as image:
            profile = image.info.get("icc_profile")
            orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # an unreadable EXIF says nothing about how the sheet stands
        pass
    return orientation, profile if isinstance(profile, bytes) else None
