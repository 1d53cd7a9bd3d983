"""Heat maps made by hand, and the boxes that must come of them."""

from __future__ import annotations

import numpy as np
import pytest

from naflora_etl.imaging.craft_boxes import Thresholds, boxes_from_heat

SHAPE = (60, 100)
USUAL = Thresholds()


def heat(*warm: tuple[int, int, int, int, float], shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """A map that is cold but for rectangles of (left, top, width, height, heat)."""
    made = np.zeros(shape, np.float32)
    for left, top, width, height, value in warm:
        made[top : top + height, left : left + width] = value
    return made


def bounds(quad: np.ndarray) -> list[float]:
    return [*quad.min(axis=0).round(1).tolist(), *quad.max(axis=0).round(1).tolist()]


def test_a_word_is_boxed_and_grown_by_the_reference_rule() -> None:
    # 200 pixels in 20 x 10: sqrt(200 * 10 / 200) * 2 = 6, a 7 x 7 kernel, so 3 pixels on each side.
    ((quad, score),) = boxes_from_heat(heat((30, 20, 20, 10, 0.9)), heat(), USUAL)
    assert quad.dtype == np.float32
    assert quad.round(3).tolist() == [[27, 17], [52, 17], [52, 32], [27, 32]]
    assert score == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("region", "affinity", "count"),
    [
        (heat(), heat(), 0),
        (heat((10, 10, 20, 8, 0.69)), heat(), 0),
        (heat((10, 10, 20, 8, 0.5), (15, 12, 2, 2, 0.71)), heat(), 1),
        (heat((10, 10, 3, 3, 0.9)), heat(), 0),
        (heat((10, 10, 20, 8, 0.9), (40, 10, 20, 8, 0.9)), heat(), 2),
        (heat((10, 10, 20, 8, 0.9), (40, 10, 20, 8, 0.9)), heat((29, 12, 12, 4, 0.5)), 1),
        (heat((10, 10, 20, 8, 0.9), (40, 10, 20, 8, 0.9)), heat((29, 12, 12, 4, 0.39)), 2),
        (heat(), heat((10, 10, 20, 8, 0.9)), 0),
        (heat((0, 0, 100, 60, 0.9)), heat(), 1),
    ],
    ids=[
        "cold",
        "lukewarm",
        "lukewarm with a hot core",
        "a speck of nine pixels",
        "two words apart",
        "two words linked",
        "two words, the link too weak",
        "a link without letters",
        "all of it warm",
    ],
)
def test_how_many_boxes_a_map_has(region: np.ndarray, affinity: np.ndarray, count: int) -> None:
    assert len(boxes_from_heat(region, affinity, USUAL)) == count


def test_a_link_joins_letters_but_does_not_make_the_box_taller() -> None:
    region = heat((10, 20, 20, 8, 0.9), (40, 20, 20, 8, 0.9))
    ((flat, _),) = boxes_from_heat(region, heat((30, 22, 10, 4, 0.9)), USUAL)
    ((tall, _),) = boxes_from_heat(region, heat((30, 5, 10, 40, 0.9)), USUAL)
    assert bounds(flat)[3] - bounds(flat)[1] < 20
    # the link's own 40 rows are not in the box; what it grows by comes of the component's size alone
    assert bounds(tall)[3] - bounds(tall)[1] < 30


def test_a_box_at_the_edge_stays_within_the_map() -> None:
    ((quad, _),) = boxes_from_heat(heat((0, 0, 30, 10, 0.9)), heat(), USUAL)
    assert bounds(quad) == [0, 0, 32, 12]


def test_slanted_text_gets_a_slanted_box() -> None:
    region = heat(shape=(100, 100))
    for step in range(60):
        region[20 + step // 2 : 30 + step // 2, 20 + step] = 0.9
    ((quad, _),) = boxes_from_heat(region, heat(shape=(100, 100)), USUAL)
    along = quad[1] - quad[0]
    assert np.degrees(np.arctan2(along[1], along[0])) == pytest.approx(26.6, abs=2)


def test_a_round_blob_gets_an_upright_square() -> None:
    rows, columns = np.mgrid[:60, :100]
    region = ((rows - 30) ** 2 + (columns - 50) ** 2 < 100).astype(np.float32)
    ((quad, _),) = boxes_from_heat(region, heat(), USUAL)
    (left, top), _, (right, bottom), _ = quad.tolist()
    assert quad.tolist() == [[left, top], [right, top], [right, bottom], [left, bottom]]


def test_neighbours_in_each_others_window_do_not_mix() -> None:
    # An L of text and a word in its crook: their bounding boxes overlap, their boxes' scores must not.
    region = heat((5, 5, 8, 40, 0.75), (5, 37, 60, 8, 0.75), (30, 15, 20, 8, 0.95))
    found = {round(score, 2): quad for quad, score in boxes_from_heat(region, heat(), USUAL)}
    assert sorted(found) == [0.75, 0.95]
    assert bounds(found[0.95])[0] >= 26
