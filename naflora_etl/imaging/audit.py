"""The audit of the redaction: does an independent reader still read the label's own words on a finished image?"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from naflora_etl.engine.faults import Fault
from naflora_etl.imaging.tesseract import ReadWord, read_words, tesseract_version

Pixels = npt.NDArray[np.uint8]

CONFIDENT = 70.0
"""Confidence from which a word counts as read; below it, roots and needles are words, too."""
SUSPECTED = 30.0
"""Confidence from which a long word of the label counts: that noise spells one out is past belief."""
MIN_LETTERS = 3
MIN_OWN_LETTERS = 4
"""Shorter words of a label say nothing, and noise spells them."""
LONG_LETTERS = 6
"""Words so long are known with one letter wrong, and inside others."""
MIN_OWN_DIGITS = 5
CROP_MARGIN = 0.6
"""Margin of a crop, in heights of its word."""

OWN_COLUMNS = {
    "species": ("species", "taxon_name"),
    "genus": ("genus",),
    "family": ("family",),
    "collector": ("recordedBy",),
    "place": ("stateProvince", "county", "municipality", "locality"),
    "number": ("catalogNumber",),
}
"""Columns of a manifest, or of any row about an image, that a label's own words are taken from; the first names it."""
EMPTY_WORDS = frozenset({"and", "the", "with", "var", "subsp", "prov", "state", "county", "collector", "unknown"})
LETTERS = re.compile(r"[^\W\d_]+")
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Survivor:
    """A word of the label that was read on the finished image."""

    own: str
    kind: str
    """What the word says: species, genus, family, collector, place or number."""
    read: ReadWord


@dataclass(frozen=True)
class SheetAudit:
    """What was read on one finished image."""

    key: str
    words: tuple[ReadWord, ...]
    """Words of MIN_LETTERS letters or more, read with confidence."""
    survivors: tuple[Survivor, ...]

    def __str__(self) -> str:
        words = ", ".join(word.text for word in self.words) or "nothing sure"
        own = ", ".join(f"{one.own} ({one.kind}) as {one.read.text}" for one in self.survivors)
        return f"{self.key}: read {words}" + (f"; of its label: {own}" if own else "")


