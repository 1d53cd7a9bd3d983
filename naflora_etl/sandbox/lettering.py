"""Writing on the sandbox's sheets: typewriter, print and a hand, with the box of every word drawn."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]  # blue, green, red
FACES = {
    "typewriter": "cmtt10.ttf",
    "print": "STIXGeneral.ttf",
    "print_bold": "STIXGeneralBol.ttf",
    "print_italic": "STIXGeneralItalic.ttf",
    "sans": "DejaVuSans.ttf",
    "mono": "DejaVuSansMono.ttf",
    "hand": "cmti10.ttf",
}
ASCII_ONLY = frozenset({"typewriter", "hand"})  # these faces have no other letters, and neither had typewriters
IN_ASCII = str.maketrans({"ø": "o", "Ø": "O", "×": "x", "ß": "ss", "°": " deg", "–": "-", "©": "(c)", '"': "'"})


@dataclass(frozen=True)
class Word:
    """A word as drawn: its text, what it stands on, and its box in pixels (x0, y0, x1, y1)."""

    text: str
    kind: str
    box: tuple[float, float, float, float]

    def moved(self, x: float, y: float) -> Word:
        """Return the word with its box moved."""
        x0, y0, x1, y1 = self.box
        return Word(self.text, self.kind, (x0 + x, y0 + y, x1 + x, y1 + y))


@dataclass(frozen=True)
class Line:
    """A line to write: the size is in pixels, the indent a share of the width; `centre` ignores it."""

    text: str
    face: str
    size_px: int
    centre: bool = False
    gap: float = 0.3
    """Room below, in sizes."""


@cache
def font(face: str, size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a face at a size; the faces come with matplotlib, and Pillow's own steps in where one is missing."""
    spec = find_spec("matplotlib")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place) / "mpl-data" / "fonts" / "ttf" / FACES[face]
        if path.is_file():
            return ImageFont.truetype(str(path), size_px)
    return ImageFont.load_default(size_px)


def spell(text: str, face: str) -> str:
    """Return the text in the letters that a face has."""
    if face not in ASCII_ONLY:
        return text
    plain = unicodedata.normalize("NFKD", text.translate(IN_ASCII))
    return "".join(letter for letter in plain if letter.isascii())


def wrap(text: str, face: str, size_px: int, width_px: int) -> list[str]:
    """Return the text in lines that are no wider than `width_px`."""
    lines: list[str] = []
    for word in spell(text, face).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(face, size_px).getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def write_lines(
    size: tuple[int, int], lines: list[Line], kind: str, margin: int, top: int
) -> tuple[Pixels, list[Word]]:
    """Write lines one below the other; return ink as a mask (0 none, 255 full) of `size` (width, height), and words."""
    sheet = Image.new("L", size, 0)
    draw = ImageDraw.Draw(sheet)
    words: list[Word] = []
    y = top
    for line in lines:
        face, text = font(line.face, line.size_px), spell(line.text, line.face)
        x = (size[0] - face.getlength(text)) / 2 if line.centre else float(margin)
        for word in text.split():
            draw.text((round(x), y), word, fill=255, font=face)
            words.append(Word(word, kind, draw.textbbox((round(x), y), word, font=face)))
            x += face.getlength(word + " ")
        y += round(line.size_px * (1 + line.gap))
    return np.asarray(sheet).copy(), words


def write_by_hand(text: str, size_px: int, random: Random) -> tuple[Pixels, list[Word]]:
    """Write one line by an uneven hand: slanting, wavering, no two letters alike; return ink as a mask, and words."""
    face = font("hand", size_px)
    text = spell(text, "hand")
    pad = size_px
    width, height = round(face.getlength(text) * 1.12) + 2 * pad, 3 * size_px
    sheet = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(sheet)
    words: list[Word] = []
    x, climb = float(pad), random.uniform(-0.03, 0.03)
    for word in text.split():
        start, rise = x, random.uniform(-0.06, 0.06) * size_px
        for letter in word:
            y = size_px * 0.9 + rise + climb * (x - pad) + random.uniform(-0.05, 0.05) * size_px
            draw.text(
                (round(x), round(y)), letter, fill=255, font=font("hand", round(size_px * random.uniform(0.9, 1.1)))
            )
            x += face.getlength(letter) * random.uniform(0.92, 1.04)
        middle = size_px * 1.45 + rise + climb * (start - pad)
        words.append(
            Word(word, "handwriting", (start - 0.1 * pad, middle - 0.75 * pad, x + 0.2 * pad, middle + 0.65 * pad))
        )
        x += size_px * random.uniform(0.35, 0.6)
    return _waver(np.asarray(sheet), size_px, random), words


def _waver(ink: Pixels, size_px: int, random: Random) -> Pixels:
    """Bend the strokes a little, by waves of a letter's length."""
    height, width = ink.shape
    x = np.arange(width, dtype=np.float32)
    y = np.arange(height, dtype=np.float32)
    wave = 6.283 / (size_px * random.uniform(1.1, 1.8))
    bend = np.float32(size_px * 0.05)
    map_x = np.broadcast_to(x, ink.shape) + (bend * np.sin(y * wave * 2 + random.random() * 6))[:, None]
    map_y = np.broadcast_to(y[:, None], ink.shape) + bend * np.sin(x * wave + random.random() * 6)
    return np.asarray(
        cv2.remap(ink, np.ascontiguousarray(map_x), np.ascontiguousarray(map_y), cv2.INTER_LINEAR), np.uint8
    )


def scale_colour(colour: Colour, by: float) -> Colour:
    """Return the colour made lighter (by > 1) or darker."""
    blue, green, red = (int(min(255.0, value * by)) for value in colour)
    return blue, green, red


def lay_ink(canvas: Pixels, ink: Pixels, at: tuple[int, int], colour: Colour, strength: float = 0.92) -> None:
    """Lay ink on the canvas with its upper left corner at (x, y); what hangs over the edge is lost."""
    x, y = at
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + ink.shape[1], canvas.shape[1]), min(y + ink.shape[0], canvas.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = canvas[y0:y1, x0:x1]
    cover = (ink[y0 - y : y1 - y, x0 - x : x1 - x].astype(np.float32) * (strength / 255))[:, :, None]
    part[:] = (part + (np.array(colour, np.float32) - part) * cover).astype(np.uint8)
