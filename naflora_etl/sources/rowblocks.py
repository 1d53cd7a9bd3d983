"""A delimited file in blocks of whole rows: the plain ones for Arrow to read at once, the odd ones for Python.

Odd is a row in another encoding than UTF-8, one with NUL bytes, a carriage return in the wrong place, quotation marks
where none belong. What Python makes of these is what counts; a plain row is one of which Arrow makes the same.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa

from naflora_etl.sources.pythonrows import allow_large_fields

BLOCK_BYTES = 48 << 20
LARGEST_ROW = 1 << 26
WINDOW_BYTES = 1 << 19
MANY_RETURNS = 1_000
"""Returns that are looked for one by one in a block."""
MOST_ODD_QUOTES = 40
"""Misplaced quotation marks after which a block is read by Python to its end."""
LF, CR, NUL = b"\n", b"\r", b"\0"
UTF8_MARK = b"\xef\xbb\xbf"


@dataclass
class RowBlock:
    """Some rows of a file: those that hold anything, by where they begin and end in `data`."""

    data: bytearray
    size: int
    """Bytes of `data` that are the block's."""
    starts: np.ndarray
    ends: np.ndarray
    odd: np.ndarray
    first_number: int
    """Number of the first row in the file, from 1; what is blank is not counted."""
    spans_lines: bool
    """Whether any row has the end of a line within it."""
    room: Room

    def __len__(self) -> int:
        return len(self.starts)

    def row(self, at: int | np.integer) -> bytes:
        """Return the bytes of a row, line end and all."""
        return bytes(self.data[self.starts[at] : self.ends[at]])

    def blank_others(self) -> memoryview:
        """Return the rows that are not odd, with nothing but ends of lines between them; the odd ones are lost."""
        plain = np.flatnonzero(~self.odd)
        begins = np.concatenate(([0], self.ends[plain]))
        stops = np.concatenate((self.starts[plain], [self.size]))
        view = memoryview(self.data)[: self.size]
        for at in np.flatnonzero(begins < stops):
            view[begins[at] : stops[at]] = LF * int(stops[at] - begins[at])
        return view

    def release(self) -> None:
        """Give the memory to a block that is still to be read; there are no rows in this one any more."""
        self.room.put(self.data)
        self.data = bytearray()


class Room:
    """Memory of blocks, used again and again: fresh memory costs as much as reading a file into it."""

    def __init__(self, block_bytes: int = BLOCK_BYTES) -> None:
        self.block_bytes = block_bytes
        self._free: deque[bytearray] = deque()
        self._bytes = block_bytes + block_bytes // 8 + 1

    def get(self, size: int) -> bytearray:
        """Return memory for `size` bytes or more."""
        if size > self._bytes:
            return bytearray(size)
        try:
            return self._free.pop()
        except IndexError:
            return bytearray(self._bytes)

    def put(self, memory: bytearray) -> None:
        """Take back memory that nobody reads any more."""
        if len(memory) == self._bytes:
            self._free.append(memory)


def read_blocks(
    stream: IO[bytes], delimiter: str, quote: str, room: Room, *, begun: bool = False
) -> Iterator[RowBlock]:
    """Yield the rows of a file in an encoding like ASCII in blocks of `room.block_bytes` or so.

    `begun`: its first lines were read already, so that no mark of UTF-8 can come any more.
    """
    number, at_end, block_bytes = 1, False, room.block_bytes
    rest = b"" if begun else stream.read(len(UTF8_MARK)).removeprefix(UTF8_MARK)
    while not at_end:
        data = room.get(len(rest) + block_bytes + 1)
        size = _read_on(stream, rest, data, block_bytes)
        at_end = size == len(rest)
        if not size:
            room.put(data)
            return
        if at_end and data[size - 1] != LF[0]:
            data[size] = LF[0]
            size += 1
        cut = _cut(data, size, delimiter.encode(), quote.encode(), at_end)
        rest = bytes(memoryview(data)[cut.used : size])
        if len(cut.starts):
            yield RowBlock(data, cut.used, cut.starts, cut.ends, cut.odd, number, cut.spans_lines, room)
        else:
            room.put(data)
        number += len(cut.starts)


