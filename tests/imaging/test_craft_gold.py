"""CRAFT here gives exactly the boxes that EasyOCR and craft-text-detector publish for the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from naflora_etl.imaging.craft import HEAT_STEP_PX, CraftNetwork
from naflora_etl.imaging.craft_boxes import Thresholds, boxes_from_heat
from naflora_etl.imaging.search import SheetSearch

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def published(craft_gold: Path) -> dict[str, Any]:
    return json.loads((craft_gold / "expected.json").read_text(encoding="utf-8"))


def crop_of(craft_gold: Path, published: dict[str, Any], name: str) -> np.ndarray:
    """The crop as EasyOCR's own test hands it over: it turns RGBA round to ABGR, cuts the last channel off and swaps
    the ends, so that what the network sees is green, blue, and the alpha channel (all 255).
    """
    left, top, right, bottom = published["crops_of_english_png"][name]
    rgba = np.asarray(Image.open(craft_gold / "english.png"))
    return np.ascontiguousarray(rgba[top:bottom, left:right, 1:4])


def quads_in(pixels: np.ndarray, case: dict[str, Any], weights: Path) -> list[list[int]]:
    network = CraftNetwork(weights)
    scale = min(case["mag_ratio"], case["canvas_size"] / max(pixels.shape[:2]))
    thresholds = Thresholds(case["text_threshold"], case["link_threshold"], case["low_text"])
    found = boxes_from_heat(*network.heat(pixels, scale), thresholds)
    return [(points * (HEAT_STEP_PX / scale)).astype(int).ravel().tolist() for points, _ in found]


@pytest.mark.parametrize("number", [0, 1, 2], ids=["as is", "enlarged 1.2", "reduced 0.8"])
def test_boxes_are_the_published_ones(
    number: int, published: dict[str, Any], craft_gold: Path, craft_weights: Path
) -> None:
    case = published["get_textbox"][number]
    pixels = crop_of(craft_gold, published, case["crop"])
    assert quads_in(pixels, case, craft_weights) == case["expected_quads_xyxyxyxy"][0]


@pytest.mark.parametrize("number", [0, 1, 2], ids=["mini", "small", "small, lines over 100 px"])
def test_boxes_make_the_published_lines(
    number: int, published: dict[str, Any], craft_gold: Path, craft_weights: Path
) -> None:
    case = published["detect"][number]
    quads = quads_in(crop_of(craft_gold, published, case["crop"]), case, craft_weights)
    assert case["expected_free"] == []
    assert lines_of(quads, case) == case["expected_horizontal_xxyy"]


def test_id_card_has_the_published_boxes(published: dict[str, Any], craft_gold: Path, craft_weights: Path) -> None:
    case = published["idcard_png"]
    pixels = np.asarray(Image.open(craft_gold / "idcard.png").convert("RGB"))
    thresholds = Thresholds(case["text_threshold"], case["link_threshold"], case["low_text"])
    network = CraftNetwork(craft_weights, thresholds=thresholds)
    boxes = SheetSearch([network], detect_px=case["long_side_px"]).find(pixels)
    assert len(boxes) == case["boxes"]
    assert int(boxes[0].points[0, 0]) == case["first_box_first_x"]
    region, _ = network.heat(pixels, case["long_side_px"] / max(pixels.shape[:2]))
    assert list(region.shape) == case["heatmap_shape"]


def lines_of(quads: list[list[int]], case: dict[str, Any]) -> list[list[int]]:
    """Join level boxes into lines [x, x, y, y] as EasyOCR's reader does, for comparison with its published lines."""
    boxes = [(min(q[0::2]), max(q[0::2]), min(q[1::2]), max(q[1::2])) for q in quads]
    rows: list[list[tuple[int, int, int, int]]] = []
    for box in sorted(boxes, key=lambda box: (box[2] + box[3]) / 2):
        middle = (box[2] + box[3]) / 2
        if rows:
            middles, heights = [(b[2] + b[3]) / 2 for b in rows[-1]], [b[3] - b[2] for b in rows[-1]]
            if abs(np.mean(middles) - middle) < case["ycenter_ths"] * np.mean(heights):
                rows[-1].append(box)
                continue
        rows.append([box])
    runs: list[list[tuple[int, int, int, int]]] = []
    for row in rows:
        run: list[tuple[int, int, int, int]] = []
        for box in sorted(row, key=lambda box: box[0]):
            height = box[3] - box[2]
            usual = np.mean([b[3] - b[2] for b in run]) if run else 0
            alike = abs(usual - height) < case["height_ths"] * usual
            if run and not (alike and box[0] - run[-1][1] < case["width_ths"] * height):
                runs.append(run)
                run = []
            run.append(box)
        runs.append(run)
    lines = []
    for run in runs:
        left, right = min(b[0] for b in run), max(b[1] for b in run)
        top, bottom = min(b[2] for b in run), max(b[3] for b in run)
        margin = int(case["add_margin"] * min(right - left, bottom - top))
        line = [left - margin, right + margin, top - margin, bottom + margin]
        if max(line[1] - line[0], line[3] - line[2]) > case["min_size"]:
            lines.append(line)
    return lines
