"""A function of texts, asked once for every distinct value of a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from naflora_etl.sources.encoded import Column, ask_distinct, recode

MOST_KNOWN = 200_000
"""Answers that are remembered."""


class Distinct:
    """`function(*texts)` returns a value for each of `types`; texts are None where the column is null."""

    def __init__(self, function: Callable[..., tuple[Any, ...]], *types: pa.DataType) -> None:
        self._function = function
        self._types = types
        self._known: dict[Any, tuple[Any, ...]] = {}

    def __call__(self, *columns: Column) -> list[pa.Array]:
        """Return a column for each type; those of texts are encoded."""
        codes, asked = ask_distinct(columns)
        answers = self._answers(asked, len(columns) > 1)
        made = []
        for at, kind in enumerate(self._types):
            values = pa.array([answer[at] for answer in answers], kind)
            made.append(recode(values, codes) if pa.types.is_string(kind) else values.take(pa.array(codes)))
        return made

    def _answers(self, asked: list[Any], are_tuples: bool) -> list[tuple[Any, ...]]:
        known = self._known
        for question in asked:
            if question not in known:
                known[question] = self._function(*(question if are_tuples else (question,)))
        answers = [known[question] for question in asked]
        if len(known) > MOST_KNOWN:
            self._known = {}
        return answers
