"""Tesseract, called as a program: what a reader that had no part in the redaction reads on an image."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from naflora_etl.engine.faults import Fault

Pixels = npt.NDArray[np.uint8]

PROGRAM = "tesseract"
INSTALL = "apt-get install tesseract-ocr"
READ_PX = 4000
"""Long side at which an image is read: a 1000-px sheet four times enlarged, at which most words were read."""
MAX_ENLARGE = 4.0
LOOKS = ("11", "6")
"""Its page modes, each of which reads some of what the other overlooks: scattered text, and one block of lines."""
EVEN_LIMIT, EVEN_TILES = 2.0, 16
"""Contrast is evened over tiles first (CLAHE): one threshold for sheet and black table would lose most of the print."""
PATIENCE_S = 300


@dataclass(frozen=True)
class ReadWord:
    """A word as it was read, with the reader's confidence (0 to 100) and its box in pixels of the image."""

    text: str
    confidence: float
    left: int
    top: int
    width: int
    height: int

    def meets(self, other: ReadWord) -> bool:
        """Tell whether the middle of either lies in the other."""
        across = abs(self.left + self.width / 2 - other.left - other.width / 2)
        down = abs(self.top + self.height / 2 - other.top - other.height / 2)
        return 2 * across <= max(self.width, other.width) and 2 * down <= max(self.height, other.height)


def has_tesseract() -> bool:
    """Tell whether the program is on this machine."""
    return shutil.which(PROGRAM) is not None


@lru_cache
def tesseract_version() -> str:
    """Return the program's name and version, as 'tesseract 5.3.0'; Fault, which says how to install it, without it."""
    done = _run(["--version"], b"")
    return done.decode("utf-8", "replace").splitlines()[0].strip()


def read_words(
    pixels: Pixels, *, enlarge: float = MAX_ENLARGE, even_limit: float = EVEN_LIMIT, looks: Sequence[str] = LOOKS
) -> list[ReadWord]:
    """Return every word that Tesseract reads on an image, RGB [H, W, 3] or grey [H, W], doubtful ones too.

    Some ways to read are worse, and there to compare with. A word may come twice, as several looks read it. One
    thread; about 2 CPU seconds for a 1000-px sheet. Raises Fault without the program, or when it fails.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels
    scale = min(enlarge, READ_PX / max(grey.shape))
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    large = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=how)
    if even_limit:
        large = cv2.createCLAHE(even_limit, (EVEN_TILES, EVEN_TILES)).apply(large)
    # as a PGM: nothing need be compressed on the way
    picture = b"P5 %d %d 255\n" % large.shape[::-1] + large.tobytes()
    words: list[ReadWord] = []
    for mode in looks:
        table = _run(["stdin", "stdout", "-l", "eng", "--psm", mode, "--dpi", "300", "tsv"], picture)
        words += _parse(table.decode("utf-8", "replace"), scale)
    return words


def _parse(table: str, scale: float) -> list[ReadWord]:
    """Return the words of Tesseract's table: 12 columns, the box in the 7th to 10th, confidence and text at the end."""
    words = []
    for line in table.splitlines()[1:]:
        cells = line.split("\t")
        if len(cells) != 12 or not cells[11].strip() or float(cells[10]) < 0:
            continue
        left, top, width, height = (round(int(cell) / scale) for cell in cells[6:10])
        words.append(ReadWord(cells[11].strip(), float(cells[10]), left, top, width, height))
    return words


def _run(arguments: list[str], picture: bytes) -> bytes:
    # a worker each on its own core; its threads would only wait for one another
    own = os.environ | {"OMP_THREAD_LIMIT": "1"}
    try:
        done = subprocess.run(
            [PROGRAM, *arguments], input=picture, capture_output=True, env=own, timeout=PATIENCE_S, check=False
        )
    except FileNotFoundError:
        raise Fault(f"{PROGRAM}, the independent reader, is not on this machine; `{INSTALL}` brings it.") from None
    except subprocess.TimeoutExpired:
        raise Fault(f"{PROGRAM} did not finish an image within {PATIENCE_S} s; is the machine overloaded?") from None
    if done.returncode:
        said = (done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise Fault(f"{PROGRAM} failed: {said.rstrip('.')}; `{INSTALL}` brings one that knows English.")
    return done.stdout
