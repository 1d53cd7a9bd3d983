"""The warp: what lands where, for each way of fitting, turning and mirroring."""

import io

import numpy as np
import pytest
from PIL import Image

from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.warp import View, draw_view, warp_sheet

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 200, 30), (30, 30, 200), (240, 240, 240)


def quarters(width_px: int = 400, height_px: int = 600, kind: str = "PNG", **options: object) -> bytes:
    """Red, green above; blue, white below."""
    image = Image.new("RGB", (width_px, height_px), RED)
    image.paste(GREEN, (width_px // 2, 0, width_px, height_px // 2))
    image.paste(BLUE, (0, height_px // 2, width_px // 2, height_px))
    image.paste(WHITE, (width_px // 2, height_px // 2, width_px, height_px))
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    height, width, _ = pixels.shape
    places = [(height // 4, width // 4), (height // 4, 3 * width // 4)]
    places += [(3 * height // 4, width // 4), (3 * height // 4, 3 * width // 4)]
    return [tuple(int(shade) for shade in pixels[place]) for place in places]


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(View(), [RED, GREEN, BLUE, WHITE], id="straight"),
        pytest.param(View(mirrored=True), [GREEN, RED, WHITE, BLUE], id="mirrored"),
        pytest.param(View(angle_deg=180), [WHITE, BLUE, GREEN, RED], id="upside down"),
        pytest.param(View(angle_deg=90), [BLUE, RED, WHITE, GREEN], id="a quarter turn clockwise"),
    ],
)
def test_what_lands_where(view: View, expected: list[tuple[int, int, int]]):
    assert corners(warp_sheet(quarters(), DataOptions(size_px=96), view)) == expected


def test_squash_shows_the_whole_sheet_at_the_wanted_shape():
    pixels = warp_sheet(quarters(), DataOptions(size_px=(60, 100)))
    assert pixels.shape == (60, 100, 3)
    assert tuple(pixels[0, 0]) == RED and tuple(pixels[-1, -1]) == WHITE


def test_pad_keeps_the_aspect_and_fills_with_the_colour_of_the_rim():
    pixels = warp_sheet(quarters(400, 800), DataOptions(size_px=80, fit="pad"))
    assert (pixels[:, :19] == pixels[0, 0]).all() and (pixels[:, 61:] == pixels[0, 0]).all()
    assert tuple(pixels[5, 25]) == RED and tuple(pixels[75, 55]) == WHITE


def test_crop_fills_the_shape_and_cuts_what_does_not_fit():
    image = np.asarray(Image.open(io.BytesIO(quarters(400, 800)))).copy()
    image[:190] = image[-190:] = 0  # all that a centred square leaves out
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    pixels = warp_sheet(stream.getvalue(), DataOptions(size_px=80, fit="crop"))
    assert corners(pixels) == [RED, GREEN, BLUE, WHITE]
    assert pixels.min() == 30


def test_a_random_crop_lies_where_the_view_says():
    top_left = warp_sheet(quarters(), DataOptions(size_px=64), View(area=0.2, x=0, y=0))
    assert (top_left == RED).all()
    bottom_right = warp_sheet(quarters(), DataOptions(size_px=64), View(area=0.2, x=1, y=1))
    assert (bottom_right == WHITE).all()


def test_the_scripts_centre_crop_leaves_the_rim_out():
    framed = Image.new("RGB", (400, 400), (0, 0, 0))
    framed.paste(GREEN, (20, 20, 380, 380))
    stream = io.BytesIO()
    framed.save(stream, "PNG")
    assert (warp_sheet(stream.getvalue(), DataOptions(size_px=90, centre_share=0.9)) == GREEN).all()


@pytest.mark.parametrize("size_px", [pytest.param(120, id="decoded at 1/8"), pytest.param(300, id="decoded at 1/2")])
def test_the_scaled_decode_differs_little_from_the_full_one(size_px: int):
    random = np.random.default_rng(1)
    coarse = Image.fromarray(random.integers(0, 255, (30, 20, 3), dtype=np.uint8))
    sheet = coarse.resize((1000, 1500), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=92)
    ours = warp_sheet(stream.getvalue(), DataOptions(size_px=size_px)).astype(int)
    full = np.asarray(sheet.resize((size_px, size_px), Image.Resampling.BOX)).astype(int)
    assert np.abs(ours - full).mean() < 3  # half a pixel off would be 3 to 7


def test_turned_corners_are_not_black():
    assert warp_sheet(quarters(), DataOptions(size_px=96), View(angle_deg=45)).min() >= 30


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_kinds_of_jpeg_become_rgb(mode: str):
    stream = io.BytesIO()
    Image.new(mode, (300, 300)).save(stream, "JPEG")
    assert warp_sheet(stream.getvalue(), DataOptions(size_px=32)).shape == (32, 32, 3)


def test_a_view_depends_on_seed_epoch_and_sheet_alone():
    options = DataOptions(rotation_deg=15, crop_area=0.5)
    view = draw_view(options, seed=1, epoch=2, image_key="00ff")
    assert view == draw_view(options, seed=1, epoch=2, image_key="00ff")
    others = [(2, 2, "00ff"), (1, 3, "00ff"), (1, 2, "00fe")]
    assert all(draw_view(options, seed=s, epoch=e, image_key=k) != view for s, e, k in others)


def test_views_stay_within_the_recipe():
    options = DataOptions(rotation_deg=15, crop_area=0.5)
    views = [draw_view(options, seed=1, epoch=0, image_key=f"{number:x}") for number in range(400)]
    assert all(0.5 <= view.area <= 1 and abs(view.angle_deg) <= 15 for view in views)
    assert 150 < sum(view.mirrored for view in views) < 250
    assert not any(
        draw_view(DataOptions(flip=False), seed=1, epoch=0, image_key=f"{number:x}").mirrored for number in range(50)
    )
