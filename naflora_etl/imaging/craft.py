"""CRAFT through ONNX Runtime: the network that sees letters, and from them words."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from naflora_etl.imaging.craft_boxes import Heat, Thresholds, boxes_from_heat
from naflora_etl.imaging.detect import Pixels, Sight, TextBox
from naflora_etl.imaging.sessions import lay_on_canvas, open_session, run_session
from naflora_etl.imaging.weights import sha256_of

HEAT_STEP_PX = 2
"""One heat-map pixel stands for this many input pixels."""
WARM = 0.1
"""Heat from which a place is worth a closer look; far below what counts as text, for small print is lukewarm."""
IMAGENET_MEAN = np.array([0.485 * 255, 0.456 * 255, 0.406 * 255], np.float32)
IMAGENET_SPREAD = np.array([0.229 * 255, 0.224 * 255, 0.225 * 255], np.float32)


class CraftNetwork:
    """CRAFT (Baek et al. 2019), in floats or in eight bits, whichever `weights` holds. Safe to share by threads."""

    def __init__(self, weights: Path, *, threads: int = 1, thresholds: Thresholds | None = None) -> None:
        self._session = open_session(weights, threads)
        self._thresholds = thresholds or Thresholds()
        self.name = f"craft:{sha256_of(weights)[:12]}"

    def look(self, rgb: Pixels, scale: float) -> Sight:
        """Search `rgb` at `scale`; the boxes are in its own pixels."""
        region, affinity = self.heat(rgb, scale)
        step = np.float32(HEAT_STEP_PX / scale)
        found = boxes_from_heat(region, affinity, self._thresholds)
        return Sight(
            boxes=[TextBox(points * step, score, "craft") for points, score in found],
            warm=(np.maximum(region, affinity) > WARM).astype(np.uint8),
            cell_px=float(step),
        )

    def heat(self, rgb: Pixels, scale: float) -> tuple[Heat, Heat]:
        """Return CRAFT's region and affinity maps of `rgb` at `scale`; one of their pixels is 2 / scale of its own."""
        image = lay_on_canvas(rgb, scale, IMAGENET_MEAN, IMAGENET_SPREAD)
        region, affinity = np.asarray(run_session(self._session, ["y"], {"image": image}))[0]
        return region, affinity
