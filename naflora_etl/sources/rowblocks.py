"""A delimited file in blocks of whole rows: the plain ones for Arrow to read at once, the odd ones for Python.

Odd is a row in another encoding than UTF-8, one with NUL bytes, a carriage return in the wrong place, quotation marks
where none belong. What Python makes of these is what counts; a plain row is one of which Arrow makes the same.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa

from naflora_etl.sources.pythonrows import allow_large_fields

BLOCK_BYTES = 24 << 20
LARGEST_ROW = 1 << 26
WINDOW_BYTES = 1 << 19
MOST_ODD_QUOTES = 40
"""Misplaced quotation marks after which a block is read by Python to its end."""
LF, CR, NUL = b"\n", b"\r", b"\0"
UTF8_MARK = b"\xef\xbb\xbf"


@dataclass
class RowBlock:
    """Some rows of a file: `rows` are those that hold anything, by where they begin and end in `data`."""

    data: bytearray
    starts: np.ndarray
    ends: np.ndarray
    odd: np.ndarray
    first_number: int
    """Number of the first row in the file, from 1; what is blank is not counted."""

    def __len__(self) -> int:
        return len(self.starts)

    def row(self, at: int) -> bytes:
        """Return the bytes of a row, line end and all."""
        return bytes(self.data[self.starts[at] : self.ends[at]])

    def plain(self) -> bytes | bytearray:
        """Return the rows that are not odd, one after the other."""
        is_gapless = bool((self.starts[1:] == self.ends[:-1]).all())
        if is_gapless and not self.odd.any() and self.starts[0] == 0 and self.ends[-1] == len(self.data):
            return self.data
        keep = np.flatnonzero(~self.odd)
        if not len(keep):
            return b""
        # neighbours in one piece
        begins = np.concatenate(([True], self.starts[keep[1:]] != self.ends[keep[:-1]]))
        first = np.flatnonzero(begins)
        last = np.concatenate((first[1:] - 1, [len(keep) - 1]))
        view = memoryview(self.data)
        pieces = [view[self.starts[keep[a]] : self.ends[keep[b]]] for a, b in zip(first, last, strict=True)]
        return b"".join(pieces)


def read_blocks(
    stream: IO[bytes], delimiter: str, quote: str, *, begun: bool = False, block_bytes: int = BLOCK_BYTES
) -> Iterator[RowBlock]:
    """Yield the rows of a file in an encoding like ASCII in blocks of `block_bytes` or so.

    `begun`: its first lines were read already, so that no mark of UTF-8 can come any more.
    """
    number, at_end = 1, False
    rest = bytearray() if begun else bytearray(stream.read(len(UTF8_MARK)).removeprefix(UTF8_MARK))
    while not at_end:
        data = _read_on(stream, rest, block_bytes)
        at_end = len(data) == len(rest)
        if not data:
            return
        if at_end and not data.endswith(LF):
            data += LF
        block, used = _cut(data, delimiter.encode(), quote.encode(), number, at_end)
        rest = data[used:]
        number += len(block)
        if len(block):
            yield block


def _read_on(stream: IO[bytes], rest: bytearray, count: int) -> bytearray:
    """Return `rest` and the next `count` bytes or fewer; each is copied but once, since blocks are large."""
    data = bytearray(len(rest) + count)
    data[: len(rest)] = rest
    with memoryview(data) as view, view[len(rest) :] as place:
        read = stream.readinto(place)  # type: ignore[attr-defined]
    del data[len(rest) + read :]
    return data


def _cut(data: bytearray, delimiter: bytes, quote: bytes, number: int, at_end: bool) -> tuple[RowBlock, int]:
    """Return the whole rows in `data`, and how many of its bytes they take."""
    letters = np.frombuffer(data, np.uint8)
    line_ends = _find_all(letters, LF) + 1
    if not quote:
        ends, odd_quotes = line_ends, np.zeros(0, np.int64)
    else:
        ends, odd_quotes = _quoted_ends(letters, line_ends, delimiter, quote, at_end, data)
    if not len(ends):
        if len(data) <= LARGEST_ROW and not at_end:
            return RowBlock(bytearray(), ends, ends, ends.astype(bool), number), 0
        ends = np.array([len(data)])  # one row without end; Python will say what is wrong with it
        odd_quotes = np.array([0])
    starts = np.concatenate(([0], ends[:-1]))
    used = int(ends[-1])
    blank = _is_blank(letters, starts, ends)
    odd = np.zeros(len(ends), bool)
    for position in (*odd_quotes, *_odd_bytes(data, used)):
        odd[np.searchsorted(ends, position, side="right")] = True
    keep = ~blank
    return RowBlock(data, starts[keep], ends[keep], odd[keep], number), used


def _find_all(letters: np.ndarray, letter: bytes) -> np.ndarray:
    """Return where a letter stands; looked for in windows that stay near the processor."""
    windows = range(0, len(letters), WINDOW_BYTES)
    found = [np.flatnonzero(letters[begin : begin + WINDOW_BYTES] == ord(letter)) + begin for begin in windows]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _is_blank(letters: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return which rows hold nothing but their line's end."""
    blank: np.ndarray = ends - starts <= 1
    for at in np.flatnonzero((letters[starts] == ord(CR)) & ~blank):
        blank[at] = not bytes(letters[starts[at] : ends[at]]).strip(CR + LF)
    return blank


