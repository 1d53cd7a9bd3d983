"""How many verified words of real sheets each way of searching covers, what it costs, and what plant it takes.

    python benchmarks/word_recall.py [--half test|tune] [--sheets 12] [--ways NAME ...] [--grow G] [--missed]

A word counts as covered when 90 % of its box lies under the grown boxes that would be blanked. The settings were
chosen on the sheets of the half `tune` (every other one, the first included); `test` is the others. Costs are the
process's own CPU seconds, one thread, as a share of those of the first way on the same sheets in the same run (all
ways take turns on a sheet, so that busy neighbours trouble them alike). Plant: share of the plant's pixels covered,
over the sheets of Violaceae that have a mask.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from naflora_etl.imaging.craft import CraftNetwork
from naflora_etl.imaging.detect import TextDetector
from naflora_etl.imaging.detectors import open_detector
from naflora_etl.imaging.redact import mask_quads
from naflora_etl.imaging.search import SheetSearch
from naflora_etl.imaging.weights import find_eight_bit
from naflora_etl.recipe import ImagesOptions

ROOT = Path(__file__).resolve().parents[1]
WORDS_ONLY = {"barcodes": False, "seals": False, "faint": False}
WHOLE = {"coarse_px": 0} | WORDS_ONLY
WAYS: dict[str, dict[str, Any]] = {
    "craft, floats, whole sheet at 2560": {"redact": "craft", "detect_px": 2560, "eight_bit": False} | WHOLE,
    "craft, whole sheet at 2560": {"redact": "craft", "detect_px": 2560} | WHOLE,
    "ppocr, whole sheet at 2560": {"redact": "ppocr", "detect_px": 2560} | WHOLE,
    "craft, scouted, close at 2560": {"redact": "craft", "detect_px": 2560} | WORDS_ONLY,
    "craft, scouted, close at 3600": {"redact": "craft"} | WORDS_ONLY,
    "ppocr, scouted, close at 3600": {"redact": "ppocr"} | WORDS_ONLY,
    "union, scouted, close at 3600": {"redact": "union"} | WORDS_ONLY,
    "the same, barcodes and seals": {"faint": False},
    "and contrast evened for faint writing (the default)": {},
    "in batches": {"gpu_batch": 2},
}


def open_way(options: ImagesOptions) -> TextDetector | None:
    """Return the detector; of one in batches what a GPU would get (sides rounded up), here on the CPU in eight bits."""
    if not options.gpu_batch:
        return open_detector(options)
    detector = open_detector(options.model_copy(update={"gpu_batch": 0}))
    assert isinstance(detector, SheetSearch)
    detector._close = [CraftNetwork(find_eight_bit(), batch=options.gpu_batch, even=options.faint)]
    return detector


class Tally:
    """What one way did so far."""

    def __init__(self) -> None:
        self.seconds = self.blanked = 0.0
        self.known = self.covered = self.plant = self.harmed = 0
        self.missed: list[str] = []

    def search(self, detector: TextDetector, pixels: Any, grow: float) -> Any:
        """Return the mask that would be blanked."""
        started = time.process_time()
        boxes = detector.find(pixels)
        self.seconds += time.process_time() - started
        mask = mask_quads(pixels.shape, [box.points for box in boxes], grow=grow).astype(bool)
        return mask

    def count_words(self, mask: Any, words: list[dict[str, Any]], name: str) -> None:
        for word in words:
            x, y, width, height = word["bbox_xywh"]
            part = mask[y : y + height, x : x + width]
            self.known += 1
            if part.size and float(part.mean()) >= 0.9:
                self.covered += 1
            else:
                self.missed.append(f"{name} {word['text']} at {x}, {y}")


def read(path: Path) -> Any:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def masked_sheets(folder: Path) -> Iterator[tuple[Any, Any]]:
    """Yield (pixels, plant mask) of the sheets whose plant was traced."""
    sheets = {path.stem: path for path in (folder / "images").glob("*/*.jpg")}
    for path in sorted((folder / "plant_masks").glob("*.jpg")):
        sheet = sheets.get(path.stem.removesuffix("_mask"))
        if sheet is not None:
            pixels, plant = read(sheet), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            size = pixels.shape[1], pixels.shape[0]
            yield pixels, cv2.resize(plant, size, interpolation=cv2.INTER_NEAREST) >= 128


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--half", choices=["test", "tune"], default="test")
    parser.add_argument("--sheets", type=int, default=12)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), help="words of their names")
    parser.add_argument("--missed", action="store_true", help="say which words were not covered")
    parser.add_argument("--no-plants", action="store_true")
    parser.add_argument("--grow", type=float, help="instead of the recipe's default")
    chosen = parser.parse_args()
    folder = chosen.shared / "data/images"
    verified = json.loads((folder / "nybg_aocr/verified_word_boxes.json").read_text())["images"]
    half = sorted(verified)[chosen.half == "test" :: 2]
    names = [half[place] for place in sorted({round(n) for n in np.linspace(0, len(half) - 1, chosen.sheets)})]
    ways = {way: WAYS[way] for way in WAYS if any(asked in way for asked in chosen.ways)}
    grown = {} if chosen.grow is None else {"grow": chosen.grow}
    options = {way: ImagesOptions(**settings | grown) for way, settings in ways.items()}
    detectors = {way: open_way(each) for way, each in options.items()}
    words, plants = defaultdict(Tally), defaultdict(Tally)
    for name in names:
        file = name if name.endswith(".jpg") else f"{name}.jpg"
        pixels = read(folder / "nybg_aocr/sheets" / file)
        for way, detector in detectors.items():
            assert detector is not None
            mask = words[way].search(detector, pixels, options[way].grow)
            words[way].blanked += float(mask.mean())
            words[way].count_words(mask, verified[name]["words"], name)
        sys.stderr.write(f"{name}: " + ", ".join(f"{words[way].covered}" for way in ways) + f" of {words[way].known}\n")
    for pixels, plant in () if chosen.no_plants else masked_sheets(folder / "violaceae_1000px"):
        for way, detector in detectors.items():
            assert detector is not None
            mask = plants[way].search(detector, pixels, options[way].grow)
            plants[way].plant += int(plant.sum())
            plants[way].harmed += int((mask & plant).sum())
    sys.stdout.write("| way | words covered | CPU s a sheet | of the first | blanked | plant covered |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- | --- |\n")
    first = next(iter(words.values())).seconds
    for way, tally in words.items():
        plant = f"{plants[way].harmed / plants[way].plant:.2%}" if plants[way].plant else ""
        sys.stdout.write(
            f"| {way} | {tally.covered} of {tally.known} ({tally.covered / tally.known:.1%}) "
            f"| {tally.seconds / len(names):.1f} | {tally.seconds / first:.2f} | {tally.blanked / len(names):.1%} "
            f"| {plant} |\n"
        )
        if chosen.missed:
            sys.stdout.writelines(f"    {line}\n" for line in tally.missed)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(f"\n{len(names)} sheets; peak memory {peak_mb} MB, all ways together\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
