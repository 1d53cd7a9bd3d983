"""A function of texts, asked once for every distinct value of a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.sources.encoded import Column, as_list, find_distinct, recode

MOST_KNOWN = 200_000
"""Answers that are remembered."""
Kind: TypeAlias = tuple[tuple[int, str | None], ...]
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
        self._known: dict[Kind, Known] = {}
        self._lock = Lock()

    def __call__(self, *columns: Column) -> list[pa.Array]:
        """Return a column for each type; those of texts are encoded."""
        codes, asked = find_distinct(columns)
        kind, questions = _told_apart(asked)
        known = self._known.get(kind, self._nothing)
        at = _look_up(questions, known)
        if (at < 0).any():
            with self._lock:  # one thread asks; what the other wanted to know may well be among it
                if known is not (now := self._known.get(kind, self._nothing)):  # or all was forgotten meanwhile
                    known = now
                    at = _look_up(questions, known)
                missing = np.flatnonzero(at < 0)
                at[missing] = len(known.questions) + np.arange(len(missing))
                known = self._ask(known, questions, asked, missing) if len(missing) else known
                if sum(len(each.questions) for each in self._known.values()) + len(missing) > MOST_KNOWN:
                    self._known = {}
                self._known[kind] = known if len(known.questions) <= MOST_KNOWN else self._nothing
        places, rows = pa.array(at), pa.array(codes)
        answers = (column.take(places) for column in known.answers)
        return [recode(told, codes) if pa.types.is_string(told.type) else told.take(rows) for told in answers]

    def _ask(self, known: Known, questions: pa.Array, asked: Sequence[pa.Array], missing: np.ndarray) -> Known:
        """Return what is known after some of the questions were asked."""
        rows, nowhere = pa.array(missing), pa.array(np.zeros(len(missing), np.int64))
        count = len(questions)
        texts = [as_list(told.take(rows if len(told) == count else nowhere)) for told in asked]
        answers = [self._function(*question) for question in zip(*texts, strict=True)]
        fresh = (pa.array([answer[at] for answer in answers], kind) for at, kind in enumerate(self._types))
        return Known(
            pa.concat_arrays([known.questions, questions.take(rows)]),
            tuple(pa.concat_arrays(pair) for pair in zip(known.answers, fresh, strict=True)),
        )


def _told_apart(asked: Sequence[pa.Array]) -> tuple[Kind, pa.Array]:
    """Return what is the same in all questions, and for each a text that tells it from others in which that is so."""
    first, *others = asked
    kind = tuple((at, texts[0].as_py()) for at, texts in enumerate(others) if len(texts) == 1)
    varying = [first, *(texts for texts in others if len(texts) > 1)]
    if len(varying) == 1:
        return kind, first
    parts = [pc.fill_null(pc.binary_join_element_wise(TOLD, texts, ""), "") for texts in varying]
    return kind, pc.binary_join_element_wise(*parts, BETWEEN)


def _look_up(questions: pa.Array, known: Known) -> np.ndarray:
    """Return where each question stands among those that are known; -1 where it does not."""
    found = pc.index_in(questions, value_set=known.questions)
    return np.array(pc.fill_null(found, -1))
