"""Smaller, never larger, without aliasing."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def shrink_image(rgb: Pixels, long_side_px: int) -> Pixels:
    """Return `rgb` [H, W, 3] with its long side at `long_side_px`; as it is when that would enlarge it."""
    height, width = rgb.shape[:2]
    scale = long_side_px / max(height, width)
    if scale >= 1:
        return rgb
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