def _odd_bytes(data: bytearray, size: int) -> Iterator[int]:
    """Yield a position in each row, at least, of the first `size` bytes that holds NUL, a lone return or no UTF-8."""
    at = data.find(NUL, 0, size)
    while at >= 0:
        yield at
        at = data.find(NUL, at + 1, size)
    if data.find(CR, 0, size) >= 0:
        letters = np.frombuffer(data, np.uint8)[:size]
        returns = np.flatnonzero(letters == ord(CR))
        yield from returns[letters[np.minimum(returns + 1, size - 1)] != ord(LF)].tolist()
    begin, view = 0, memoryview(data)
    while begin < size:  # a window at a time, since what is wrong is far between
        end = data.find(LF, min(begin + WINDOW_BYTES, size - 1), size) + 1 or size
        if not _is_utf8(view[begin:end]):
            yield from (begin + at for at in _not_utf8(data[begin:end]))
        begin = end


def _not_utf8(data: bytearray) -> Iterator[int]:
    """Yield where the text is no UTF-8, once a line."""
    view, at = memoryview(data), 0
    while at < len(data):
        try:
            str(view[at:], "utf-8")
            return
        except UnicodeDecodeError as error:
            yield at + error.start
            at = data.find(LF, at + error.start) + 1 or len(data)


def _is_utf8(data: memoryview) -> bool:
    offsets = pa.py_buffer(np.array([0, len(data)], np.int64).tobytes())
    text = pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


# quotation marks


def _quoted_ends(
    letters: np.ndarray, line_ends: np.ndarray, delimiter: bytes, quote: bytes, at_end: bool, data: bytearray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where rows end, and a position in each row with a misplaced mark.

    A line's end ends a row where the marks before it are even. A mark opens a field only where one begins, and closes
    it only where one ends; where that is not so, the row is found by Python's own rules, and counting begins anew.
    """
    marks = _find_all(letters, quote)
    begin, found, odd = 0, [], []
    while True:
        here = marks[np.searchsorted(marks, begin) :]
        bad = _first_misplaced(letters, here, begin, delimiter, quote)
        ends = line_ends[np.searchsorted(line_ends, begin, side="right") :]
        even = ends[np.searchsorted(here, ends) % 2 == 0]
        if bad is None:
            if at_end and (not len(even) or even[-1] < len(data)) and len(ends):
                odd.append(int(even[-1]) if len(even) else begin)  # the last field is never closed
                even = np.append(even, len(data))
            found.append(even)
            break
        even = even[even <= bad]
        found.append(even)
        begin = int(even[-1]) if len(even) else begin
        end = _end_by_python(data, begin, delimiter, quote, at_end) if len(odd) < MOST_ODD_QUOTES else None
        if end is None:
            break
        odd.append(begin)
        found.append(np.array([end]))
        begin = end
    if len(odd) >= MOST_ODD_QUOTES:
        begin = int(np.concatenate(found)[-1])
        while (end := _end_by_python(data, begin, delimiter, quote, at_end)) is not None:
            odd.append(begin)
            found.append(np.array([end]))
            begin = end
    return np.concatenate(found), np.array(odd, np.int64)


def _first_misplaced(
    letters: np.ndarray, marks: np.ndarray, begin: int, delimiter: bytes, quote: bytes
) -> int | None:
    """Return the position of the first mark that neither opens nor closes a field, nor stands for itself."""
    if not len(marks):
        return None
    opening, closing = marks[0::2], marks[1::2]
    before = letters[np.maximum(opening - 1, 0)]
    opens = (opening == begin) | np.isin(before, (ord(delimiter), ord(LF)))
    opens[1:] |= opening[1:] - 1 == marks[1::2][: len(opening) - 1]  # the second of two that stand for one
    after = letters[np.minimum(closing + 1, len(letters) - 1)]
    closes = (closing + 1 >= len(letters)) | np.isin(after, (ord(delimiter), ord(LF), ord(CR), ord(quote)))
    # where the data end behind a mark, the next block tells
    wrong = np.concatenate((opening[~opens], closing[~closes]))
    return int(wrong.min()) if len(wrong) else None


def _end_by_python(data: bytearray, begin: int, delimiter: bytes, quote: bytes, at_end: bool) -> int | None:
    """Return where the row that begins at `begin` ends as Python's csv reads it; None: not within `data`."""
    place, is_exhausted = begin, False

    def lines() -> Iterator[str]:
        nonlocal place, is_exhausted
        while end := data.find(LF, place) + 1:
            line, place = data[place:end], end
            yield line.decode("latin-1")
        is_exhausted = True

    allow_large_fields()
    try:
        next(csv.reader(lines(), delimiter=delimiter.decode(), quotechar=quote.decode()))
    except StopIteration:
        return None
    except csv.Error:
        return place  # whoever reads the row will be told the same
    return None if is_exhausted and not at_end else place
