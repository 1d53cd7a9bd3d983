"""The rows of a data file as Python reads them, one by one: what counts where a row is odd."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from typing import IO

from naflora_etl.engine.metafile import DataFile

LARGEST_FIELD = 1 << 26
RETURN_WITHIN = "new-line character seen in unquoted field"
"""What Python says of a carriage return that ends no line: such a row cannot be split, and no more is wrong."""
Row = dict[str, str]


def text_lines(stream: IO[bytes] | Iterable[bytes], encoding: str) -> Iterator[str]:
    """Yield the lines as text, each decoded on its own: files mix encodings row by row, whatever they claim."""
    fallback = fallback_of(encoding)
    if is_wide(encoding):
        text = b"".join(stream).decode(fallback, "replace").removeprefix("\ufeff")
        yield from io.StringIO(text, newline="\n")  # splitlines() would cut at letters that end no row
        return
    for number, line in enumerate(stream):
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            yield line.decode(fallback, "replace")


def fallback_of(encoding: str) -> str:
    """Return how a line is read that is no UTF-8, in a file that says to be in `encoding`."""
    return encoding if encoding.lower().replace("-", "") not in ("utf8", "ascii", "usascii") else "cp1252"


def is_wide(encoding: str) -> bool:
    """Return whether letters take two bytes or four."""
    return encoding.lower().replace("-", "").startswith(("utf16", "utf32"))


def split_rows(lines: Iterable[str], file: DataFile) -> Iterator[list[str]]:
    """Yield the cells of each row that holds anything, none of one that cannot be split; raises csv.Error."""
    if not file.quote:
        yield from (line.rstrip("\r\n").split(file.delimiter) for line in lines if line.strip("\r\n"))
        return
    allow_large_fields()
    rows = csv.reader(lines, delimiter=file.delimiter, quotechar=file.quote)
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if RETURN_WITHIN not in str(error):
                raise
            yield []  # the next row begins with the next line
        else:
            if cells:
                yield cells


def allow_large_fields() -> None:
    """Raise the limit of Python's csv module, which is 128 KiB a field."""
    csv.field_size_limit(min(LARGEST_FIELD, sys.maxsize))


def width_of(header: str, file: DataFile) -> int:
    """Return how many columns a header has; 0 when there is none. Raises csv.Error."""
    cells = next(split_rows(iter([header]), file), None)
    if cells == [] or (not file.quote and "\r" in header.rstrip("\r\n")):
        raise csv.Error(f"carriage returns stand among the headings of {file.location}; line feeds must end its rows")
    return len(cells or ())


def fits(cells: list[str], file: DataFile, width: int) -> bool:
    """Return whether a row has the columns that its header, or else meta.xml, promises."""
    return len(cells) >= least_width(file) and (not width or len(cells) == width)


def least_width(file: DataFile) -> int:
    """Return how many columns meta.xml speaks of."""
    return max([file.id_position, *(position for position, _ in file.columns)]) + 1


def name_cells(cells: list[str], file: DataFile) -> tuple[str, Row]:
    """Return the row's id and its terms; of two terms with one short name the first that says something counts."""
    terms: Row = {}
    for position, name in file.columns:
        text = cells[position].replace("\x00", "").strip()
        if text:
            terms.setdefault(name, text)
    for name, text in file.constants:
        terms.setdefault(name, text)
    return cells[file.id_position].strip(), terms
