"""The detectors on a drawn sheet: words are found, the plant is not, cheaply or thoroughly, by one thread or many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.imaging.detect import TextBox
from naflora_etl.imaging.detectors import open_detector
from naflora_etl.imaging.redact import mask_quads
from naflora_etl.imaging.sessions import sums_bytes_exactly
from naflora_etl.recipe import ImagesOptions

WORDS = ("CAREX", "SCOPARIA", "OHIO 1931")


def drawn_sheet(offset: int = 0) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """A sheet of 768 x 512 with three words of 2 % of its height in a corner, and where they are (x, y, w, h)."""
    sheet = np.full((768, 512, 3), (238, 232, 215), np.uint8)
    cv2.line(sheet, (150, 640), (210, 100), (70, 100, 50), 8, cv2.LINE_AA)
    for side, height in ((-1, 180), (1, 300), (-1, 420)):
        cv2.ellipse(sheet, (190 + 50 * side, height), (60, 26), -30 * side, 0, 360, (80, 120, 60), -1, cv2.LINE_AA)
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


CRAFT, EIGHT, PPOCR = "craft:364f7e9579f7", "craft:7af43277e39f", "ppocr:090f04abcd9d"


@pytest.mark.parametrize(
    ("redact", "knobs", "name", "finders"),
    [
        ("union", {}, f"{EIGHT}+{PPOCR}", {"craft", "ppocr"}),
        ("union", {"coarse_px": 0}, f"{EIGHT}+{PPOCR}", {"craft", "ppocr"}),
        ("craft", {}, f"{EIGHT}+{PPOCR}", {"craft"}),
        ("craft", {"coarse_px": 0}, EIGHT, {"craft"}),
        ("craft", {"coarse_px": 0, "eight_bit": False}, CRAFT, {"craft"}),
        ("ppocr", {}, PPOCR, {"ppocr"}),
        ("ppocr", {"coarse_px": 0}, PPOCR, {"ppocr"}),
    ],
    ids=["union", "union, all", "craft", "craft, all", "craft, all, floats", "ppocr", "ppocr, all"],
)
def test_words_are_found_and_the_plant_is_not(
    redact: str, knobs: dict[str, object], name: str, finders: set[str], craft_weights: Path
) -> None:
    sheet, places = drawn_sheet()
    alone = {"detect_px": 768, "coarse_px": 768, "barcodes": False}
    options = ImagesOptions.model_validate({"redact": redact} | alone | knobs)
    detector = open_detector(options)
    if not sums_bytes_exactly():  # an older processor: floats take the place of eight bits
        name = name.replace(EIGHT, CRAFT)
    assert detector is not None and detector.name == name
    boxes = detector.find(sheet)
    assert min(coverage(sheet, boxes, places)) >= 0.9
    assert mask_quads(sheet.shape, [box.points for box in boxes], grow=0.1)[:580].sum() == 0
    assert {box.detector for box in boxes} == finders
    assert all(box.points.shape == (4, 2) and 0.5 <= box.score <= 1.5 for box in boxes)


def test_threads_share_a_detector(craft_weights: Path) -> None:
    detector = open_detector(ImagesOptions(detect_px=480, coarse_px=480))
    assert detector is not None
    sheets = [drawn_sheet(offset)[0] for offset in (0, 40, 80)]
    alone = [[box.points.tolist() for box in detector.find(sheet)] for sheet in sheets]
    with ThreadPoolExecutor(3) as pool:
        together = [[box.points.tolist() for box in boxes] for boxes in pool.map(detector.find, sheets)]
    assert together == alone
    assert any(alone)


def test_nothing_is_opened_when_nothing_is_to_be_covered() -> None:
    assert open_detector(ImagesOptions(redact="none")) is None


@pytest.mark.parametrize("redact", ["union", "craft"])
def test_absent_weights_name_the_command(redact: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAFLORA_MODELS", str(tmp_path))
    with pytest.raises(Fault, match="`naflora models fetch` brings them"):
        open_detector(ImagesOptions.model_validate({"redact": redact}))
    with pytest.raises(Fault, match="`naflora models fetch` brings them"):
        open_detector(ImagesOptions.model_validate({"redact": redact, "eight_bit": False}))


def test_a_processor_that_loses_sums_of_bytes_gets_floats(craft_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ImagesOptions(redact="craft", coarse_px=0)
    for exact, name in ((True, EIGHT), (False, CRAFT)):
        monkeypatch.setattr("naflora_etl.imaging.detectors.sums_bytes_exactly", lambda exact=exact: exact)
        detector = open_detector(options)
        assert detector is not None and detector.name == name
