"""Text that detectors overlook, seen by eye on real sheets, is covered at the default recipe."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from naflora_etl.imaging.prepare import open_detector
from naflora_etl.imaging.redact import mask_quads
from naflora_etl.imaging.weights import fetch_weights
from naflora_etl.recipe import ImagesOptions

ROOT = Path(__file__).parents[2]
SHEETS = ROOT / "../shared/data/images"
GOLD = json.loads((ROOT / "tests/imaging/gold_by_eye.json").read_text(encoding="utf-8"))["sheets"]

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not SHEETS.is_dir(), reason="../shared/data/images is not there: no real sheets to try"),
]


@pytest.mark.parametrize(
    "name",
    [
        "nybg_aocr/sheets/NY_00198980.jpg",  # handwriting, a stamp, tiny print over a barcode
        "leafmachine_colour/COLO_01142983_Oleaceae_Fraxinus_americana_H.jpg",  # a seal, its words on a circle
        "leafmachine_colour/SWMT_SWMT01849_Cannabaceae_Cannabis_sativa_H.jpg",  # pencil
        "nybg_aocr/sheets/NY_01498155.jpg",  # text on its side
    ],
)
def test_what_was_seen_by_eye_is_covered(name: str) -> None:
    fetch_weights()
    options = ImagesOptions()
    detector = open_detector(options)
    assert detector is not None
    pixels = cv2.cvtColor(cv2.imread(str(SHEETS / name)), cv2.COLOR_BGR2RGB)
    covered = mask_quads(pixels.shape, [box.points for box in detector.find(pixels)], grow=options.grow)
    left = []
    for piece in GOLD[name]:
        own = np.zeros_like(covered)
        cv2.fillConvexPoly(own, np.array(piece["points"], np.int32), 1)
        if (share := float(covered[own > 0].mean())) < 0.9:
            left.append(f"{piece['kind']} at {piece['points'][0]}: {share:.0%}")
    assert not left
    assert covered.mean() < 0.15
