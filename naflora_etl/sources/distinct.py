"""A function of texts, asked once for every distinct value of a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

PARTED, ABSENT = "\x1e", "\x00"
"""Between the texts of one question, and for one that is not there: neither stands in any of them."""
MOST_KNOWN = 200_000
"""Answers that are remembered."""


class Distinct:
    """`function(*texts)` returns a value for each of `types`; texts are None where the column is null."""

    def __init__(self, function: Callable[..., tuple[Any, ...]], *types: pa.DataType) -> None:
        self._function = function
        self._types = types
        self._known: dict[str | None, tuple[Any, ...]] = {}

    def __call__(self, *columns: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
        """Return a column for each type."""
        asked = _flat(columns[0]) if len(columns) == 1 else _joined(columns)
        encoded = asked.dictionary_encode(null_encoding="encode")
        answers = [self._answer(text, len(columns)) for text in encoded.dictionary.to_pylist()]
        made = []
        for at, kind in enumerate(self._types):
            values = pa.array([answer[at] for answer in answers], kind)
            made.append(values.take(encoded.indices))
        return made

    def _answer(self, text: str | None, count: int) -> tuple[Any, ...]:
        found = self._known.get(text)
        if found is None:
            parts: Sequence[str | None] = (text,)
            if count > 1:
                parts = [None if part == ABSENT else part for part in (text or "").split(PARTED)]
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            found = self._known[text] = self._function(*parts)
        return found


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _joined(columns: Sequence[pa.Array | pa.ChunkedArray]) -> pa.Array:
    told = [pc.fill_null(_flat(column), ABSENT) for column in columns]
    clean = [pc.replace_substring(column, PARTED, " ") if _holds(column) else column for column in told]
    return pc.binary_join_element_wise(*clean, PARTED)


def _holds(column: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring(column, PARTED)).as_py())
