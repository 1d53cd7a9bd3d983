"""QR, DataMatrix, Aztec and PDF417: small rectangles, densely printed along two directions."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from naflora_etl.imaging.gradients import CELL_PX, Gradients, Grey, Strip

ENERGIES = (100.0, 200.0, 400.0)
"""Mean squared gradients from which print counts as dense: low for small blurred codes, high for others."""
JOINS = (1, 3, 5)
"""Cells between which print is joined: a wider one for codes of larger modules."""
MIN_FILL = 0.83
"""Share of its rectangle that a code fills."""
MIN_SIDE_PX, MAX_SIDE_PX = 20, 900
MAX_ELONGATION = 8.0
MIN_SQUARENESS = 0.1
"""Resultant of the gradients' directions at four times their angle, 0 to 1: how far they keep to two directions."""
MIN_CONTRAST = 25.0
"""Grey levels, root mean square."""
MIN_CROSSINGS = ((4, 5), (2, 14))
"""Changes between dark and light along the median line, one way and the other: of squares, and of stacked bars."""
QUIET_PX, MAX_UNREST, MIN_QUIET_SIDES = 6, 0.3, 3
"""So wide a margin, lighter than the code and of so little of its contrast, lies along three sides at least."""
PARTS, MIN_EVENNESS = 4, 0.45
"""No part of so many along each side may have less than this share of the whole's contrast: a code has no blank."""
EDGE_PX = 3
"""Left out at each side, where the paper begins."""


def find_matrix_codes(grey: Grey, gradients: Gradients) -> list[tuple[Strip, float]]:
    """Return a strip about each two-dimensional code of `grey` [H, W], whose gradients are given, with its squareness.

    It is found as a texture, wherever the code's finder patterns cannot be made out.
    """
    found = []
    tried: set[Strip] = set()
    for energy, join in itertools.product(ENERGIES, JOINS):
        dense = (gradients.energy > energy).astype(np.uint8)
        mask = cv2.morphologyEx(dense, cv2.MORPH_CLOSE, np.ones((join, join), np.uint8)) if join > 1 else dense
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((join + 2, join + 2), np.uint8))
        outlines, nesting = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        for number, outline in enumerate(outlines):
            # the outline of a hole has a parent
            strip = _rectangle(outline) if nesting[0, number, 3] < 0 else None
            if strip is None or strip in tried:
                continue
            tried.add(strip)
            if (score := _squareness(grey, strip)) >= MIN_SQUARENESS:
                found.append((strip, score))
    return found


def _rectangle(outline: object) -> Strip | None:
    """Return the rectangle that the cells of an outline fill, or None when they fill none of a code's shape."""
    (x, y), (width, height), degrees = cv2.minAreaRect(outline)  # type: ignore[call-overload]
    # an outline runs through the middles of its cells
    width, height = width + 1, height + 1
    short, long = sorted((width * CELL_PX, height * CELL_PX))
    if short < MIN_SIDE_PX or long > MAX_SIDE_PX or long > MAX_ELONGATION * short:
        return None
    filled = cv2.contourArea(outline) + cv2.arcLength(outline, True) / 2 + 1  # type: ignore[call-overload]
    if filled < MIN_FILL * width * height:
        return None
    angle = float(np.radians(degrees))
    # the cell at 0 has its middle at a half
    x, y = x + 0.5, y + 0.5
    left = np.cos(angle) * x + np.sin(angle) * y - width / 2
    top = np.cos(angle) * y - np.sin(angle) * x - height / 2
    return Strip(angle, left * CELL_PX, (left + width) * CELL_PX, top * CELL_PX, (top + height) * CELL_PX)


def _squareness(grey: Grey, strip: Strip) -> float:
    """Return how far the gradients inside keep to the directions of the strip's sides, 0 to 1; 0 when it is no code."""
    cut = strip.grown(-EDGE_PX, -EDGE_PX).cut(grey)
    contrast = float(cut.std())
    if contrast < MIN_CONTRAST:
        return 0.0
    dark = cut < cut.mean()
    few, many = sorted(float(np.median((way[1:] ^ way[:-1]).sum(axis=0))) for way in (dark, dark.T))
    if not any(few >= least and many >= most for least, most in MIN_CROSSINGS):
        return 0.0
    wide = strip.grown(QUIET_PX, QUIET_PX).cut(grey)
    inner = slice(QUIET_PX, -QUIET_PX)
    margins = wide[:QUIET_PX, inner], wide[-QUIET_PX:, inner], wide[inner, :QUIET_PX], wide[inner, -QUIET_PX:]
    mean = float(cut.mean())
    quiet = [margin.mean() > mean and margin.std() < MAX_UNREST * contrast for margin in margins]
    if sum(quiet) < MIN_QUIET_SIDES:
        return 0.0
    parts = (part for row in np.array_split(cut, PARTS) for part in np.array_split(row, PARTS, axis=1))
    if min(float(part.std()) for part in parts) < MIN_EVENNESS * contrast:
        return 0.0
    right, down = cv2.Sobel(cut, cv2.CV_32F, 1, 0), cv2.Sobel(cut, cv2.CV_32F, 0, 1)
    size, angle = cv2.cartToPolar(right, down)
    return float((size * np.cos(4 * angle)).sum() / (size.sum() + 1e-6))
