"""Lines of text -> rows of cells: delimiters, quotation marks and the commas that nobody quoted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from naflora_etl.names.textfile import DELIMITERS

MOST_LINES_IN_A_ROW = 20
LARGEST_FIELD = 1 << 26  # characters; Python's own limit is 131,072, and a remark may be longer


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file of names."""

    line: int
    """Where it begins; the first line of a file is 1, the first row of a spreadsheet too."""
    cells: list[str]
    """As many as there are headings; of a row that does not fit, as many as it has."""
    fits: bool = True
    joined: bool = False
    """Whether cells were put together again that an unquoted comma had cut."""


@dataclass(frozen=True)
class Cutting:
    """How the lines of one file are cut into cells."""

    delimiter: str | None
    """None: each line is one cell."""
    width: int
    """How many cells a row has."""
    name_place: int | None = None
    """Where the name stands; when it is last, the commas between its authors are part of it."""
    quotes: bool = True
    """False: a quotation mark is a letter like others."""


def header_cuts(line: str) -> list[tuple[str | None, list[str]]]:
    """Return every way to cut a line of headings, that with most columns first, the uncut line last."""
    cuts = [(delimiter, cut_line(line, delimiter)) for delimiter in DELIMITERS if delimiter in line]
    return [*sorted(cuts, key=lambda cut: -len(cut[1])), (None, [_unquote(line.strip())])]


def read_text_rows(lines: Sequence[str], start: int, cutting: Cutting) -> Iterator[Row]:
    """Yield the rows from the line at `start` on; blank lines are passed over, every other line is in one row.

    A row that cannot be cut into `width` cells comes with those it has, and costs no row but itself.
    """
    csv.field_size_limit(LARGEST_FIELD)
    at = start
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        row, taken = _read_row(lines, at, cutting)
        yield row
        at += taken


def cut_line(line: str, delimiter: str | None, quotes: bool = True) -> list[str]:
    """Return the cells of one line, spaces around them and quotation marks about them taken away."""
    if delimiter is None:
        return [_unquote(line.strip())]
    if not quotes:
        return [cell.strip() for cell in line.split(delimiter)]
    if '"' not in line or delimiter == "\t":
        # Tropicos does not escape the quotation marks inside its quoted cells, but never puts a tab in one.
        return [_unquote(cell.strip()) for cell in line.split(delimiter)]
    return _cut_quoted(line, delimiter) or [_unquote(cell.strip()) for cell in line.split(delimiter)]


def _read_row(lines: Sequence[str], at: int, cutting: Cutting) -> tuple[Row, int]:
    line, delimiter = lines[at], cutting.delimiter
    cells = cut_line(line, delimiter, cutting.quotes)
    if delimiter is None:
        return Row(at + 1, cells), 1
    is_open = cutting.quotes and '"' in line and _ends_open(line, delimiter)
    if not is_open:
        fitted = _fit(cells, line, cutting)
        if fitted is not None:
            return Row(at + 1, fitted, joined=len(cells) > cutting.width and any(cells[cutting.width :])), 1
    else:
        for taken in range(2, MOST_LINES_IN_A_ROW + 1):
            if at + taken > len(lines):
                break
            last = lines[at + taken - 1]
            if last.count(delimiter) == cutting.width - 1 and not _closes(last, delimiter):
                break  # a line that is a row by itself is not the rest of a cell
            if '"' in last:
                whole = _cut_quoted("\n".join(lines[at : at + taken]), delimiter)
                if whole is not None and len(whole) == cutting.width:
                    return Row(at + 1, whole), taken
    plain = [cell.strip() for cell in line.split(delimiter)]
    if len(plain) == cutting.width and all(_is_closed(cell) for cell in plain):
        return Row(at + 1, [_unquote(cell) for cell in plain]), 1  # a mark for inches, not a quotation
    return Row(at + 1, plain, fits=False), 1


def _is_closed(cell: str) -> bool:
    return not cell.startswith('"') or (len(cell) > 1 and cell.endswith('"'))


def _ends_open(line: str, delimiter: str) -> bool:
    """Whether a cell that begins with a quotation mark has not ended where the line ends."""
    if delimiter == "\t":
        last = line.rsplit("\t", 1)[-1].strip()
        return last.startswith('"') and (last == '"' or not last.endswith('"'))
    return line.count('"') % 2 == 1 and (line.lstrip().startswith('"') or f'{delimiter}"' in line.replace(" ", ""))


def _closes(line: str, delimiter: str) -> bool:
    """Whether the first quotation mark of a line ends a cell that began above it: it stands behind a word."""
    before = line.partition('"')[0].rstrip(" ")
    return delimiter != "\t" and line.count('"') % 2 == 1 and bool(before) and not before.endswith(delimiter)


def _cut_quoted(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of a row by the rules of CSV; None where it breaks them."""
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:
        return None
    return [cell.strip() for cell in rows[0]] if len(rows) == 1 else None


def _fit(cells: list[str], line: str, cutting: Cutting) -> list[str] | None:
    """Return as many cells as there are headings, or None if the row is not of this table."""
    width, delimiter = cutting.width, cutting.delimiter or ""
    while len(cells) > width and not cells[-1]:
        cells = cells[:-1]
    if len(cells) <= width:
        return cells if len(cells) == width else None
    if delimiter != ",":
        return None
    if cutting.name_place == width - 1:
        # The commas between authors were not quoted: what overflows belongs to the name, the last column.
        rest = line.split(",", width - 1)[-1] if '"' not in line else ", ".join(cells[width - 1 :])
        return [*cells[: width - 1], rest.strip()]
    if '"' in line:
        return None
    # A comma with a space behind it stands between authors, one without it between cells.
    joined: list[str] = []
    for piece in line.split(","):
        if piece.startswith(" ") and joined:
            joined[-1] += f",{piece}"
        else:
            joined.append(piece)
    return [cell.strip() for cell in joined] if len(joined) == width else None


def _unquote(cell: str) -> str:
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell
