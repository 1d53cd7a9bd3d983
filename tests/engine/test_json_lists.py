"""Lists of a JSON file come item by item, wherever its blocks end; what is no such file is told with its place."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naflora_etl.engine import json_lists
from naflora_etl.engine.json_lists import read_lists

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def read(body: bytes) -> dict[str, list[Any]]:
    return {key: list(items) for key, items in read_lists(io.BytesIO(body))}


@pytest.mark.parametrize("block", [1, 2, 7, 1 << 20])
@given(lists=st.dictionaries(st.text(), st.lists(VALUES, max_size=4), max_size=3), indent=st.sampled_from([None, 1]))
def test_what_is_read_is_what_json_reads(
    block: int, lists: dict[str, list[Any]], indent: int | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lists, "BLOCK_BYTES", block)
        assert read(json.dumps(lists, ensure_ascii=False, indent=indent).encode()) == lists
        for items in lists.values():
            assert read(json.dumps(items, indent=indent).encode()) == {"": items}


def test_items_that_nobody_takes_are_passed_over() -> None:
    assert [key for key, _ in read_lists(io.BytesIO(b'{"a": [1, 2], "b": []}'))] == ["a", "b"]


BROKEN = {
    b"": "the end stands where { is due at letter 0",
    b"7": "7 stands where { is due at letter 0",
    b'{"a": 7}': r"7 stands where \[ is due at letter 6",
    b'{"a": [1 2]}': r"2 stands where \] is due at letter 9",
    b'{"a": [1,]}': "Expecting value at letter 9",
    b'{"a": [1],}': "a key is missing at letter 10",
    b"{7: [1]}": "a key is no text at letter 2",
    b'{"a": [1, 2': r"the end stands where \] is due at letter 11",
    b"[1] [2]": "something follows the end at letter 4",
    b'["\xff"]': "invalid start byte",
}


@pytest.mark.parametrize(("body", "sentence"), BROKEN.items(), ids=[body.decode("latin-1") for body in BROKEN])
def test_what_is_no_file_of_lists_is_told(body: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(body)
