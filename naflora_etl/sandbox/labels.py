"""The papers glued beside the plant: the label, the slips of those who named it anew, and notes by hand."""

from __future__ import annotations

from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from naflora_etl.sandbox.gatherings import Specimen
from naflora_etl.sandbox.lettering import (
    Colour,
    Line,
    Pixels,
    Word,
    lay_ink,
    scale_colour,
    wrap,
    write_by_hand,
    write_lines,
)
from naflora_etl.sandbox.paper import Ground, House

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
REMARKS = (
    "frequent in shade", "petals pale", "rare, one plant", "wet soil", "with Carex", "roots fleshy", "common here",
    "in fruit", "open slope", "checked", "see also no. 12", "dupl. sent", "fl. white when fresh",
)  # fmt: skip


def lay_label(ground: Ground, house: House, specimen: Specimen, random: Random) -> tuple[list[Word], int]:
    """Glue the label to the lower right; return its words and the height of its upper edge."""
    canvas, (_, _, x1, y1) = ground.canvas, ground.paper
    long_px = canvas.shape[0]
    wide = round(long_px * 0.3)
    ink, words = _write_label(house, specimen, wide, long_px)
    tall = ink.shape[0]
    at = (
        x1 - wide - round(long_px * random.uniform(0.012, 0.03)),
        y1 - tall - round(long_px * random.uniform(0.012, 0.03)),
    )
    patch = _patch(ink, scale_colour((226, 238, 244), house.label_tone), (38, 36, 34))
    return _glue(canvas, patch, words, at, random.uniform(-0.9, 0.9)), at[1]


def lay_slip(
    ground: Ground, house: House, name: str, determiner: str, above: int, random: Random
) -> tuple[list[Word], int]:
    """Glue a determination slip above `above`; return its words and the height of its upper edge."""
    canvas, (_, _, x1, _) = ground.canvas, ground.paper
    long_px = canvas.shape[0]
    size = round(long_px * 0.0122)
    face = random.choice(("print_italic", "typewriter", "sans"))
    wide = round(long_px * 0.24)
    margin = round(size * 0.8)
    lines = [Line(text, face, size) for text in wrap(name, face, size, wide - 2 * margin)]
    lines.append(Line(f"Det. {determiner}  {random.randint(1960, 2021)}", face, size))
    tall = round(sum(line.size_px * 1.3 for line in lines) + 2 * margin)
    ink, words = write_lines((wide, tall), lines, "slip", margin, margin)
    at = (
        x1 - wide - round(long_px * random.uniform(0.015, 0.07)),
        above - tall - round(long_px * random.uniform(0.006, 0.014)),
    )
    tone = random.choice(((240, 243, 244), (220, 236, 243), (236, 240, 232)))
    return _glue(canvas, _patch(ink, tone, (42, 40, 40)), words, at, random.uniform(-1.5, 1.5)), at[1]


def note_by_hand(ground: Ground, specimen: Specimen, above: int, random: Random) -> list[Word]:
    """Write a note on the paper, in pencil or ink; return its words."""
    canvas, (x0, y0, x1, _) = ground.canvas, ground.paper
    long_px = canvas.shape[0]
    text = random.choice(
        (
            random.choice(REMARKS),
            f"{specimen.collector.split()[-1]} {specimen.number}",
            f"{specimen.name.genus} {random.choice(REMARKS)}",
        )
    )
    ink, words = write_by_hand(text, round(long_px * random.uniform(0.014, 0.019)), random)
    spots = (
        (x1 - ink.shape[1] - round(long_px * 0.01), above - ink.shape[0] - round(long_px * 0.004)),
        (x0 + round(long_px * 0.015), y0 + round(long_px * random.uniform(0.2, 0.3))),
    )
    at = random.choice(spots)
    colour: Colour = random.choice(((112, 108, 104), (110, 66, 48), (60, 56, 54)))
    lay_ink(canvas, ink, at, colour, 0.85)
    return [word.moved(*at) for word in words]


