"""Faint pencil is brought to where the networks see it, and empty paper stays empty."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from test_search import Painted, inked

from naflora_etl.imaging.detect import TextBox
from naflora_etl.imaging.detectors import open_detector
from naflora_etl.imaging.faint import CELL_PX, CLIP, SCOUT_PX, FaintScout, even_contrast
from naflora_etl.imaging.redact import mask_quads
from naflora_etl.recipe import ImagesOptions

WORDS = {"Viola pedata L.": (150, 300), "det. M. Holt 1931": (820, 640), "Prince Is.": (300, 1100)}


def pencilled(darker_by: int) -> np.ndarray:
    """Return a grainy sheet on which three notes are so many grey levels darker than the paper."""
    sheet = np.full((1400, 1400, 3), (228, 222, 205), np.float32)
    ink = np.zeros(sheet.shape[:2], np.uint8)
    for words, place in WORDS.items():
        cv2.putText(ink, words, place, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.3, (255,), 2, cv2.LINE_AA)
    sheet -= darker_by * (ink / 255)[:, :, np.newaxis]
    sheet += np.random.default_rng(1).normal(0, 2, sheet.shape[:2])[:, :, np.newaxis]
    return np.clip(sheet, 0, 255).astype(np.uint8)


def covered_notes(boxes: list[TextBox]) -> int:
    """Count the notes of which nine tenths of the ink lie under boxes."""
    mask = mask_quads((1400, 1400), [box.points for box in boxes], grow=0.15)
    found = 0
    for words, place in WORDS.items():
        ink = np.zeros_like(mask)
        cv2.putText(ink, words, place, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.3, (1,), 2)
        found += bool(mask[ink > 0].mean() >= 0.9)
    return found


def test_faint_pencil_is_found(craft_weights: Path) -> None:
    sheet = pencilled(5)
    found = {}
    for faint in (False, True):
        detector = open_detector(ImagesOptions(faint=faint, barcodes=False, seals=False))
        assert detector is not None
        found[faint] = covered_notes(detector.find(sheet))
    assert found[True] == len(WORDS) > found[False], found


def test_evening_makes_faint_ink_plain_and_keeps_colours() -> None:
    sheet = pencilled(9)
    even = even_contrast(sheet, CLIP, CELL_PX)
    assert even.shape == sheet.shape and even.dtype == np.uint8
    written, empty = np.s_[260:305, 150:450, 0], np.s_[700:900, 100:600, 0]
    assert even[written].std() > 1.5 * sheet[written].std()
    assert even[:, :, 0].mean() > even[:, :, 2].mean() + 15, "the paper is as yellow as it was"
    assert even[empty].std() < 10, "grain stays grain"


def test_the_faint_scout_works_on_a_small_sheet_and_answers_for_the_whole() -> None:
    painted = Painted(darkness=10)
    sheet = inked((200, 400, 600, 80))
    sheet[2400:2480, 1200:1600] -= 40
    sight = FaintScout(painted).look(sheet, 0.9)
    assert painted.looked_at[0][0] == pytest.approx(SCOUT_PX, abs=1)
    assert sight.cell_px == pytest.approx(3000 / SCOUT_PX)
    rows, columns = np.nonzero(sight.warm)
    assert columns.min() * sight.cell_px == pytest.approx(1200, abs=6), "what is plain to see is for the others"
    assert rows.max() * sight.cell_px == pytest.approx(2480, abs=6)


@pytest.mark.parametrize(("darker_by", "kept"), [(20, 1), (60, 1), (90, 0), (255, 0)])
def test_the_faint_scout_keeps_faint_lines_alone(darker_by: int, kept: int) -> None:
    sheet = inked()
    sheet[2400:2480, 1200:1600] -= darker_by
    boxes = FaintScout(Painted(darkness=10)).look(sheet, 1.0).boxes
    assert len(boxes) == kept
    if kept:
        (box,) = boxes
        assert [*box.points[0], *box.points[2]] == pytest.approx([1200, 2400, 1600, 2480], abs=6)
