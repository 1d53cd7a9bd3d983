"""What a finished image is like: sharp or blurred, a sheet or something else."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from naflora_etl.imaging.decode import decode_image
from naflora_etl.imaging.quality import sharpness
from naflora_etl.imaging.resize import shrink_image
from naflora_etl.imaging.sheetness import Sheetness, measure_sheetness

RNG = np.random.default_rng(3)


def grained(pixels: np.ndarray, much: float = 3) -> np.ndarray:
    return np.clip(pixels + RNG.normal(0, much, (*pixels.shape[:2], 1)), 0, 255).astype(np.uint8)


def paper(colour: tuple[int, int, int] = (236, 228, 208), shape: tuple[int, int] = (1000, 700)) -> np.ndarray:
    return np.full((*shape, 3), colour, np.uint8)


def plant(pixels: np.ndarray, ink: tuple[int, int, int] = (88, 98, 58)) -> np.ndarray:
    height, width = pixels.shape[:2]
    for turn in range(0, 360, 40):
        away = (int(width * 0.12 * np.cos(np.radians(turn))), int(height * 0.12 * np.sin(np.radians(turn))))
        centre = (width // 2 + away[0], int(height * 0.42) + away[1])
        cv2.ellipse(pixels, centre, (width // 9, width // 26), turn, 0, 360, ink, -1)
    cv2.line(pixels, (width // 2, int(height * 0.4)), (width // 2, int(height * 0.8)), ink, 6)
    return pixels


def on_a_table(pixels: np.ndarray) -> np.ndarray:
    """The sheet on black, as many are photographed."""
    return cv2.copyMakeBorder(pixels, 30, 30, 25, 25, cv2.BORDER_CONSTANT, value=(20, 20, 20))


def grass(paper_colour: tuple[int, int, int] = (236, 228, 208)) -> np.ndarray:
    pixels = paper(paper_colour)
    for x in (300, 330, 390):
        cv2.line(pixels, (350, 850), (x, 120), (120, 110, 60), 3)
    return pixels


def meadow(shape: tuple[int, int] = (1000, 700)) -> np.ndarray:
    ground = RNG.integers(0, 255, (12, 9, 1)) * np.array([0.4, 0.7, 0.2]) + np.array([20, 40, 10])
    pixels = cv2.resize(ground.astype(np.uint8), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return plant(pixels, (200, 60, 140))


def drawer() -> np.ndarray:
    """Wood, with many small papers in rows."""
    pixels = paper((120, 80, 45))
    for y in range(60, 900, 160):
        for x in range(60, 600, 160):
            pixels[y : y + 110, x : x + 120] = (225, 215, 190)
            cv2.circle(pixels, (x + 60, y + 50), 25, (90, 70, 40), -1)
    return pixels


def white_on_white() -> np.ndarray:
    """A flower photographed in a studio: white to the frame, but vivid and wide."""
    return plant(paper((40, 90, 160), (700, 1000)), (250, 240, 60))


LOOKS: dict[str, tuple[np.ndarray, str]] = {
    "a sheet": (plant(paper()), "sheet"),
    "a sheet on black": (on_a_table(plant(paper())), "sheet"),
    "a sheet of old brown paper": (plant(paper((196, 170, 128))), "sheet"),
    "a grey scan": (plant(paper((225, 225, 225)), (90, 90, 90)), "sheet"),
    "an underexposed sheet": (plant(paper((165, 160, 150))), "sheet"),
    "three blades of grass": (grass(), "sheet"),
    "a sheet that lies on its side": (np.rot90(plant(paper())).copy(), "sheet"),
    "a full sheet": (plant(plant(paper()).transpose(1, 0, 2).copy()).transpose(1, 0, 2).copy(), "sheet"),
    "a blank page": (paper(), "blank"),
    "a folder": (paper((185, 155, 115)), "blank"),
    "a white page": (paper((255, 255, 255)), "blank"),
    "a meadow": (meadow(), "other"),
    "a wide meadow": (meadow((700, 1000)), "other"),
    "a drawer": (drawer(), "other"),
    "a blue sky": (white_on_white(), "other"),
    "black": (paper((0, 0, 0)), "other"),
    "noise": (RNG.integers(0, 255, (1000, 700, 3), np.uint8), "other"),
    "wood": (paper((110, 70, 40)), "other"),
}


def measured(pixels: np.ndarray, mask: np.ndarray | None = None) -> Sheetness:
    return measure_sheetness(pixels, np.zeros(pixels.shape[:2], np.uint8) if mask is None else mask)


@pytest.mark.parametrize(("pixels", "looks"), LOOKS.values(), ids=LOOKS.keys())
def test_what_a_picture_looks_like(pixels: np.ndarray, looks: str) -> None:
    measures = measured(grained(pixels) if looks != "other" else pixels)
    assert measures.looks == looks, measures


def test_covered_text_is_no_content() -> None:
    """A page with nothing but a label is blank once the label is covered; its mask may be of any size."""
    page, mask = paper(), np.zeros((2000, 1400), np.uint8)
    page[800:950, 380:680] = RNG.integers(100, 255, (150, 300, 3))
    mask[1600:1900, 760:1360] = 255
    assert measured(page).looks == "sheet"
    assert measured(page, mask).looks == "blank"
    assert measured(page, mask).content_share == 0


def test_a_picture_that_is_all_covered_is_measured_all_the_same() -> None:
    measures = measured(paper(), np.full((10, 10), 255, np.uint8))
    assert measures.looks == "other" and measures.paper_share == 0


@pytest.mark.parametrize("shape", [(1, 1), (1000, 1), (3, 900)])
def test_tiny_and_thin_pictures_are_measured(shape: tuple[int, int]) -> None:
    measured(np.zeros((*shape, 3), np.uint8))


def test_sharpness_falls_with_blur_and_ignores_what_is_covered() -> None:
    sheet = plant(paper())
    nothing = np.zeros(sheet.shape[:2], np.uint8)
    sharp = [sharpness(cv2.GaussianBlur(sheet, (0, 0), spread), nothing) for spread in (0.4, 1, 2, 4)]
    assert sharp == sorted(sharp, reverse=True) and sharp[0] > 20 * sharp[3]
    noisy, mask = sheet.copy(), nothing.copy()
    noisy[850:950, 300:600] = RNG.integers(0, 255, (100, 300, 3))
    mask[850:950, 300:600] = 255
    assert sharpness(noisy, mask) == pytest.approx(sharpness(sheet, mask))
    assert sharpness(noisy, nothing) > 1.5 * sharpness(sheet, nothing)
    assert sharpness(sheet, np.full((5, 5), 255, np.uint8)) == 0


def test_sharpness_does_not_depend_on_the_size_beyond_a_thousand() -> None:
    sheet = plant(paper(shape=(3000, 2100)))
    nothing = np.zeros((10, 10), np.uint8)
    assert sharpness(sheet, nothing) == pytest.approx(sharpness(shrink_image(sheet, 1000), nothing), rel=0.3)


@pytest.mark.real
def test_no_real_sheet_is_set_aside(shared_images: Path) -> None:
    """187 sheets of four collections, in colour and in grey, some with their text greyed out."""
    sheets = sorted(shared_images.glob("**/*.jpg"))
    sheets = [path for path in sheets if "plant_masks" not in path.parts]
    assert len(sheets) == 187
    wrong = []
    for path in sheets:
        small = shrink_image(decode_image(path.read_bytes(), need_px=400, max_pixels=10**9).pixels, 400)
        if measured(small).looks != "sheet":
            wrong.append(path.name)
    assert wrong == []
