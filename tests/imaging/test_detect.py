"""CRAFT on a drawn sheet: the words are found, and the cheap search finds what the thorough one does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from naflora_etl.imaging.detect import CraftDetector, TextBox
from naflora_etl.imaging.redact import mask_quads

WORDS = ("CAREX", "SCOPARIA", "OHIO 1931")


def drawn_sheet(offset: int = 0) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """A sheet of 768 x 512 with three words of 2 % of its height in a corner, and where they are (x, y, w, h)."""
    sheet = np.full((768, 512, 3), (238, 232, 215), np.uint8)
    cv2.line(sheet, (150, 640), (210, 100), (70, 100, 50), 8, cv2.LINE_AA)
    for height in (200, 320, 440):
        cv2.line(sheet, (180, height + 80), (270, height), (80, 120, 60), 12, cv2.LINE_AA)
    places = []
    for row, words in enumerate(WORDS):
        left, base = 290 + offset, 620 + 40 * row
        (width, height), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 2)
        cv2.putText(sheet, words, (left, base), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (25, 25, 25), 2, cv2.LINE_AA)
        places.append((left, base - height, width, height))
    return sheet, places


def coverage(sheet: np.ndarray, boxes: list[TextBox], places: list[tuple[int, int, int, int]]) -> list[float]:
    mask = mask_quads(sheet.shape, [box.points for box in boxes], grow=0.1)
    return [float(mask[y : y + h, x : x + w].mean()) for x, y, w, h in places]


@pytest.mark.parametrize("coarse_px", [0, 384], ids=["whole sheet", "coarse, then close"])
def test_words_are_found_and_the_plant_is_not(coarse_px: int, craft_weights: Path) -> None:
    sheet, places = drawn_sheet()
    detector = CraftDetector(craft_weights, detect_px=768, coarse_px=coarse_px)
    boxes = detector.find(sheet)
    assert detector.name == "craft:364f7e9579f7"
    assert min(coverage(sheet, boxes, places)) >= 0.9
    assert mask_quads(sheet.shape, [box.points for box in boxes], grow=0.1)[:580].sum() == 0
    assert all(box.points.shape == (4, 2) and 0.7 <= box.score <= 1.5 for box in boxes)


def test_threads_share_a_detector(craft_weights: Path) -> None:
    detector = CraftDetector(craft_weights, detect_px=320)
    sheets = [drawn_sheet(offset)[0] for offset in (0, 40, 80)]
    alone = [[box.points.tolist() for box in detector.find(sheet)] for sheet in sheets]
    with ThreadPoolExecutor(3) as pool:
        together = [[box.points.tolist() for box in boxes] for boxes in pool.map(detector.find, sheets)]
    assert together == alone
    assert any(alone)


class PaintedDetector(CraftDetector):
    """CRAFT's bookkeeping without its network: ink is heat."""

    def __init__(self, detect_px: int, coarse_px: int = 0) -> None:
        super().__init__(Path("painted"), detect_px=detect_px, coarse_px=coarse_px)
        self.looked_at: list[tuple[int, ...]] = []

    def heat(self, rgb: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        self.looked_at.append((*rgb.shape[:2], round(scale, 3)))
        size = int(rgb.shape[1] * scale / 2), int(rgb.shape[0] * scale / 2)
        ink = (255 - cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)[:, :, 0]).astype(np.float32) / 255
        return ink, np.zeros_like(ink)


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> type[PaintedDetector]:
    monkeypatch.setattr("naflora_etl.imaging.detect._open_session", lambda *_: None)
    monkeypatch.setattr("naflora_etl.imaging.detect.sha256_of", lambda _: "0" * 64)
    return PaintedDetector


def inked(*places: tuple[int, int, int, int]) -> np.ndarray:
    sheet = np.full((3000, 2000, 3), 255, np.uint8)
    for left, top, width, height in places:
        sheet[top : top + height, left : left + width] = 0
    return sheet


def test_boxes_lie_in_the_pixels_of_the_array_whatever_the_scale(painted: type[PaintedDetector]) -> None:
    place = (1200, 2400, 400, 80)
    for detector in (painted(3000), painted(1500), painted(9000), painted(1500, 600)):
        boxes = detector.find(inked(place))
        middle = np.mean([box.points.mean(axis=0) for box in boxes], axis=0)
        assert middle.tolist() == pytest.approx([1400, 2440], abs=12), detector.looked_at


def test_a_cold_sheet_is_looked_at_only_once(painted: type[PaintedDetector]) -> None:
    detector = painted(2560, 640)
    assert detector.find(inked()) == []
    assert detector.looked_at == [(3000, 2000, 0.213)]


def test_a_small_sheet_is_not_enlarged_nor_searched_twice(painted: type[PaintedDetector]) -> None:
    detector = painted(2560, 640)
    detector.find(inked()[:600, :400])
    assert detector.looked_at == [(600, 400, 1.0)]


def test_close_looks_take_little_of_the_sheet(painted: type[PaintedDetector]) -> None:
    detector = painted(1500, 600)
    detector.find(inked((1200, 2400, 400, 80), (100, 100, 300, 60)))
    _, *close = detector.looked_at
    assert len(close) == 2
    assert sum(height * width for height, width, _ in close) < 0.15 * 3000 * 2000


def test_text_cut_by_the_edge_of_a_window_is_seen_whole(painted: type[PaintedDetector]) -> None:
    """Pale ink that the coarse search does not feel goes on where the dark ink ends."""
    sheet = inked((400, 1000, 300, 80))
    sheet[1000:1080, 700:940] = 130  # cold at first sight once thinned, text at a close look
    sheet[1000:1080:2, 700:940] = 255
    detector = painted(3000, 600)
    detector.heat = _blind_to_pale(detector)  # type: ignore[method-assign]
    boxes = detector.find(sheet)
    assert max(box.points[:, 0].max() for box in boxes) >= 935


def _blind_to_pale(detector: PaintedDetector):  # type: ignore[no-untyped-def]
    def heat(rgb: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        ink, link = PaintedDetector.heat(detector, rgb, scale)
        if scale < 0.5:
            return np.where(ink > 0.5, ink, 0).astype(np.float32), link
        return np.where(ink > 0.1, 0.9, 0).astype(np.float32), link

    return heat
