"""What a specimen is mounted and photographed on: board, paper, ruler, colour chart, stamp, barcode, packet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha1
from random import Random

import cv2
import numpy as np
from PIL import Image, ImageDraw

from naflora_etl.sandbox.herbaria import Institution
from naflora_etl.sandbox.lettering import Colour, Pixels, Word, font, lay_ink, scale_colour

GRAIN = 5  # the paper's texture is made this many times smaller, for the sake of speed
PAPERS = ((222, 236, 241), (232, 238, 240), (206, 226, 236), (226, 233, 228), (214, 229, 240), (238, 241, 242))
BOARDS = ((28, 27, 26), (62, 58, 55), (22, 24, 22), (96, 92, 90), (30, 30, 34))
INKS = ((120, 62, 40), (58, 52, 50), (92, 44, 96), (70, 78, 30))
CHART = (
    (52, 69, 115), (130, 150, 194), (157, 122, 98), (67, 108, 87), (177, 128, 133), (170, 189, 103),
    (44, 126, 214), (166, 91, 80), (99, 90, 193), (108, 60, 94), (64, 188, 157), (46, 163, 224),
    (150, 61, 56), (73, 148, 70), (60, 54, 175), (31, 199, 231), (149, 86, 187), (161, 133, 8),
    (242, 243, 243), (200, 200, 200), (160, 160, 160), (121, 122, 122), (85, 85, 85), (52, 52, 52),
)  # fmt: skip


@dataclass(frozen=True)
class House:
    """A herbarium's own way with its sheets."""

    board: Colour
    paper: Colour
    ink: Colour
    face: str
    ruler_on_top: bool
    barcode_on_top: bool
    label_tone: float


@dataclass(frozen=True)
class Ground:
    """A mounted sheet without its plant: the picture, and where its paper lies (x0, y0, x1, y1)."""

    canvas: Pixels
    paper: tuple[int, int, int, int]


def house_of(institution: Institution) -> House:
    """Return the way of a herbarium, always the same."""
    digest = sha1(institution.code.encode()).digest()
    return House(
        board=BOARDS[digest[0] % len(BOARDS)],
        paper=PAPERS[digest[1] % len(PAPERS)],
        ink=INKS[digest[2] % len(INKS)],
        face=("typewriter", "print", "typewriter", "sans")[digest[3] % 4],
        ruler_on_top=bool(digest[4] % 2),
        barcode_on_top=bool(digest[5] % 2),
        label_tone=0.93 + 0.07 * (digest[6] / 255),
    )