def _read_on(stream: IO[bytes], rest: bytes, data: bytearray, count: int) -> int:
    """Put `rest` and the next `count` bytes or fewer into `data`; return how many that are."""
    data[: len(rest)] = rest
    with memoryview(data) as view, view[len(rest) : len(rest) + count] as place:
        return len(rest) + int(stream.readinto(place))  # type: ignore[attr-defined]


class _Cut(NamedTuple):
    """Whole rows, and how many bytes they take."""

    starts: np.ndarray
    ends: np.ndarray
    odd: np.ndarray
    used: int
    spans_lines: bool


def _cut(data: bytearray, size: int, delimiter: bytes, quote: bytes, at_end: bool) -> _Cut:
    """Return the whole rows in the first `size` bytes."""
    letters = np.frombuffer(data, np.uint8, size)
    line_ends = _find_all(letters, LF) + 1
    returns = np.array(list(_lone_returns(data, size)), np.int64)
    if not quote:
        ends, odd_quotes = line_ends, np.zeros(0, np.int64)
    else:
        ends, odd_quotes = _quoted_ends(letters, line_ends, returns, delimiter, quote, at_end, data)
    if not len(ends):
        if size <= LARGEST_ROW and not at_end:
            return _Cut(ends, ends, ends.astype(bool), 0, False)
        ends = np.array([size])  # one row without end; Python will say what is wrong with it
        odd_quotes = np.array([0])
    starts = np.concatenate(([0], ends[:-1]))
    used = int(ends[-1])
    keep = ~_is_blank(letters, starts, ends)
    odd = np.zeros(len(ends), bool)
    for position in (*odd_quotes, *returns[returns < used], *_odd_bytes(data, used)):
        odd[np.searchsorted(ends, position, side="right")] = True
    spans_lines = len(ends) != np.searchsorted(line_ends, used, side="right")
    return _Cut(starts[keep], ends[keep], odd[keep], used, bool(spans_lines))


