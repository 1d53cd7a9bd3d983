"""A function of texts, asked once for every distinct value of a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.sources.encoded import Column, as_list, find_distinct, recode

MOST_KNOWN = 200_000
"""Answers that are remembered."""
TOLD, BETWEEN = "\x01", "\0"
"""In questions of several texts: before each that is told, and between them. No text holds a NUL."""


class Known(NamedTuple):
    """Questions and a column of answers for each type, in one order."""

    questions: pa.Array
    answers: tuple[pa.Array, ...]


class Distinct:
    """`function(*texts)` returns a value for each of `types`; texts are None where the column is null.

    What was asked before is looked up by Arrow, many questions at a time, since Python takes a microsecond for each.
    """

    def __init__(self, function: Callable[..., tuple[Any, ...]], *types: pa.DataType) -> None:
        self._function = function
        self._types = types
        self._nothing = Known(pa.array([], pa.string()), tuple(pa.array([], kind) for kind in types))
        self._known = self._nothing
        self._lock = Lock()

    def __call__(self, *columns: Column) -> list[pa.Array]:
        """Return a column for each type; those of texts are encoded."""
        codes, asked = find_distinct(columns)
        questions = asked[0] if len(asked) == 1 else _joined(asked)
        known = self._known
        at = pc.index_in(questions, value_set=known.questions)
        if at.null_count:
            with self._lock:  # one thread asks; what the other wanted to know may well be among it
                known = self._known
                at = pc.index_in(questions, value_set=known.questions)
                if at.null_count:
                    known = self._asked(known, questions, asked, np.flatnonzero(pc.is_null(at).to_numpy(False)))
                    at = pc.index_in(questions, value_set=known.questions)
        answers = (column.take(at) for column in known.answers)
        rows = pa.array(codes)
        return [recode(told, codes) if pa.types.is_string(told.type) else told.take(rows) for told in answers]

    def _asked(self, known: Known, questions: pa.Array, asked: Sequence[pa.Array], places: np.ndarray) -> Known:
        """Return what is known after some of the questions were asked."""
        rows = pa.array(places)
        told = [self._function(*texts) for texts in zip(*(as_list(texts.take(rows)) for texts in asked), strict=True)]
        fresh = (pa.array([answer[at] for answer in told], kind) for at, kind in enumerate(self._types))
        known = Known(
            pa.concat_arrays([known.questions, questions.take(rows)]),
            tuple(pa.concat_arrays(pair) for pair in zip(known.answers, fresh, strict=True)),
        )
        self._known = known if len(known.questions) <= MOST_KNOWN else self._nothing
        return known


def _joined(asked: Sequence[pa.Array]) -> pa.Array:
    """Return questions of several texts as one text each."""
    parts = [pc.fill_null(pc.binary_join_element_wise(TOLD, texts, ""), "") for texts in asked]
    return pc.binary_join_element_wise(*parts, BETWEEN)
