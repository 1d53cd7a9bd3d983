"""The search of a sheet, with painted networks: ink is text."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from naflora_etl.imaging.detect import Sight, TextBox
from naflora_etl.imaging.search import TILE_PX, SheetSearch


@dataclass(eq=False)
class Painted:
    """A network that sees ink at least as dark as `blind_to`, and keeps count of what it looked at."""

    name: str = "painted"
    darkness: int = 100
    looked_at: list[tuple[int, int, float]] = field(default_factory=list)

    def look(self, rgb: np.ndarray, scale: float) -> Sight:
        self.looked_at.append((*rgb.shape[:2], round(scale, 3)))
        size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
        seen = (255 - cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)[:, :, 0] >= self.darkness).astype(np.uint8)
        boxes = []
        for left, top, width, height, _ in cv2.connectedComponentsWithStats(seen)[2][1:].tolist():
            corners = [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]
            boxes.append(TextBox(np.array(corners, np.float32) / np.float32(scale), 1.0, self.name))
        return Sight(boxes, seen, 1 / scale)


def inked(*places: tuple[int, int, int, int]) -> np.ndarray:
    sheet = np.full((3000, 2000, 3), 255, np.uint8)
    for left, top, width, height in places:
        sheet[top : top + height, left : left + width] = 0
    return sheet


PLACE = (1200, 2400, 400, 80)


@pytest.mark.parametrize("sizes", [(3000, 0), (1500, 0), (9000, 0), (1500, 600), (6000, 1000), (9000, 3000)], ids=str)
def test_boxes_lie_in_the_pixels_of_the_array_whatever_the_scale(sizes: tuple[int, int]) -> None:
    close, scout = Painted(), Painted()
    boxes = SheetSearch([close], scouts=[scout], detect_px=sizes[0], coarse_px=sizes[1]).find(inked(PLACE))
    middle = np.mean([box.points.mean(axis=0) for box in boxes], axis=0)
    assert middle.tolist() == pytest.approx([1400, 2440], abs=6), close.looked_at


def test_a_cold_sheet_is_never_looked_at_closely() -> None:
    close, scout = Painted(), Painted()
    assert SheetSearch([close], scouts=[scout], detect_px=3600, coarse_px=640).find(inked()) == []
    assert (close.looked_at, scout.looked_at) == ([], [(3000, 2000, 0.213)])


@pytest.mark.parametrize(
    ("sizes", "scale"), [((2560, 0), 1.0), ((900, 600), 1.5), ((3600, 2560), 2.0)], ids=["whole", "close", "very close"]
)
def test_only_close_looks_enlarge_and_at_most_twice(sizes: tuple[int, int], scale: float) -> None:
    close, scout = Painted(), Painted()
    sheet = inked((100, 100, 200, 40))[:600, :400]
    SheetSearch([close], scouts=[scout], detect_px=sizes[0], coarse_px=sizes[1]).find(sheet)
    assert {looked[2] for looked in close.looked_at} == {scale}
    assert {looked[2] for looked in scout.looked_at} <= {1.0}


def test_close_looks_take_little_of_the_sheet() -> None:
    close = Painted()
    SheetSearch([close], scouts=[Painted()], detect_px=3000, coarse_px=600).find(inked(PLACE, (100, 100, 300, 60)))
    assert len(close.looked_at) == 2
    assert sum(height * width for height, width, _ in close.looked_at) < 0.05 * 3000 * 2000


def test_a_sheet_full_of_text_is_seen_in_tiles() -> None:
    close = Painted()
    rows = [(50, top, 1900, 60) for top in range(50, 2950, 100)]
    SheetSearch([close], scouts=[Painted()], detect_px=6000, coarse_px=1000).find(inked(*rows))
    assert max(max(height, width) * scale for height, width, scale in close.looked_at) <= TILE_PX


def test_only_trusted_scouts_are_believed() -> None:
    scout, blind = Painted("scout"), Painted("close", darkness=300)
    sizes = {"detect_px": 3000, "coarse_px": 1000}
    assert SheetSearch([blind], scouts=[scout], **sizes).find(inked(PLACE)) == []
    boxes = SheetSearch([blind], scouts=[scout], trusted=[scout], **sizes).find(inked(PLACE))
    assert {box.detector for box in boxes} == {"scout"}


def test_where_a_finder_found_something_a_close_look_is_taken() -> None:
    """Print too pale for the scout stands beside a code that only the finder knows."""
    sheet = inked(PLACE)
    sheet[sheet == 0] = 200
    code = np.array([[1200, 2500], [1600, 2500], [1600, 2600], [1200, 2600]], np.float32)
    close, scout = Painted("close", darkness=50), Painted("scout")
    search = SheetSearch(
        [close], scouts=[scout], finders={"barcode": lambda _: [TextBox(code, 1.0)]}, detect_px=3000, coarse_px=1000
    )
    boxes = search.find(sheet)
    assert {box.detector for box in boxes} == {"barcode", "close"}
    assert max(np.ptp(box.points[:, 1]) for box in boxes if box.detector == "close") == 80, "seen whole"


def test_text_cut_by_the_edge_of_a_window_is_seen_whole() -> None:
    """Pale ink that the scout does not feel goes on where the dark ink ends."""
    sheet = inked((400, 1000, 300, 80))
    sheet[1000:1080, 700:940] = 200
    search = SheetSearch([Painted(darkness=50)], scouts=[Painted()], detect_px=3000, coarse_px=600)
    assert max(box.points[:, 0].max() for box in search.find(sheet)) >= 935
