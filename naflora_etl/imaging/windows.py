"""Where to look closely: the warm places of a coarse map, as a few windows of the sheet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from naflora_etl.imaging.craft_boxes import Quad
from naflora_etl.imaging.detect import Mask

MARGIN_STEPS = 1.0
"""Steps that a window reaches beyond the warmth; the networks judge letters by their surroundings."""
NEAR_SHARE = 0.2
"""Share of a step from which text counts as cut off by the edge of its window."""
BEYOND_STEPS = 4
"""Steps that a second look reaches beyond such an edge; one beyond the others."""


@dataclass(frozen=True)
class Window:
    """A rectangle of an array, in its pixels; `right` and `bottom` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.right)

    @property
    def area_px(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)


def find_windows(warm: Mask, whole: Window, cell_px: float, step_px: float) -> list[Window]:
    """Return the windows of the array `whole` that cover every cell set in `warm`, none overlapping another.

    A cell of `warm` (uint8 [h, w]) stands for `cell_px` pixels of the array; windows are widened to multiples of
    `step_px`, so that the networks do not spend their padding on nothing.
    """
    reach = 2 * math.ceil(MARGIN_STEPS * step_px / cell_px) + 1
    near = cv2.dilate(warm, np.ones((reach, reach), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    boxes = [
        _snap(Window(left, top, left + width, top + height), whole, cell_px, step_px)
        for left, top, width, height, _ in stats[1:].tolist()
    ]
    return merge_overlapping([box for box in boxes if box.area_px > 0])


def about(quad: Quad, whole: Window, step_px: float) -> Window:
    """Return the window about a quad of the array `whole` that reaches two steps beyond it."""
    (left, top), (right, bottom) = quad.min(axis=0) - 2 * step_px, quad.max(axis=0) + 2 * step_px
    return _snap(Window(int(left), int(top), int(right), int(bottom)), whole, 1.0, step_px)


def tiles(window: Window, side_px: int, overlap_px: int) -> list[Window]:
    """Return `window` in as few equal parts of at most `side_px` a side as will do, neighbours sharing `overlap_px`."""
    rows = _parts(window.top, window.bottom, side_px, overlap_px)
    columns = _parts(window.left, window.right, side_px, overlap_px)
    return [Window(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def _parts(start: int, stop: int, side_px: int, overlap_px: int) -> list[tuple[int, int]]:
    length = stop - start
    count = 1 if length <= side_px else math.ceil((length - overlap_px) / max(1, side_px - overlap_px))
    part = math.ceil((length + (count - 1) * overlap_px) / count)
    firsts = [start + round(index * (length - part) / max(1, count - 1)) for index in range(count)]
    return [(first, min(first + part, stop)) for first in firsts]


def look_beyond(quad: Quad, window: Window, whole: Window, step_px: float) -> Window | None:
    """Return a window about a quad found in `window`, reaching far over the edges that cut it off; None when none did.

    An edge cuts a quad that comes within NEAR_SHARE of a step to it, unless the array `whole` ends there too.
    """
    (left, top), (right, bottom) = quad.min(axis=0), quad.max(axis=0)
    near = NEAR_SHARE * step_px
    cut_left = window.left > whole.left and left - window.left <= near
    cut_top = window.top > whole.top and top - window.top <= near
    cut_right = window.right < whole.right and window.right - right <= near
    cut_bottom = window.bottom < whole.bottom and window.bottom - bottom <= near
    if not (cut_left or cut_top or cut_right or cut_bottom):
        return None
    around, beyond = step_px, BEYOND_STEPS * step_px
    wider = Window(
        int(left - (beyond if cut_left else around)),
        int(top - (beyond if cut_top else around)),
        int(right + (beyond if cut_right else around)),
        int(bottom + (beyond if cut_bottom else around)),
    )
    return _snap(wider, whole, 1.0, step_px)


def _snap(cells: Window, whole: Window, cell_px: float, step_px: float) -> Window:
    left, right = _snap_side(cells.left * cell_px, cells.right * cell_px, whole.right, step_px)
    top, bottom = _snap_side(cells.top * cell_px, cells.bottom * cell_px, whole.bottom, step_px)
    return Window(left, top, right, bottom)


def _snap_side(start: float, stop: float, limit: int, step_px: float) -> tuple[int, int]:
    """Widen a side about its middle to a multiple of `step_px`, pushed back inside 0 to `limit`."""
    length = int(np.ceil((stop - start) / step_px) * step_px)
    first = max(0, min(int((start + stop - length) / 2), limit - length))
    return first, max(first, min(first + length, limit))


def merge_overlapping(windows: list[Window]) -> list[Window]:
    """Join windows until no two overlap, so that no piece of the sheet is looked at twice."""
    apart: list[Window] = []
    waiting = sorted(windows, key=lambda window: (window.top, window.left))
    while waiting:
        window = waiting.pop(0)
        touching = [other for other in apart if _overlap(window, other)]
        if not touching:
            apart.append(window)
            continue
        apart = [other for other in apart if other not in touching]
        waiting.insert(0, _join([window, *touching]))
    return sorted(apart, key=lambda window: (window.top, window.left))


def _overlap(one: Window, other: Window) -> bool:
    beside = one.right <= other.left or other.right <= one.left
    return not beside and one.top < other.bottom and other.top < one.bottom


def _join(windows: list[Window]) -> Window:
    return Window(
        min(window.left for window in windows),
        min(window.top for window in windows),
        max(window.right for window in windows),
        max(window.bottom for window in windows),
    )
