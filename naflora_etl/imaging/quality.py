"""What a finished image is like, in a number or two."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt


def difference_hash(rgb: npt.NDArray[np.uint8]) -> str:
    """Return the 64-bit difference hash of `rgb` [H, W, 3] as 16 hex digits.

    Each bit tells whether a cell of an 8 x 9 grey thumbnail is brighter than its left neighbour (N. Krawetz 2013,
    "Kind of Like That"): near duplicates differ in few bits.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes().hex()
