"""The search of a sheet: cheap scouts say where text may be, and the networks look closely only there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from naflora_etl.imaging.detect import STRIDE_PX, Many, Network, Pixels, Sight, TextBox
from naflora_etl.imaging.windows import Window, about, find_windows, look_beyond, merge_overlapping, tiles

MAX_ENLARGEMENT = 2.0
"""Close looks enlarge small sheets up to this much: print of six pixels is read at twelve."""
LOOKS = 3
"""Looks at a place at most: the first, and more for text that the edge of a window cut off."""
TILE_PX = 1024
"""Side of what a network sees at once in a close look; it bounds the memory, whatever the sheet."""
OVERLAP_PX = 96
"""What neighbouring tiles share, so that a word on the seam is whole in one of them."""

Finder = Callable[[Pixels], list[TextBox]]


class SheetSearch:
    """A text detector made of networks. Safe to share between threads.

    With `coarse_px` 0 the networks `close` search the whole sheet with its long side at `detect_px`, never enlarged.
    Above 0, the `scouts` search the sheet at `coarse_px`, and `close` looks at `detect_px` where they saw anything
    (enlarging small sheets at most twice). The boxes of the scouts in `trusted` are kept as well. `finders`, by
    the name their boxes bear, add what networks do not see (barcodes); there, too, a close look is taken.
    """

    def __init__(
        self,
        close: Sequence[Network],
        *,
        detect_px: int,
        coarse_px: int = 0,
        scouts: Sequence[Network] = (),
        trusted: Sequence[Network] = (),
        finders: Mapping[str, Finder] | None = None,
    ) -> None:
        self._close = close
        self._scouts = scouts if coarse_px else ()
        self._trusted = trusted
        self._finders = finders or {}
        self._detect_px = detect_px
        self._coarse_px = coarse_px
        self.name = "+".join(dict.fromkeys(network.name for network in (*close, *self._scouts)))

    def find(self, rgb: Pixels) -> list[TextBox]:
        """Return the text boxes of an upright RGB array [H, W, 3], in its own pixels."""
        whole = Window(0, 0, rgb.shape[1], rgb.shape[0])
        boxes = [replace(box, detector=name) for name, find in self._finders.items() for box in find(rgb)]
        if not self._scouts:
            scale = min(1.0, self._detect_px / max(rgb.shape[:2]))
            return boxes + [box for network in self._close for box in network.look(rgb, scale).boxes]
        scale = min(MAX_ENLARGEMENT, self._detect_px / max(rgb.shape[:2]))
        step_px = STRIDE_PX / scale
        windows = [about(box.points, whole, step_px) for box in boxes]
        rough = min(1.0, self._coarse_px / max(rgb.shape[:2]))
        for scout in self._scouts:
            sight = scout.look(rgb, rough)
            windows += find_windows(sight.warm, whole, sight.cell_px, step_px)
            if scout in self._trusted:
                boxes += sight.boxes
        windows = merge_overlapping(windows)
        for network in self._close:
            boxes += self._look_closely(network, rgb, windows, scale)
        return boxes

    def _look_closely(self, network: Network, rgb: Pixels, windows: list[Window], scale: float) -> list[TextBox]:
        whole = Window(0, 0, rgb.shape[1], rgb.shape[0])
        boxes: list[TextBox] = []
        for _ in range(LOOKS):
            beyond: list[Window | None] = []
            parts = [
                (window, tile)
                for window in windows
                for tile in tiles(window, int(TILE_PX / scale), int(OVERLAP_PX / scale))
            ]
            sights = _look_at(network, [rgb[tile.rows, tile.columns] for _, tile in parts], scale)
            for (window, tile), sight in zip(parts, sights, strict=True):
                corner = np.array([tile.left, tile.top], np.float32)
                for seen in sight.boxes:
                    box = replace(seen, points=seen.points + corner)
                    boxes.append(box)
                    beyond.append(look_beyond(box.points, window, whole, STRIDE_PX / scale))
            windows = merge_overlapping([window for window in beyond if window is not None])
        return boxes


def _look_at(network: Network, views: Sequence[Pixels], scale: float) -> Iterable[Sight]:
    """Look at each view: in as few calls as the network can, or one by one."""
    if isinstance(network, Many):
        return network.look_at_all(views, scale)
    return (network.look(view, scale) for view in views)
