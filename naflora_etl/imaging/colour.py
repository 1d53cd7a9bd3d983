"""Colours as an ICC profile means them, in sRGB; a profile that makes no sense is as good as none."""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Pixels = npt.NDArray[np.uint8]

SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK", b"Lab ": "LAB"}
"""An ICC header's colour space, and what Pillow calls its pixels."""
MAX_PROFILE_BYTES = 8_000_000
BAND_ROWS = 512
CLOSE = 2
"""A profile that moves no colour by more than this (of 255) is sRGB: applying it would only cost time."""
PROBE = np.stack(np.meshgrid(*[np.linspace(0, 255, 9, dtype=np.uint8)] * 3), axis=-1).reshape(27, 27, 3)


def to_srgb(rgb: Pixels, profile: bytes | None) -> Pixels:
    """Return `rgb` [H, W, 3] in sRGB, its colours being those of the ICC `profile`; of a grey one, all three equal.

    What has no profile, one of sRGB or a broken one comes back as it is.
    """
    transform = _find_transform(profile, ("RGB", "L")) if profile else None
    if transform is None:
        return rgb
    return _apply(transform, rgb[:, :, 0] if transform.input_mode == "L" else rgb)


def inks_to_srgb(inks: Pixels, profile: bytes | None) -> Pixels:
    """Return `inks` [H, W, 4] (cyan, magenta, yellow, black; 255 is full) as sRGB [H, W, 3].

    Without a profile that makes sense for them, each light is what cyan (magenta, yellow) and black leave of white.
    """
    transform = _find_transform(profile, ("CMYK",)) if profile else None
    if transform is not None:
        return _apply(transform, inks)
    left = 255 - inks.astype(np.uint16)
    return ((left[:, :, :3] * left[:, :, 3:] + 127) // 255).astype(np.uint8)


def lab_to_srgb(lab: Pixels) -> Pixels:
    """Return CIE L*a*b* [H, W, 3] (8 bits, D50, a and b signed, as Pillow reads them from TIFF) as sRGB [H, W, 3]."""
    return _apply(_lab_transform(), lab)


def _apply(transform: Any, pixels: Pixels) -> Pixels:
    made = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), BAND_ROWS):  # Pillow copies what it is given
        band = np.ascontiguousarray(pixels[top : top + BAND_ROWS])
        height, width = band.shape[:2]
        image = Image.frombytes(transform.input_mode, (width, height), band.tobytes())
        made[top : top + BAND_ROWS] = np.asarray(ImageCms.applyTransform(image, transform))
    return made


@lru_cache(maxsize=32)
def _find_transform(profile: bytes, modes: tuple[str, ...]) -> Any:
    """Return the transform of a profile to sRGB; None when it would change nothing, or is not for such pixels."""
    mode = SPACES.get(profile[16:20])
    if mode not in modes or len(profile) > MAX_PROFILE_BYTES or not _is_whole(profile):
        return None
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
        if mode == "CMYK":
            return transform
        probe = PROBE[:, :, 0] if mode == "L" else PROBE
        seen = PROBE[:, :, :1] if mode == "L" else PROBE
        moved = np.abs(_apply(transform, probe).astype(int) - seen).max()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform if moved > CLOSE else None


def _is_whole(profile: bytes) -> bool:
    """Tell whether the profile is as long as it says, has its mark, and all its tags lie within it."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return False
    size, tags = struct.unpack(">I", profile[:4])[0], struct.unpack(">I", profile[128:132])[0]
    if size > len(profile) or tags > 100 or 132 + 12 * tags > size:
        return False
    places = struct.iter_unpack(">4sII", profile[132 : 132 + 12 * tags])
    return all(offset + length <= size for _, offset, length in places)


@lru_cache(maxsize=1)
def _lab_transform() -> Any:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
