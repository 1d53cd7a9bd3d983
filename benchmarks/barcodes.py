"""How many barcodes find_barcodes covers, on real sheets and drawn ones, what is left to read, and what it costs.

    python benchmarks/barcodes.py [--shared ../shared] [--drawn 12]

Real: every code seen by eye on the shared sheets (tests/imaging/gold_by_eye.json); covered means 98 % of its area, and
no reader may read it after it is blanked. Drawn: codes of ten kinds, of several sizes, turned and blurred, on blank
paper of real sheets. Plants: the share of the masked plants' pixels under any box. Needs zxing-cpp, the reader.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zxingcpp

from naflora_etl.imaging.barcodes import find_barcodes

ROOT = Path(__file__).resolve().parents[1]
LINEAR = ("Code39", "Code128", "Code93", "ITF", "EAN13")
MATRIX = ("QRCode", "MicroQRCode", "DataMatrix", "Aztec", "PDF417")
DRAWN_ON = (
    "nybg_aocr/sheets/NY_00020326.jpg",
    "vouchervision_colour/MICH_7574789_Cyperaceae_Carex_scoparia.jpg",
    "leafmachine_colour/COLO_01142983_Oleaceae_Fraxinus_americana_H.jpg",
    "leafmachine_colour/SWMT_SWMT02162_Salicaceae_Salix_nigra_H.jpg",
)
DRAWN_PX = 3584
Rows = dict[str, list[tuple[bool, bool, bool, float]]]


def read_image(path: Path) -> Any:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def search(pixels: Any) -> tuple[Any, float]:
    """Return the mask of the boxes found, and the CPU seconds."""
    started = time.process_time()
    boxes = find_barcodes(pixels)
    seconds = time.process_time() - started
    mask = np.zeros(pixels.shape[:2], np.uint8)
    for box in boxes:
        cv2.fillConvexPoly(mask, np.rint(box.points).astype(np.int32), 1)
    return mask, seconds


def covers(mask: Any, quad: Any) -> bool:
    own = np.zeros_like(mask)
    cv2.fillConvexPoly(own, np.rint(quad).astype(np.int32), 1)
    return float(mask[own > 0].mean()) >= 0.98


def readings(pixels: Any, mask: Any, place: Any) -> tuple[bool, bool]:
    """Tell whether a reader reads any code in `place`, as it was and with the boxes blanked."""
    blanked = pixels.copy()
    blanked[mask > 0] = 200
    before, after = (np.ascontiguousarray(image[place]) for image in (pixels, blanked))
    return bool(zxingcpp.read_barcodes(before)), bool(zxingcpp.read_barcodes(after))


def draw_code(pixels: Any, kind: str, random: Any) -> Any:
    """Draw a code of `kind` on a blank place of `pixels`, in place; return its quad, or None without such a place."""
    digits = f"{random.integers(10**11, 10**12)}"
    text = digits if kind in ("ITF", "EAN13") else digits[:8] if kind == "MicroQRCode" else f"NY{digits[:8]}"
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    code = np.array(made.to_image(scale=1, add_quiet_zones=False))
    module = float(random.choice((1.3, 1.8, 2.5, 4.0) if kind in LINEAR else (2.4, 3.5, 5.0, 7.0)))
    width = round(code.shape[1] * module)
    height = round(width * random.uniform(0.2, 0.45)) if kind in LINEAR else round(code.shape[0] * module)
    sharp = cv2.resize(code[:1] if kind in LINEAR else code, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    quiet = round(4 * module) + 6
    ink = cv2.resize(sharp, (width, height), interpolation=cv2.INTER_AREA)
    ink = cv2.copyMakeBorder(ink, quiet, quiet, quiet, quiet, cv2.BORDER_CONSTANT, value=255)
    degrees = float(random.choice((0, 0, 90, random.uniform(-8, 8), random.uniform(0, 180))))
    side = int(np.hypot(*ink.shape)) + 4
    turn = cv2.getRotationMatrix2D((ink.shape[1] / 2, ink.shape[0] / 2), degrees, 1)
    turn[:, 2] += (side - ink.shape[1]) / 2, (side - ink.shape[0]) / 2
    laid = cv2.warpAffine(ink, turn, (side, side)).astype(np.float32)
    share = cv2.warpAffine(np.full_like(ink, 255), turn, (side, side))[..., np.newaxis] / 255
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    for _ in range(3000):
        x, y = (int(random.integers(0, length - side)) for length in grey.shape[::-1])
        place = np.s_[y : y + side, x : x + side]
        if grey[place].mean() > 150 and grey[place].std() < 8:
            break
    else:
        return None
    pixels[place] = pixels[place] * (1 - share) + (40 + laid[..., np.newaxis] / 255 * 205) * share
    if blur := float(random.choice((0, 0.8, 1.4))):
        pixels[place] = cv2.GaussianBlur(pixels[place], (0, 0), blur)
    right, bottom = quiet + width, quiet + height
    corners = np.array([[[quiet, quiet], [right, quiet], [right, bottom], [quiet, bottom]]], np.float32)
    return cv2.transform(corners, turn)[0] + (x, y)


def try_real(folder: Path, rows: Rows) -> None:
    gold = json.loads((ROOT / "tests/imaging/gold_by_eye.json").read_text())["sheets"]
    for name, pieces in gold.items():
        pixels = read_image(folder / name)
        mask, seconds = search(pixels)
        read = readings(pixels, mask, np.s_[:])
        for code in (piece for piece in pieces if piece["kind"] in ("barcode", "PDF417")):
            hit = covers(mask, code["points"])
            rows[f"real {code['kind']}, {name.split('/')[0]}"].append((hit, *read, seconds))
            if not hit:
                sys.stderr.write(f"{name}: {code['kind']} at {code['points'][0]} is not covered\n")


def try_drawn(folder: Path, each: int, rows: Rows) -> None:
    random = np.random.default_rng(7)
    for kind in LINEAR + MATRIX:
        for number in range(each):
            pixels = read_image(folder / DRAWN_ON[number % len(DRAWN_ON)])
            scale = DRAWN_PX / max(pixels.shape)
            pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            quad = draw_code(pixels, kind, random)
            if quad is None:
                continue
            low, high = np.maximum(quad.min(0).astype(int) - 60, 0), quad.max(0).astype(int) + 60
            mask, seconds = search(pixels)
            read = readings(pixels, mask, np.s_[low[1] : high[1], low[0] : high[0]])
            rows[f"drawn {kind}"].append((covers(mask, quad), *read, seconds))


def hit_plants(folder: Path) -> tuple[int, int]:
    """Return how many of the masked plants' pixels lie under a box, and how many there are."""
    hit = plant = 0
    for path in sorted((folder / "plant_masks").glob("*.jpg")):
        name = path.name.replace("_mask", "")
        sheet = folder / "images" / name[:3] / name
        if sheet.is_file():
            pixels = read_image(sheet)
            mask = cv2.resize(cv2.imread(str(path), 0), pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 127
            hit += int((mask & (search(pixels)[0] > 0)).sum())
            plant += int(mask.sum())
    return hit, plant


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--drawn", type=int, default=12, help="codes of each kind")
    chosen = parser.parse_args()
    folder = chosen.shared / "data/images"
    cv2.setNumThreads(1)
    rows: Rows = defaultdict(list)
    try_real(folder, rows)
    try_drawn(folder, chosen.drawn, rows)
    sys.stdout.write("| codes | covered | read before | read after | CPU s a sheet |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- |\n")
    for kind, seen in rows.items():
        covered, before, after, seconds = (sum(column) for column in zip(*seen, strict=True))
        sys.stdout.write(f"| {kind} | {covered} of {len(seen)} | {before} | {after} | {seconds / len(seen):.2f} |\n")
    hit, plant = hit_plants(folder / "violaceae_1000px")
    sys.stdout.write(f"\nplant pixels under a box: {hit} of {plant} ({hit / max(plant, 1):.3%})\n")


if __name__ == "__main__":
    main()
