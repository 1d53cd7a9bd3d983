"""How many verified words of real sheets the text search covers, and what it costs, for several settings.

    python benchmarks/word_recall.py [--shared ../shared] [--sheets 8] [--detect 2560] [--coarse 0 1280 640]

A word counts as covered when 90 % of its box lies under the grown boxes that would be blanked. One thread; CPU seconds
are the process's own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import cv2

from naflora_etl.imaging.prepare import open_detector
from naflora_etl.imaging.redact import mask_quads
from naflora_etl.recipe import ImagesOptions

ROOT = Path(__file__).resolve().parents[1]
GROW = 0.25


def measure(folder: Path, names: list[str], words: dict[str, list[list[int]]], options: ImagesOptions) -> str:
    """Return a line of the table: words covered, CPU seconds a sheet, share of the sheet blanked."""
    detector = open_detector(options)
    assert detector is not None
    covered = known = 0
    share = seconds = 0.0
    for name in names:
        pixels = cv2.cvtColor(cv2.imread(str(folder / name)), cv2.COLOR_BGR2RGB)
        started = time.process_time()
        boxes = detector.find(pixels)
        seconds += time.process_time() - started
        mask = mask_quads(pixels.shape, [box.points for box in boxes], grow=options.grow).astype(bool)
        share += float(mask.mean())
        for x, y, width, height in words[name]:
            part = mask[y : y + height, x : x + width]
            known += 1
            covered += bool(part.size) and float(part.mean()) >= 0.9
    return (
        f"| {options.detect_px} | {options.coarse_px} | {covered} of {known} ({covered / known:.1%}) "
        f"| {seconds / len(names):.1f} | {share / len(names):.1%} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--sheets", type=int, default=8)
    parser.add_argument("--detect", type=int, default=2560)
    parser.add_argument("--coarse", type=int, nargs="+", default=[0, 1280, 640])
    chosen = parser.parse_args()
    folder = chosen.shared / "data/images/nybg_aocr"
    verified = json.loads((folder / "verified_word_boxes.json").read_text())["images"]
    known = {name if name.endswith(".jpg") else f"{name}.jpg": image["words"] for name, image in verified.items()}
    words = {name: [word["bbox_xywh"] for word in found] for name, found in known.items()}
    names = sorted(words)[3 :: max(1, len(words) // chosen.sheets)][: chosen.sheets]
    sys.stdout.write("| detect_px | coarse_px | words covered | CPU s a sheet | blanked |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- |\n")
    for coarse in chosen.coarse:
        options = ImagesOptions(detect_px=chosen.detect, coarse_px=coarse, grow=GROW)
        sys.stdout.write(measure(folder / "sheets", names, words, options) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
