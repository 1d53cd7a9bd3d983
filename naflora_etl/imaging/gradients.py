"""Which way the grey levels of a sheet change, cell by cell; and rectangles of it that lie aslant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]

CELL_PX = 4
"""Gradients are summed over cells of this side."""


@dataclass(frozen=True)
class Gradients:
    """The structure tensor of a grey image in cells of CELL_PX, each smoothed over its neighbours (float32 [h, w])."""

    energy: Field
    """Mean squared gradient, in (grey levels a pixel) squared."""
    real: Field
    imaginary: Field
    """Energy times the mean direction at double angle, as a complex number (Bigun & Granlund 1987)."""

    @property
    def coherence(self) -> Field:
        """How much of the gradients lies along one line, 0 to 1."""
        return np.asarray(np.hypot(self.real, self.imaginary) / (self.energy + 1e-6), np.float32)


def measure_gradients(grey: Grey) -> Gradients:
    """Return the gradients of `grey` [H, W], which has at least one cell."""
    size = grey.shape[1] // CELL_PX, grey.shape[0] // CELL_PX
    right, down = cv2.Sobel(grey, cv2.CV_16S, 1, 0), cv2.Sobel(grey, cv2.CV_16S, 0, 1)

    def mean(one: object, other: object) -> Field:
        product: Any = cv2.multiply(one, other, dtype=cv2.CV_32F)  # type: ignore[call-overload]
        cells = cv2.resize(product, size, interpolation=cv2.INTER_AREA)
        # Sobel's weights sum to eight
        return np.asarray(cv2.blur(cells, (3, 3)) / 64, np.float32)

    across, upright, mixed = mean(right, right), mean(down, down), mean(right, down)
    return Gradients(across + upright, across - upright, 2 * mixed)


@dataclass(frozen=True)
class Strip:
    """A rectangle of an image, turned by `angle` (radians): its sides in a frame turned likewise about the origin."""

    angle: float
    left: float
    right: float
    top: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def corners(self) -> Field:
        """Return its corners, float32 [4, 2], clockwise from its own upper left."""
        across = np.array([np.cos(self.angle), np.sin(self.angle)])
        along = np.array([-across[1], across[0]])
        sides = (self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)
        return np.array([x * across + y * along for x, y in sides], np.float32)

    def cut(self, grey: Grey) -> Field:
        """Return the strip's pixels as an upright float32 array."""
        turn = np.array([[np.cos(self.angle), -np.sin(self.angle)], [np.sin(self.angle), np.cos(self.angle)]])
        corner = turn @ np.array([self.left, self.top])
        size = round(self.width), round(self.height)
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        matrix = np.column_stack((turn, corner))
        cut = cv2.warpAffine(grey, matrix, size, flags=how, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(cut, np.float32)

    def within(self, rows: tuple[int, int], columns: tuple[int, int]) -> Strip:
        """Return the part of the strip between these rows and columns of its cut."""
        return Strip(
            self.angle, self.left + columns[0], self.left + columns[1], self.top + rows[0], self.top + rows[1]
        )

    def holds(self, other: Strip) -> bool:
        """Tell whether another lies wholly within."""
        outline = self.corners()
        return all(cv2.pointPolygonTest(outline, (float(x), float(y)), False) >= 0 for x, y in other.corners())

    def grown(self, across: float, along: float) -> Strip:
        """Return it with its sides moved outwards by `across` and `along` pixels."""
        return Strip(self.angle, self.left - across, self.right + across, self.top - along, self.bottom + along)
