"""Cover text so that nothing of it survives: noise in its place, then blur, as the paper has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]
Quad = npt.NDArray[np.float32]

NOISE_REACH = 64
"""The noise is uniform, up to this far (of 255) from the paper's colour."""
CELL_PX = 8
"""The paper's colour is taken from cells of this side."""
SPREAD_CELLS = (1.0, 4.0, 16.0)
"""Neighbourhoods whose colour fills a quad; a wider one speaks where those before it are all text."""
SEEN_SHARE = 0.1
"""A cell with less than this unmasked says too little about its colour to be asked."""


def grow_quad(quad: Quad, grow: float) -> Quad:
    """Return `quad` [4, 2] with each side moved outwards by `grow` times the length of its short side."""
    across, down = quad[1] - quad[0], quad[3] - quad[0]
    width, height = float(np.linalg.norm(across)), float(np.linalg.norm(down))
    reach = grow * min(width, height)
    # A quad without extent has no direction; it grows along the axes.
    along = across / width if width else np.array([1, 0], np.float32)
    below = down / height if height else np.array([0, 1], np.float32)
    outwards = np.stack((-along - below, along - below, along + below, below - along))
    return np.asarray(quad + reach * outwards, np.float32)


def mask_quads(shape: tuple[int, ...], quads: Sequence[Quad], *, grow: float) -> Mask:
    """Return a uint8 mask of `shape` [H, W, ...]: 1 inside the grown quads, their borders included, else 0."""
    mask: Any = np.zeros(shape[:2], np.uint8)
    for quad in quads:
        cv2.fillConvexPoly(mask, np.rint(grow_quad(quad, grow)).astype(np.int32), 1)
    return np.asarray(mask, np.uint8)


def covered_share(shape: tuple[int, ...], quads: Sequence[Quad], *, grow: float) -> float:
    """Return the share (0 to 1) of an image of `shape` [H, W, ...] that the grown quads cover, overlaps once."""
    return float(np.count_nonzero(mask_quads(shape, quads, grow=grow)) / (shape[0] * shape[1]))


def cover_text(rgb: Pixels, quads: Sequence[Quad], *, grow: float, seed: int) -> Pixels:
    """Return a copy of `rgb` [H, W, 3] whose grown quads hold blurred noise about the colour of the paper around them.

    Every pixel inside is replaced, none is mixed in, so there is nothing to recover: what stands there is made of the
    seed and of pixels outside the quads. The same input and seed give the same bytes.
    """
    mask = mask_quads(rgb.shape, quads, grow=grow)
    inside = mask.astype(bool)
    if not inside.any():
        return rgb.copy()
    noise = _draw_noise(int(np.count_nonzero(inside)), seed)[:, np.newaxis]
    noisy = rgb.copy()
    noisy[inside] = np.clip(_paper_colour(rgb, mask)[inside] + noise, 0, 255).round().astype(np.uint8)
    covered = noisy.copy()
    # One pixel of the finished thousand, so that the grain is still felt there but no longer seen as points.
    spread = max(1.0, max(rgb.shape[:2]) / 1000)
    edge = int(np.ceil(4 * spread))
    for left, top, width, height, _ in cv2.connectedComponentsWithStats(mask)[2][1:].tolist():
        own = np.s_[top : top + height, left : left + width]
        up, aside = min(top, edge), min(left, edge)
        around = noisy[top - up : top + height + edge, left - aside : left + width + edge]
        soft = cv2.GaussianBlur(around, (0, 0), spread)[up : up + height, aside : aside + width]
        covered[own][inside[own]] = soft[inside[own]]
    return covered


def _draw_noise(count: int, seed: int) -> npt.NDArray[np.float32]:
    """Return `count` numbers, uniform within NOISE_REACH of 0, from a bit stream that numpy promises to keep."""
    words = np.random.PCG64(seed).random_raw(-(-count // 8))
    levels = np.asarray(words, "<u8").view(np.uint8)[:count].astype(np.float32)
    return (levels - 127.5) * np.float32(NOISE_REACH / 127.5)


def _paper_colour(rgb: Pixels, mask: Mask) -> Pixels:
    """Return, uint8 [H, W, 3], the mean colour of the unmasked pixels about each pixel, the nearest first."""
    keep = 1 - mask
    height, width = mask.shape
    cells = max(1, round(width / CELL_PX)), max(1, round(height / CELL_PX))
    share = cv2.resize(keep * np.uint8(255), cells, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    colour = cv2.resize(rgb * keep[:, :, np.newaxis], cells, interpolation=cv2.INTER_AREA).astype(np.float32)
    share[share < SEEN_SHARE] = 0
    colour[share == 0] = 0
    importance = 1.0
    total, weight = np.zeros_like(colour), np.zeros_like(share)
    for spread in SPREAD_CELLS:
        total += importance * cv2.GaussianBlur(colour, (0, 0), spread)
        weight += importance * cv2.GaussianBlur(share, (0, 0), spread)
        importance /= 1000
    # Where nothing is left as far as one can see, the mean of all; where nothing is left at all, grey.
    total += importance * (colour.mean(axis=(0, 1)) + 1e-6 * 128)
    weight += importance * (share.mean() + 1e-6)
    paper = np.clip(total / weight[:, :, np.newaxis], 0, 255).round().astype(np.uint8)
    return np.asarray(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
