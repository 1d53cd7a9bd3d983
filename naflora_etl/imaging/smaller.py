"""A finished JPEG in, a smaller one out: the size variants of a release."""

from __future__ import annotations

from naflora_etl.imaging.decode import decode_image
from naflora_etl.imaging.encode import encode_jpeg
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.resize import shrink_image

MOST_PIXELS = 100_000_000
"""A release holds finished images; what is larger is none of ours."""


def shrink_jpeg(body: bytes, size_px: int, quality: int) -> tuple[bytes, int, int]:
    """Return the JPEG with its long side at `size_px`, its width and its height; the same input gives the same bytes.

    Never enlarged: one that is as small already comes back as it is. Raises ValueError for what is no sound image.
    """
    try:
        decoded = decode_image(body, need_px=2 * size_px, max_pixels=MOST_PIXELS)
    except ImageFault as fault:
        raise ValueError(str(fault)) from None
    if max(decoded.source_width_px, decoded.source_height_px) <= size_px:
        return body, decoded.source_width_px, decoded.source_height_px
    small = shrink_image(decoded.pixels, size_px, box=decoded.box, decoded_by=decoded.reduced_by)
    height, width = small.shape[:2]
    return encode_jpeg(small, quality), width, height
