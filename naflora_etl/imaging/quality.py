"""What a finished image is like, in a number or two."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
SHARPNESS_PX = 1000
"""Sharpness is measured at this long side at most, so that it can be compared between sizes."""


def difference_hash(rgb: Pixels) -> str:
    """Return the 64-bit difference hash of `rgb` [H, W, 3] as 16 hex digits.

    Each bit tells whether a cell of an 8 x 9 grey thumbnail is brighter than its left neighbour (N. Krawetz 2013,
    "Kind of Like That"): near duplicates differ in few bits.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes().hex()


def sharpness(rgb: Pixels, covered: npt.NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian of `rgb` [H, W, 3] in grey (0 to 255), where `covered` [h, w] is 0, not 255.

    The focus measure of Pech-Pacheco et al. 2000 ("Diatom autofocusing in brightfield microscopy"): some hundreds on a
    sharp sheet, below 20 on a blurred one. Covered text and its edges, which are ours, do not count.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, SHARPNESS_PX / max(grey.shape))
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    edges = cv2.Laplacian(grey, cv2.CV_16S)
    if not covered.any():
        return float(cv2.meanStdDev(edges)[1][0, 0] ** 2)
    ours = cv2.resize(covered, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_AREA)
    left = (cv2.dilate(ours, np.ones((9, 9), np.uint8)) == 0).astype(np.uint8)
    return float(cv2.meanStdDev(edges, mask=left)[1][0, 0] ** 2) if left.any() else 0.0
