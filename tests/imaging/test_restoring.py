"""Deblurring and upscaling bring a blurred word back, and none that was covered."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from naflora_etl.imaging.redact import Fill, cover_text
from naflora_etl.imaging.resize import shrink_image

WORDS = ["collected", "scoparia", "Schkuhr", "Massachusetts"]
WAYS = {"four times as large", "unsharp mask", "Wiener", "Richardson-Lucy, 30"}
BLUR = 2.5


@pytest.fixture(scope="module")
def restoring() -> ModuleType:
    """The benchmark's own restorations and reader."""
    if shutil.which("tesseract") is None:
        pytest.skip("no tesseract here (apt-get install tesseract-ocr): nobody to read what was restored")
    path = Path(__file__).parents[2] / "benchmarks/restoring.py"
    spec = importlib.util.spec_from_file_location("restoring", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def label() -> tuple[np.ndarray, list[np.ndarray]]:
    """A label of four words on paper, and their boxes."""
    image = Image.new("RGB", (560, 150), (238, 232, 214))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=30)
    quads = []
    for number, word in enumerate(WORDS):
        place = (30 + 260 * (number % 2), 25 + 55 * (number // 2))
        draw.text(place, word, font=font, fill=(30, 25, 20))
        left, top, right, bottom = draw.textbbox(place, word, font=font)
        quads.append(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32))
    return np.asarray(image), quads


def brought_back(restoring: ModuleType, crop: np.ndarray, spread: float) -> set[str]:
    """The words that are read after any of the restorations; the benchmark tries more of them."""
    ways = {name: way for name, way in restoring.restorations(spread).items() if name in WAYS}
    assert set(ways) == WAYS
    return set().union(*restoring.words_brought_back(crop, set(WORDS), ways).values())


def test_a_blur_alone_is_undone(restoring: ModuleType) -> None:
    """Else the test below could not fail."""
    sheet, _ = label()
    assert brought_back(restoring, cv2.GaussianBlur(sheet, (0, 0), BLUR), BLUR) >= {"scoparia", "Massachusetts"}


@pytest.mark.parametrize(("fill", "long_side_px"), [("noise", 560), ("paper", 400)], ids=["noise", "paper, reduced"])
def test_what_was_covered_stays_covered(restoring: ModuleType, fill: Fill, long_side_px: int) -> None:
    """The one word that was left is read, so the others would be."""
    sheet, quads = label()
    covered = shrink_image(cover_text(sheet, quads[1:], grow=0.1, seed=3, fill=fill), long_side_px)
    assert brought_back(restoring, covered, 1.0) == {WORDS[0]}
