"""Smaller, never larger, without aliasing, and in its place to a fraction of a pixel."""

from __future__ import annotations

import math
import os
from functools import lru_cache

# One thread an image: the images are what runs at once, and two pools of threads fight over the same cores.
os.environ.setdefault("VIPS_CONCURRENCY", "1")

import cv2
import numpy as np
import pyvips

from naflora_etl.imaging.decoded import Box, Pixels

pyvips.cache_set_max(0)  # no image comes twice, so kept results are but memory


MATCHED_AT = 0.3
"""Frequency, in cycles a finished pixel, at which a scaled decode's softness is undone exactly."""
MOST_BEYOND = 6
CLOSE_ENOUGH_PX = 0.03


def shrink_image(rgb: Pixels, long_side_px: int, *, box: Box | None = None, decoded_by: int = 1) -> Pixels:
    """Return `rgb` [H, W, 3] with its long side at `long_side_px`; as it is when that would enlarge it.

    Lanczos (three lobes) stretched to the scale, so each pixel of the source has its say; the same bytes on any run.
    `box` is the part of `rgb` that is the picture: a JPEG of odd width, decoded at a half, ends within its last pixel,
    and would else be drawn askew by up to a quarter of a finished pixel. `decoded_by` (1, 2, 4, 8) says that `rgb` was
    decoded at 1/2, 1/4, 1/8, which softens as a mean over so many pixels would; that softness is known and undone.
    """
    height, width = rgb.shape[:2]
    left, top, right, bottom = box or (0.0, 0.0, float(width), float(height))
    scale = long_side_px / max(right - left, bottom - top)
    if scale >= 1:
        return rgb
    new_width, new_height = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    pixels = np.ascontiguousarray(rgb)
    image = pyvips.Image.new_from_memory(pixels.data, width, height, 3, "uchar").copy(interpretation="srgb")
    if box is None or (left, top, right, bottom) == (0, 0, width, height):
        small = image.thumbnail_image(new_width, height=new_height, size="force")
    else:
        across, down = _frame(width, left, right, new_width), _frame(height, top, bottom, new_height)
        framed = image.embed(across[0], down[0], width + sum(across[:2]), height + sum(down[:2]), extend="copy")
        reduced = framed.reduce((right - left) / new_width, (bottom - top) / new_height, kernel="lanczos3")
        small = reduced.crop(across[2], down[2], new_width, new_height)
    made = np.frombuffer(small.write_to_memory(), np.uint8).reshape(new_height, new_width, 3)
    return made if decoded_by == 1 else _undo_softness(made, decoded_by, 1 / (scale / decoded_by))


@lru_cache(maxsize=1024)
def _frame(size: int, begin: float, end: float, new_size: int) -> tuple[int, int, int]:
    """Return pixels to add before and after, and finished pixels to cut off before, so that the grid lies right.

    libvips lays its finished pixels about the middle of the picture, at the pitch it is told; the middle moves by half
    a pixel for each one added. Of the frames that do, the first that is near enough, else the nearest.
    """
    pitch = (end - begin) / new_size
    best = (math.inf, 0, 0, 0)
    for beyond in range(MOST_BEYOND + 1):
        for before in range(beyond + 1):
            middle = begin + (new_size + beyond - 2 * before) * pitch / 2
            total = (new_size + beyond) * pitch
            added_before = max(0, math.ceil((total - pitch / 2) / 2 - middle))
            added_after = round(2 * middle) - size + added_before
            if added_after < 0:
                added_before -= added_after
                added_after = 0
                added_after = round(2 * middle) - size + added_before
            if round((size + added_before + added_after) / pitch) != new_size + beyond:
                continue
            off = abs((size + added_after - added_before) / 2 - middle)
            if off < best[0]:
                best = off, added_before, added_after, before
            if off <= CLOSE_ENOUGH_PX:
                return best[1:]
    return best[1:]


def _undo_softness(rgb: Pixels, decoded_by: int, source_px: float) -> Pixels:
    """Sharpen `rgb`, of which a pixel spans `source_px`, by what a mean over `decoded_by` source pixels has softened.

    A mean over n pixels passes sin(pi n f) / (n sin(pi f)) of the frequency f (cycles a source pixel); three weights
    (-a, 1 + 2a, -a) pass 1 + 2a (1 - cos(2 pi g)) of g (cycles a finished pixel); with this a, both multiply to 1.
    """
    f = MATCHED_AT / source_px
    passed = math.sin(math.pi * decoded_by * f) / (decoded_by * math.sin(math.pi * f))
    a = (1 / passed - 1) / (2 - 2 * math.cos(2 * math.pi * MATCHED_AT))
    weights = np.array([-a, 1 + 2 * a, -a], np.float32)
    return np.asarray(cv2.sepFilter2D(rgb, -1, weights, weights, borderType=cv2.BORDER_REFLECT_101), np.uint8)
