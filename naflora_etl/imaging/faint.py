"""Faint pencil, brought to where the networks see it: contrast evened, cell by cell."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from naflora_etl.imaging.craft_boxes import Quad
from naflora_etl.imaging.detect import Mask, Network, Pixels, Sight
from naflora_etl.imaging.redact import mask_quads

CLIP = 2.0
"""How far a close look's contrast may be raised, as OpenCV counts it; more finds more pencil, and more grain."""
CELL_PX = 256
"""Side of the cells that are evened for themselves in a close look, in the network's pixels: a few lines of a label."""
SCOUT_PX = 960
"""Long side at which a sheet is scouted for faint writing, which is large; small faint print is beyond reading."""
SCOUT_CLIP = 4.0
SCOUT_CELL_PX = 64
FAINT = 70.0
"""Grey levels below the paper up to which a line is faint. What is darker the others see unaided, and a plant is."""


def even_contrast(rgb: Pixels, clip: float, cell_px: float) -> Pixels:
    """Return `rgb` [H, W, 3] with the histogram of its lightness evened in cells of about `cell_px`, colours kept.

    CLAHE (Zuiderveld 1994, "Contrast limited adaptive histogram equalization"): no slope is steeper than `clip` times
    that of an even spread, so that empty paper does not become noise.
    """
    parts = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2YCrCb)
    height, width = rgb.shape[:2]
    cells = max(1, round(width / cell_px)), max(1, round(height / cell_px))
    lightness = np.ascontiguousarray(parts[:, :, 0])
    parts[:, :, 0] = cv2.createCLAHE(clip, cells).apply(lightness)
    return np.asarray(cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB), np.uint8)


class FaintScout:
    """A scout that searches a smaller, evened sheet for lines that are faint, and is warm about those alone.

    Evened, a plant is warm all over; to look closely at all of it would cost three times the search.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.name = network.name

    def look(self, rgb: Pixels, scale: float) -> Sight:
        """Search `rgb` at SCOUT_PX or `scale`, whichever is smaller; the answer is in the array's own pixels."""
        scale = min(scale, SCOUT_PX / max(rgb.shape[:2]))
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        sight = self._network.look(even_contrast(np.asarray(small, np.uint8), SCOUT_CLIP, SCOUT_CELL_PX), 1.0)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        faint = [box for box in sight.boxes if _contrast(grey, box.points) <= FAINT]
        warm = mask_quads(sight.warm.shape, [box.points / np.float32(sight.cell_px) for box in faint], grow=0)
        boxes = [replace(box, points=box.points / np.float32(scale)) for box in faint]
        return Sight(boxes, warm, sight.cell_px / scale)


def _contrast(grey: Mask, quad: Quad) -> float:
    """Return how far, in levels, the darkest twentieth of what is about a quad lies below the paper around it."""
    low, high = np.maximum(quad.min(axis=0), 0).astype(int), np.ceil(quad.max(axis=0)).astype(int)
    around = int((high - low).min() / 2) + 1
    inside = grey[low[1] : high[1] + 1, low[0] : high[0] + 1]
    wider = grey[max(low[1] - around, 0) : high[1] + around, max(low[0] - around, 0) : high[0] + around]
    if not inside.size:
        return 0.0
    return float(np.percentile(wider, 90) - np.percentile(inside, 5))
