"""The wing's door: the bytes of a sheet in, the finished image and what was covered on it out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from naflora_etl.imaging.colour import to_srgb
from naflora_etl.imaging.decode import Decoded, decode_image, working_bytes
from naflora_etl.imaging.detect import TextBox, TextDetector
from naflora_etl.imaging.detectors import open_detector
from naflora_etl.imaging.encode import encode_jpeg
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.quality import difference_hash, sharpness
from naflora_etl.imaging.redact import Quad, cover_in_place, grow_quad, mask_quads
from naflora_etl.imaging.resize import shrink_image
from naflora_etl.imaging.room import ROOM
from naflora_etl.imaging.sheetness import Sheetness, measure_sheetness
from naflora_etl.recipe import ImagesOptions

__all__ = ["ImageFault", "Prepared", "open_detector", "prepare_image", "shaping"]

HEADROOM = 1.5
"""A scaled decode must keep this much more than the finished size, or the reduction to it visibly blurs."""
WHOLE = 1 << 30
"""More than any side: nothing is reduced."""
BEFORE_PX = 200
"""Long side of the thumbnail from before the redaction: the look of a sheet; the report shows it smaller still."""
BEFORE_QUALITY = 80
NOT_SHAPING = frozenset(
    {"max_source_bytes", "max_source_pixels", "min_side_px", "only_sheets", "audit_words", "keep", "master_px"}
    | {"snapshot", "images_per_slice", "fallback"}
)
"""Knobs that say which images are taken or what is kept, and change no pixel of one."""
SHEET_MEASURES = ("paper_share", "frame_share", "piece_share", "content_share", "paper_lightness", "paper_chroma")


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
    blanked: tuple[Quad, ...]
    """The same boxes, in the same pixels, grown as they were covered."""
    text_share: float
    """Share of the image that was covered, growth included."""
    sheetness: Sheetness
    """Whether it looks like a pressed sheet, and why."""
    sharpness: float
    """Variance of the Laplacian, where nothing is covered."""
    detector: str | None
    """Name of the detector, null when nothing was looked for."""
    made_with: str
    """The knobs that shaped it, as JSON."""
    before_jpeg: bytes = b""
    """Thumbnail from before the redaction, where one was wanted."""

    def facts(self, body: bytes) -> dict[str, Any]:
        """Return what the table `images` says of the image made from `body`, by the names of its columns."""
        names = ("width_px", "height_px", "source_width_px", "source_height_px", "dhash", "detector", "made_with")
        measures = {name: round(getattr(self.sheetness, name), 4) for name in SHEET_MEASURES}
        return {name: getattr(self, name) for name in names} | measures | {
            "looks": self.sheetness.looks,
            "sharpness": round(self.sharpness, 1),
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
        """The boxes as JSON: a list of {"points": four [x, y], "score", "detector"}, rounded to 0.1 px and 0.001."""
        listed = [
            {
                "points": [[round(float(x), 1), round(float(y), 1)] for x, y in box.points],
                "score": round(float(box.score), 3),
                "detector": box.detector or self.detector,
            }
            for box in self.boxes
        ]
        return json.dumps(listed, separators=(",", ":"))


def prepare_image(
    body: bytes,
    *,
    options: ImagesOptions,
    detector: TextDetector | None,
    seed_key: str,
    source_px: tuple[int, int] | None = None,
    before: bool = True,
) -> Prepared:
    """Decode, find and cover text, resize and encode one image; the same input gives the same bytes.

    `seed_key` (the image's key) and the recipe's `noise_seed` seed the noise. When `body` is a master, `source_px` is
    the width and height of the upright image that it was made from. Without `before` there is no thumbnail from before
    the redaction. Raises ImageFault.
    """
    need_px = int(HEADROOM * options.size_px) or WHOLE
    if detector is not None:
        need_px = max(need_px, options.detect_px)
    with ROOM.take(working_bytes(body, need_px=need_px)):
        decoded = decode_image(
            body,
            need_px=need_px,
            max_pixels=options.max_source_pixels,
            min_side_px=1 if source_px else options.min_side_px,
            keep_profile=True,
        )
        if source_px is not None:
            decoded = replace(decoded, source_width_px=source_px[0], source_height_px=source_px[1])
        thumbnail = b""
        if before:
            thumbnail = encode_jpeg(to_srgb(shrink_image(decoded.pixels, BEFORE_PX), decoded.profile), BEFORE_QUALITY)
        made = _finish(decoded, options, detector, _seed(options.noise_seed, seed_key))
        return replace(made, before_jpeg=thumbnail)


def _finish(decoded: Decoded, options: ImagesOptions, detector: TextDetector | None, seed: int) -> Prepared:
    """Make the finished image; the decoded pixels are covered where they lie."""
    pixels = decoded.pixels if decoded.pixels.flags.writeable else decoded.pixels.copy()
    found = detector.find(pixels) if detector is not None else []
    quads = [box.points for box in found]
    mask = mask_quads(pixels.shape, quads, grow=options.grow)
    if quads:
        cover_in_place(pixels, mask, seed=seed, fill=options.fill)
    # colours last: there are fewer pixels then, and to_srgb treats each for itself
    shrunk = shrink_image(pixels, options.size_px or WHOLE, box=decoded.box, decoded_by=decoded.reduced_by)
    finished = to_srgb(shrunk, decoded.profile)
    # what is ours, as the finished image has it
    ours: Any = np.zeros((1, 1), np.uint8)
    if quads:
        ours = cv2.resize(mask * np.uint8(255), finished.shape[1::-1], interpolation=cv2.INTER_AREA)
    left, top, right, bottom = decoded.box or (0.0, 0.0, *pixels.shape[1::-1])
    corner, size = np.array([left, top], np.float32), np.array([right - left, bottom - top], np.float32)
    to_source = np.array([decoded.source_width_px, decoded.source_height_px], np.float32) / size
    return Prepared(
        jpeg=encode_jpeg(finished, options.jpeg_quality),
        width_px=finished.shape[1],
        height_px=finished.shape[0],
        source_width_px=decoded.source_width_px,
        source_height_px=decoded.source_height_px,
        dhash=difference_hash(finished),
        boxes=tuple(replace(box, points=(box.points - corner) * to_source) for box in found),
        blanked=tuple((grow_quad(quad, options.grow) - corner) * to_source for quad in quads),
        text_share=float(np.count_nonzero(mask) / mask.size),
        sheetness=measure_sheetness(finished, ours),
        sharpness=sharpness(finished, ours),
        detector=detector.name if detector is not None else None,
        made_with=json.dumps(shaping(options), sort_keys=True),
    )


def shaping(options: ImagesOptions) -> dict[str, Any]:
    """Return the knobs that shape a finished image, by name; a knob is one of them until it is said not to be."""
    values = options.model_dump(mode="json")
    made_from = {name: values[name] for name in ("keep", "master_px")} if options.keep == "master" else {}
    return {name: value for name, value in values.items() if name not in NOT_SHAPING} | made_from


def _seed(noise_seed: int, seed_key: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{noise_seed}:{seed_key}".encode()).digest()[:8], "big")
