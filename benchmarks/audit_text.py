"""What Tesseract reads on real sheets of 1000 px before and after the redaction, and how much of it is the label's own.

    python benchmarks/audit_text.py [--shared ../shared] [--sheets 16] [--finished DIR] [--looks]

Sheets of the New York Botanical Garden; the label's own words are those of its human-parsed species, family, collector
and place. `--finished` is a folder of finished JPEGs by the sheets' names, else they are made at the default recipe.
`--looks` compares ways to read the untouched sheets instead: words of the human transcription that each way reads.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from naflora_etl.imaging.audit import CONFIDENT, LETTERS, SheetAudit, audit_image, find_survivors, fold, own_words
from naflora_etl.imaging.prepare import open_detector, prepare_image
from naflora_etl.imaging.resize import shrink_image
from naflora_etl.imaging.tesseract import read_words
from naflora_etl.recipe import ImagesOptions

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = {
    "taxon_name": ("dwc:scientificName", "aocr:verbatimScientificName"),
    "recordedBy": ("dwc:recordedBy", "dwc:identifiedBy"),
    "stateProvince": ("dwc:country", "dwc:stateProvince", "dwc:county"),
    "catalogNumber": ("dwc:catalogNumber",),
}


def cpu_s() -> float:
    """Return the CPU seconds of this process and of the readers it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def read_label(path: Path) -> dict[str, str]:
    """Return the words of a sheet's label by the columns of a manifest."""
    label: dict[str, str] = defaultdict(str)
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            for column, names in COLUMNS.items():
                label[column] += "".join(f" {row.get(name) or ''}" for name in names)
    return label


def compare_looks(folder: Path, names: list[str]) -> None:
    """Print how many words of the transcription each way of reading reads on the untouched sheets."""
    ways: dict[str, tuple[float, float, tuple[str, ...]]] = {
        "as it is, psm 11": (1.0, 0.0, ("11",)),
        "2 times, psm 11": (2.0, 0.0, ("11",)),
        "4 times, psm 11": (4.0, 0.0, ("11",)),
        "4 times, contrast evened, psm 11": (4.0, 2.0, ("11",)),
        "the same, psm 6": (4.0, 2.0, ("6",)),
        "the same, psm 11 and 6 (the audit)": (4.0, 2.0, ("11", "6")),
    }
    sys.stdout.write("| read | words of the transcription | CPU s a sheet |\n| --- | --- | --- |\n")
    for way, (enlarge, limit, looks) in ways.items():
        started = cpu_s()
        found = known = 0
        for name in names:
            said = (folder / "gold_transcription" / f"{name}.txt").read_text(encoding="utf-8", errors="replace")
            gold = {word: "word" for word in map(fold, LETTERS.findall(said)) if len(word) >= 3}
            words = read_words(load(folder, name), enlarge=enlarge, even_limit=limit, looks=looks)
            sure = [word for word in words if word.confidence >= CONFIDENT]
            found += len({survivor.own for survivor in find_survivors(sure, gold)})
            known += len(gold)
        seconds = (cpu_s() - started) / len(names)
        sys.stdout.write(f"| {way} | {found} of {known} ({found / known:.0%}) | {seconds:.1f} |\n")
        sys.stdout.flush()


def load(folder: Path, name: str) -> Any:
    pixels = cv2.cvtColor(cv2.imread(str(folder / "sheets" / f"{name}.jpg")), cv2.COLOR_BGR2RGB)
    return shrink_image(pixels, 1000)


def tell(when: str, audits: list[SheetAudit], seconds: float) -> None:
    words = sum(len(audit.words) for audit in audits)
    own = [survivor for audit in audits for survivor in audit.survivors]
    sheets = sum(bool(audit.survivors) for audit in audits)
    sys.stdout.write(
        f"| {when} | {words} ({words / len(audits):.2f} a sheet) | {len(own)} on {sheets} sheets "
        f"| {seconds / len(audits):.1f} |\n"
    )


def main() -> None:
    """Print the table, and what was read after the redaction."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--sheets", type=int, default=16)
    parser.add_argument("--finished", type=Path)
    parser.add_argument("--looks", action="store_true")
    chosen = parser.parse_args()
    folder = chosen.shared / "data/images/nybg_aocr"
    every = sorted(path.stem for path in (folder / "sheets").glob("*.jpg"))
    names = every[2 :: max(1, len(every) // chosen.sheets)][: chosen.sheets]
    if chosen.looks:
        return compare_looks(folder, names)
    options = ImagesOptions()
    detector = None if chosen.finished else open_detector(options)
    rows: dict[str, tuple[list[SheetAudit], float]] = {"before": ([], 0.0), "after": ([], 0.0)}
    for name in names:
        own = own_words(read_label(folder / "gold_darwincore" / f"{name}.csv"))
        if chosen.finished:
            jpeg = (chosen.finished / f"{name}.jpg").read_bytes()
        else:
            body = (folder / "sheets" / f"{name}.jpg").read_bytes()
            jpeg = prepare_image(body, options=options, detector=detector, seed_key=name).jpeg
        after = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
        for when, pixels in (("before", load(folder, name)), ("after", after)):
            started = cpu_s()
            audit = audit_image(np.asarray(pixels, np.uint8), own, name)
            rows[when] = [*rows[when][0], audit], rows[when][1] + cpu_s() - started
        for word in rows["after"][0][-1].words:
            sys.stderr.write(f"{name}: {word.text} ({word.confidence:.0f}) at {word.left}, {word.top}\n")
        for survivor in rows["after"][0][-1].survivors:
            sys.stderr.write(f"{name}: OWN {survivor.own} ({survivor.kind}), read as {survivor.read.text}\n")
    sys.stdout.write("| 1000-px sheets | confident words | of the label's own | CPU s a sheet |\n")
    sys.stdout.write("| --- | --- | --- | --- |\n")
    for when, (audits, seconds) in rows.items():
        tell(when, audits, seconds)
    return None


if __name__ == "__main__":
    main()
