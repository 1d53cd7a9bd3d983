"""Round seals by their ring: text that runs along a circle, which no network of lines or words sees."""

from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from naflora_etl.imaging.detect import Mask, Pixels, TextBox

WORK_PX = 1600
"""Long side at which circles are looked for; a seal of 35 mm on a sheet of 43 cm has a radius of 65 there."""
MAX_ENLARGEMENT = 2.0
MIN_RADIUS_PX, MAX_RADIUS_PX = 22, 110
ROUNDNESS = 0.85
"""How perfect a circle must be, 0 to 1, as OpenCV's Hough transform of gradients (alt) measures it."""
GRADIENT = 200.0
INK = 25.0
"""Grey levels below the paper around it from which a pixel is ink."""
MIN_RING = 0.6
"""Share of the circle that is inked; stamps are worn."""
MIN_CLEAR = 0.85
"""Share of the way just outside that is paper: a leaf's round end goes on, a stamp does not."""
MIN_BUSY = 8.0
"""Mean change, in grey levels a degree, along the band inside the ring: letters change quickly, fruit does not."""
MIN_DARK, MAX_DARK = 0.25, 0.75
"""Share of that band that is inked: letters leave paper between them."""
STRIPS = 8
"""Level strips that a disc is covered by; one square would take its corners as well, and grow far."""


def find_seals(rgb: Pixels) -> list[TextBox]:
    """Return the round seals of an upright RGB array [H, W, 3], each as level strips; the score is its inked share."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    scale = min(MAX_ENLARGEMENT, WORK_PX / max(grey.shape))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=how), np.uint8)
    soft = cv2.GaussianBlur(small, (0, 0), 1.0)
    circles = cv2.HoughCircles(
        soft,
        cv2.HOUGH_GRADIENT_ALT,
        dp=1.5,
        minDist=20,
        param1=GRADIENT,
        param2=ROUNDNESS,
        minRadius=MIN_RADIUS_PX,
        maxRadius=MAX_RADIUS_PX,
    )
    boxes: list[TextBox] = []
    for x, y, radius in [] if circles is None else np.asarray(circles, np.float64).reshape(-1, 3).tolist():
        ring = _ring_share(small, (x, y), radius)
        if ring:
            strips = _strips_of(x / scale, y / scale, (radius + 2) / scale)
            boxes += [TextBox(points, ring, "seal") for points in strips]
    return boxes


def _ring_share(grey: Mask, middle: tuple[float, float], radius: float) -> float:
    """Return which share of a circle is inked, 0 when it is no seal's."""
    reach = int(radius * 1.3)
    # One row a degree, one column a pixel from the middle outwards.
    unrolled = cv2.warpPolar(grey, (reach, 360), middle, reach, cv2.WARP_POLAR_LINEAR).astype(np.float32)
    line = int(radius)
    paper = float(np.median(unrolled[:, int(radius * 1.1) :], axis=1).mean())
    ring = float((unrolled[:, line - 2 : line + 4].min(axis=1) < paper - INK).mean())
    clear = float((unrolled[:, min(reach - 1, line + 5)] > paper - 0.8 * INK).mean())
    band = unrolled[:, int(radius * 0.72) : int(radius * 0.93)]
    busy = float(np.abs(np.diff(band.mean(axis=1))).mean())
    dark = float((band < paper - INK).mean())
    is_seal = ring >= MIN_RING and clear >= MIN_CLEAR and busy >= MIN_BUSY and MIN_DARK <= dark <= MAX_DARK
    return ring if is_seal else 0.0


def _strips_of(x: float, y: float, radius: float) -> list[npt.NDArray[np.float32]]:
    edges = [radius * (2 * index / STRIPS - 1) for index in range(STRIPS + 1)]
    strips = []
    for top, bottom in pairwise(edges):
        nearest = 0.0 if top < 0 < bottom else min(abs(top), abs(bottom))
        half = math.sqrt(radius**2 - nearest**2)
        corners = [[x - half, y + top], [x + half, y + top], [x + half, y + bottom], [x - half, y + bottom]]
        strips.append(np.array(corners, np.float32))
    return strips
