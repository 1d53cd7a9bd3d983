"""Texts sorted by eight letters first are sorted as Python sorts their bytes."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naflora_etl.sources.textorder import sort_texts

SORTED = {
    "nothing": [],
    "one": ["a"],
    "told by the first letters": ["b", "a", "c"],
    "told behind what all begin with": [f"archive:big/10012896{n}/0" for n in (31, 4, 27, 300, 3)],
    "told behind eight letters": ["gbif:123456789/1", "gbif:123456789/0", "gbif:12345678/9", "gbif:12345678/10"],
    "one is how others begin": ["abc", "ab", "a", "", "abcdefghi", "abcdefgh", "abcdefghj"],
    "equal": ["b", "a", "b", "a", "a"],
    "all equal": ["same text"] * 4,
    "several bytes a letter": ["é", "e", "z", "日本", "日", "É"],
    "with zeros": ["a\0", "a", "a\0\0", "", "\0"],
}


@pytest.mark.parametrize("texts", SORTED.values(), ids=SORTED)
def test_order_of_texts(texts: list[str]) -> None:
    check_order(texts, list(range(len(texts), 0, -1)))


@given(st.lists(st.tuples(st.text("ab\0é/1", max_size=20), st.integers(0, 5))), st.text("ab/", max_size=12))
def test_order_of_any_texts(rows: list[tuple[str, int]], begin: str) -> None:
    check_order([begin + text for text, _ in rows], [number for _, number in rows])


def check_order(texts: list[str], numbers: list[int]) -> None:
    order = sort_texts(pa.array(texts, pa.string()), pa.array(numbers, pa.int64())).tolist()
    assert sorted(order) == list(range(len(texts)))
    keys = [(texts[at].encode(), numbers[at]) for at in order]
    assert keys == sorted(keys)


def test_a_slice_of_texts() -> None:
    texts = pa.array(["z", "b", "a", "c", "z"]).slice(1, 3)
    assert sort_texts(texts, pa.array([1, 2, 3])).tolist() == [1, 0, 2]
