"""Does this look like a pressed plant on a sheet of paper? Cheap measures of a small view, and what they say.

A sheet is light, pale paper that reaches the frame of the picture, with something on it. A photograph of a living plant
has no paper; a blank page, the outside of a folder or a packet has nothing on it once its text is covered; a drawer
shows wood, or many small papers. Measured on 187 real sheets and 100 other pictures: docs/images.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]

VIEW_PX = 256
"""Long side of the view that is measured."""
PAPER_REACH = 9.0
"""What is this near to the paper's colour is paper (CIE L*a*b*, lightness counting for 0.7 of itself)."""
CONTENT_REACH = 14.0
"""What is this far from it is not."""
FRAME = (0.04, 0.12)
"""The frame of the picture: from here to there, in parts of its long side, from its edges; outside may lie a table."""
INSIDE = 0.08
"""Content is looked for this far from the edges, in parts of the long side."""
LIGHT = 60.0
"""Paper is lighter (L* 0 to 100)"""
PALE = 30.0
"""and paler (chroma, 0 grey, 100 vivid) than this,"""
LEAST_PAPER, LEAST_FRAME, LEAST_PIECE = 0.25, 0.3, 0.12
"""has at least this share of the picture, of its frame, and in one piece of the picture."""
LEAST_WIDE_FRAME = 0.6
"""A picture that is wider than high is rarely a sheet: more of its frame must be paper."""
LEAST_CONTENT = 0.002
"""With less than this share of the picture on the paper, the page is blank."""


@dataclass(frozen=True)
class Sheetness:
    """Measures of one picture; shares are of its pixels, 0 to 1, without those under covered text."""

    paper_share: float
    """Share that has the paper's colour."""
    frame_share: float
    """Share of the frame, near the edges, that has it."""
    piece_share: float
    """Share of the largest piece of paper."""
    content_share: float
    """Share, away from the edges, that is clearly not paper: the plant, and what else lies there."""
    paper_lightness: float
    """CIE L* of the paper, 0 to 100."""
    paper_chroma: float
    """CIE chroma of the paper, 0 grey."""
    is_wide: bool
    """Whether the picture is wider than high."""

    @property
    def looks(self) -> str:
        """What it looks like: sheet, blank, or other."""
        light_and_pale = self.paper_lightness >= LIGHT and self.paper_chroma <= PALE
        enough = self.paper_share >= LEAST_PAPER and self.piece_share >= LEAST_PIECE
        if not (light_and_pale and enough and self.frame_share >= (LEAST_WIDE_FRAME if self.is_wide else LEAST_FRAME)):
            return "other"
        return "sheet" if self.content_share >= LEAST_CONTENT else "blank"


def measure_sheetness(rgb: Pixels, covered: Mask) -> Sheetness:
    """Return the measures of a finished image [H, W, 3]; `covered` [h, w] of any size is 255 where text was, else 0."""
    scale = min(1.0, VIEW_PX / max(rgb.shape[:2]))
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    seen = cv2.resize(covered, size, interpolation=cv2.INTER_AREA) == 0
    lab = np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    paper = _paper_of(lab, seen)
    apart = cv2.GaussianBlur(lab, (0, 0), 1.0) - paper
    far = np.sqrt(0.5 * apart[:, :, 0] ** 2 + apart[:, :, 1] ** 2 + apart[:, :, 2] ** 2)
    is_paper = (far < PAPER_REACH) & seen
    frame = _ring(size, FRAME[0]) & ~_ring(size, FRAME[1])
    pieces = cv2.connectedComponentsWithStats(is_paper.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    return Sheetness(
        paper_share=_share(is_paper, seen),
        frame_share=_share(is_paper & frame, seen & frame),
        piece_share=int(pieces.max(initial=0)) / max(1, int(seen.sum())),
        content_share=_share((far > CONTENT_REACH) & seen & _ring(size, INSIDE), seen),
        paper_lightness=float(paper[0]),
        paper_chroma=float(np.hypot(paper[1], paper[2])),
        is_wide=size[0] > size[1],
    )


def _share(part: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_]) -> float:
    return int(part.sum()) / max(1, int(whole.sum()))


def _paper_of(lab: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return L*, a*, b* of the lightest colour that much of the picture has."""
    lightness = lab[:, :, 0]
    asked = lightness[seen] if seen.any() else lightness.ravel()
    steps = np.bincount((asked / 2).astype(np.uint8).clip(0, 49), minlength=50)
    counts = np.convolve(steps, np.array([1, 2, 3, 2, 1]), "same")
    lightest = 2 * int(np.nonzero(counts >= 0.35 * counts.max())[0].max()) + 1
    near = (np.abs(lightness - lightest) < 6) & (seen if seen.any() else True)
    if not near.any():
        near = np.ones_like(near)
    return np.asarray(np.median(lab[near][::8], axis=0), np.float32)  # a few thousand are enough


def _ring(size: tuple[int, int], margin: float) -> npt.NDArray[np.bool_]:
    """Return a mask [h, w] of what is at least `margin` of the long side away from every edge."""
    width, height = size
    inset = round(margin * max(size))
    inside = np.zeros((height, width), bool)
    inside[inset : max(inset, height - inset), inset : max(inset, width - inset)] = True
    return inside
