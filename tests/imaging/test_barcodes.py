"""Barcodes: every kind is covered, turned and blurred, so that no reader reads it; plants and rulers are left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp

from naflora_etl.imaging.barcodes import find_barcodes

GOLD = Path(__file__).with_name("gold_by_eye.json")
PAPER = 226

# kind, module px, degrees, blur px, whether a reader reads it as it stands
CODES = [
    ("Code39", 2.5, 0, 0.0, True),
    ("Code39", 1.6, 0, 1.0, False),
    ("Code39", 2.5, 90, 0.0, True),
    ("Code128", 2.0, 8, 0.0, True),
    ("Code128", 3.0, 37, 0.8, False),
    ("EAN13", 2.5, -5, 0.0, True),
    ("ITF", 2.5, 180, 0.0, True),
    ("QRCode", 4.0, 0, 0.0, True),
    ("QRCode", 4.0, 30, 0.8, True),
    ("DataMatrix", 5.0, 0, 0.0, True),
    ("Aztec", 5.0, 12, 0.0, True),
    ("PDF417", 4.0, 0, 0.8, True),
]
LINEAR = {"Code39", "Code128", "EAN13", "ITF"}


def draw_sheet() -> Any:
    """Return blank paper with the grain that a scan has, uint8 RGB [2560, 900, 3]."""
    grain = np.random.default_rng(1).normal(PAPER, 2.5, (2560, 900))
    return np.repeat(np.clip(grain, 0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)


def lay_code(sheet: Any, kind: str, module_px: float, degrees: float, blur_px: float) -> Any:
    """Glue a code to the middle of `sheet`; return its corners [4, 2]."""
    text = "123456789012" if kind in ("EAN13", "ITF") else "NY01334304"
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    code = np.array(made.to_image(scale=1, add_quiet_zones=False))
    width = round(code.shape[1] * module_px)
    height = round(0.3 * width) if kind in LINEAR else round(code.shape[0] * module_px)
    sharp = cv2.resize(code[:1] if kind in LINEAR else code, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    ink = cv2.resize(sharp, (width, height), interpolation=cv2.INTER_AREA)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += 450 - width / 2, 1280 - height / 2
    laid = cv2.warpAffine(ink, turn, sheet.shape[1::-1], borderValue=255).astype(np.float32)
    sheet[:] = np.minimum(sheet, (40 + laid / 255 * 215)[..., np.newaxis]).astype(np.uint8)
    if blur_px:
        sheet[:] = cv2.GaussianBlur(sheet, (0, 0), blur_px)
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    return cv2.transform(corners, turn)[0]


def fill(shape: tuple[int, ...], quads: list[Any]) -> Any:
    mask = np.zeros(shape[:2], np.uint8)
    for quad in quads:
        cv2.fillConvexPoly(mask, np.rint(quad).astype(np.int32), 1)
    return mask > 0


@pytest.mark.parametrize(("kind", "module_px", "degrees", "blur_px", "is_readable"), CODES)
def test_a_code_is_covered_so_fully_that_no_reader_reads_it(
    kind: str, module_px: float, degrees: float, blur_px: float, is_readable: bool
) -> None:
    sheet = draw_sheet()
    corners = lay_code(sheet, kind, module_px, degrees, blur_px)
    boxes = find_barcodes(sheet)
    covered, code = fill(sheet.shape, [box.points for box in boxes]), fill(sheet.shape, [corners])
    assert covered[code].mean() >= 0.98
    assert covered.sum() < 2.5 * code.sum()
    assert bool(zxingcpp.read_barcodes(sheet)) == is_readable
    sheet[covered] = PAPER
    assert not zxingcpp.read_barcodes(sheet)


@pytest.mark.parametrize("scale", [0.7, 1, 2])
def test_boxes_are_clockwise_float32_quads_in_the_pixels_of_the_array(scale: float) -> None:
    sheet = draw_sheet()
    corners = lay_code(sheet, "Code128", 2.5, 0, 0) * scale
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    box = find_barcodes(cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=how))[0]
    assert box.points.shape == (4, 2) and box.points.dtype == np.float32
    assert 0.9 < box.score <= 1
    assert cv2.contourArea(box.points, oriented=True) > 0, "clockwise, where y points down"
    assert np.abs(box.points - corners).max() < 20 * max(1, scale)


@pytest.mark.parametrize("shape", [(1, 1, 3), (9, 2000, 3), (40, 15, 3), (200, 200, 3)])
def test_a_blank_of_any_size_has_none(shape: tuple[int, int, int]) -> None:
    assert find_barcodes(np.full(shape, PAPER, np.uint8)) == []


def test_a_ruler_is_no_barcode() -> None:
    sheet = draw_sheet()
    for tick in range(65):
        sheet[200 : 230 + 15 * (tick % 10 == 0) + 8 * (tick % 5 == 0), 300 + 8 * tick : 302 + 8 * tick] = 30
    assert find_barcodes(sheet) == []


def test_parallel_blades_are_no_barcode() -> None:
    random = np.random.default_rng(3)
    sheet = draw_sheet()
    for blade in range(40):
        left = 100 + 17 * blade
        reach = random.integers(-90, 90, 2)
        cv2.line(sheet, (left, 1800), (int(left + reach[0]), int(500 + reach[1])), (90, 120, 70), 4, cv2.LINE_AA)
    assert find_barcodes(sheet) == []


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        "nybg_aocr/sheets/NY_00198990.jpg",  # on its side
        "nybg_aocr/sheets/NY_01498113.jpg",  # two
        "leafmachine_colour/COLO_00299636_ERICACEAE_Gaultheria_humifusa_H.jpg",  # too coarse for a reader
        "vouchervision_colour/MICH_16205594_Poaceae_Jouvea_pilosa_full.jpg",  # beside a grass
        "violaceae_1000px/images/V01/V01_01_004.jpg",  # at 1000 px, digits over the bars
        "violaceae_1000px/images/V08/V08_04_001.jpg",  # PDF417 at 1000 px
    ],
)
def test_codes_seen_by_eye_are_covered(shared_images: Path, name: str) -> None:
    gold = [piece["points"] for piece in json.loads(GOLD.read_text())["sheets"][name] if piece["kind"] in
            ("barcode", "PDF417")]  # fmt: skip
    pixels = cv2.cvtColor(cv2.imread(str(shared_images / name)), cv2.COLOR_BGR2RGB)
    covered = fill(pixels.shape, [box.points for box in find_barcodes(pixels)])
    for code in gold:
        assert covered[fill(pixels.shape, [code])].mean() >= 0.98
    assert covered.mean() < 0.02
