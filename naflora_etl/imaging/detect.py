"""Where text stands on a sheet: the contract of whatever finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from naflora_etl.imaging.craft_boxes import Quad

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]

STRIDE_PX = 32
"""The networks halve their input five times."""


@dataclass(frozen=True, eq=False)  # arrays have no single answer to ==
class TextBox:
    """A piece of text: float32 [4, 2] `points` (x, y; clockwise) in pixels of the array searched, and a score to 1."""

    points: Quad
    score: float
    detector: str = ""
    """Which one found it: craft, ppocr, easyocr, barcode, seal."""


class TextDetector(Protocol):
    """What the redaction asks of a detector; `name` tells it and its weights, as 'craft:364f7e9579f7'."""

    @property
    def name(self) -> str: ...

    def find(self, rgb: Pixels) -> list[TextBox]:
        """Return the text boxes of an upright RGB array [H, W, 3], in its own pixels."""
        ...


@dataclass(frozen=True, eq=False)
class Sight:
    """What a network saw: its boxes, and a mask of cells, each `cell_px` of the array's pixels, that may hold text."""

    boxes: list[TextBox]
    warm: Mask
    cell_px: float


@runtime_checkable
class Many(Protocol):
    """A network that looks at several arrays in one call."""

    def look_at_all(self, views: Sequence[Pixels], scale: float) -> list[Sight]:
        """Search each of `views` at `scale`, as `look` does."""
        ...


class Network(Protocol):
    """A network under a detector; `name` tells it and the first digits of its weights' digest."""

    @property
    def name(self) -> str: ...

    def look(self, rgb: Pixels, scale: float) -> Sight:
        """Search all of an RGB array [H, W, 3] at `scale`; the answer is in the array's own pixels."""
        ...
