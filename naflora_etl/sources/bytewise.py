"""Texts judged and folded letter by letter, a whole column at once: a pattern for each costs ten times more.

Letters are compared, many in one step of the processor, where a look into a table would take one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Which: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Says of each letter (uint8) whether it is one of a kind."""
HYPHEN, DOT = ord("-"), ord(".")
FOLDED = bytearray([HYPHEN]) * 256
for _letter in b"abcdefghijklmnopqrstuvwxyz0123456789":
    FOLDED[_letter] = FOLDED[ord(chr(_letter).upper())] = _letter
DATE_LENGTH = 10
DATE_DIGITS = [0, 1, 2, 3, 5, 6, 8, 9]
WINDOW_BYTES = 1 << 16
WORD = 8
"""Letters that make one number."""
SMALL = np.uint8(0x20)
"""What makes a letter from A to Z small, and no other one of a to z."""
FEW = 16
"""Where one letter in so many is of a kind, or fewer are, they are counted one by one."""


def _within(data: np.ndarray, first: int, last: int) -> np.ndarray:
    return np.asarray(data - np.uint8(first) <= np.uint8(last - first))  # what is less than the first wraps around


def digit(data: np.ndarray) -> np.ndarray:
    """Say which letters are digits."""
    return _within(data, ord("0"), ord("9"))


def no_digit(data: np.ndarray) -> np.ndarray:
    """Say which letters are no digits."""
    return ~digit(data)


def no_number(data: np.ndarray) -> np.ndarray:
    """Say what asks for Python in a number; a plus does, as DuckDB reads +-4 as -4."""
    return np.asarray(no_digit(data) & (data != HYPHEN) & (data != DOT))


def odd_letter(data: np.ndarray) -> np.ndarray:
    """Say what is no printable letter of ASCII."""
    return ~_within(data, ord(" "), ord("~"))


def beside_path(data: np.ndarray) -> np.ndarray:
    """Say what is none of the letters that most paths are made of: A-Z a-z 0-9 and '()*+,-./:;_% and blanks."""
    is_common = _within(data | SMALL, ord("a"), ord("z"))
    is_common |= _within(data, ord("'"), ord(";"))
    for letter in b"_% ":
        is_common |= data == letter
    return ~is_common


def _blank(data: np.ndarray) -> np.ndarray:
    """Say what may be blank at the edge of a text."""
    return ~_within(data, ord("!"), ord("~"))


def count_letters(column: pa.StringArray, which: Which) -> np.ndarray:
    """Return how many letters of each text, 0 of a null, are of a kind."""
    data, offsets = _parts(column)
    hits = np.empty(len(data), bool)
    for begin in range(0, len(data), WINDOW_BYTES):  # so much stays near the processor
        window = slice(begin, begin + WINDOW_BYTES)
        hits[window] = which(data[window])
    number = np.count_nonzero(hits)
    if not number:
        return np.zeros(len(column), np.int32)
    if number * FEW <= len(data):
        return np.diff(np.searchsorted(np.flatnonzero(hits), offsets))
    counted = np.zeros(len(data) + 1, np.int32)
    np.cumsum(hits, out=counted[1:])
    return np.asarray(counted[offsets[1:]] - counted[offsets[:-1]])


def fold_ascii(column: pa.StringArray) -> pa.StringArray:
    """Return what darwincore.fold_text makes of texts of printable ASCII."""
    data, offsets = _parts(column)
    folded = np.frombuffer(data.tobytes().translate(FOLDED), np.uint8)
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
    if not is_told.all():
        begins, ends = begins[is_told], ends[is_told]
    return not (_blank(data[begins]).any() or _blank(data[ends - 1]).any())


def last_letters(column: pa.StringArray) -> np.ndarray:
    """Return the last letter of each text, 0 where there is none."""
    data, offsets = _parts(column)
    last = np.zeros(len(column), np.uint8)
    is_told = offsets[1:] > offsets[:-1]
    last[is_told] = data[offsets[1:][is_told] - 1]
    return last


def words_from(column: pa.StringArray, start: int) -> np.ndarray:
    """Return eight bytes of each text from `start` on as one number (uint64), the first weighing most.

    Behind the end of a text are zeros.
    """
    data, offsets = _parts(column)
    padded = np.append(data, np.zeros(start + WORD, np.uint8))
    words = np.ndarray((len(padded) - WORD + 1,), ">u8", padded, strides=(1,))
    begins = offsets[:-1] + start
    told = np.clip(offsets[1:] - begins, 0, WORD).astype(np.uint64)
    beyond = np.where(told > 0, np.uint64(8) * (np.uint64(WORD) - told), np.uint64(0))
    taken = words[begins].astype(np.uint64) >> beyond << beyond
    return np.where(told > 0, taken, np.uint64(0))


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
