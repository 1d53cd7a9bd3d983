"""What a master costs: bytes kept, CPU to make it, and the words that are found less well on it than on the original.

    python benchmarks/masters.py [--shared ../shared] [--sheets 8] [--master 2560]

By the recipe's default detector; a verified word counts as covered when 90 % of its box lies under the blanked boxes.
The shared sheets were reduced or packed anew by their source, so their own bytes say little about a herbarium's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from naflora_etl.imaging.detectors import open_detector
from naflora_etl.imaging.masters import make_master
from naflora_etl.imaging.prepare import Prepared, prepare_image
from naflora_etl.imaging.redact import mask_quads
from naflora_etl.recipe import ImagesOptions

ROOT = Path(__file__).resolve().parents[1]


def count_covered(made: Prepared, boxes: list[list[int]]) -> int:
    """Return how many of the word boxes the blanked quads cover."""
    shape = (made.source_height_px, made.source_width_px)
    mask = mask_quads(shape, list(made.blanked), grow=0)
    return sum(float(mask[y : y + h, x : x + w].mean()) >= 0.9 for x, y, w, h in boxes)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--sheets", type=int, default=8)
    parser.add_argument("--master", type=int, default=2560)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    folder = chosen.shared / "data/images/nybg_aocr"
    verified = json.loads((folder / "verified_word_boxes.json").read_text())["images"]
    large = [name for name in sorted(verified) if max(verified[name]["width"], verified[name]["height"]) > 3000]
    names = large[:: max(1, len(large) // chosen.sheets)][: chosen.sheets]
    options = ImagesOptions(keep="master", master_px=chosen.master)
    detector = open_detector(options)
    words = direct = through = kept = given = 0
    seconds = 0.0
    for name in names:
        body = (folder / "sheets" / f"{Path(name).stem}.jpg").read_bytes()
        boxes = [word["bbox_xywh"] for word in verified[name]["words"]]
        started = time.process_time()
        master, size = make_master(body, options)
        seconds += time.process_time() - started
        words += len(boxes)
        kept, given = kept + len(master), given + len(body)
        direct += count_covered(prepare_image(body, options=options, detector=detector, seed_key=name), boxes)
        redone = prepare_image(master, options=options, detector=detector, seed_key=name, source_px=size)
        through += count_covered(redone, boxes)
        sys.stderr.write(f"{name}: {direct} and {through} of {words}\n")
    mean = np.array([given, kept]) / len(names) / 1e6
    sys.stdout.write(
        f"{len(names)} sheets, {words} words: {direct} ({direct / words:.1%}) covered from the original, "
        f"{through} ({through / words:.1%}) from a master of {chosen.master} px; {mean[0]:.2f} MB a sheet as it came, "
        f"{mean[1]:.2f} MB as a master, {seconds / len(names):.3f} CPU s to make it.\n"
    )


if __name__ == "__main__":
    main()
