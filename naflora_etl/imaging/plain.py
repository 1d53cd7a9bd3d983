"""A body into a finished image, and nothing else: decoded, upright, resized, without metadata; no text looked for."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from naflora_etl.imaging.colour import to_srgb
from naflora_etl.imaging.decode import Decoded, decode_image, working_bytes
from naflora_etl.imaging.decoded import Pixels
from naflora_etl.imaging.encode import encode_jpeg
from naflora_etl.imaging.resize import shrink_image
from naflora_etl.imaging.room import ROOM
from naflora_etl.recipe import ImagesOptions

HEADROOM = 1.5
"""A scaled decode must keep this much more than the finished size, or the reduction to it visibly blurs."""

MOST_LENT_BYTES = 48_000_000
NOTHING: Pixels = np.empty((0, 0, 3), np.uint8)


class Plain(NamedTuple):
    """A finished image and its facts, by the names of the table `images`."""

    jpeg: bytes
    facts: dict[str, Any]


def finish_image(body: bytes, options: ImagesOptions) -> Plain:
    """Return what imaging.prepare makes of `body` without a detector, at the least cost. Raises ImageFault."""
    decoded, finished = finish_pixels(body, options)
    jpeg = encode_jpeg(finished, options.jpeg_quality)
    facts = {
        "width_px": finished.shape[1],
        "height_px": finished.shape[0],
        "source_width_px": decoded.source_width_px,
        "source_height_px": decoded.source_height_px,
        "source_size_bytes": len(body),
        "source_sha256": hashlib.sha256(body).hexdigest(),
        "sha256": hashlib.sha256(jpeg).hexdigest(),
    }
    return Plain(jpeg, facts)


_LENT = threading.local()


def _lend(size_bytes: int) -> Pixels:
    """Return memory that the thread's next image will use again: fresh pages cost a sixth of a decode."""
    if size_bytes > MOST_LENT_BYTES:
        return np.empty(size_bytes, np.uint8)
    lent: Pixels | None = getattr(_LENT, "pixels", None)
    if lent is None or lent.size < size_bytes:
        lent = _LENT.pixels = np.empty(size_bytes, np.uint8)
    return lent


def finish_pixels(body: bytes, options: ImagesOptions) -> tuple[Decoded, Pixels]:
    """Return what was decoded of `body`, without its pixels, and the finished ones, uint8 sRGB [H, W, 3]."""
    need_px = int(HEADROOM * options.size_px)
    with ROOM.take(working_bytes(body, need_px=need_px)):
        decoded = decode_image(
            body,
            need_px=need_px,
            max_pixels=options.max_source_pixels,
            min_side_px=options.min_side_px,
            keep_profile=True,
            lend=_lend,
        )
        small = shrink_image(decoded.pixels, options.size_px, box=decoded.box, decoded_by=decoded.reduced_by)
        if small is decoded.pixels:  # not reduced: what is lent does not leave
            small = small.copy()
    return replace(decoded, pixels=NOTHING), to_srgb(small, decoded.profile)
