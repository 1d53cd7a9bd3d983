"""What a decoded image is, and the limits that its header must keep before it becomes one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import UnidentifiedImageError

from naflora_etl.imaging.faults import ImageFault

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]

HELD_SHARE = 0.5
"""Share of the pixels allowed where they must all be in memory: a progressive JPEG's coefficients, any other format."""
ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class Limits:
    """How much an image may be, by its header."""

    max_pixels: int
    min_side_px: int = 1

    def check(self, width: int, height: int, share: float = 1.0) -> None:
        """Raise ImageFault IMAGE_TOO_LARGE or IMAGE_TOO_SMALL for a size beyond the limits."""
        allowed = int(self.max_pixels * share)
        if width * height > allowed:
            raise ImageFault("IMAGE_TOO_LARGE", f"{width} x {height} pixels are more than the {allowed} allowed.")
        if min(width, height) < self.min_side_px:
            raise ImageFault(
                "IMAGE_TOO_SMALL", f"{width} x {height} pixels; each side must have {self.min_side_px} at least."
            )


@dataclass(frozen=True)
class Decoded:
    """Upright pixels, perhaps at a reduced scale, with the size that the source has when upright."""

    pixels: Pixels
    """uint8 RGB [H, W, 3], in the colours of `profile`."""
    source_width_px: int
    source_height_px: int
    profile: bytes | None = None
    """The ICC profile of the pixels (colour.to_srgb applies it, best to few pixels); None: they are sRGB."""
    reduced_by: int = 1
    """1, 2, 4 or 8: how many source pixels in a row became one of `pixels` in decoding."""
    box: Box | None = None
    """Left, top, right, bottom of the picture in `pixels`, where a reduced one ends within a pixel; None: all of it."""

    @property
    def scale(self) -> float:
        """Length in `pixels` of one source pixel, at most 1."""
        height, width = self.pixels.shape[:2]
        return float(max(height, width) / max(self.source_width_px, self.source_height_px))


def damaged(error: BaseException) -> ImageFault:
    """Return the fault of an image that a decoder refused."""
    reason = re.sub(r"^tj\w+\(\): ", "", str(error)).rstrip(".") or type(error).__name__
    if isinstance(error, UnidentifiedImageError):  # its text holds an address in memory
        reason = "its header makes no sense"
    return ImageFault("IMAGE_DAMAGED", f"The image cannot be decoded: {reason}.")


def least_eighths(long_side_px: int, need_px: int) -> int:
    """Return the least of 8, 4, 2, 1 eighths (a JPEG's scales with a fast inverse DCT) that keeps `need_px`."""
    return next((eighths for eighths in (1, 2, 4) if -(-long_side_px * eighths // 8) >= need_px), 8)


def picture_box(shape: tuple[int, ...], exact: tuple[float, float], orientation: Any) -> Box | None:
    """Return where a picture of `exact` width and height lies in upright pixels of `shape`; None when it fills them.

    A decoder lays it at the top left and fills the last column and row up; the EXIF orientation may have turned those.
    """
    height, width = shape[:2]
    across, down = (exact[1], exact[0]) if orientation in (5, 6, 7, 8) else exact
    if (across, down) == (width, height):
        return None
    left = width - across if orientation in (2, 3, 6, 7) else 0.0
    top = height - down if orientation in (3, 4, 7, 8) else 0.0
    return left, top, left + across, top + down


def turn_upright(pixels: Pixels, orientation: Any) -> Pixels:
    """Undo an EXIF orientation, so that row 0 is the top; one that is not 1 to 8 says nothing."""
    turned: Any = pixels
    if orientation in (5, 6, 7, 8):
        turned = turned.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return np.ascontiguousarray(turned)
