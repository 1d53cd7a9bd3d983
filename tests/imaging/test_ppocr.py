"""PP-OCR's boxes are RapidOCR's own, but for its rounding."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from naflora_etl.imaging.craft_boxes import Quad
from naflora_etl.imaging.ppocr import PpocrNetwork, boxes_from_probability
from naflora_etl.imaging.redact import mask_quads
from naflora_etl.imaging.weights import find_ppocr

SHAPE = (320, 480)


def lines(*drawn: tuple[int, int, int, int, float, float]) -> np.ndarray:
    """A probability map with soft bars of (x, y, width, height, turn in degrees, probability)."""
    heat = np.zeros(SHAPE, np.float32)
    for x, y, width, height, turn, likely in drawn:
        corners = cv2.boxPoints(((x, y), (width, height), turn))
        cv2.fillPoly(heat, [np.rint(corners).astype(np.int32)], (likely,))
    return np.asarray(cv2.GaussianBlur(heat, (0, 0), 1.0), np.float32)


@pytest.mark.parametrize(
    "heat",
    [
        lines(),
        lines((200, 100, 160, 12, 0, 0.95)),
        lines((200, 100, 160, 12, 0, 0.95), (220, 160, 220, 14, 7, 0.9), (100, 220, 60, 10, -20, 0.8)),
        lines((240, 160, 12, 200, 0, 0.9), (60, 160, 180, 16, 80, 0.9)),
        lines((200, 100, 160, 12, 0, 0.45), (200, 200, 3, 2, 0, 0.9)),
        lines((470, 310, 60, 16, 0, 0.95), (5, 5, 60, 16, 0, 0.95)),
    ],
    ids=["none", "one", "aslant", "upright", "too faint or small", "over the edge"],
)
def test_boxes_are_those_of_rapidocr(heat: np.ndarray) -> None:
    from rapidocr.ch_ppocr_det.utils import DBPostProcess

    reference = DBPostProcess(
        thresh=0.3, box_thresh=0.5, max_candidates=1000, unclip_ratio=1.6, use_dilation=True, score_mode="fast"
    )
    expected, scores = reference(heat[np.newaxis, np.newaxis], SHAPE)
    found = boxes_from_probability(heat)
    assert len(found) == len(expected)
    ours = sorted(found, key=lambda each: each[1])
    theirs = sorted(zip(expected, scores, strict=True), key=lambda each: each[1])
    for (quad, score), (other, other_score) in zip(ours, theirs, strict=True):
        assert score == pytest.approx(other_score, abs=0.02)
        assert overlap(quad, np.asarray(other, np.float32)) >= 0.85


def overlap(one: Quad, other: Quad) -> float:
    first, second = (mask_quads(SHAPE, [quad], grow=0).astype(bool) for quad in (one, other))
    return float((first & second).sum() / (first | second).sum())


def test_words_are_found_upright_and_on_their_side() -> None:
    sheet = np.full((300, 400, 3), 235, np.uint8)
    cv2.putText(sheet, "SCOPARIA", (60, 160), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (20, 20, 20), 2, cv2.LINE_AA)
    network = PpocrNetwork(find_ppocr())
    for pixels in (sheet, np.ascontiguousarray(np.rot90(sheet))):
        inked = pixels[:, :, 0] < 128
        mask = mask_quads(pixels.shape, [box.points for box in network.look(pixels, 1.0).boxes], grow=0.1)
        assert mask[inked].mean() == 1 and mask.mean() < 0.15
