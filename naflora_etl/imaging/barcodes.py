"""Barcodes of every kind on a sheet: they are its label in another script."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from naflora_etl.imaging.detect import TextBox
from naflora_etl.imaging.gradients import CELL_PX, Field, Grey, Strip, measure_gradients
from naflora_etl.imaging.matrix_codes import find_matrix_codes
from naflora_etl.imaging.stripes import find_stripes

Pixels = npt.NDArray[np.uint8]

WORK_PX = 2560
"""Long side at which codes are looked for: the narrow bars of a usual sheet are then about a pixel wide."""
ENLARGE = 2.0
"""Smaller sheets are enlarged up to this much, so that lengths mean the same on them."""
PAD_PX = 3.0
"""Beyond the last stripe, for its soft edge."""


def find_barcodes(rgb: Pixels) -> list[TextBox]:
    """Return a box about each linear barcode, QR, DataMatrix, Aztec and PDF417 code of an upright RGB array [H, W, 3].

    In its own pixels, in any direction, the best first. Whether a code can be read does not matter. Print above and
    below the bars is left to the text detectors.
    """
    grey, scale = _working_copy(rgb)
    if min(grey.shape) < 4 * CELL_PX:
        return []
    gradients = measure_gradients(grey)
    found = find_stripes(grey, gradients) + find_matrix_codes(grey, gradients)
    found.sort(key=lambda seen: -seen[0].width * seen[0].height)
    kept: list[tuple[Strip, float]] = []
    for strip, score in found:
        if not any(other.grown(PAD_PX, PAD_PX).holds(strip) for other, _ in kept):
            kept.append((strip, score))
    boxes = [TextBox(_clockwise(strip.grown(PAD_PX, PAD_PX).corners() / scale), score) for strip, score in kept]
    return sorted(boxes, key=lambda box: -box.score)


def _working_copy(rgb: Pixels) -> tuple[Grey, float]:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    scale = min(ENLARGE, WORK_PX / max(grey.shape))
    if scale != 1:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=how)
    return np.asarray(grey, np.uint8), scale


def _clockwise(corners: Field) -> Field:
    """Return the corners clockwise, from the one nearest the origin."""
    return np.asarray(np.roll(corners, -int(corners.sum(axis=1).argmin()), axis=0), np.float32)
