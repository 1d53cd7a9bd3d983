"""Linear barcodes by their stripes: found where no reader could read them, small, blurred or aslant."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from naflora_etl.imaging.gradients import CELL_PX, Field, Gradients, Grey, Strip

MIN_ENERGY = 60.0
"""Mean squared gradient below which no stripes are printed."""
MIN_COHERENCE = 0.7
DIRECTIONS = 8
"""Fields are gathered one direction at a time, so that a leaf that touches the bars does not join them."""
MIN_CELLS = 24
MIN_LENGTH_PX, MIN_HEIGHT_PX = 36, 8
MAX_ELONGATION = 14.0
"""Length of a code by its height; the parallel veins of a blade run on."""
MIN_CROSSINGS = 16
"""Changes between dark and light along the code; the shortest codes in use have over thirty, not all resolved."""
MIN_SAMENESS = 0.74
"""Share of the grey levels' variance that is the same all along the bars: 1 for ideal ones, needles have a half."""
MAX_PERIODICITY = 0.64
"""Correlation with itself, a stripe on, from which stripes are all alike: a ruler's, for bars have several widths."""
MIN_CONTRAST = 6.0
"""Grey levels that the bars differ by from their mean, root mean square."""
ROW_LIKENESS = 0.5
"""Correlation with the middle rows up to which a row still crosses the bars."""
FINER = 4
"""Parts of a pixel in which a period is measured."""
WIDENINGS = 3
"""Looks at most for the ends of a code, each reaching farther."""
QUIET_PX = 14
"""A code ends where this many pixels show no stripe."""


def find_stripes(grey: Grey, gradients: Gradients) -> list[tuple[Strip, float]]:
    """Return the strip that the bars of each linear barcode fill, its angle across the bars, with their sameness.

    `grey` has the scale that the lengths above are meant at; `gradients` are its own.
    """
    measured = (_measure(grey, field) for field in _striped_fields(gradients))
    return [seen for seen in measured if seen is not None]


def _striped_fields(gradients: Gradients) -> list[Strip]:
    """Return the rectangles about the places where strong gradients all lie along one line."""
    real, imaginary = gradients.real, gradients.imaginary
    coherent = (gradients.energy > MIN_ENERGY) & (gradients.coherence > MIN_COHERENCE)
    turn = 2 * DIRECTIONS / (2 * np.pi)
    sector = (np.floor(np.arctan2(imaginary, real) * turn).astype(np.int8) + 2 * DIRECTIONS) % (2 * DIRECTIONS)
    sector[~coherent] = 2 * DIRECTIONS
    fields = []
    for direction in range(DIRECTIONS):
        # three sectors, so that neighbouring directions share one and no code is cut in two
        wanted = np.zeros(256, np.uint8)
        wanted[[2 * direction, 2 * direction + 1, (2 * direction + 2) % (2 * DIRECTIONS)]] = 1
        mask: Any = cv2.LUT(sector.view(np.uint8), wanted)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        for label, (left, top, width, height, size) in enumerate(stats.tolist()):
            if label == 0 or size < MIN_CELLS:
                continue
            inside = np.s_[top : top + height, left : left + width]
            own = labels[inside] == label
            angle = np.arctan2(imaginary[inside][own].sum(), real[inside][own].sum()) / 2
            y, x = np.nonzero(own)
            fields.append(_strip_around((x + left + 0.5) * CELL_PX, (y + top + 0.5) * CELL_PX, float(angle)))
    return fields


def _strip_around(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], angle: float) -> Strip:
    half = CELL_PX / 2
    across = x * np.cos(angle) + y * np.sin(angle)
    along = y * np.cos(angle) - x * np.sin(angle)
    return Strip(angle, across.min() - half, across.max() + half, along.min() - half, along.max() + half)


def _measure(grey: Grey, field: Strip) -> tuple[Strip, float] | None:
    """Return the strip that the bars of `field` really fill, and their sameness; None when they are no barcode."""
    length, height = field.width, field.height
    if length < MIN_LENGTH_PX or height < MIN_HEIGHT_PX:
        return None
    if _crossings(_profile(_flatten(field.cut(grey)))) < MIN_CROSSINGS / 2:
        return None
    tall = _stretch_rows(grey, field)
    # the bars' likeness is judged where the bars are sure: beyond may lie the edge of the paper
    bars = _flatten(tall.cut(grey))
    if bars.shape[0] < MIN_HEIGHT_PX:
        return None
    power = float(np.square(bars.mean(axis=0)).mean())
    sameness = power / (float(np.square(bars).mean()) + 1e-6)
    if sameness < MIN_SAMENESS or power < MIN_CONTRAST**2:
        return None
    strip, profile = _stretch_columns(grey, tall)
    if not MIN_LENGTH_PX <= strip.width <= MAX_ELONGATION * strip.height:
        return None
    if _crossings(profile) < MIN_CROSSINGS or _periodicity(profile) > MAX_PERIODICITY:
        return None
    return strip, min(1.0, sameness)


