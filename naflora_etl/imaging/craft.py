"""CRAFT through ONNX Runtime: the network that sees letters, and from them words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from naflora_etl.imaging.craft_boxes import Heat, Thresholds, boxes_from_heat
from naflora_etl.imaging.detect import STRIDE_PX, Pixels, Sight, TextBox
from naflora_etl.imaging.faint import CELL_PX, CLIP, even_contrast
from naflora_etl.imaging.sessions import canvas_size, lay_on_canvas, open_session
from naflora_etl.imaging.weights import sha256_of

HEAT_STEP_PX = 2
"""One heat-map pixel stands for this many input pixels."""
WARM = 0.1
"""Heat from which a place is worth a closer look; far below what counts as text, for small print is lukewarm."""
BATCHED_SIDE_PX = 256
"""Views that go into one call have sides of so many pixels, or twice as many ..."""
IMAGENET_MEAN = np.array([0.485 * 255, 0.456 * 255, 0.406 * 255], np.float32)
IMAGENET_SPREAD = np.array([0.229 * 255, 0.224 * 255, 0.225 * 255], np.float32)


class CraftNetwork:
    """CRAFT (Baek et al. 2019), in floats or in eight bits, whichever `weights` holds. Safe to share by threads.

    With `even` it sees everything with its contrast evened, faint pencil too.
    """

    def __init__(
        self,
        weights: Path,
        *,
        threads: int = 1,
        thresholds: Thresholds | None = None,
        batch: int = 1,
        gpu: bool = False,
        even: bool = False,
    ) -> None:
        self._session = open_session(weights, threads, gpu=gpu, batched=batch > 1)
        self._batch, self._even = batch, even
        self._stride_px = STRIDE_PX if batch == 1 else BATCHED_SIDE_PX
        self._thresholds = thresholds or Thresholds()
        self.name = f"craft:{sha256_of(weights)[:12]}"

    def look(self, rgb: Pixels, scale: float) -> Sight:
        """Search `rgb` at `scale`; the boxes are in its own pixels."""
        region, affinity = self.heat(rgb, scale)
        return self._sight(region, affinity, scale)

    def look_at_all(self, views: Sequence[Pixels], scale: float) -> list[Sight]:
        """Search each of `views` as `look` does, those of one size together, at most `batch` in a call."""
        alike: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, view in enumerate(views):
            alike[canvas_size(view, scale, self._stride_px)].append(place)
        sights: dict[int, Sight] = {}
        for places in alike.values():
            for start in range(0, len(places), self._batch):
                part = places[start : start + self._batch]  # no more than a call's inputs are held at a time
                heat = self._run(np.concatenate([self._lay(views[place], scale) for place in part]))
                sights |= {place: self._sight(maps[0], maps[1], scale) for place, maps in zip(part, heat, strict=True)}
        return [sights[place] for place in range(len(views))]

    def _sight(self, region: Heat, affinity: Heat, scale: float) -> Sight:
        step = np.float32(HEAT_STEP_PX / scale)
        found = boxes_from_heat(region, affinity, self._thresholds)
        return Sight(
            boxes=[TextBox(points * step, score, "craft") for points, score in found],
            warm=(np.maximum(region, affinity) > WARM).astype(np.uint8),
            cell_px=float(step),
        )

    def heat(self, rgb: Pixels, scale: float) -> tuple[Heat, Heat]:
        """Return CRAFT's region and affinity maps of `rgb` at `scale`; one of their pixels is 2 / scale of its own."""
        region, affinity = self._run(self._lay(rgb, scale))[0]
        return region, affinity

    def _run(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(self._session.run(["y"], {"image": images})[0])

    def _lay(self, rgb: Pixels, scale: float) -> npt.NDArray[np.float32]:
        if self._even:
            rgb = even_contrast(rgb, CLIP, CELL_PX / scale)
        return lay_on_canvas(rgb, scale, IMAGENET_MEAN, IMAGENET_SPREAD, self._stride_px)
