"""Does deblurring or upscaling bring back a word that was covered? An OCR reads crops of real sheets, restored.

    python benchmarks/restoring.py [--shared ../shared] [--sheets 6]

Around the verified words of real sheets, crops are read by Tesseract as they are, after a weak redaction (a Gaussian
blur alone, as some publish their sheets) and after ours; the last two after Wiener and Richardson-Lucy deconvolution,
unsharp masking and enlarging too, each with the blur that was really used, which no attacker would know so well.
"""

from __future__ import annotations

import argparse
import difflib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from skimage.restoration import richardson_lucy, unsupervised_wiener, wiener

from naflora_etl.imaging.redact import Fill, cover_text, mask_quads

ROOT = Path(__file__).resolve().parents[1]
Pixels = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.float64]
WEAK_BLUR = 2.5
"""Spread of the weak redaction, in pixels of a line some 30 px high: hardly legible to the eye."""
LEAST_LETTERS = 4
SAFE_LETTERS = 7
"""A shorter word that is nearly read was read by chance: an OCR sees hundreds of short words in restored noise."""
WINDOW = (1000, 600)
"""Width and height, in pixels, of the crop of each sheet that holds most words."""
MARGIN = 20
GROW = 0.1
FILLS: tuple[Fill, ...] = ("noise", "paper")


def kernel(spread: float) -> Grey:
    """Return the Gaussian point spread function [k, k] of that spread, in pixels."""
    half = int(np.ceil(4 * spread))
    line = cv2.getGaussianKernel(2 * half + 1, spread)
    return np.asarray(line @ line.T, np.float64)


def restorations(spread: float) -> dict[str, Callable[[Grey], Grey]]:
    """Return the ways to undo a blur of `spread`, by name; each takes and gives grey values from 0 to 1."""
    psf = kernel(spread)

    def enlarge(grey: Grey, times: int) -> Grey:
        return np.asarray(cv2.resize(grey, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC), np.float64)

    def unsharp(grey: Grey, amount: float) -> Grey:
        return grey + amount * (grey - cv2.GaussianBlur(grey, (0, 0), spread))

    return {
        "as it is": lambda grey: grey,
        "twice as large": lambda grey: enlarge(grey, 2),
        "four times as large": lambda grey: enlarge(grey, 4),
        "unsharp mask": lambda grey: enlarge(unsharp(grey, 3.0), 2),
        "Wiener": lambda grey: enlarge(wiener(grey, psf, 0.005), 2),
        "Wiener, unsupervised": lambda grey: enlarge(unsupervised_wiener(grey, psf, rng=1)[0], 2),
        "Richardson-Lucy, 30": lambda grey: enlarge(richardson_lucy(np.clip(grey, 0.01, 1), psf, num_iter=30), 2),
        "median, then Richardson-Lucy": lambda grey: enlarge(
            richardson_lucy(
                np.clip(cv2.medianBlur((grey * 255).clip(0, 255).astype(np.uint8), 5) / 255, 0.01, 1), psf, num_iter=30
            ),
            2,
        ),
    }


def read_words(grey: Grey) -> list[str]:
    """Return what Tesseract reads on grey values from 0 to 1, the paper light."""
    page = np.pad((np.clip(grey, 0, 1) * 255).astype(np.uint8), 20, mode="edge")
    png = cv2.imencode(".png", page)[1].tobytes()
    command = ["tesseract", "stdin", "stdout", "--psm", "6", "-l", "eng"]
    done = subprocess.run(command, input=png, capture_output=True, check=True, env={"OMP_THREAD_LIMIT": "1"})
    return done.stdout.decode("utf-8", "replace").split()


