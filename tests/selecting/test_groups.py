"""Groups that are closed transitively, against a walk along the edges."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from naflora_etl.selecting.groups import join_groups
from naflora_etl.selecting.keys import encode_keys

# a string of letters a column; the rows that share a letter are one; "." is null
CASES = {
    "nothing shared": (["abcd"], [0, 1, 2, 3]),
    "one column": (["abab"], [0, 1, 0, 1]),
    "null joins nothing": (["....", "aa.."], [0, 0, 2, 3]),
    "through a third": (["aabc", "xyyz"], [0, 0, 0, 3]),
    "through the last row": (["abca", ".xyx", "..pp"], [0, 0, 0, 0]),
    "no rows": (["", ""], []),
}


def letters(column: str) -> pa.Array:
    return pa.array([None if letter == "." else letter for letter in column], pa.string())


@pytest.mark.parametrize(("columns", "groups"), CASES.values(), ids=CASES)
def test_named_cases(columns: list[str], groups: list[int]) -> None:
    assert join_groups(*(encode_keys(letters(column)) for column in columns)).tolist() == groups


def test_chunked_keys_are_numbered_as_whole_ones() -> None:
    chunked = pa.chunked_array([["a", None], ["b", "a"]])
    assert encode_keys(chunked).tolist() == [0, -1, 1, 0]


def test_random_rows_against_a_walk() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        columns = [rng.integers(-5, 40, 60) for _ in range(3)]
        found = join_groups(*columns)
        same = np.eye(60, dtype=bool)
        for column in columns:
            same |= (column[:, None] == column[None, :]) & (column[:, None] >= 0)
        for _ in range(6):
            same = (same.astype(int) @ same.astype(int)) > 0
        assert (same == (found[:, None] == found[None, :])).all()


def test_a_long_chain_is_one_group() -> None:
    rows, rng = 20_000, np.random.default_rng(2)
    place = rng.permutation(rows)
    assert not join_groups(place // 2, (place + 1) // 2).any()
