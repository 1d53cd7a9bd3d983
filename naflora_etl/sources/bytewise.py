"""Texts judged and folded letter by letter, a whole column at once: a pattern for each costs ten times more."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def letters(*parts: str) -> np.ndarray:
    """Return which of the 256 bytes stand in one of the texts."""
    table = np.zeros(256, bool)
    table[list("".join(parts).encode())] = True
    return table


DIGITS = letters("0123456789")
NO_DIGITS = ~DIGITS
NO_NUMBER = ~letters("0123456789-.")
"""What asks for Python in a number; a plus does, as DuckDB reads +-4 as -4."""
ODD = np.ones(256, bool)
ODD[0x20:0x7F] = False
"""What is no printable letter of ASCII."""
EDGE = ODD.copy()
EDGE[ord(" ")] = True
"""What may be blank at the edge of a text."""
HYPHEN = ord("-")
FOLDED = np.full(256, HYPHEN, np.uint8)
for _letter in b"abcdefghijklmnopqrstuvwxyz0123456789":
    FOLDED[_letter] = FOLDED[ord(chr(_letter).upper())] = _letter
DATE_LENGTH = 10
DATE_DIGITS = [0, 1, 2, 3, 5, 6, 8, 9]


def count_letters(column: pa.StringArray, table: np.ndarray) -> np.ndarray:
    """Return how many letters of each text, 0 of a null, stand in the table."""
    data, offsets = _parts(column)
    hits = table[data]
    if not hits.any():
        return np.zeros(len(column), np.int32)
    counted = np.zeros(len(data) + 1, np.int32)
    np.cumsum(hits, out=counted[1:])
    return np.asarray(counted[offsets[1:]] - counted[offsets[:-1]])


def fold_ascii(column: pa.StringArray) -> pa.StringArray:
    """Return what darwincore.fold_text makes of texts of printable ASCII."""
    data, offsets = _parts(column)
    folded = FOLDED[data]
    is_hyphen = folded == HYPHEN
    starts_run = np.ones(len(folded), bool)
    starts_run[1:] = ~is_hyphen[:-1]
    starts_run[offsets[:-1][offsets[:-1] < len(folded)]] = False  # none at the beginning of a text
    # behind one that was left out at the beginning, the next is no beginning of a run either: its neighbour is one
    keep = ~is_hyphen | starts_run
    counted = np.zeros(len(folded) + 1, np.int32)
    np.cumsum(keep, out=counted[1:])
    ends, kept = counted[offsets], folded[keep]
    last = ends[1:] - 1
    is_dangling = (ends[1:] > ends[:-1]) & (kept[np.maximum(last, 0)] == HYPHEN if len(kept) else False)
    if is_dangling.any():
        kept = np.delete(kept, last[is_dangling])
        ends = ends - np.concatenate(([0], np.cumsum(is_dangling)))
    made = pa.StringArray.from_buffers(
        len(column), pa.py_buffer(ends.astype(np.int32).tobytes()), pa.py_buffer(kept.tobytes())
    )
    return pc.if_else(pc.is_valid(column), made, pa.scalar(None, pa.string())) if column.null_count else made


def is_tight(column: pa.StringArray) -> bool:
    """Return whether all texts begin and end with a printable letter of ASCII, so that there is nothing to trim."""
    data, offsets = _parts(column)
    begins, ends = offsets[:-1], offsets[1:]
    is_told = ends > begins
    return not (EDGE[data[begins[is_told]]].any() or EDGE[data[ends[is_told] - 1]].any())


def years_of_dates(column: pa.StringArray) -> np.ndarray:
    """Return the year of each text that is a date of 10 letters, from 1500 to 2099, such as 1986-01-04; else 0."""
    data, offsets = _parts(column)
    years = np.zeros(len(column), np.int64)
    rows = np.flatnonzero(np.diff(offsets) == DATE_LENGTH)
    dates = data[offsets[rows][:, None] + np.arange(DATE_LENGTH)]
    digits = dates[:, DATE_DIGITS] - ord("0")
    is_date = (digits <= 9).all(axis=1) & (dates[:, [4, 7]] == HYPHEN).all(axis=1)
    told = digits[:, :4].astype(np.int64) @ np.array([1000, 100, 10, 1])
    is_date &= (told >= 1500) & (told < 2100)
    years[rows[is_date]] = told[is_date]
    return years


def _parts(column: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the letters of all texts, one text after the other, and where each begins and the last ends."""
    _, offsets, data = column.buffers()
    if not len(column):
        return np.zeros(0, np.uint8), np.zeros(1, np.int32)
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    every = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return every[places[0] : places[-1]], places - places[0]
