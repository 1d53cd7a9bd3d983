"""Round seals are found by their ring; round things that are no seals are not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from naflora_etl.imaging.redact import mask_quads
from naflora_etl.imaging.seals import find_seals

MIDDLE, RADIUS = (600, 300), 70


def paper() -> np.ndarray:
    return np.full((1400, 1000, 3), (240, 236, 220), np.uint8)


def seal(sheet: np.ndarray, text: str = "UNIVERSITY OF SOMEWHERE * HERBARIUM * ") -> np.ndarray:
    """Draw a double ring with letters along it."""
    for radius in (RADIUS, RADIUS - 26):
        cv2.circle(sheet, MIDDLE, radius, (40, 40, 60), 2, cv2.LINE_AA)
    for number, letter in enumerate(text):
        stamp = np.full((200, 200), 255, np.uint8)
        cv2.putText(stamp, letter, (92, 42), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0,), 2, cv2.LINE_AA)
        turn = cv2.getRotationMatrix2D((100, 100), -360 * number / len(text), 1.0)
        turned = cv2.warpAffine(stamp, turn, (200, 200), borderValue=(255,))
        corner = np.s_[MIDDLE[1] - 100 : MIDDLE[1] + 100, MIDDLE[0] - 100 : MIDDLE[0] + 100]
        sheet[corner] = np.minimum(sheet[corner], turned[:, :, np.newaxis])
    return sheet


def test_a_seal_is_covered_whole_and_little_else() -> None:
    sheet = seal(paper())
    boxes = find_seals(sheet)
    assert {box.detector for box in boxes} == {"seal"} and min(box.score for box in boxes) > 0.9
    mask = mask_quads(sheet.shape, [box.points for box in boxes], grow=0.25).astype(bool)
    assert mask[sheet[:, :, 0] < 150].all()
    assert mask.sum() < 1.5 * np.pi * RADIUS**2


def berry(sheet: np.ndarray) -> None:
    cv2.circle(sheet, MIDDLE, RADIUS, (80, 40, 90), -1, cv2.LINE_AA)


def coin_envelope(sheet: np.ndarray) -> None:
    cv2.circle(sheet, MIDDLE, RADIUS, (120, 120, 120), 2, cv2.LINE_AA)


def leaf(sheet: np.ndarray) -> None:
    cv2.circle(sheet, MIDDLE, RADIUS, (60, 110, 60), 3, cv2.LINE_AA)
    for angle in np.linspace(0, 2 * np.pi, 24):
        far = round(MIDDLE[0] + 130 * np.cos(angle)), round(MIDDLE[1] + 130 * np.sin(angle))
        cv2.line(sheet, MIDDLE, far, (60, 110, 60), 3, cv2.LINE_AA)


@pytest.mark.parametrize("draw", [lambda _: None, berry, coin_envelope, leaf], ids=["paper", "berry", "ring", "leaf"])
def test_round_things_are_no_seals(draw) -> None:  # type: ignore[no-untyped-def]
    sheet = paper()
    draw(sheet)
    assert find_seals(sheet) == []


@pytest.mark.real
def test_the_seal_of_a_real_sheet_is_found(shared_images: Path) -> None:
    sheet = cv2.imread(str(next((shared_images / "vouchervision_colour").glob("MICH_16205594*"))))
    middle = np.mean([box.points.mean(axis=0) for box in find_seals(sheet[:, :, ::-1].copy())], axis=0)
    assert middle.tolist() == pytest.approx([1812, 687], abs=20)
