"""PNG, TIFF, WebP, GIF, BMP and JPEG 2000 through Pillow: the first picture of the file, 8 bits a channel, on white."""

from __future__ import annotations

import io
import math
import struct
import warnings
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from naflora_etl.imaging.colour import inks_to_srgb, lab_to_srgb
from naflora_etl.imaging.decoded import (
    HELD_SHARE,
    ORIENTATION_TAG,
    Decoded,
    Limits,
    damaged,
    least_eighths,
    turn_upright,
)
from naflora_etl.imaging.faults import ImageFault

Pixels = npt.NDArray[np.uint8]

# Our own check of the header, by the recipe's limits, stands in place of Pillow's fixed one.
Image.MAX_IMAGE_PIXELS = None
# Of odd tags; what matters is whether the pixels come.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

BAND_ROWS = 1024
"""Rows turned into RGB at a time; a multiple of 8, so that no cell of a reduction is cut."""
BOMB_PIXELS = 25_000_000
"""Above this, a picture must be worth its bytes:"""
BOMB_PIXELS_PER_BYTE = 200
"""a flat page of one colour packs thousands of pixels into a byte, a photograph hardly ten."""
BITS_TAG, WHITE_IS_ZERO_TAG, PLANES_TAG = 258, 262, 284
DEEPEST = (1.0, 255.0, 65535.0)
"""Whites that images of floating point or 32 bits may mean; the least that holds the brightest pixel is taken."""


def decode_raster(body: bytes, kind: str, *, need_px: int, limits: Limits) -> Decoded:
    """Decode `body` upright, as 8-bit RGB, at the least of 1, 1/2, 1/4, 1/8 whose long side keeps `need_px`.

    Transparency is laid on white. Raises ImageFault: IMAGE_DAMAGED, IMAGE_TOO_LARGE, IMAGE_TOO_SMALL.
    """
    try:
        return _decode(body, kind, need_px, limits)
    except ImageFault:
        raise
    except Exception as error:  # Pillow's plugins raise anything on foreign bytes
        raise damaged(error) from None


def size_of_raster(body: bytes, kind: str) -> tuple[int, int]:
    """Return width and height by the header alone; raises anything on foreign bytes."""
    with Image.open(io.BytesIO(body), formats=[kind]) as image:
        return image.size


def _decode(body: bytes, kind: str, need_px: int, limits: Limits) -> Decoded:
    with Image.open(io.BytesIO(body), formats=[kind]) as image:
        width, height = image.size
        limits.check(width, height, HELD_SHARE)
        if width * height > max(BOMB_PIXELS, BOMB_PIXELS_PER_BYTE * len(body)):
            raise ImageFault(
                "IMAGE_TOO_LARGE", f"{width} x {height} pixels out of {len(body)} bytes are a bomb, not a photograph."
            )
        _check_end(body, kind)
        factor = 8 // least_eighths(max(width, height), need_px)
        if isinstance(image, Jpeg2KImageFile) and _is_deep(body):
            pixels = _decode_deep(body, factor)
        else:
            if isinstance(image, Jpeg2KImageFile):
                image.reduce = factor.bit_length() - 1  # its decoder leaves the finest wavelets out
            if _tag(image, PLANES_TAG) == 2 and max(_tag(image, BITS_TAG) or (8,)) > 8:
                raise ValueError("16 bits a channel, each channel apart, is a TIFF that is not read")
            image.load()  # the first frame of several
            pixels = _as_rgb(image, factor if image.size == (width, height) else 1)
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
        profile = image.info.get("icc_profile")
    pixels = turn_upright(pixels, orientation)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return Decoded(pixels, width, height, profile if isinstance(profile, bytes) and image.mode != "CMYK" else None)


def _check_end(body: bytes, kind: str) -> None:
    """Raise ImageFault for a file that ends before its own end mark, where Pillow would not mind."""
    cut = False
    if kind == "PNG":
        cut = b"IEND\xaeB`\x82" not in body
    elif kind == "WEBP":
        cut = struct.unpack_from("<I", body, 4)[0] + 8 > len(body) + 1  # odd chunks are padded, or not
    elif kind == "JPEG2000":
        cut = b"\xff\xd9" not in body[-65536:]
    if cut:
        raise ImageFault("IMAGE_DAMAGED", "The image is cut short: its end is missing.")


def _is_deep(body: bytes) -> bool:
    """Tell whether a JPEG 2000 image has several channels of more than 8 bits, whose white Pillow takes for black."""
    place = body.find(b"\xff\x4f\xff\x51")  # start of codestream, then its size marker
    if place < 0 or len(body) < place + 43:
        return False
    channels, depth = struct.unpack_from(">HB", body, place + 40)
    return bool(channels >= 3 and (depth & 0x7F) + 1 > 8)


def _decode_deep(body: bytes, factor: int) -> Pixels:
    decoded = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if decoded is None:
        raise ValueError("broken data stream")
    size = math.ceil(decoded.shape[1] / factor), math.ceil(decoded.shape[0] / factor)
    return np.asarray(cv2.resize(decoded, size, interpolation=cv2.INTER_AREA), np.uint8)


def _as_rgb(image: Image.Image, factor: int) -> Pixels:
    """Return uint8 [H / factor, W / factor, 3] of a loaded image, band by band, so that only the result is whole."""
    width, height = image.size
    top = _white_of(image)
    made = np.empty((math.ceil(height / factor), math.ceil(width / factor), 3), np.uint8)
    for start in range(0, height, BAND_ROWS):
        band = image.crop((0, start, width, min(start + BAND_ROWS, height)))
        rgb = _band_as_rgb(band, image, top)
        first = start // factor
        if factor > 1:
            size = made.shape[1], math.ceil(len(rgb) / factor)
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        made[first : first + len(rgb)] = rgb
    return made


def _white_of(image: Image.Image) -> float:
    """Return the value that white has in an image of more than 8 bits."""
    if image.mode.startswith("I;16"):
        return 65535.0
    if image.mode not in ("I", "F"):
        return 255.0
    least, most = image.getextrema()
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in (least, most)):
        raise ImageFault("IMAGE_DAMAGED", "The image holds values that are no numbers.")
    brightest = float(most)  # type: ignore[arg-type]
    scales = DEEPEST if image.mode == "F" else DEEPEST[1:]
    return next((white for white in scales if brightest <= white), brightest)


def _band_as_rgb(band: Image.Image, image: Image.Image, white: float) -> Pixels:
    if band.mode[0] in "IF":  # I;16, I;16B, I, F: Pillow's own way would clip all above 255 to white
        deep = np.asarray(band).astype(np.float32)
        grey = (np.clip(deep, 0, white) * (255.0 / white)).round().astype(np.uint8)
        if band.mode.startswith("I;16") and _tag(image, WHITE_IS_ZERO_TAG) == 0:
            grey = 255 - grey
        return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    if band.mode == "CMYK":
        return inks_to_srgb(np.asarray(band), image.info.get("icc_profile"))
    if band.mode == "LAB":
        return lab_to_srgb(np.asarray(band))
    if "transparency" in image.info or image.has_transparency_data:
        if "transparency" in image.info:
            band.info["transparency"] = image.info["transparency"]
        see_through = band.convert("RGBA")
        paper = Image.new("RGBA", band.size, "white")
        return np.array(Image.alpha_composite(paper, see_through).convert("RGB"))
    return np.array(band.convert("RGB"))


def _tag(image: Image.Image, number: int) -> Any:
    return getattr(image, "tag_v2", {}).get(number)
