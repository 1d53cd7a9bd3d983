"""Cover text so that nothing of it survives: noise in its place, then blur, as the paper has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]
Quad = npt.NDArray[np.float32]
Fill = Literal["noise", "paper"]

REACH: dict[Fill, float] = {"noise": 64, "paper": 6}
"""The noise is uniform, up to this far (of 255) from the paper's colour: the paper's, or the grain of calm paper."""
CELL_PX = 8
"""The paper's colour is taken from cells of this side."""
SPREAD_CELLS = (1.0, 4.0, 16.0)
"""Neighbourhoods whose colour fills a quad; a wider one speaks where those before it are all text."""
SEEN_SHARE = 0.1
"""A cell with less than this unmasked says too little about its colour to be asked."""
BAND_ROWS = 256
"""So many rows are worked on at a time, so that a sheet of 200 megapixels needs no second copy of itself."""
TILE_PX = 512
"""So many columns of a band are worked on at a time: they stay in a core's own memory."""
GAP_PX = 64
"""Columns without anything to cover from which on they are left out."""


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


def cover_text(rgb: Pixels, quads: Sequence[Quad], *, grow: float, seed: int, fill: Fill = "noise") -> Pixels:
    """Return a copy of `rgb` [H, W, 3] whose grown quads hold blurred noise about the colour of the paper around them.

    Every pixel inside is replaced, none is mixed in, so there is nothing to recover: what stands there is made of the
    seed and of pixels outside the quads. The same input and seed give the same bytes. With `fill` paper the noise is
    as faint as the grain of paper, for models that noise would draw to itself.
    """
    return cover_mask(rgb, mask_quads(rgb.shape, quads, grow=grow), seed=seed, fill=fill)


def cover_mask(rgb: Pixels, mask: Mask, *, seed: int, fill: Fill = "noise") -> Pixels:
    """Return a copy of `rgb` [H, W, 3] with every pixel replaced where `mask` [H, W] is 1, as `cover_text` does."""
    covered = rgb.copy()
    cover_in_place(covered, mask, seed=seed, fill=fill)
    return covered


def cover_in_place(rgb: Pixels, mask: Mask, *, seed: int, fill: Fill = "noise") -> None:
    """Do to `rgb` itself what `cover_mask` does to a copy: a second copy of a sheet costs more than the cover."""
    inside = mask.view(bool)
    if not inside.any():
        return
    for band in _bands(inside):
        for part in _tiles(inside, band):
            # from here on nothing inside is known
            cv2.copyTo(np.zeros_like(rgb[part]), mask[part], rgb[part])
    paper = _paper_cells(rgb, mask)
    bits = np.random.PCG64(seed)
    for band in _bands(inside):
        noise = np.zeros(inside[band].shape, np.float32)
        noise[inside[band]] = _draw_noise(bits, int(np.count_nonzero(inside[band])), REACH[fill])
        for rows, columns in _tiles(inside, band):
            colour = _colour_at(paper, rows, columns, mask.shape)
            colour += noise[rows.start - band.start : rows.stop - band.start, columns, np.newaxis]
            np.rint(np.clip(colour, 0, 255, out=colour), out=colour)
            cv2.copyTo(colour.astype(np.uint8), mask[rows, columns], rgb[rows, columns])
    # One pixel of the finished thousand, so that the grain is still felt there but no longer seen as points.
    _soften(rgb, inside, max(1.0, max(rgb.shape[:2]) / 1000))


def _bands(inside: npt.NDArray[np.bool_]) -> Iterator[slice]:
    """Yield the bands of rows in which anything is to be covered, from the top."""
    for top in range(0, len(inside), BAND_ROWS):
        if inside[top : top + BAND_ROWS].any():
            yield slice(top, min(top + BAND_ROWS, len(inside)))