@dataclass(frozen=True)
class TextAudit:
    """The audit of some images of a release, in the order they were given."""

    reader: str
    sheets: tuple[SheetAudit, ...]
    of: int
    """Images that there are; those audited were drawn from them."""

    @property
    def words_a_sheet(self) -> float:
        return sum(len(sheet.words) for sheet in self.sheets) / len(self.sheets) if self.sheets else 0.0

    @property
    def survivors(self) -> tuple[Survivor, ...]:
        return tuple(survivor for sheet in self.sheets for survivor in sheet.survivors)

    @property
    def figures(self) -> dict[str, Any]:
        """The numbers that come first, for a report."""
        return {
            "reader": self.reader,
            "sheets": len(self.sheets),
            "of": self.of,
            "words_a_sheet": round(self.words_a_sheet, 3),
            "own_words": len(self.survivors),
            "sheets_with_own_words": sum(bool(sheet.survivors) for sheet in self.sheets),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, for JSON: the figures, and under `images` what was read on each."""
        images = [
            {
                "image_key": sheet.key,
                "words": [asdict(word) for word in sheet.words],
                "own_words": [asdict(survivor) for survivor in sheet.survivors],
            }
            for sheet in self.sheets
        ]
        return self.figures | {"images": images}

    def __str__(self) -> str:
        return (
            f"{self.reader} read {len(self.sheets)} of {self.of} images: {len(self.survivors)} of the labels' own "
            f"words, {self.words_a_sheet:.2f} confident words a sheet"
        )


def own_words(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return what an image's row says that its label says, too: folded word to its kind (a key of OWN_COLUMNS).

    A word of two kinds bears the first.
    """
    found: dict[str, str] = {}
    for kind, columns in OWN_COLUMNS.items():
        text = " ".join(str(facts.get(column) or "") for column in columns)
        if kind == "number":
            words = [digits for digits in DIGITS.findall(text) if len(digits) >= MIN_OWN_DIGITS]
        else:
            words = [word for word in map(fold, LETTERS.findall(text)) if len(word) >= MIN_OWN_LETTERS]
        for word in words:
            if word not in EMPTY_WORDS:
                found.setdefault(word, kind)
    # a binomial brings its genus, which has its own column
    genus = fold(str(facts.get("genus") or ""))
    return {word: "genus" if word == genus else kind for word, kind in found.items()}


def audit_image(pixels: Pixels, own: Mapping[str, str], key: str = "") -> SheetAudit:
    """Return what Tesseract reads on an image, RGB [H, W, 3], and which of the label's `own` words are among it."""
    read = sorted(read_words(pixels), key=lambda word: (-word.confidence, word.top, word.left, word.text))
    words: list[ReadWord] = []
    for word in read:
        sure = word.confidence >= CONFIDENT and _letters(word.text) >= MIN_LETTERS
        # several looks read one word, perhaps in several ways: the surest speaks
        if sure and not any(word.meets(other) for other in words):
            words.append(word)
    survivors: list[Survivor] = []
    for found in find_survivors(read, own):
        if not any(found.own == other.own and found.read.meets(other.read) for other in survivors):
            survivors.append(found)
    return SheetAudit(key, tuple(words), tuple(survivors))


def find_survivors(read: Iterable[ReadWord], own: Mapping[str, str]) -> Iterator[Survivor]:
    """Yield the words that are, to a letter or so, among the folded `own` words of a label."""
    for word in read:
        parts = [*map(fold, LETTERS.findall(word.text)), *DIGITS.findall(word.text)]
        for name, kind in own.items():
            if any(_is_same(part, name, word.confidence) for part in parts):
                yield Survivor(name, kind, word)


def audit_sheets(
    sheets: Iterable[tuple[Mapping[str, Any], bytes]],
    *,
    of: int,
    crops: Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> TextAudit:
    """Audit finished images, each given as its row (image_key and columns of OWN_COLUMNS) and the bytes of its file.

    As many at a time as there are cores, of which each reader takes one. `of` is how many images there are; `crops` is
    a folder for pictures of what was read. Raises Fault without Tesseract, or for bytes that are no image.
    """
    reader = tesseract_version()
    hands = os.cpu_count() or 1
    done: list[SheetAudit] = []
    waiting: deque[Future[SheetAudit]] = deque()
    with ThreadPoolExecutor(hands, thread_name_prefix="audit") as pool:

        def take() -> None:
            done.append(waiting.popleft().result())
            if progress is not None:
                progress(len(done), len(done) + len(waiting), done[-1].key)

        try:
            for facts, body in sheets:
                waiting.append(pool.submit(_audit_file, facts, body, crops))
                if len(waiting) > 2 * hands:
                    take()
            while waiting:
                take()
        finally:
            for left in waiting:
                left.cancel()
    return TextAudit(reader, tuple(done), of)


def count_readable(jpeg: bytes) -> int:
    """Return how many words are read with confidence on a finished image: the gate's measure, where no label is known.

    Needles spell a word now and then; a line of print that was overlooked has several.
    """
    return len(_audit_file({"image_key": "the finished image"}, jpeg, None).words)


def fold(word: str) -> str:
    """Return a word without accents and in lower case, as labels and readers differ in both."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))
    return plain.casefold()


def is_within_one(one: str, other: str) -> bool:
    """Tell whether two words differ by at most one letter: changed, left out or put in."""
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    first = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) == len(long):
        return short[first + 1 :] == long[first + 1 :]
    return short[first:] == long[first + 1 :]


def _is_same(read: str, own: str, confidence: float) -> bool:
    if len(own) < LONG_LETTERS:
        return read == own and confidence >= CONFIDENT
    if confidence < SUSPECTED or len(read) < LONG_LETTERS - 1:
        return False
    if own.isdigit():
        return own in read
    return own in read or is_within_one(read, own)


def _audit_file(facts: Mapping[str, Any], body: bytes, crops: Path | None) -> SheetAudit:
    key = str(facts["image_key"])
    pixels: Any = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR_RGB) if body else None
    if pixels is None:
        raise Fault(f"{key}: its bytes are no image; `naflora verify` tells what is wrong with the release.")
    audit = audit_image(np.asarray(pixels, np.uint8), own_words(facts), key)
    if crops is not None:
        _save_crops(audit, pixels, crops)
    return audit


def _save_crops(audit: SheetAudit, pixels: Any, folder: Path) -> None:
    """Write a picture of each word that was read; those of the label's own have `own` in their names."""
    own = {id(survivor.read): survivor for survivor in audit.survivors}
    words = [*(survivor.read for survivor in audit.survivors), *(word for word in audit.words if id(word) not in own)]
    for number, word in enumerate(words, start=1):
        margin = round(CROP_MARGIN * word.height) + 4
        rows = slice(max(0, word.top - margin), word.top + word.height + margin)
        columns = slice(max(0, word.left - margin), word.left + word.width + margin)
        kind = f"own-{own[id(word)].kind}" if id(word) in own else "word"
        name = "".join(LETTERS.findall(word.text)) or "digits"
        good, png = cv2.imencode(".png", cv2.cvtColor(pixels[rows, columns], cv2.COLOR_RGB2BGR))
        if good:
            (folder / f"{audit.key}-{number:02d}-{kind}-{name}.png").write_bytes(png.tobytes())


def _letters(text: str) -> int:
    return max(map(len, LETTERS.findall(text)), default=0)