def lay_paper(house: House, long_px: int, random: Random) -> Ground:
    """Return board and paper, `long_px` high."""
    width = round(long_px * random.uniform(0.67, 0.72))
    canvas = np.empty((long_px, width, 3), np.uint8)
    cv2.rectangle(canvas, (0, 0), (width, long_px), house.board, -1)
    side, strip = round(long_px * random.uniform(0.008, 0.016)), round(long_px * 0.062)
    top, bottom = (strip, side) if house.ruler_on_top else (side, strip)
    x0, y0, x1, y1 = side, top, width - side, long_px - bottom
    canvas[y0:y1, x0:x1] = cv2.resize(_texture(house.paper, x1 - x0, y1 - y0, random), (x1 - x0, y1 - y0))
    edge = max(1, long_px // 1500)
    shade = scale_colour(house.paper, 0.78)
    cv2.line(canvas, (x0, y1), (x1, y1), shade, edge)
    cv2.line(canvas, (x1, y0), (x1, y1), shade, edge)
    return Ground(canvas, (x0, y0, x1, y1))


def _texture(colour: Colour, width: int, height: int, random: Random) -> Pixels:
    """Return paper, GRAIN times smaller: grain, fibres, clouds, and an edge that time has browned."""
    size = (max(8, width // GRAIN), max(8, height // GRAIN))
    noise = np.random.default_rng(random.getrandbits(63))
    small = noise.normal(0.0, 1.8, (size[1], size[0])).astype(np.float32)
    small += cv2.resize(noise.normal(0.0, 2.2, (9, 7)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    small -= 5.0 * np.linspace(-1, 1, size[0], dtype=np.float32)[None, :] ** 8
    paper = np.clip(small[:, :, None] + np.array(colour, np.float32), 0, 255).astype(np.uint8)
    for _ in range(140):
        x, y, turn = random.uniform(0, size[0]), random.uniform(0, size[1]), random.uniform(0, 6.283)
        end = (round(x + 7 * math.cos(turn)), round(y + 7 * math.sin(turn)))
        tone = scale_colour(colour, random.uniform(0.95, 1.0))
        cv2.line(paper, (round(x), round(y)), end, tone, 1, cv2.LINE_AA)
    return paper


def lay_ruler(ground: Ground, house: House, code: str, random: Random) -> list[Word]:
    """Lay ruler and colour chart on the free strip of the board; return the words on them."""
    canvas = ground.canvas
    height, width = canvas.shape[:2]
    strip = round(height * 0.062)
    top = 0 if house.ruler_on_top else height - strip
    tall, unit = round(strip * 0.6), round(height * 0.0235)  # a centimetre on a sheet of 42 cm
    x0, y0 = round(width * random.uniform(0.12, 0.3)), top + round(strip * 0.2)
    x1 = x0 + round(11.2 * unit)
    cv2.rectangle(canvas, (x0, y0), (x1, y0 + tall), (226, 230, 232), -1)
    for tick in range(101):
        x = x0 + round((0.5 + tick / 10) * unit)
        length = 0.42 if tick % 10 == 0 else 0.3 if tick % 5 == 0 else 0.2
        cv2.line(canvas, (x, y0), (x, y0 + round(tall * length)), (30, 30, 30), max(1, height // 2400))
    marks = [(f"{mark}", x0 + (0.35 + mark) * unit, 0.44) for mark in range(11)] + [("cm", x0 + 0.75 * unit, 0.7)]
    marks += [(code, x0 + 8.9 * unit, 0.68), ("copyright", x0 + 3.4 * unit, 0.7), ("reserved", x0 + 5.8 * unit, 0.7)]
    words = []
    for text, x, down in marks:
        words += _print(
            canvas, text, "sans", round(tall * 0.27), (round(x), y0 + round(tall * down)), (30, 30, 30), "ruler"
        )
    cell = tall // 4
    left = x1 + unit
    for at, colour in enumerate(CHART):
        x, y = left + (at % 6) * cell, y0 + (at // 6) * cell
        cv2.rectangle(canvas, (x, y), (x + cell - 2, y + cell - 2), colour, -1)
    return words


def lay_barcode(ground: Ground, house: House, institution: Institution, barcode: str) -> list[Word]:
    """Stick the barcode on the paper; return the words on it."""
    canvas, (x0, y0, x1, y1) = ground.canvas, ground.paper
    long_px = canvas.shape[0]
    wide, tall = round(long_px * 0.16), round(long_px * 0.056)
    x = x1 - wide - round(long_px * 0.02)
    y = y0 + round(long_px * 0.015) if house.barcode_on_top else y1 - tall - round(long_px * 0.012)
    x = x if house.barcode_on_top else x0 + round(long_px * 0.02)
    cv2.rectangle(canvas, (x, y), (x + wide, y + tall), (246, 247, 247), -1)
    cv2.rectangle(canvas, (x, y), (x + wide, y + tall), (196, 198, 200), max(1, long_px // 3000))
    bars = Random(f"bars/{barcode}")
    at, step = x + round(wide * 0.08), max(1, round(wide * 0.0075))
    while at < x + wide * 0.92:
        thick = step * bars.choice((1, 1, 2, 3))
        cv2.rectangle(canvas, (at, y + round(tall * 0.3)), (at + thick - 1, y + round(tall * 0.66)), (25, 25, 25), -1)
        at += thick + step * bars.choice((1, 1, 2))
    small = round(tall * min(0.16, 0.16 * 33 / len(institution.name)))
    words = _print(
        canvas, institution.name, "sans", small, (x + wide // 2, y + round(tall * 0.07)), (30, 30, 30), "barcode", True
    )
    return words + _print(
        canvas,
        barcode,
        "mono",
        round(tall * 0.24),
        (x + wide // 2, y + round(tall * 0.68)),
        (25, 25, 25),
        "barcode",
        True,
    )


def lay_stamp(ground: Ground, house: House, institution: Institution, random: Random) -> list[Word]:
    """Stamp the paper with the institution's round stamp; return its words (the ring as one)."""
    canvas, (x0, _, _, y1) = ground.canvas, ground.paper
    long_px = canvas.shape[0]
    radius = round(long_px * 0.042)
    size = 2 * radius + 8
    centre = size / 2
    stamp = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(stamp)
    line = max(2, long_px // 1300)
    for share in (0.98, 0.62):
        reach = radius * share
        draw.ellipse((centre - reach, centre - reach, centre + reach, centre + reach), outline=255, width=line)
    letters = f"{institution.name.upper()} * "
    face = font("print_bold", round(radius * min(0.3, 4.4 / len(letters) * 1.55)))
    for at, letter in enumerate(letters):
        turn = 2 * math.pi * at / len(letters)
        patch = Image.new("L", (radius // 2, radius // 2), 0)
        ImageDraw.Draw(patch).text((radius // 4, radius // 4), letter, fill=255, font=face, anchor="mm")
        patch = patch.rotate(-math.degrees(turn), Image.Resampling.BILINEAR)
        spot = (centre + 0.8 * radius * math.sin(turn), centre - 0.8 * radius * math.cos(turn))
        stamp.paste(patch, (round(spot[0] - radius / 4), round(spot[1] - radius / 4)), patch)
    draw.text((centre, centre), institution.code, fill=255, font=font("print_bold", round(radius * 0.4)), anchor="mm")
    turned = stamp.rotate(random.uniform(-25, 25), Image.Resampling.BILINEAR)
    x = x0 + round(long_px * random.uniform(0.03, 0.07))
    y = y1 - size - round(long_px * random.uniform(0.09, 0.14))
    lay_ink(canvas, np.asarray(turned), (x, y), house.ink, random.uniform(0.55, 0.8))
    return [
        Word(institution.name.upper(), "stamp", (x, y, x + size, y + size)),
        Word(institution.code, "stamp", (x + radius * 0.6, y + radius * 0.75, x + radius * 1.45, y + radius * 1.3)),
    ]


def lay_packet(ground: Ground, house: House, random: Random) -> None:
    """Glue a folded packet for fragments to the paper."""
    canvas, (x0, y0, _, _) = ground.canvas, ground.paper
    long_px = canvas.shape[0]
    wide, tall = round(long_px * random.uniform(0.11, 0.15)), round(long_px * random.uniform(0.075, 0.1))
    x, y = x0 + round(long_px * 0.02), y0 + round(long_px * random.uniform(0.02, 0.08))
    tone = scale_colour(house.paper, 1.03)
    dark = scale_colour(house.paper, 0.82)
    edge = max(1, long_px // 1400)
    cv2.rectangle(canvas, (x + 2 * edge, y + 2 * edge), (x + wide + 2 * edge, y + tall + 2 * edge), dark, -1)
    cv2.rectangle(canvas, (x, y), (x + wide, y + tall), tone, -1)
    cv2.rectangle(canvas, (x, y), (x + wide, y + tall), dark, edge)
    cv2.line(canvas, (x, y + tall // 4), (x + wide, y + tall // 4 - 3 * edge), dark, edge)


def _print(
    canvas: Pixels,
    text: str,
    face: str,
    size_px: int,
    at: tuple[int, int],
    colour: Colour,
    kind: str,
    centre: bool = False,
) -> list[Word]:
    letters = font(face, size_px)
    x = round(at[0] - letters.getlength(text) / 2) if centre else at[0]
    words, shift = [], float(x)
    ink = Image.new("L", (round(letters.getlength(text)) + 4, round(size_px * 1.5)), 0)
    draw = ImageDraw.Draw(ink)
    for word in text.split():
        draw.text((shift - x, 0), word, fill=255, font=letters)
        box = draw.textbbox((shift - x, 0), word, font=letters)
        words.append(Word(word, kind, (box[0], box[1], box[2], box[3])).moved(x, at[1]))
        shift += letters.getlength(word + " ")
    lay_ink(canvas, np.asarray(ink), (x, at[1]), colour, 0.95)
    return words
