"""Which windows of a sheet are looked at closely."""

from __future__ import annotations

import numpy as np
import pytest

from naflora_etl.imaging.windows import MARGIN_CELLS, WARM, Window, find_windows, look_beyond

WHOLE = Window(0, 0, 2000, 3000)
CELL_PX = 10.0
STEP_PX = 50.0


def windows_of(*warm: tuple[int, int, int, int], value: float = 0.5) -> list[Window]:
    """Windows for a map of 300 x 200 cells, cold but for rectangles of (left, top, width, height)."""
    heat = np.zeros((300, 200), np.float32)
    for left, top, width, height in warm:
        heat[top : top + height, left : left + width] = value
    return find_windows(heat, WHOLE, CELL_PX, STEP_PX)


def test_a_cold_sheet_has_none() -> None:
    assert windows_of() == []
    assert windows_of((50, 50, 10, 10), value=WARM - 0.01) == []


def test_a_warm_place_is_covered_with_its_margin_in_whole_steps() -> None:
    (window,) = windows_of((100, 200, 20, 5))
    margin = MARGIN_CELLS * CELL_PX
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
        heat = np.zeros((300, 200), np.float32)
        for _ in range(8):
            top, left = draw.integers(0, 290), draw.integers(0, 180)
            heat[top : top + 4, left : left + 20] = 0.4
        windows = find_windows(heat, WHOLE, CELL_PX, STEP_PX)
        seen = np.zeros((3000, 2000), np.uint8)
        for window in windows:
            seen[window.rows, window.columns] += 1
        assert seen.max() == 1
        assert (seen[5::10, 5::10][heat > WARM] == 1).all()


def test_a_sheet_that_is_mostly_warm_is_looked_at_as_a_whole() -> None:
    assert windows_of((10, 10, 180, 280)) == [WHOLE]


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
