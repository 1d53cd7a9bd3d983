"""Pixels in, JPEG bytes out, with nothing but pixels in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import simplejpeg


def encode_jpeg(rgb: npt.NDArray[np.uint8], quality: int) -> bytes:
    """Return `rgb` [H, W, 3] as a baseline 4:2:0 JPEG without any metadata; the same pixels give the same bytes."""
    pixels = np.ascontiguousarray(rgb)
    return bytes(simplejpeg.encode_jpeg(pixels, quality, colorspace="RGB", colorsubsampling="420", fastdct=False))
