"""The door: bytes of a sheet in, finished image and facts out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from naflora_etl.imaging.detect import TextBox
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.masters import make_master
from naflora_etl.imaging.prepare import open_detector, prepare_image
from naflora_etl.imaging.redact import grow_quad, mask_quads
from naflora_etl.recipe import ImagesOptions

OPTIONS = ImagesOptions(size_px=400, detect_px=800, min_side_px=100, grow=0.1)


class MarkFinder:
    """Finds the black mark in the pixels that it is given."""

    name = "mark:000000000000"

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def find(self, rgb: np.ndarray) -> list[TextBox]:
        self.seen.append(rgb.shape)
        rows, columns = np.nonzero(rgb.max(axis=2) < 60)
        if not len(rows):
            return []
        left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        points = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
        return [TextBox(points, 0.87654)]


def sheet_bytes(width: int = 1201, height: int = 1601, orientation: int = 1) -> bytes:
    """A pale JPEG with a black mark at x 800 to 1000, y 1200 to 1280, and metadata that names the species."""
    pixels = np.full((height, width, 3), (235, 230, 215), np.uint8)
    pixels[1200:1280, 800:1000] = 0
    image = Image.fromarray(pixels)
    if orientation == 6:
        image = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "Carex scoparia"
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, exif=exif, comment=b"Carex scoparia")
    return file.getvalue()


def prepared(body: bytes | None = None, *, options: ImagesOptions = OPTIONS, seed_key: str = "a"):  # type: ignore[no-untyped-def]
    return prepare_image(body or sheet_bytes(), options=options, detector=MarkFinder(), seed_key=seed_key)


@pytest.mark.parametrize("orientation", [1, 6], ids=["upright", "turned by EXIF"])
def test_text_is_covered_and_its_place_told_in_source_pixels(orientation: int) -> None:
    made = prepared(sheet_bytes(orientation=orientation))
    assert (made.width_px, made.height_px) == (300, 400)
    assert (made.source_width_px, made.source_height_px) == (1201, 1601)
    (quad,) = json.loads(made.text_quads)
    assert np.array(quad["points"]) == pytest.approx(
        np.array([[800, 1200], [1000, 1200], [1000, 1280], [800, 1280]]), abs=3
    )
    assert quad["score"] == 0.877
    assert made.text_boxes == 1
    assert made.text_share == pytest.approx((200 + 16) * (80 + 16) / (1201 * 1601), rel=0.05)
    finished = np.asarray(Image.open(io.BytesIO(made.jpeg)))
    assert finished.shape == (400, 300, 3)
    assert finished.min() > 120, "the mark can still be seen"


def test_before_thumbnail_shows_the_mark() -> None:
    before = np.asarray(Image.open(io.BytesIO(prepared().before_jpeg)))
    assert before.shape == (200, 150, 3)
    assert before[155, 112].max() < 60


def test_no_metadata_gets_through() -> None:
    made = prepared()
    assert b"Carex" in sheet_bytes()
    assert b"Carex" not in made.jpeg + made.before_jpeg and b"Exif" not in made.jpeg + made.before_jpeg


def test_same_sheet_same_bytes_and_another_key_other_noise() -> None:
    one, same = prepared(), prepared()
    assert (one.jpeg, one.before_jpeg, one.text_quads) == (same.jpeg, same.before_jpeg, same.text_quads)
    assert one.jpeg != prepared(seed_key="b").jpeg
    assert prepared().jpeg != prepared(options=OPTIONS.model_copy(update={"noise_seed": 2})).jpeg


def test_detector_sees_no_less_than_the_recipe_promises() -> None:
    finder = MarkFinder()
    for detect_px in (320, 800, 801, 3000):
        options = OPTIONS.model_copy(update={"detect_px": detect_px})
        prepare_image(sheet_bytes(), options=options, detector=finder, seed_key="a")
    assert [shape[0] for shape in finder.seen] == [801, 801, 801, 1601]


def test_without_a_detector_nothing_is_covered() -> None:
    made = prepare_image(sheet_bytes(), options=OPTIONS, detector=None, seed_key="a")
    assert (made.text_boxes, made.text_share, made.text_quads, made.detector) == (0, 0.0, "[]", None)
    assert np.asarray(Image.open(io.BytesIO(made.jpeg)))[310, 225].max() < 60


def test_a_master_tells_of_the_original_that_it_was_made_from() -> None:
    options = OPTIONS.model_copy(update={"keep": "master", "master_px": 800})
    master, size = make_master(sheet_bytes(orientation=6), options)
    made = prepare_image(master, options=options, detector=MarkFinder(), seed_key="a", source_px=size)
    assert (made.source_width_px, made.source_height_px) == (1201, 1601)
    (quad,) = json.loads(made.text_quads)
    assert np.array(quad["points"]) == pytest.approx(
        np.array([[800, 1200], [1000, 1200], [1000, 1280], [800, 1280]]), abs=4
    )
    assert (made.width_px, made.height_px) == (300, 400)


def test_blanked_boxes_are_the_found_ones_grown() -> None:
    made = prepared()
    assert made.blanked[0] == pytest.approx(grow_quad(made.boxes[0].points, OPTIONS.grow), abs=0.01)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("size", [(1201, 1601), (1207, 1607)])
def test_boxes_lie_where_they_lie_however_the_sheet_was_reduced(size: tuple[int, int], orientation: int) -> None:
    """A JPEG decoded at a quarter ends within its last pixel; the boxes are not to be stretched by it."""
    pixels = np.full((size[1], size[0], 3), (235, 230, 215), np.uint8)
    pixels[1536:1600, 1088:1200] = 0
    back = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    image, turn = Image.fromarray(pixels), back[orientation]
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    (image if turn is None else image.transpose(turn)).save(file, "JPEG", quality=95, exif=exif, subsampling=0)
    made = prepared(file.getvalue(), options=OPTIONS.model_copy(update={"size_px": 200, "detect_px": 320}))
    assert (made.source_width_px, made.source_height_px) == size
    expected = np.array([[1088, 1536], [1200, 1536], [1200, 1600], [1088, 1600]])
    assert made.boxes[0].points == pytest.approx(expected, abs=4.1 if orientation != 1 else 0.1)


def test_zero_keeps_the_size() -> None:
    made = prepared(options=OPTIONS.model_copy(update={"size_px": 0}))
    assert (made.width_px, made.height_px) == (1201, 1601)


def test_knobs_that_shape_an_image_are_told_with_it() -> None:
    told = json.loads(prepared().made_with)
    assert told["grow"] == 0.1 and told["size_px"] == 400 and told["fill"] == "noise"
    assert not {"snapshot", "max_source_bytes", "keep", "master_px"} & set(told)
    other = json.loads(prepared(options=OPTIONS.model_copy(update={"keep": "master"})).made_with)
    assert (other["keep"], other["master_px"]) == ("master", 2560)


def test_facts_bear_the_names_of_the_tables_columns() -> None:
    schema = json.loads((Path(__file__).parents[2] / "schemas/images.json").read_text(encoding="utf-8"))
    facts = prepared().facts(sheet_bytes())
    assert set(facts) <= {field["name"] for field in schema["fields"]}
    assert facts["detector"] == MarkFinder.name
    assert facts["looks"] == "blank", "a page with nothing but its covered label"
    assert facts["source_size_bytes"] == len(sheet_bytes())
    assert len(facts["sha256"]) == len(facts["source_sha256"]) == 64


@pytest.mark.parametrize(
    ("options", "issue"),
    [
        ({"max_source_pixels": 1000}, "IMAGE_TOO_LARGE"),
        ({"min_side_px": 1202}, "IMAGE_TOO_SMALL"),
    ],
    ids=["too large", "too small"],
)
def test_recipe_sets_the_limits(options: dict[str, int], issue: str) -> None:
    with pytest.raises(ImageFault) as fault:
        prepared(options=OPTIONS.model_copy(update=options))
    assert fault.value.issue == issue


@pytest.mark.real
@pytest.mark.parametrize("sheet", ["NY_00754870", "NY_01334389", "NY_01498065"])
def test_real_sheets_lose_their_verified_words(sheet: str, shared_images: Path, craft_weights: Path) -> None:
    """By default, nearly all of the words that an OCR and a human both read on the sheet."""
    folder = shared_images / "nybg_aocr"
    options = ImagesOptions()
    made = prepare_image(
        (folder / f"sheets/{sheet}.jpg").read_bytes(),
        options=options,
        detector=open_detector(options),
        seed_key=sheet,
    )
    assert made.height_px == 1000
    assert 0.01 < made.text_share < 0.1
    quads = [np.array(quad["points"], np.float32) for quad in json.loads(made.text_quads)]
    mask = mask_quads((made.source_height_px, made.source_width_px), quads, grow=options.grow)
    truth = json.loads((folder / "verified_word_boxes.json").read_text(encoding="utf-8"))["images"][sheet]
    boxes = [word["bbox_xywh"] for word in truth["words"]]
    covered = [mask[y : y + height, x : x + width].mean() >= 0.9 for x, y, width, height in boxes]
    assert np.mean(covered) >= 0.95
