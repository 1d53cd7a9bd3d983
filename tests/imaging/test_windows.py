"""Which windows of a sheet are looked at closely."""

from __future__ import annotations

import numpy as np
import pytest

from naflora_etl.imaging.windows import MARGIN_STEPS, Window, about, find_windows, look_beyond, tiles

WHOLE = Window(0, 0, 2000, 3000)
CELL_PX = 10.0
STEP_PX = 50.0


def windows_of(*warm: tuple[int, int, int, int]) -> list[Window]:
    """Windows for a map of 300 x 200 cells, cold but for rectangles of (left, top, width, height)."""
    cells = np.zeros((300, 200), np.uint8)
    for left, top, width, height in warm:
        cells[top : top + height, left : left + width] = 1
    return find_windows(cells, WHOLE, CELL_PX, STEP_PX)


def test_a_cold_sheet_has_none() -> None:
    assert windows_of() == []


def test_a_warm_place_is_covered_with_its_margin_in_whole_steps() -> None:
    (window,) = windows_of((100, 200, 20, 5))
    margin = MARGIN_STEPS * STEP_PX
    assert window.left <= 1000 - margin and window.right >= 1200 + margin
    assert window.top <= 2000 - margin and window.bottom >= 2050 + margin
    assert (window.right - window.left) % STEP_PX == 0 and (window.bottom - window.top) % STEP_PX == 0


@pytest.mark.parametrize(
    "corner", [(0, 0), (190, 0), (0, 295), (190, 295)], ids=["top left", "top right", "bottom left", "bottom right"]
)
def test_a_window_at_the_edge_stays_on_the_sheet(corner: tuple[int, int]) -> None:
    (window,) = windows_of((*corner, 10, 5))
    assert 0 <= window.left < window.right <= WHOLE.right
    assert 0 <= window.top < window.bottom <= WHOLE.bottom


def test_windows_never_overlap_and_cover_every_warm_cell() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        warm = np.zeros((300, 200), np.uint8)
        for _ in range(8):
            top, left = draw.integers(0, 290), draw.integers(0, 180)
            warm[top : top + 4, left : left + 20] = 1
        windows = find_windows(warm, WHOLE, CELL_PX, STEP_PX)
        seen = np.zeros((3000, 2000), np.uint8)
        for window in windows:
            seen[window.rows, window.columns] += 1
        assert seen.max() == 1
        assert (seen[5::10, 5::10][warm > 0] == 1).all()


def test_a_close_look_at_a_box_has_its_surroundings() -> None:
    window = about(QUAD, WHOLE, STEP_PX)
    assert window.left <= 400 and window.right >= 700 and window.top <= 600 and window.bottom >= 830
    edge = about(QUAD - np.array([500, 700], np.float32), WHOLE, STEP_PX)
    assert (edge.left, edge.top) == (0, 0)


@pytest.mark.parametrize(
    ("window", "count"),
    [
        (Window(0, 0, 100, 100), 1),
        (Window(300, 400, 1300, 1400), 1),
        (Window(300, 400, 1301, 1400), 2),
        (Window(0, 0, 2000, 3000), 3 * 4),
        (Window(0, 0, 1000, 2800), 3),
    ],
    ids=["small", "just one", "one pixel wider", "the sheet", "a strip"],
)
def test_tiles_cover_a_window_and_share_their_seams(window: Window, count: int) -> None:
    found = tiles(window, side_px=1000, overlap_px=100)
    assert len(found) == count
    seen = np.zeros((3000, 2000), np.uint8)
    for tile in found:
        assert tile.right - tile.left <= 1000 and tile.bottom - tile.top <= 1000
        seen[tile.rows, tile.columns] = 1
    assert seen.sum() == window.area_px == seen[window.rows, window.columns].sum()
    for one in found:
        for other in found:
            if one.top == other.top and one.left < other.left < one.right:
                assert one.right - other.left >= 100


QUAD = np.array([[500, 700], [600, 700], [600, 730], [500, 730]], np.float32)


@pytest.mark.parametrize(
    ("window", "wider"),
    [
        (Window(400, 600, 700, 800), None),
        (Window(400, 600, 605, 800), (450, 650, 800, 780)),
        (Window(495, 600, 700, 800), (300, 650, 650, 780)),
        (Window(400, 695, 700, 800), (450, 500, 650, 780)),
        (Window(400, 600, 700, 735), (450, 650, 650, 930)),
        (Window(495, 600, 605, 800), (300, 650, 800, 780)),
    ],
    ids=["inside", "cut right", "cut left", "cut above", "cut below", "cut on two sides"],
)
def test_text_cut_by_a_window_gets_one_that_goes_on(window: Window, wider: tuple[int, ...] | None) -> None:
    found = look_beyond(QUAD, window, WHOLE, STEP_PX)
    if wider is None:
        assert found is None
        return
    assert found is not None
    left, top, right, bottom = wider
    assert found.left <= left and found.top <= top and found.right >= right and found.bottom >= bottom
    assert found.area_px <= (right - left + STEP_PX) * (bottom - top + STEP_PX)


def test_text_at_the_edge_of_the_sheet_is_not_cut() -> None:
    sheet = Window(0, 0, 600, 3000)
    assert look_beyond(QUAD, Window(400, 600, 600, 800), sheet, STEP_PX) is None