def _find_all(letters: np.ndarray, letter: bytes) -> np.ndarray:
    """Return where a letter stands, in ascending order.

    Letters are compared in windows that stay near the processor, and a bit is kept of each; of the words of 64 bits few
    have any, and of these the lowest is taken until none is left.
    """
    words = np.zeros(-(-len(letters) // 64), "<u8")
    bits = words.view(np.uint8)
    at_once = -(-WINDOW_BYTES // 8)  # bytes of bits
    for begin in range(0, len(bits), at_once):
        some = np.packbits(letters[8 * begin : 8 * (begin + at_once)] == ord(letter), bitorder="little")
        bits[begin : begin + len(some)] = some
    at = np.flatnonzero(words != 0)
    left, found = words[at], [np.zeros(0, np.int64)]
    while len(at):
        lowest = left & -left
        exponents = lowest.astype(np.float64).view(np.int64) >> 52  # exact, of a power of two
        found.append(at * 64 + (exponents - 1023))
        left ^= lowest
        more = np.flatnonzero(left != 0)
        at, left = at[more], left[more]
    return np.sort(np.concatenate(found), kind="stable")


def _is_blank(letters: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return which rows hold nothing but their line's end."""
    blank: np.ndarray = ends - starts <= 1
    for at in np.flatnonzero((letters[starts] == ord(CR)) & ~blank):
        blank[at] = not bytes(letters[starts[at] : ends[at]]).strip(CR + LF)
    return blank


def _odd_bytes(data: bytearray, size: int) -> Iterator[int]:
    """Yield a position in each row, at least, of the first `size` bytes that holds NUL or no UTF-8."""
    at = data.find(NUL, 0, size)
    while at >= 0:
        yield at
        at = data.find(NUL, at + 1, size)
    begin, view = 0, memoryview(data)
    while begin < size:  # a window at a time, since what is wrong is far between
        end = data.find(LF, min(begin + WINDOW_BYTES, size - 1), size) + 1 or size
        if not _is_utf8(view[begin:end]):
            yield from (begin + at for at in _not_utf8(data[begin:end]))
        begin = end


def _lone_returns(data: bytearray, size: int) -> Iterator[int]:
    """Yield where returns stand that no end of a line follows; where there are many, they belong to the lines' ends.

    What follows one that the data end with, the next block tells.
    """
    at, few, last = data.find(CR, 0, size - 1), MANY_RETURNS, size - 1
    while at >= 0 and few:
        if data[at + 1] != LF[0]:
            yield at
        at, few = data.find(CR, at + 1, last), few - 1
    if at >= 0:
        letters = np.frombuffer(data, np.uint8, size)[at:]
        returns = _find_all(letters[:-1], CR)
        yield from (at + returns[letters[returns + 1] != ord(LF)]).tolist()


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
    letters: np.ndarray,
    line_ends: np.ndarray,
    returns: np.ndarray,
    delimiter: bytes,
    quote: bytes,
    at_end: bool,
    data: bytearray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return where rows end, and a position in each row with a misplaced mark or a return that no marks enclose.

    A line's end ends a row where the marks before it are even. A mark opens a field only where one begins, and closes
    it only where one ends; where that is not so, the row is found by Python's own rules, and counting begins anew.
    """
    marks = _find_all(letters, quote)
    begin, found, odd = 0, [], []
    while True:
        here = marks[np.searchsorted(marks, begin) :]
        bad = _first_misplaced(letters, here, returns, begin, delimiter, quote)
        ends = line_ends[np.searchsorted(line_ends, begin, side="right") :]
        even = ends[np.searchsorted(here, ends) % 2 == 0]
        if bad is None:
            if at_end and (not len(even) or even[-1] < len(letters)) and len(ends):
                odd.append(int(even[-1]) if len(even) else begin)  # the last field is never closed
                even = np.append(even, len(letters))
            found.append(even)
            break
        even = even[even <= bad]
        found.append(even)
        begin = int(even[-1]) if len(even) else begin
        if len(odd) >= MOST_ODD_QUOTES:
            break
        end = _end_by_python(data, len(letters), begin, delimiter, quote, at_end)
        if end is None:
            break
        odd.append(begin)
        found.append(np.array([end]))
        begin = end
    if len(odd) >= MOST_ODD_QUOTES:
        begin = int(np.concatenate(found)[-1])
        while (end := _end_by_python(data, len(letters), begin, delimiter, quote, at_end)) is not None:
            odd.append(begin)
            found.append(np.array([end]))
            begin = end
    return np.concatenate(found), np.array(odd, np.int64)


def _first_misplaced(
    letters: np.ndarray, marks: np.ndarray, returns: np.ndarray, begin: int, delimiter: bytes, quote: bytes
) -> int | None:
    """Return the position of the first mark that neither opens nor closes a field, nor stands for itself.

    Or of the first return that stands in no field which marks enclose.
    """
    lone = returns[np.searchsorted(returns, begin) :]
    lone = lone[np.searchsorted(marks, lone) % 2 == 0]
    if not len(marks):
        return int(lone[0]) if len(lone) else None
    opening, closing = marks[0::2], marks[1::2]
    before = letters[np.maximum(opening - 1, 0)]
    opens = (opening == begin) | np.isin(before, (ord(delimiter), ord(LF)))
    opens[1:] |= opening[1:] - 1 == marks[1::2][: len(opening) - 1]  # the second of two that stand for one
    after = letters[np.minimum(closing + 1, len(letters) - 1)]
    closes = (closing + 1 >= len(letters)) | np.isin(after, (ord(delimiter), ord(LF), ord(CR), ord(quote)))
    # where the data end behind a mark, the next block tells
    wrong = np.concatenate((opening[~opens], closing[~closes], lone[:1]))
    return int(wrong.min()) if len(wrong) else None


def _end_by_python(
    data: bytearray, size: int, begin: int, delimiter: bytes, quote: bytes, at_end: bool
) -> int | None:
    """Return where the row that begins at `begin` ends as Python's csv reads it; None: not within `data`."""
    place, is_exhausted = begin, False

    def lines() -> Iterator[str]:
        nonlocal place, is_exhausted
        while end := data.find(LF, place, size) + 1:
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
