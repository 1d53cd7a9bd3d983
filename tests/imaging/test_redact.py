"""What is covered is gone, what is not covered stays, and the same seed gives the same bytes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from naflora_etl.imaging import redact
from naflora_etl.imaging.redact import Fill, cover_text, covered_share, grow_quad, mask_quads

FILLS: tuple[Fill, ...] = ("noise", "paper")


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def paper(colour: tuple[int, int, int] = (235, 225, 200)) -> np.ndarray:
    return np.full((400, 300, 3), colour, np.uint8)


LABEL = rectangle(60, 180, 240, 220)


@pytest.mark.parametrize(
    ("grow", "expected"),
    [(0.0, [60, 180, 240, 220]), (0.1, [56, 176, 244, 224]), (0.5, [40, 160, 260, 240])],
)
def test_a_quad_grows_by_a_share_of_its_short_side(grow: float, expected: list[float]) -> None:
    grown = grow_quad(LABEL, grow)
    assert grown.dtype == np.float32
    assert [*grown[0].tolist(), *grown[2].tolist()] == pytest.approx(expected)


def test_a_slanted_quad_grows_along_its_own_sides() -> None:
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]], np.float32)
    straight = rectangle(0, 0, 100, 20)
    assert grow_quad(straight @ turn, 0.25) == pytest.approx(grow_quad(straight, 0.25) @ turn, abs=1e-3)


def test_a_quad_without_extent_is_harmless() -> None:
    point = rectangle(50, 50, 50, 50)
    assert grow_quad(point, 0.1).tolist() == point.tolist()
    assert mask_quads((100, 100), [point], grow=0.1).sum() == 1


def test_share_counts_overlaps_once_and_ignores_what_lies_outside() -> None:
    half = rectangle(0, 0, 99, 49)
    assert covered_share((100, 100, 3), [half, half], grow=0) == 0.5
    assert covered_share((100, 100, 3), [rectangle(-50, -50, 99, 49)], grow=0) == 0.5
    assert covered_share((100, 100, 3), [], grow=0.1) == 0


def test_outside_the_quads_not_a_pixel_changes() -> None:
    sheet = np.random.default_rng(1).integers(0, 255, (400, 300, 3), np.uint8)
    before = sheet.copy()
    covered = cover_text(sheet, [LABEL], grow=0.1, seed=1)
    inside = mask_quads(sheet.shape, [LABEL], grow=0.1).astype(bool)
    assert (covered[~inside] == sheet[~inside]).all()
    assert (sheet == before).all(), "the given array was changed"
    assert (covered[inside] != sheet[inside]).any(axis=1).mean() > 0.95


def test_nothing_of_the_text_survives() -> None:
    """Two sheets that differ in their words alone are the same sheet once the words are covered."""
    covered = []
    for words in ("Carex scoparia", "Viola pedata L", ""):
        sheet = paper()
        cv2.putText(sheet, words, (64, 210), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (20, 20, 20), 2)
        covered.append(cover_text(sheet, [LABEL], grow=0.1, seed=5))
    assert (covered[0] == covered[1]).all()
    assert (covered[0] == covered[2]).all()


@pytest.mark.parametrize(
    "colour", [(235, 225, 200), (250, 250, 250), (20, 20, 20)], ids=["old paper", "white", "black"]
)
def test_the_noise_keeps_to_the_colour_of_the_paper(colour: tuple[int, int, int]) -> None:
    covered = cover_text(paper(colour), [LABEL], grow=0, seed=1)
    inside = mask_quads(covered.shape, [LABEL], grow=0).astype(bool)
    assert np.abs(covered[inside].mean(axis=0) - colour).max() < 24
    assert covered[inside].std(axis=0).min() > 1, "no noise"


def test_paper_is_calm_where_noise_is_not() -> None:
    """Both replace every pixel; paper shouts no louder than the sheet around it."""
    rng = np.random.default_rng(1)
    sheet = np.clip(paper() + rng.normal(0, 2, (400, 300, 1)), 0, 255).astype(np.uint8)
    inside = mask_quads(sheet.shape, [LABEL], grow=0).astype(bool)
    grain = {fill: cover_text(sheet, [LABEL], grow=0, seed=1, fill=fill)[inside].std(axis=0) for fill in FILLS}
    assert 0.5 < grain["paper"].max() < 3 < 6 < grain["noise"].min()


@pytest.mark.parametrize("fill", FILLS)
def test_no_fill_lets_anything_through(fill: Fill) -> None:
    covered = []
    for ink in (0, 255):
        sheet = paper()
        sheet[182:218, 64:236] = ink
        covered.append(cover_text(sheet, [LABEL], grow=0, seed=5, fill=fill))
    assert (covered[0] == covered[1]).all()


@pytest.mark.parametrize("rows", [1, 7, 64, 10_000])
def test_bands_do_not_show(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tall sheet is worked on in bands; what the blur sees is the same as in one piece."""
    sheet = np.random.default_rng(2).integers(0, 255, (600, 200, 3), np.uint8)
    inside = np.zeros((600, 200), bool)
    inside[40:580, 30:170] = True
    inside[300:320] = False
    soft = sheet.copy()
    expected = np.where(inside[:, :, np.newaxis], cv2.GaussianBlur(sheet, (0, 0), 1.5), sheet)
    monkeypatch.setattr(redact, "BAND_ROWS", rows)
    redact._soften(soft, inside, 1.5)
    assert np.abs(soft.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("tile_px", "gap_px"), [(1, 0), (37, 5), (512, 64)])
