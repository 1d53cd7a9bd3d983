"""Rows in the order of their hashes."""

from __future__ import annotations

import numpy as np
import pytest

from naflora_etl.sources.ranking import Ranked

HASHES = {
    "none": [],
    "one": [7],
    "nothing told": [0, 0, 0],
    "the largest": [2**64 - 1, 0, 2**64 - 1],
    "some alike": [5, 9, 5, 5, 2, 9, 1],
}


@pytest.mark.parametrize("hashes", HASHES.values(), ids=HASHES)
def test_equal_hashes_lie_together_the_first_row_in_front(hashes: list[int]) -> None:
    rows = Ranked(np.array(hashes, np.uint64))
    assert sorted(rows.order.tolist()) == list(range(len(hashes)))
    ends = [*rows.starts.tolist()[1:], len(hashes)]
    groups = [rows.order[start:end].tolist() for start, end in zip(rows.starts, ends, strict=False)]
    assert sorted(groups) == sorted([at for at, h in enumerate(hashes) if h == told] for told in set(hashes))
    assert rows.lengths.tolist() == [len(group) for group in groups]


def test_what_is_told_of_a_group_comes_back_to_its_rows() -> None:
    random = np.random.default_rng(3)
    hashes = random.integers(0, 2**63, 5_000).astype(np.uint64)[random.integers(0, 5_000, 20_000)]
    rows = Ranked(hashes)
    assert (rows.spread(rows.sort(hashes)[rows.starts]) == hashes).all()
    _, group, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    assert (rows.spread(rows.lengths) == counts[group]).all()