def _stretch_rows(grey: Grey, field: Strip) -> Strip:
    """Return the field with the height that its stripes have, above and below."""
    beyond = field.height
    for _ in range(WIDENINGS):
        flat = _flatten(field.grown(0, beyond).cut(grey))
        middle, reach = flat.shape[0] // 2, max(2, round(field.height / 4))
        top, bottom = _run_of_rows(flat, flat[middle - reach : middle + reach].mean(axis=0))
        if top > 0 and bottom < flat.shape[0]:
            break
        beyond *= 3
    return field.grown(0, beyond).within((top, bottom), (0, flat.shape[1]))


def _stretch_columns(grey: Grey, tall: Strip) -> tuple[Strip, Field]:
    """Return the strip with the length that its stripes have, to both sides, and their profile."""
    aside = max(0.35 * tall.width, 3.0 * QUIET_PX)
    for _ in range(WIDENINGS):
        flat = _flatten(tall.grown(aside, 0).cut(grey))
        profile = np.asarray(flat.mean(axis=0), np.float32)
        left, right = _run_of_stripes(profile)
        if left > QUIET_PX and right < flat.shape[1] - QUIET_PX:
            break
        aside *= 3
    return tall.grown(aside, 0).within((0, flat.shape[0]), (left, right)), profile[left:right]


def _flatten(cut: Field) -> Field:
    """Return `cut` without the slow change of shade across the stripes, about 0."""
    return np.asarray(cut - cv2.blur(cut, (31, 1)), np.float32)


def _profile(flat: Field) -> Field:
    quarter = flat.shape[0] // 4
    return np.asarray(flat[quarter : flat.shape[0] - quarter].mean(axis=0), np.float32)


def _crossings(profile: Field) -> int:
    """Return how often the profile changes between dark and light by more than a fifth of its spread."""
    signs = np.sign(profile) * (np.abs(profile) > 0.2 * profile.std())
    signs = signs[signs != 0]
    return int(np.count_nonzero(np.diff(signs)))


def _periodicity(profile: Field) -> float:
    """Return the profile's highest correlation with itself about one mean period on."""
    period = 2 * FINER * len(profile) / _crossings(profile)
    fine = cv2.resize(profile[np.newaxis], None, fx=FINER, fy=1, interpolation=cv2.INTER_CUBIC)[0]
    # what ends a row of stripes is no stripe
    end = round(period / 2)
    fine = fine[end:-end]
    best = 0.0
    for lag in range(round(0.8 * period), round(1.3 * period) + 1):
        here, there = fine[lag:], fine[:-lag]
        norm = float(np.sqrt(np.square(here).sum() * np.square(there).sum())) + 1e-6
        best = max(best, float(here @ there) / norm)
    return best


def _run_of_stripes(profile: Field) -> tuple[int, int]:
    """Return the first and last + 1 column of the stripes about the middle, up to a gap of QUIET_PX."""
    steps = np.abs(np.diff(profile, prepend=profile[:1]))
    middle = len(profile) // 2
    near = steps[middle - len(profile) // 8 : middle + len(profile) // 8 + 1]
    strong = np.flatnonzero(steps > 0.25 * np.percentile(near, 80))
    if not len(strong):
        return middle, middle
    at = int(np.abs(strong - middle).argmin())
    gaps = np.diff(strong) > QUIET_PX
    before, after = np.flatnonzero(gaps[:at]), np.flatnonzero(gaps[at:])
    first = strong[before[-1] + 1] if len(before) else strong[0]
    last = strong[at + after[0]] if len(after) else strong[-1]
    return int(first), int(last) + 1


def _run_of_rows(inner: Field, profile: Field) -> tuple[int, int]:
    """Return the first and last + 1 row about the middle that shows the profile's stripes."""
    norms = np.sqrt(np.square(inner).sum(axis=1) * np.square(profile).sum()) + 1e-6
    unlike = np.flatnonzero((inner @ profile) / norms < ROW_LIKENESS)
    middle = inner.shape[0] // 2
    above, below = unlike[unlike < middle], unlike[unlike > middle]
    return int(above[-1]) + 1 if len(above) else 0, int(below[0]) if len(below) else inner.shape[0]
