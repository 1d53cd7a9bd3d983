"""One herbarium sheet, drawn when it is asked for: the same specimen, the same pixels."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
import simplejpeg

from naflora_etl.sandbox.gatherings import Specimen
from naflora_etl.sandbox.labels import lay_label, lay_slip, note_by_hand
from naflora_etl.sandbox.lettering import Pixels, Word
from naflora_etl.sandbox.paper import house_of, lay_barcode, lay_packet, lay_paper, lay_ruler, lay_stamp
from naflora_etl.sandbox.plant import draw_plant, form_of
from naflora_etl.sandbox.world import World

JPEG_QUALITY = 88


@dataclass(frozen=True)
class Sheet:
    """A drawn sheet: pixels (height, width, blue-green-red), and every word on it with its box."""

    pixels: Pixels
    words: tuple[Word, ...]


def draw_sheet(world: World, specimen: Specimen, number: int = 1, long_px: int | None = None) -> Sheet:
    """Draw picture `number` of a specimen: the same mounted plant, photographed anew for each number.

    `long_px` is the long side; the world's own choice between its least and greatest when not given.
    """
    shot = Random(f"{world.options.seed}/shot/{specimen.barcode}/{number}")
    options = world.options
    chosen = shot.randint(options.min_sheet_px, max(options.min_sheet_px, options.max_sheet_px))
    long_px = long_px or chosen
    if specimen.observation:
        return Sheet(_photograph(world, specimen, long_px), ())
    own = Random(f"{world.options.seed}/sheet/{specimen.barcode}")
    house = house_of(specimen.institution)
    ground = lay_paper(house, long_px, shot)
    words = lay_ruler(ground, house, specimen.institution.code, shot)
    if own.random() < 0.25:
        lay_packet(ground, house, own)
    words += lay_stamp(ground, house, specimen.institution, own)
    form = form_of(options.seed, world.flora.species[specimen.taxon])
    x0, y0, x1, y1 = ground.paper
    paper = ground.canvas[y0:y1, x0:x1]  # what grows beyond the paper was cut off
    draw_plant(paper, form, _room(paper), long_px, own)
    words += lay_barcode(ground, house, specimen.institution, specimen.barcode)
    label, above = lay_label(ground, house, specimen, own)
    words += label
    if specimen.name != specimen.old_name or own.random() < 0.35:
        slip, above = lay_slip(ground, house, specimen.name.scientific_name, specimen.determiner, above, own)
        words += slip
    if own.random() < 0.6:
        words += note_by_hand(ground, specimen, above, own)
    return Sheet(ground.canvas, tuple(words))


def encode_jpeg(pixels: Pixels) -> bytes:
    """Return the pixels as JPEG."""
    return bytes(simplejpeg.encode_jpeg(pixels, quality=JPEG_QUALITY, colorspace="BGR", colorsubsampling="420"))


def encode_png(pixels: Pixels) -> bytes:
    """Return the pixels as PNG, quickly rather than small."""
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def _room(paper: Pixels) -> tuple[int, int, int, int]:
    height, width = paper.shape[:2]
    return width // 20, height // 30, width - width // 20, height


def _photograph(world: World, specimen: Specimen, long_px: int) -> Pixels:
    """Draw the plant where it grows, out of focus behind it; no sheet, no words."""
    random = Random(f"{world.options.seed}/photo/{specimen.barcode}")
    width = round(long_px * 0.75)
    noise = np.random.default_rng(random.getrandbits(63)).uniform(0, 1, (12, 9, 1)).astype(np.float32)
    ground = np.array((60, 90, 80), np.float32) + noise * np.array((40, 90, 70), np.float32)
    blurred = cv2.resize(ground.astype(np.uint8), (width, long_px), interpolation=cv2.INTER_CUBIC)
    canvas = np.asarray(blurred, np.uint8)
    form = form_of(world.options.seed, world.flora.species[specimen.taxon])
    draw_plant(canvas, form, (0, 0, width, long_px), long_px, random)
    return canvas
