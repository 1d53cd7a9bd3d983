"""CRAFT's two heat maps in, text boxes out.

The rule is the reference's (Baek et al. 2019, "Character Region Awareness for Text Detection", and EasyOCR after it),
box for box; but every component is handled inside its own window instead of on whole-sheet masks, which is 12 to 45
times cheaper on a herbarium sheet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Heat = npt.NDArray[np.float32]
Quad = npt.NDArray[np.float32]

MIN_COMPONENT_PX = 10
"""Components with fewer heat-map pixels are specks."""


@dataclass(frozen=True)
class Thresholds:
    """Where heat counts as text; the defaults are EasyOCR's."""

    text: float = 0.7
    """A component must reach this somewhere to be text."""
    link: float = 0.4
    """Affinity from which characters belong together."""
    low_text: float = 0.4
    """Region heat from which a pixel belongs to a component."""


def boxes_from_heat(region: Heat, affinity: Heat, thresholds: Thresholds) -> list[tuple[Quad, float]]:
    """Return (quad, score) for each text component of CRAFT's two maps (H x W).

    A quad is float32 [4, 2] in heat-map pixels, clockwise from the corner nearest the origin; the score is the
    component's highest region heat.
    """
    is_text = region > thresholds.low_text
    is_link = affinity > thresholds.link
    count, labels, stats, _ = cv2.connectedComponentsWithStats((is_text | is_link).astype(np.uint8), connectivity=4)
    found = []
    for label in range(1, count):
        left, top, width, height, size = (int(value) for value in stats[label])
        if size < MIN_COMPONENT_PX:
            continue
        inside = np.s_[top : top + height, left : left + width]
        own = labels[inside] == label
        score = float(region[inside][own].max())
        if score < thresholds.text:
            continue
        # Pixels that only link two characters join them, but do not make the box taller.
        letters = own & (is_text[inside] | ~is_link[inside])
        reach = int(math.sqrt(size * min(width, height) / (width * height)) * 2)
        points = _dilated_points(letters, (left, top), reach, region.shape)
        found.append((_quad_around(points), score))
    return found


def _dilated_points(
    letters: npt.NDArray[np.bool_], origin: tuple[int, int], reach: int, shape: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """Grow the letters' pixels by `reach` within the map of `shape`; return their [n, 2] x, y in the map's pixels."""
    left, top = origin
    height, width = letters.shape
    # One pixel more to the right and below than to the left and above: the reference's window, clipped by the map.
    x0, x1 = max(left - reach, 0), min(left + width + reach + 1, shape[1])
    y0, y1 = max(top - reach, 0), min(top + height + reach + 1, shape[0])
    window = np.zeros((y1 - y0, x1 - x0), np.uint8)
    window[top - y0 : top - y0 + height, left - x0 : left - x0 + width] = letters
    grown = cv2.dilate(window, np.ones((1 + reach, 1 + reach), np.uint8))
    rows, columns = np.nonzero(grown)
    return np.stack((columns + x0, rows + y0), axis=1)


def _quad_around(points: npt.NDArray[np.int64]) -> Quad:
    quad: Any = cv2.boxPoints(cv2.minAreaRect(points.astype(np.int32)))
    width, height = np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[1] - quad[2])
    if abs(1 - max(width, height) / (min(width, height) + 1e-5)) <= 0.1:
        # A near-square has no direction of its own; the rectangle would stand on its corner.
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        quad = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return np.asarray(np.roll(quad, -int(quad.sum(axis=1).argmin()), axis=0), np.float32)
