"""The drawn sheets: the same pixels every time, readable words where they are said to be, species that differ."""

from __future__ import annotations

import hashlib
import time
from itertools import pairwise

import cv2
import numpy as np
import pytest

from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.gatherings import Specimen
from naflora_etl.sandbox.labels import spell_date
from naflora_etl.sandbox.plant import form_of
from naflora_etl.sandbox.sheet import Sheet, draw_sheet, encode_jpeg
from naflora_etl.sandbox.world import build_world

WORLD = build_world(SandboxOptions(specimens_per_species=30))


def sheets_of(species: int) -> list[Specimen]:
    return [specimen for specimen in WORLD.specimens(species) if not specimen.observation]


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    return draw_sheet(WORLD, sheets_of(0)[0], long_px=1500)


def test_the_same_sheet_is_the_same_bytes() -> None:
    first, second = (encode_jpeg(draw_sheet(WORLD, sheets_of(3)[1], long_px=900).pixels) for _ in range(2))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_two_pictures_of_a_specimen_are_not_the_same() -> None:
    first, second = (draw_sheet(WORLD, sheets_of(0)[0], number).pixels.shape for number in (1, 2))
    assert first != second  # each is taken at a size of its own


@pytest.mark.parametrize("species", range(4))
def test_sheets_are_as_large_as_the_options_say(species: int) -> None:
    height, width, _ = draw_sheet(WORLD, sheets_of(species)[0]).pixels.shape
    assert 3000 <= height <= 6000
    assert 0.65 < width / height < 0.75


def test_words_lie_where_they_are_said_to(sheet: Sheet) -> None:
    height, width, _ = sheet.pixels.shape
    for word in sheet.words:
        x0, y0, x1, y1 = (round(side) for side in word.box)
        assert 0 <= x0 < x1 <= width, word
        assert 0 <= y0 < y1 <= height, word
        part = cv2.cvtColor(sheet.pixels[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY)
        assert np.ptp(part) > 40, word  # ink on paper


def test_labels_say_what_the_specimen_is(sheet: Sheet) -> None:
    specimen = sheets_of(0)[0]
    label = " ".join(word.text for word in sheet.words if word.kind == "label")
    assert specimen.old_name.genus in label
    assert specimen.old_name.species in label
    assert specimen.collector.split()[-1] in label
    assert {word.kind for word in sheet.words} >= {"label", "stamp", "barcode", "ruler"}
    assert specimen.barcode in {word.text for word in sheet.words if word.kind == "barcode"}


def test_the_label_is_large_enough_to_read(sheet: Sheet) -> None:
    capitals = [word for word in sheet.words if word.kind == "label" and word.text[0].isupper()]
    heights = [word.box[3] - word.box[1] for word in capitals]
    assert np.median(heights) >= 0.012 * 0.6 * sheet.pixels.shape[0]  # capitals are 0.6 to 0.7 of a letter's size


def test_every_kind_of_paper_is_drawn_somewhere() -> None:
    kinds = {
        word.kind
        for species in range(3)
        for specimen in sheets_of(species)[:4]
        for word in draw_sheet(WORLD, specimen, long_px=600).words
    }
    assert kinds == {"label", "slip", "handwriting", "stamp", "barcode", "ruler"}


def test_species_are_alike_in_themselves_and_differ_from_each_other() -> None:
    """A nearest-neighbour look at 32-pixel thumbnails without labels must do far better than chance (1 in 12)."""
    thumbs, species = [], []
    for index in range(12):
        for specimen in sheets_of(index)[:5]:
            pixels = draw_sheet(WORLD, specimen, long_px=400).pixels
            plant = pixels[32:300]  # above the label
            lab = cv2.cvtColor(cv2.resize(plant, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2LAB)
            tones = lab.reshape(-1, 3).astype(float)
            thumbs.append(np.concatenate([np.histogram(tones[:, channel], 24, (0, 255))[0] for channel in range(3)]))
            species.append(index)
    points, labels = np.sqrt(np.array(thumbs, float)), np.array(species)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(len(points)) * 1e9
    assert np.mean(labels[distances.argmin(1)] == labels) > 0.3


def test_an_observation_is_a_photograph_without_words() -> None:
    seen = next(specimen for specimen in WORLD.all_specimens() if specimen.observation)
    assert draw_sheet(WORLD, seen, long_px=500).words == ()


def test_drawing_is_cheap() -> None:
    specimen = sheets_of(5)[0]
    draw_sheet(WORLD, specimen, long_px=300)  # fonts and so on are loaded once
    began = time.thread_time()
    encode_jpeg(draw_sheet(WORLD, specimen, long_px=3000).pixels)
    assert time.thread_time() - began < 1.0  # 0.2 s where this was written; the rest is for slower machines


@pytest.mark.parametrize(
    ("date", "written"),
    [
        ("1941-09-05", "5 September 1941"),
        ("1941-09", "September 1941"),
        ("1941", "1941"),
        ("1941-09-05/1941-10-05", "5 September 1941"),
    ],
)
def test_dates_as_labels_write_them(date: str, written: str) -> None:
    assert spell_date(date) == written


def test_a_genus_has_one_habit_and_its_species_have_their_own_proportions() -> None:
    for genus in WORLD.flora.genera:
        forms = [form_of(1, WORLD.flora.species[index]) for index in genus.species]
        assert len({(form.habit, form.widest, form.point, form.teeth, form.petals) for form in forms}) == 1
        assert len({form.flower for form in forms}) == len(forms)
        shapes = sorted(form.leaf_width for form in forms)
        assert all(wider > 1.2 * narrower for narrower, wider in pairwise(shapes))
