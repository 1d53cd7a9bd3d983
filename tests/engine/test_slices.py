"""Slices: whole groups, every row once, the same on every machine."""

from __future__ import annotations

import pyarrow as pa
import pytest

from naflora_etl.engine.slices import cut_rows


@pytest.mark.parametrize(
    ("groups", "size", "expected"),
    [
        ("", 2, []),
        ("aabbcc", 2, ["aa", "bb", "cc"]),
        ("aabbcc", 4, ["aabb", "cc"]),
        ("aabbcc", 100, ["aabbcc"]),
        ("abcabc", 2, ["aa", "bb", "cc"]),
        ("abcabc", 3, ["aa", "bb", "cc"]),
        ("aaaaab", 2, ["aaaaa", "b"]),
        ("baaaaa", 2, ["b", "aaaaa"]),
        ("abcd", 3, ["abc", "d"]),
    ],
)
def test_groups_stay_whole_in_order_of_appearance(groups: str, size: int, expected: list[str]) -> None:
    table = pa.table({"group": pa.array(list(groups), pa.string())})
    slices = cut_rows(table, "group", size)
    assert ["".join(groups[row] for row in rows) for rows in slices] == expected
    assert sorted(row for rows in slices for row in rows) == list(range(len(groups)))