def _write_label(house: House, specimen: Specimen, wide: int, long_px: int) -> tuple[Pixels, list[Word]]:
    main, small, head = (round(long_px * share) for share in (0.0138, 0.0122, 0.0145))
    margin = round(main * 0.9)
    room = wide - 2 * margin
    _, country, state, locality, latitude, longitude = specimen.place
    lines = [
        Line(
            specimen.institution.name.upper(),
            "print_bold",
            _fitting(specimen.institution.name.upper(), head, room),
            True,
        )
    ]
    lines.append(Line(f"Flora of {state}, {country.replace(' of America', '')}", "print", small, True, gap=0.7))
    name_face = "print_italic" if house.face == "print" else house.face
    lines += [Line(text, name_face, main) for text in wrap(specimen.old_name.scientific_name, name_face, main, room)]
    lines.append(Line(specimen.name.family, house.face, small, gap=0.6))
    lines += [Line(text, house.face, small) for text in wrap(f"{locality}.", house.face, small, room)]
    lines.append(Line(f"{latitude:.2f}, {longitude:.2f}", house.face, small, gap=0.6))
    lines += [
        Line(text, house.face, small)
        for text in wrap(f"Coll. {specimen.collector}  No. {specimen.number}", house.face, small, room)
    ]
    if specimen.date:
        lines.append(Line(spell_date(specimen.date), house.face, small))
    tall = round(sum(line.size_px * (1 + line.gap) for line in lines) + 2 * margin)
    return write_lines((wide, tall), lines, "label", margin, margin)


def _fitting(text: str, size_px: int, room: int) -> int:
    while size_px > 8 and len(wrap(text, "print_bold", size_px, room)) > 1:
        size_px -= max(1, size_px // 20)
    return size_px


def spell_date(date: str) -> str:
    """Return an ISO date as a label writes it: day, month in words, year, as far as they are known."""
    parts = date.split("/")[0].split("-")
    if len(parts) == 1:
        return parts[0]
    month = MONTHS[int(parts[1]) - 1]
    return f"{month} {parts[0]}" if len(parts) == 2 else f"{int(parts[2])} {month} {parts[0]}"


def _patch(ink: Pixels, tone: Colour, colour: Colour) -> Pixels:
    patch = np.empty((*ink.shape, 3), np.uint8)
    patch[:] = tone
    lay_ink(patch, ink, (0, 0), colour)
    edge = max(1, ink.shape[1] // 500)
    cv2.rectangle(patch, (0, 0), (ink.shape[1] - 1, ink.shape[0] - 1), scale_colour(tone, 0.84), edge)
    return patch


def _glue(canvas: Pixels, patch: Pixels, words: list[Word], at: tuple[int, int], degrees: float) -> list[Word]:
    """Lay a patch on the canvas, turned about its middle; return the words with the boxes that they have there."""
    height, width = patch.shape[:2]
    turn = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0), np.float64)
    pad = round(abs(np.sin(np.radians(degrees))) * max(width, height) / 2) + 2
    turn[:, 2] += pad
    size = (width + 2 * pad, height + 2 * pad)
    turned = cv2.warpAffine(patch, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    there = cv2.warpAffine(np.full((height, width), 255, np.uint8), turn, size, flags=cv2.INTER_LINEAR)
    x, y = at[0] - pad, at[1] - pad
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + size[0], canvas.shape[1]), min(y + size[1], canvas.shape[0])
    inside = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
    drop = max(1, canvas.shape[0] // 700)
    shadow = np.asarray(cv2.blur(there, (2 * drop + 1, 2 * drop + 1)), np.uint8)
    lay_ink(canvas, shadow, (x + drop, y + drop), (60, 64, 66), 0.35)
    np.copyto(canvas[y0:y1, x0:x1], turned[inside], where=(there[inside] > 127)[:, :, None])
    return [_turned(word, turn).moved(x, y) for word in words]


def _turned(word: Word, turn: NDArray[np.float64]) -> Word:
    x0, y0, x1, y1 = word.box
    corners = np.array([(x0, y0, 1), (x1, y0, 1), (x1, y1, 1), (x0, y1, 1)], float) @ turn.T
    return Word(word.text, word.kind, (*corners.min(0).tolist(), *corners.max(0).tolist()))
