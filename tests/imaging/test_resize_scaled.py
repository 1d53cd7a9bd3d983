"""A JPEG decoded at a half, a quarter or an eighth, and then reduced: in its place, and as sharp as a full decode's."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from naflora_etl.imaging.decode import decode_image
from naflora_etl.imaging.plain import finish_pixels
from naflora_etl.imaging.resize import _frame, shrink_image
from naflora_etl.recipe import ImagesOptions

ORIENTATION = 0x0112


def grained(height: int, width: int) -> np.ndarray:
    """Detail of all sizes, as a sheet has it."""
    rng = np.random.default_rng(7)
    pixels = np.full((height, width), 190, np.float32)
    for spread in (1.0, 2.0, 4.0, 8.0):
        octave = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), spread)
        pixels += 7 * octave / octave.std()
    return np.repeat(np.clip(pixels, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def jpeg(pixels: np.ndarray, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling=0, exif=exif)
    return file.getvalue()


def ideal(body: bytes, size: tuple[int, int]) -> np.ndarray:
    """Full decode and Pillow's Lanczos."""
    with Image.open(io.BytesIO(body)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(upright.resize(size, Image.Resampling.LANCZOS)).astype(int)


def off(made: np.ndarray, body: bytes) -> float:
    """Mean distance, in levels, to the ideal."""
    return float(np.abs(made - ideal(body, (made.shape[1], made.shape[0]))).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_odd_sides_do_not_shift_the_picture_however_it_is_turned(orientation: int) -> None:
    body = jpeg(grained(1245, 835), orientation)
    decoded = decode_image(body, need_px=450, max_pixels=10**8)
    assert decoded.reduced_by == 2 and decoded.box is not None
    made = shrink_image(decoded.pixels, 300, box=decoded.box, decoded_by=2)
    askew = shrink_image(decoded.pixels, 300, decoded_by=2)
    assert made.shape == askew.shape == ((201, 300, 3) if orientation >= 5 else (300, 201, 3))
    assert off(made, body) < 0.6 * off(askew, body)


@pytest.mark.parametrize(
    ("height", "width", "reduced_by"),
    [(1245, 835, 2), (1795, 1201, 2), (1801, 1203, 4), (3603, 2401, 8), (895, 601, 1), (447, 303, 1)],
)
def test_scaled_decodes_are_near_the_ideal_and_as_sharp(height: int, width: int, reduced_by: int) -> None:
    body = jpeg(grained(height, width))
    decoded, made = finish_pixels(body, ImagesOptions(size_px=300))
    assert decoded.reduced_by == reduced_by
    grey, best = made[:, :, 0], ideal(body, (made.shape[1], made.shape[0]))[:, :, 0].astype(np.uint8)
    assert off(made, body) < 1.4
    assert np.corrcoef(grey.ravel(), best.ravel())[0, 1] > 0.99
    sharpness = cv2.Laplacian(grey, cv2.CV_64F).var() / cv2.Laplacian(best, cv2.CV_64F).var()
    assert 0.94 < sharpness < 1.06


def test_finished_pixels_are_not_the_memory_that_the_next_image_is_decoded_into() -> None:
    first, second = jpeg(grained(600, 400)), jpeg(255 - grained(600, 400))
    for size_px in (300, 600, 900):
        options = ImagesOptions(size_px=size_px)
        _, made = finish_pixels(first, options)
        before = made.copy()
        finish_pixels(second, options)
        assert (made == before).all(), size_px


@pytest.mark.parametrize("size", [1073, 2146, 1875, 3000])
@pytest.mark.parametrize("lost", [0.125, 0.25, 0.5, 0.75, 0.875])
@pytest.mark.parametrize("turned", [False, True])
def test_the_frame_puts_the_middle_where_it_belongs(size: int, lost: float, turned: bool) -> None:
    begin, end = (lost, float(size)) if turned else (0.0, size - lost)
    pitch = (end - begin) / 1000
    before, after, cut = _frame(size, begin, end, 1000)
    made = round((size + before + after) / pitch)
    assert min(before, after, cut) >= 0 and made >= 1000 + cut
    start = (size + after - before) / 2 - made * pitch / 2 + cut * pitch  # libvips lays its pixels about the middle
    assert abs(start - begin) / pitch <= 0.15, "in finished pixels"
    assert before <= 20 and after <= 20
