"""Where text stands on a sheet: the detector's contract, and CRAFT through ONNX Runtime behind it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from naflora_etl.imaging.craft_boxes import Heat, Quad, Thresholds, boxes_from_heat
from naflora_etl.imaging.weights import sha256_of
from naflora_etl.imaging.windows import Window, find_windows, look_beyond, merge_overlapping

Pixels = npt.NDArray[np.uint8]

STRIDE_PX = 32
"""The network halves its input five times."""
HEAT_STEP_PX = 2
"""One heat-map pixel stands for this many input pixels."""
LOOKS = 3
"""Looks at a place at most: the first, and more for text that the edge of a window cut off."""
IMAGENET_MEAN = np.array([0.485 * 255, 0.456 * 255, 0.406 * 255], np.float32)
IMAGENET_SPREAD = np.array([0.229 * 255, 0.224 * 255, 0.225 * 255], np.float32)


@dataclass(frozen=True, eq=False)  # arrays have no single answer to ==
class TextBox:
    """A piece of text: float32 [4, 2] `points` (x, y; clockwise) in pixels of the array searched, and a score to 1."""

    points: Quad
    score: float


class TextDetector(Protocol):
    """What the redaction asks of a detector; `name` tells it and its weights, as 'craft:364f7e9579f7'."""

    @property
    def name(self) -> str: ...

    def find(self, rgb: Pixels) -> list[TextBox]:
        """Return the text boxes of an upright RGB array [H, W, 3], in its own pixels."""
        ...


class CraftDetector:
    """CRAFT on the CPU. Safe to share between threads; one session per process and weights.

    The sheet is searched with its long side at `detect_px` (never enlarged). With `coarse_px` above 0 it is first
    searched at that size for any warmth at all, and at `detect_px` only in the windows where there was some.
    """

    def __init__(
        self,
        weights: Path,
        *,
        detect_px: int,
        coarse_px: int = 0,
        threads: int = 1,
        thresholds: Thresholds | None = None,
    ) -> None:
        cv2.setNumThreads(threads)  # else OpenCV takes every core, of which each worker has one
        self._session = _open_session(weights, threads)
        self._thresholds = thresholds or Thresholds()
        self._detect_px = detect_px
        self._coarse_px = coarse_px
        self.name = f"craft:{sha256_of(weights)[:12]}"

    def find(self, rgb: Pixels) -> list[TextBox]:
        """Return the text boxes of an upright RGB array [H, W, 3], in its own pixels, top window first."""
        scale = min(1.0, self._detect_px / max(rgb.shape[:2]))
        whole = Window(0, 0, rgb.shape[1], rgb.shape[0])
        boxes: list[TextBox] = []
        windows = self._windows(rgb, whole, scale)
        for _ in range(LOOKS):
            beyond: list[Window | None] = []
            for window in windows:
                for points, score in self._find_within(rgb[window.rows, window.columns], scale):
                    quad = points + np.array([window.left, window.top], np.float32)
                    boxes.append(TextBox(quad, score))
                    beyond.append(look_beyond(quad, window, whole, STRIDE_PX / scale))
            windows = merge_overlapping([window for window in beyond if window is not None])
        return boxes

    def heat(self, rgb: Pixels, scale: float) -> tuple[Heat, Heat]:
        """Return CRAFT's region and affinity maps of `rgb` at `scale`; one of their pixels is 2 / scale of its own."""
        height, width = int(rgb.shape[0] * scale), int(rgb.shape[1] * scale)
        # Linear is what the reference does; below a half it would skip pixels, and thin strokes with them.
        how = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA
        canvas = np.zeros((_up_to_stride(height), _up_to_stride(width), 3), np.float32)
        canvas[:height, :width] = cv2.resize(rgb, (width, height), interpolation=how)
        canvas -= IMAGENET_MEAN
        canvas /= IMAGENET_SPREAD
        image = np.ascontiguousarray(canvas.transpose(2, 0, 1)[np.newaxis])
        (maps,) = self._session.run(["y"], {"image": image})
        region, affinity = np.asarray(maps)[0]
        return region, affinity

    def _windows(self, rgb: Pixels, whole: Window, scale: float) -> list[Window]:
        coarse_scale = self._coarse_px / max(rgb.shape[:2])
        if not 0 < coarse_scale < scale:
            return [whole]
        region, affinity = self.heat(rgb, coarse_scale)
        return find_windows(np.maximum(region, affinity), whole, HEAT_STEP_PX / coarse_scale, STRIDE_PX / scale)

    def _find_within(self, rgb: Pixels, scale: float) -> list[tuple[Quad, float]]:
        found = boxes_from_heat(*self.heat(rgb, scale), self._thresholds)
        return [(points * np.float32(HEAT_STEP_PX / scale), score) for points, score in found]


def _up_to_stride(length_px: int) -> int:
    return -(-max(length_px, 1) // STRIDE_PX) * STRIDE_PX


@lru_cache
def _open_session(weights: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Every sheet has its own size: a plan of memory for one is waste for the next.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
