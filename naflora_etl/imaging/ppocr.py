"""PP-OCRv6's detector through ONNX Runtime: a small network that sees lines of text; its weights come with RapidOCR."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from naflora_etl.imaging.craft_boxes import Heat, Quad
from naflora_etl.imaging.detect import Pixels, Sight, TextBox
from naflora_etl.imaging.sessions import lay_on_canvas, open_session
from naflora_etl.imaging.weights import sha256_of

# RapidOCR's own settings for this model.
LIKELY = 0.3
"""Probability from which a pixel belongs to a line."""
WARM = 0.2
"""Probability from which a place is worth a closer look."""
MIN_SCORE = 0.5
"""Lines whose mean probability is less are no text."""
UNCLIP = 1.6
"""The network learned lines shrunk to their middle; this much of area / perimeter is given back on each side."""
MIN_SIDE_PX = 3
MAX_PRINT_PX = 100
"""Height of a line in a close look that is still small print."""
HALF = np.array([127.5, 127.5, 127.5], np.float32)


class PpocrNetwork:
    """PP-OCR's detector (Liao et al. 2020, "Real-time Scene Text Detection with Differentiable Binarization")."""

    def __init__(self, weights: Path, *, threads: int = 1) -> None:
        self._session = open_session(weights, threads)
        self._input = self._session.get_inputs()[0].name
        self.name = f"ppocr:{sha256_of(weights)[:12]}"

    def look(self, rgb: Pixels, scale: float) -> Sight:
        """Search `rgb` at `scale`; the boxes are in its own pixels."""
        # It was taught on blue, green, red.
        image = lay_on_canvas(rgb[:, :, ::-1], scale, HALF, HALF)
        heat = np.asarray(self._session.run(None, {self._input: image})[0])[0, 0]
        found = boxes_from_probability(heat)
        step = np.float32(1 / scale)
        boxes = [TextBox(points * step, score, "ppocr") for points, score in found]
        return Sight(boxes, (heat > WARM).astype(np.uint8), float(step))


class SmallPrint:
    """PP-OCR in close looks: what is large there was seen from afar already, or is a leaf's grain, which is no text."""

    def __init__(self, network: PpocrNetwork) -> None:
        self._network = network
        self.name = network.name

    def look(self, rgb: Pixels, scale: float) -> Sight:
        """Search `rgb` at `scale`; lines higher than MAX_PRINT_PX there are left out."""
        sight = self._network.look(rgb, scale)
        return replace(sight, boxes=[box for box in sight.boxes if _height(box.points) * scale <= MAX_PRINT_PX])


def _height(quad: Quad) -> float:
    return float(min(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[1])))


def boxes_from_probability(heat: Heat) -> list[tuple[Quad, float]]:
    """Return (quad, score) for each line of a probability map (H x W), top first; the rule is RapidOCR's.

    A quad is float32 [4, 2] in the map's pixels, clockwise from the corner nearest the origin; the score is the mean
    probability in the line's rectangle. RapidOCR rounds its corners to whole pixels; here they stay as they are.
    """
    likely = cv2.dilate((heat > LIKELY).astype(np.uint8), np.ones((2, 2), np.uint8))
    outlines, _ = cv2.findContours(likely, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for outline in reversed(outlines):
        middle, (width, height), turn = cv2.minAreaRect(outline)
        if min(width, height) < MIN_SIDE_PX:
            continue
        score = _mean_within(heat, cv2.boxPoints((middle, (width, height), turn)))
        if score < MIN_SCORE:
            continue
        # A rectangle grown by a round brush has this rectangle about it.
        grown = width * height * UNCLIP / (width + height)
        quad = np.asarray(cv2.boxPoints((middle, (width + grown, height + grown), turn)), np.float32)
        found.append((np.roll(quad, -int(quad.sum(axis=1).argmin()), axis=0), score))
    return found


def _mean_within(heat: Heat, quad: Any) -> float:
    limits = np.array([heat.shape[1] - 1, heat.shape[0] - 1])
    left, top = np.clip(np.floor(quad.min(axis=0)).astype(int), 0, limits)
    right, bottom = np.clip(np.ceil(quad.max(axis=0)).astype(int), 0, limits)
    part = heat[top : bottom + 1, left : right + 1]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [(quad - np.array([left, top])).astype(np.int32)], (1,))
    return float(cv2.mean(part, mask)[0])