def words_brought_back(
    crop: Pixels, words: set[str], ways: dict[str, Callable[[Grey], Grey]]
) -> dict[str, set[str]]:
    """Return, for each of the restorations `ways`, which of `words` an OCR reads after it."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float64) / 255
    found = {}
    for name, restore in ways.items():
        read = {letters(word) for word in read_words(restore(grey))}
        found[name] = {word for word in words if _is_among(letters(word), read)}
    return found


def letters(word: str) -> str:
    """Return a word in lower case, without what is no letter or digit."""
    return "".join(letter for letter in word.lower() if letter.isalnum())


def _is_among(word: str, read: set[str]) -> bool:
    """Tell whether the word was read; of a long one, a letter in five may be wrong."""
    return word in read or (len(word) >= SAFE_LETTERS and bool(difflib.get_close_matches(word, read, 1, 0.8)))


def rectangle(x: float, y: float, width: float, height: float) -> npt.NDArray[np.float32]:
    """Return the corners of a box as a quad."""
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def erase(sheet: Pixels, quads: list[npt.NDArray[np.float32]]) -> Pixels:
    """Return the sheet with white in place of its words."""
    erased = sheet.copy()
    erased[mask_quads(sheet.shape, quads, grow=GROW).astype(bool)] = 255
    return erased


def is_within(box: list[int], left: int, top: int) -> bool:
    """Tell whether a box lies in the window whose corner is at left, top."""
    x, y, width, height = box
    return x >= left and y >= top and x + width <= left + WINDOW[0] and y + height <= top + WINDOW[1]


def fullest_window(boxes: list[list[int]]) -> tuple[int, int]:
    """Return the corner of the window of size WINDOW that holds most boxes."""
    corners = [(max(0, x - MARGIN), max(0, y - MARGIN)) for x, _, _, _ in boxes for _, y, _, _ in boxes]
    return max(corners, key=lambda corner: sum(is_within(box, *corner) for box in boxes))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--sheets", type=int, default=6)
    chosen = parser.parse_args()
    folder = chosen.shared / "data/images/nybg_aocr"
    verified = json.loads((folder / "verified_word_boxes.json").read_text())["images"]
    names = sorted(verified)[:: max(1, len(verified) // chosen.sheets)][: chosen.sheets]
    known = plain = 0
    brought = {fill: dict.fromkeys(restorations(1.0), 0) for fill in ("blur alone", "noise", "paper")}
    for name in names:
        sheet = cv2.cvtColor(cv2.imread(str(folder / "sheets" / f"{Path(name).stem}.jpg")), cv2.COLOR_BGR2RGB)
        boxes = [word["bbox_xywh"] for word in verified[name]["words"]]
        quads = [rectangle(*box) for box in boxes]
        spread = max(1.0, max(sheet.shape) / 1000)
        blurred = cv2.GaussianBlur(sheet, (0, 0), WEAK_BLUR)
        made = {"blur alone": blurred} | {
            fill: cover_text(sheet, quads, grow=GROW, seed=1, fill=fill) for fill in FILLS
        }
        for fill in FILLS:  # what the words were makes no difference to a byte
            assert (made[fill] == cover_text(erase(sheet, quads), quads, grow=GROW, seed=1, fill=fill)).all()
        left, top = fullest_window(boxes)
        crop = np.s_[top : top + WINDOW[1], left : left + WINDOW[0]]
        inside = [word for word in verified[name]["words"] if is_within(word["bbox_xywh"], left, top)]
        words = {word["text"] for word in inside if len(letters(word["text"])) >= LEAST_LETTERS}
        known += len(words)
        grey = cv2.cvtColor(sheet[crop], cv2.COLOR_RGB2GRAY).astype(np.float64) / 255
        read = {letters(word) for word in read_words(grey)}
        plain += sum(_is_among(letters(word), read) for word in words)
        for fill, covered in made.items():
            used = WEAK_BLUR if fill == "blur alone" else spread
            for way, found in words_brought_back(covered[crop], words, restorations(used)).items():
                brought[fill][way] += len(found)
        sys.stderr.write(f"{name}\n")
    sys.stdout.write("Covered sheets are the same, byte for byte, when their words are erased first.\n")
    sys.stdout.write(f"{known} words on {len(names)} sheets; untouched, {plain} are read.\n\n")
    sys.stdout.write("| restored by | blur alone | noise | paper |\n| --- | --- | --- | --- |\n")
    for way in restorations(1.0):
        counts = " | ".join(str(brought[fill][way]) for fill in brought)
        sys.stdout.write(f"| {way} | {counts} |\n")


if __name__ == "__main__":
    main()
