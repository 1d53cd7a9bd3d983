"""The wing's door: the bytes of a sheet in, the finished image and what was covered on it out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from naflora_etl.imaging.decode import decode_image
from naflora_etl.imaging.detect import CraftDetector, TextBox, TextDetector
from naflora_etl.imaging.encode import encode_jpeg
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.quality import difference_hash
from naflora_etl.imaging.redact import cover_text, covered_share
from naflora_etl.imaging.resize import shrink_image
from naflora_etl.imaging.weights import find_weights
from naflora_etl.recipe import ImagesOptions

__all__ = ["ImageFault", "Prepared", "open_detector", "prepare_image"]

HEADROOM = 1.5
"""A scaled decode must keep this much more than the finished size, or the reduction to it visibly blurs."""
BEFORE_PX = 200
"""Long side of the thumbnail from before the redaction: the look of a sheet, no word of it readable."""
BEFORE_QUALITY = 80


@dataclass(frozen=True)
class Prepared:
    """A finished image and how it came about; sizes are of upright images."""

    jpeg: bytes
    """The finished image, without metadata."""
    width_px: int
    height_px: int
    source_width_px: int
    source_height_px: int
    dhash: str
    """Difference hash of the finished pixels, before they were compressed."""
    boxes: tuple[TextBox, ...]
    """The text found, in pixels of the upright source, as detected; the recipe's `grow` was added to cover it."""
    text_share: float
    """Share of the image that was covered, growth included."""
    before_jpeg: bytes
    """Thumbnail from before the redaction."""
    detector: str | None
    """Name of the detector, null when nothing was looked for."""

    def facts(self, body: bytes) -> dict[str, Any]:
        """Return what the table `images` says of the image made from `body`, by the names of its columns."""
        names = ("width_px", "height_px", "source_width_px", "source_height_px", "dhash", "detector")
        return {name: getattr(self, name) for name in names} | {
            "source_size_bytes": len(body),
            "source_sha256": hashlib.sha256(body).hexdigest(),
            "sha256": hashlib.sha256(self.jpeg).hexdigest(),
            "text_boxes": self.text_boxes,
            "text_share": self.text_share,
            "text_quads": self.text_quads,
        }

    @property
    def text_boxes(self) -> int:
        return len(self.boxes)

    @property
    def text_quads(self) -> str:
        """The boxes as JSON: a list of {"points": four [x, y], "score"}, rounded to 0.1 px and 0.001."""
        listed = [
            {"points": [[round(float(x), 1), round(float(y), 1)] for x, y in box.points], "score": round(box.score, 3)}
            for box in self.boxes
        ]
        return json.dumps(listed, separators=(",", ":"))


def open_detector(options: ImagesOptions, *, threads: int = 1) -> TextDetector | None:
    """Return the recipe's text detector, or None when the recipe covers nothing.

    Raises Fault, which names the command to run, when its weights are absent or not the genuine ones.
    """
    if options.redact == "none":
        return None
    return CraftDetector(find_weights(), detect_px=options.detect_px, coarse_px=options.coarse_px, threads=threads)


def prepare_image(body: bytes, *, options: ImagesOptions, detector: TextDetector | None, seed_key: str) -> Prepared:
    """Decode, find and cover text, resize and encode one image; the same input gives the same bytes.

    `seed_key` (the image's key) and the recipe's `noise_seed` seed the noise. Raises ImageFault.
    """
    need_px = int(HEADROOM * options.size_px)
    if detector is not None:
        need_px = max(need_px, options.detect_px)
    decoded = decode_image(body, need_px=need_px, max_pixels=options.max_source_pixels, min_side_px=options.min_side_px)
    pixels = decoded.pixels
    found = detector.find(pixels) if detector is not None else []
    quads = [box.points for box in found]
    covered = cover_text(pixels, quads, grow=options.grow, seed=_seed(options.noise_seed, seed_key))
    finished = shrink_image(covered, options.size_px)
    height, width = pixels.shape[:2]
    to_source = np.array([decoded.source_width_px / width, decoded.source_height_px / height], np.float32)
    return Prepared(
        jpeg=encode_jpeg(finished, options.jpeg_quality),
        width_px=finished.shape[1],
        height_px=finished.shape[0],
        source_width_px=decoded.source_width_px,
        source_height_px=decoded.source_height_px,
        dhash=difference_hash(finished),
        boxes=tuple(TextBox(box.points * to_source, box.score) for box in found),
        text_share=covered_share(pixels.shape, quads, grow=options.grow),
        before_jpeg=encode_jpeg(shrink_image(pixels, BEFORE_PX), BEFORE_QUALITY),
        detector=detector.name if detector is not None else None,
    )


def _seed(noise_seed: int, seed_key: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{noise_seed}:{seed_key}".encode()).digest()[:8], "big")
