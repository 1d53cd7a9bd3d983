"""Smaller without aliasing: sizes, the ideal it is held against, and the same bytes on any thread."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from naflora_etl.imaging.resize import shrink_image


def sheet(height: int = 2175, width: int = 1450) -> np.ndarray:
    """Paper with grain, a leaf, and lines as thin as print."""
    rng = np.random.default_rng(1)
    grain = cv2.GaussianBlur(rng.normal(0, 6, (height, width, 1)).astype(np.float32), (0, 0), 0.8)[:, :, None]
    pixels = np.clip(np.array([238, 232, 214]) + grain, 0, 255).astype(np.uint8)
    middle, reach = (width // 2, height // 2), (width // 5, height // 3)
    cv2.ellipse(pixels, middle, reach, 20, 0, 360, (70, 100, 50), -1, cv2.LINE_AA)
    for step in range(40):
        top = (width // 30 * step % width, height // 9)
        cv2.line(pixels, top, (top[0] + 7, height // 5), (40, 30, 30), 2, cv2.LINE_AA)
    return pixels


@pytest.mark.parametrize(
    ("shape", "long_side_px", "expected"),
    [
        ((3000, 2000), 1000, (1000, 667)),
        ((2000, 3000), 1000, (667, 1000)),
        ((1000, 600), 1000, (1000, 600)),
        ((800, 600), 1000, (800, 600)),
        ((3000, 4), 1000, (1000, 1)),
    ],
    ids=["tall", "wide", "as it should be", "never enlarged", "a strip keeps a pixel"],
)
def test_long_side_is_brought_to_size(shape: tuple[int, int], long_side_px: int, expected: tuple[int, int]) -> None:
    assert shrink_image(np.zeros((*shape, 3), np.uint8), long_side_px).shape == (*expected, 3)


@pytest.mark.parametrize("scale", [1.2, 1.5, 2.0, 2.9, 4.0, 7.3])
def test_it_is_nearer_to_the_ideal_than_inter_area_at_any_scale(scale: float) -> None:
    """The ideal is Pillow's Lanczos: anti-aliased, and four times slower."""
    pixels = sheet()
    made = shrink_image(pixels, round(2175 / scale))
    size = made.shape[1], made.shape[0]
    ideal = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)).astype(int)
    area = np.abs(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) - ideal).mean()
    assert np.abs(made - ideal).mean() < 0.9 * area


@pytest.mark.parametrize("period_px", [2, 3, 4], ids=lambda px: f"stripes of {px} px")
def test_stripes_too_fine_for_the_result_become_grey_and_not_other_stripes(period_px: int) -> None:
    columns = (np.arange(1800) % period_px < period_px / 2).astype(np.uint8) * 255
    made = shrink_image(np.repeat(np.tile(columns, (1200, 1))[:, :, None], 3, axis=2), 360)
    inner = made[20:-20, 20:-20].astype(int)
    assert np.ptp(inner) <= 6 and abs(inner.mean() - columns.mean()) <= 2


def test_every_pixel_has_its_say() -> None:
    dark = np.zeros((1500, 1000, 3), np.uint8)
    for row, column in ((0, 0), (751, 502), (1499, 999), (300, 0)):
        lit = dark.copy()
        lit[row, column] = 255
        assert shrink_image(lit, 1000).any(), (row, column)


def test_what_is_flat_stays_as_it_is() -> None:
    assert (shrink_image(np.full((1777, 1311, 3), (201, 7, 250), np.uint8), 1000) == (201, 7, 250)).all()


def test_the_input_may_be_a_view_and_is_left_alone() -> None:
    pixels = sheet()
    before = pixels.copy()
    turned = pixels[::-1, :, ::-1]
    assert (shrink_image(turned, 1000) == shrink_image(np.ascontiguousarray(turned), 1000)).all()
    assert (pixels == before).all()


def test_threads_and_runs_change_nothing() -> None:
    pixels = sheet()
    alone = shrink_image(pixels, 1000).tobytes()
    with ThreadPoolExecutor(8) as pool:
        assert {made.tobytes() for made in pool.map(lambda _: shrink_image(pixels, 1000), range(24))} == {alone}


def test_it_asks_for_no_threads_of_its_own() -> None:
    """libvips reads VIPS_CONCURRENCY once, at its start, so it must be set before the import; a user's own counts."""
    code = "import os, naflora_etl.imaging.resize; print(os.environ['VIPS_CONCURRENCY'])"
    for given, told in ((None, "1"), ("3", "3")):
        env = {name: value for name, value in os.environ.items() if name != "VIPS_CONCURRENCY"}
        env |= {"VIPS_CONCURRENCY": given} if given else {}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == told
