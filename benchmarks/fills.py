"""How loud the redaction is: what stands under the boxes against the sheet around them, for each fill.

    python benchmarks/fills.py [--shared ../shared] [--sheets 12]

On real sheets with verified word boxes, finished at 1000 px: the mean squared gradient (Sobel, grey 0 to 255) under the
boxes as a share of the sheet's own, how much of all the sheet's edges lies under them, and how far their colour is from
that of the paper around (CIE dE 1976).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from naflora_etl.imaging.redact import Fill, cover_mask, mask_quads
from naflora_etl.imaging.resize import shrink_image

ROOT = Path(__file__).resolve().parents[1]
Pixels = npt.NDArray[np.uint8]
GROW = 0.25
FILLS: tuple[Fill, ...] = ("noise", "paper")


def measure(finished: Pixels, mask: npt.NDArray[np.uint8]) -> tuple[float, float, float]:
    """Return the edge energy under the mask over that outside, its share of all, and dE to the ring around."""
    small = cv2.resize(mask * np.uint8(255), finished.shape[1::-1], interpolation=cv2.INTER_AREA)
    inside, outside = small > 250, small == 0
    grey = cv2.cvtColor(finished, cv2.COLOR_RGB2GRAY).astype(np.float32)
    energy = cv2.Sobel(grey, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(grey, cv2.CV_32F, 0, 1) ** 2
    lab = cv2.cvtColor(finished.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    ring = (cv2.dilate(small, np.ones((15, 15), np.uint8)) > 0) & outside
    apart = np.linalg.norm(np.median(lab[inside], axis=0) - np.median(lab[ring], axis=0))
    return (
        float(energy[inside].mean() / energy[outside].mean()),
        float(energy[small > 0].sum() / energy.sum()),
        float(apart),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--sheets", type=int, default=12)
    chosen = parser.parse_args()
    folder = chosen.shared / "data/images/nybg_aocr"
    verified = json.loads((folder / "verified_word_boxes.json").read_text())["images"]
    names = sorted(verified)[:: max(1, len(verified) // chosen.sheets)][: chosen.sheets]
    rows: dict[str, list[tuple[float, float, float]]] = {"text, uncovered": [], **{fill: [] for fill in FILLS}}
    for name in names:
        sheet = cv2.cvtColor(cv2.imread(str(folder / "sheets" / f"{Path(name).stem}.jpg")), cv2.COLOR_BGR2RGB)
        boxes = [word["bbox_xywh"] for word in verified[name]["words"]]
        quads = [np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32) for x, y, w, h in boxes]
        mask = mask_quads(sheet.shape, quads, grow=GROW)
        rows["text, uncovered"].append(measure(shrink_image(np.asarray(sheet, np.uint8), 1000), mask))
        for fill in FILLS:
            rows[fill].append(measure(shrink_image(cover_mask(sheet, mask, seed=1, fill=fill), 1000), mask))
    sys.stdout.write(f"{len(names)} sheets, medians\n\n")
    sys.stdout.write("| under the boxes | edges, against the sheet's | share of all edges | dE to the paper around |\n")
    sys.stdout.write("| --- | --- | --- | --- |\n")
    for what, found in rows.items():
        edges, share, apart = np.median(found, axis=0)
        sys.stdout.write(f"| {what} | {edges:.2f} | {share:.1%} | {apart:.1f} |\n")


if __name__ == "__main__":
    main()