def test_tiles_do_not_show(tile_px: int, gap_px: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the surroundings of what is covered are worked on, and the bytes are those of whole bands."""
    sheet = np.random.default_rng(3).integers(0, 255, (700, 400, 3), np.uint8)
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]], np.float32)
    quads = [LABEL, rectangle(0, 0, 9, 700), rectangle(390, 640, 420, 720), rectangle(300, 0, 420, 30) @ turn]
    monkeypatch.setattr(redact, "TILE_PX", 10_000)
    monkeypatch.setattr(redact, "GAP_PX", 10_000)
    whole = cover_text(sheet, quads, grow=0.1, seed=1)
    monkeypatch.setattr(redact, "TILE_PX", tile_px)
    monkeypatch.setattr(redact, "GAP_PX", gap_px)
    assert (cover_text(sheet, quads, grow=0.1, seed=1) == whole).all()


def test_each_quad_takes_the_colour_that_is_near_it() -> None:
    sheet = paper((250, 250, 250))
    sheet[200:] = (120, 60, 30)
    high, low = rectangle(60, 60, 240, 80), rectangle(60, 320, 240, 340)
    covered = cover_text(sheet, [high, low], grow=0, seed=1)
    assert covered[62:78, 62:238].mean() > 220
    assert covered[322:338, 62:238].mean() < 90


def test_a_sheet_that_is_all_text_becomes_grey() -> None:
    covered = cover_text(paper(), [rectangle(-10, -10, 400, 500)], grow=0, seed=1)
    assert covered.mean() == pytest.approx(128, abs=3)


def test_the_seed_decides_the_noise() -> None:
    sheet = paper()
    one, same, other = (cover_text(sheet, [LABEL], grow=0.1, seed=seed) for seed in (7, 7, 8))
    assert (one == same).all()
    assert (one != other).any()


def test_overlapping_quads_do_not_depend_on_their_order() -> None:
    quads = [LABEL, rectangle(200, 190, 280, 300)]
    there, back = (cover_text(paper(), order, grow=0.1, seed=1) for order in (quads, quads[::-1]))
    assert (there == back).all()


def test_without_quads_the_sheet_is_copied() -> None:
    sheet = paper()
    covered = cover_text(sheet, [], grow=0.1, seed=1)
    assert (covered == sheet).all() and covered is not sheet