def _tiles(inside: npt.NDArray[np.bool_], rows: slice) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of the tiles of a band that hold all that is to be covered there, and little else."""
    band = inside[rows].view(np.uint8)
    columns = np.flatnonzero(cv2.reduce(band, 0, cv2.REDUCE_MAX)[0])
    for part in np.split(columns, np.flatnonzero(np.diff(columns) > GAP_PX) + 1):
        stop = int(part[-1]) + 1
        for left in range(int(part[0]), stop, TILE_PX):
            across = slice(left, min(left + TILE_PX, stop))
            down = np.flatnonzero(band[:, across].any(axis=1))
            if down.size:
                yield slice(rows.start + int(down[0]), rows.start + int(down[-1]) + 1), across


def _soften(covered: Pixels, inside: npt.NDArray[np.bool_], spread: float) -> None:
    """Blur, in place, what is inside; every pixel sees its neighbours as they were before."""
    edge = int(np.ceil(4 * spread))
    above, above_at = covered[:0].copy(), 0
    for band in _bands(inside):
        first = max(band.start - edge, 0)
        sharp = covered[first : band.stop + edge].copy()
        if above_at == band.start:  # the band before is blurred already: its last rows as they were
            sharp[: band.start - first] = above[len(above) - (band.start - first) :]
        above, above_at = sharp[: band.stop - first], band.stop
        for rows, columns in _tiles(inside, band):
            top, left = max(rows.start - edge, 0), max(columns.start - edge, 0)
            seen = sharp[top - first : rows.stop + edge - first, left : columns.stop + edge]
            soft = cv2.GaussianBlur(seen, (0, 0), spread)
            soft = soft[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            cv2.copyTo(soft, inside[rows, columns].view(np.uint8), covered[rows, columns])


def _draw_noise(bits: np.random.PCG64, count: int, reach: float) -> npt.NDArray[np.float32]:
    """Return `count` numbers, uniform within `reach` of 0, from a bit stream that numpy promises to keep."""
    words = bits.random_raw(-(-count // 8))
    levels = np.asarray(words, "<u8").view(np.uint8)[:count].astype(np.float32)
    return (levels - 127.5) * np.float32(reach / 127.5)


def _paper_cells(blanked: Pixels, mask: Mask) -> npt.NDArray[np.float32]:
    """Return, float32 [h, w, 3], the mean colour of the unmasked pixels about each cell, the nearest first.

    `blanked` [H, W, 3] is 0 where `mask` [H, W] is 1.
    """
    height, width = mask.shape
    cells = max(1, round(width / CELL_PX)), max(1, round(height / CELL_PX))
    share = cv2.resize(mask - np.uint8(1), cells, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    colour = cv2.resize(blanked, cells, interpolation=cv2.INTER_AREA).astype(np.float32)
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
    return np.clip(total / weight[:, :, np.newaxis], 0, 255)


def _colour_at(
    cells: npt.NDArray[np.float32], rows: slice, columns: slice, shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Return, float32 [h, w, 3], the colour of `cells` at part of an image of `shape`, linear between their centres."""
    top, below, lower = _between(rows, cells.shape[0], shape[0])
    left, right, later = _between(columns, cells.shape[1], shape[1])
    asked = cells[top[0] : below[-1] + 1]
    across = asked[:, left] * (1 - later)[:, np.newaxis] + asked[:, right] * later[:, np.newaxis]
    lower = lower[:, np.newaxis, np.newaxis]
    return np.asarray(across[top - top[0]] * (1 - lower) + across[below - top[0]] * lower, np.float32)


def _between(
    part: slice, cells: int, length: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return, for each pixel of a part of a side, the cell before it, the one after, and how far it is between them."""
    places = np.arange(part.start, part.stop)
    at = np.clip((places + 0.5) * (cells / length) - 0.5, 0, cells - 1)
    before = at.astype(np.intp)
    return before, np.minimum(before + 1, cells - 1), (at - np.floor(at)).astype(np.float32)
