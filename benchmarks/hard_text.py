"""How much of the hard text of real sheets is covered: handwriting, seals, stamps, tiny print, pencil, codes.

    python benchmarks/hard_text.py [--shared ../shared] [--gold tests/imaging/gold_by_eye.json] [--sheets 16]

A piece drawn by eye counts as covered when 90 % of its area lies under the grown boxes that the default recipe would
blank. `--barcodes` adds the boxes of find_barcodes to a detector that does not ask it itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from naflora_etl.imaging.barcodes import find_barcodes
from naflora_etl.imaging.prepare import open_detector
from naflora_etl.imaging.redact import mask_quads
from naflora_etl.recipe import ImagesOptions

ROOT = Path(__file__).resolve().parents[1]
CODES = {"barcode", "PDF417"}


def main() -> None:
    """Print a line per kind, and what stayed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--gold", type=Path, default=ROOT / "tests/imaging/gold_by_eye.json")
    parser.add_argument("--sheets", type=int, default=16, help="sheets with more than a barcode come first")
    parser.add_argument("--barcodes", action="store_true")
    chosen = parser.parse_args()
    gold = json.loads(chosen.gold.read_text())["sheets"]
    by_kinds = sorted(gold, key=lambda name: (all(piece["kind"] in CODES for piece in gold[name]), name))
    options = ImagesOptions()
    detector = open_detector(options)
    assert detector is not None
    tally: dict[str, list[bool]] = defaultdict(list)
    seconds = 0.0
    names = by_kinds[: chosen.sheets]
    for name in names:
        pixels = cv2.cvtColor(cv2.imread(str(chosen.shared / "data/images" / name)), cv2.COLOR_BGR2RGB)
        started = time.process_time()
        boxes = list(detector.find(pixels))
        boxes += find_barcodes(pixels) if chosen.barcodes else []
        seconds += time.process_time() - started
        covered = mask_quads(pixels.shape, [box.points for box in boxes], grow=options.grow)
        for piece in gold[name]:
            mask = np.zeros_like(covered)
            cv2.fillConvexPoly(mask, np.array(piece["points"], np.int32), 1)
            share = float(covered[mask > 0].mean())
            tally[piece["kind"]].append(share >= 0.9)
            if share < 0.9:
                sys.stderr.write(f"{name}: {piece['kind']} at {piece['points'][0]}: {share:.0%}\n")
    sys.stdout.write("| kind | covered |\n| --- | --- |\n")
    for kind, hits in sorted(tally.items()):
        sys.stdout.write(f"| {kind} | {sum(hits)} of {len(hits)} ({np.mean(hits):.0%}) |\n")
    sys.stdout.write(f"\n{len(names)} sheets, {detector.name}, {seconds / len(names):.1f} CPU s a sheet\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
