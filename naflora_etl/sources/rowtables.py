"""A data file of an archive as tables of its rows: Arrow reads the plain rows, Python the odd ones, to the same end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from naflora_etl.engine.metafile import DataFile
from naflora_etl.sources import pythonrows
from naflora_etl.sources.bytewise import is_tight
from naflora_etl.sources.encoded import ENCODED, Column, encode, first_encoded, first_of, flat, recode, repeat, stack
from naflora_etl.sources.rowblocks import Room, RowBlock, read_blocks

ARROW_BYTES = 1 << 20
"""Of a block that Arrow splits at a time: so much, and where the columns' letters go, stays near the processor."""
PYTHON_ROWS = 20_000
"""Rows of a file that is read by Python throughout, in one table."""


@dataclass(frozen=True)
class RowReader:
    """How the rows of one file become a table: columns `number`, `id`, `fits`, and the wanted terms, as text.

    What is empty is null, and so are all the terms of a row that does not fit. `number` counts the rows from 1.
    """

    file: DataFile
    wanted: tuple[str, ...]
    width: int
    """Columns of the header; 0 where there is none."""
    encoded: frozenset[str] = frozenset()
    """Those of the wanted terms that come encoded, since their values repeat."""

    def read_block(self, block: RowBlock) -> pa.Table:
        """Return the rows of a block, the plain ones first, and last what does not fit; the block is used up.

        Raises csv.Error.
        """
        # of a header that lacks columns which meta.xml tells of, no row fits, and Arrow finds no such columns
        is_plain = ~block.odd & (not self.width or self.width >= pythonrows.least_width(self.file))
        plain = np.flatnonzero(is_plain)
        odd = list(np.flatnonzero(~is_plain))
        rows = [block.row(at) for at in odd]
        tables = []
        if len(plain):
            longest = int((block.ends[plain] - block.starts[plain]).max())
            table, misfits = self._by_arrow(block, len(plain), max(ARROW_BYTES, 2 * longest))
            numbers = block.first_number + np.delete(plain, misfits)
            odd += list(plain[misfits])  # behind those of the block
            rows += [block.row(at) for at in plain[misfits]]
            tables.append(self._conclude(table, pa.array(numbers)))
        block.release()
        if odd:
            cells = (cells for row in rows for cells in self._cells(row))
            told = self.read_cells(cells, block.first_number + np.array(odd))
            tables += [told.filter(told["fits"]), told.filter(pc.invert(told["fits"]))]
        rows_of_all = stack(tables)  # what Python told is trimmed already
        return pa.table({name: _trimmed(rows_of_all[name]) for name in rows_of_all.column_names})

    def read_odd(self, block: RowBlock) -> None:
        """Read the odd rows alone, to see whether that can be done; raises csv.Error. The block is used up."""
        for at in np.flatnonzero(block.odd):
            self._cells(block.row(at))
        block.release()

    def read_cells(self, rows: Iterator[list[str]], numbers: np.ndarray) -> pa.Table:
        """Return the table of rows that Python split."""
        columns: dict[str, list[str | None]] = {name: [] for name in ("id", *self.wanted)}
        right = []
        for cells in rows:
            right.append(pythonrows.fits(cells, self.file, self.width))
            core_id, terms = pythonrows.name_cells(cells, self.file) if right[-1] else ("", {})
            for name in self.wanted:
                columns[name].append(terms.get(name))
            columns["id"].append(core_id or None)
        made = {name: pa.array(values, pa.string()) for name, values in columns.items()}
        made |= {name: encode(made[name]) for name in self.encoded}
        fits = pa.array(right, pa.bool_())
        return pa.table({"number": pa.array(numbers[: len(right)], pa.int64()), "fits": fits} | made)

    def _cells(self, row: bytes) -> list[list[str]]:
        lines = [b"", *(line + b"\n" for line in row.split(b"\n")[:-1])]  # only a file's first line may have a mark
        text = list(pythonrows.text_lines(lines, self.file.encoding))[1:]
        return list(pythonrows.split_rows(text, self.file))[:1]

    def _by_arrow(self, block: RowBlock, rows: int, at_once: int) -> tuple[pa.Table, np.ndarray]:
        """Return the table of plain rows of the right width, and which of the rows are not."""
        misfits: list[int] = []

        def note(row: pa_csv.InvalidRow) -> str:
            misfits.append(row.number - 1)
            return "skip"

        width = self.width or pythonrows.least_width(self.file)
        names = [str(at) for at in range(width)]
        needed = sorted({self.file.id_position, *(at for at, name in self.file.columns if name in self.wanted)})
        table = pa_csv.read_csv(
            pa.py_buffer(block.blank_others()),
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=at_once, column_names=names),
            parse_options=pa_csv.ParseOptions(
                delimiter=self.file.delimiter, quote_char=self.file.quote or False, double_quote=bool(self.file.quote),
                newlines_in_values=block.spans_lines, ignore_empty_lines=True, invalid_row_handler=note,
            ),
            convert_options=pa_csv.ConvertOptions(
                check_utf8=False, column_types=self._kinds(names), null_values=[""],
                strings_can_be_null=True, include_columns=[str(at) for at in needed],
            ),
        )  # fmt: skip
        if table.num_rows + len(misfits) != rows:
            raise AssertionError(f"{rows} plain rows, of which Arrow read {table.num_rows} and {len(misfits)}")
        return table, np.array(misfits, np.int64)

    def _kinds(self, names: Sequence[str]) -> dict[str, pa.DataType]:
        """Return how the columns are read: encoded where all terms at their place are."""
        texts = {self.file.id_position, *(at for at, name in self.file.columns if name not in self.encoded)}
        told = {at for at, _ in self.file.columns} - texts
        return {name: ENCODED if at in told else pa.string() for at, name in enumerate(names)}

    def _conclude(self, table: pa.Table, numbers: pa.Array) -> pa.Table:
        rows = table.num_rows
        columns: dict[str, Column] = {
            "number": numbers, "fits": pa.repeat(True, rows), "id": table[str(self.file.id_position)],
        }  # fmt: skip
        places = defaultdict(list)
        for position, name in self.file.columns:
            places[name].append(position)
        constants = dict(reversed(self.file.constants))
        for name in self.wanted:
            parts = [table[str(at)] for at in places[name]]
            parts += [repeat(constants[name], rows)] if name in constants else []
            if len(parts) == 1:
                columns[name] = parts[0]  # in as many pieces as it came
            else:
                choose = first_encoded if name in self.encoded else first_of
                columns[name] = choose(*(map(_trimmed, parts or [repeat(None, rows)])))
        return pa.table(columns)


def open_rows(
    stream: IO[bytes],
    file: DataFile,
    wanted: Sequence[str],
    *,
    encoded: frozenset[str] = frozenset(),
    room: Room | None = None,
) -> tuple[RowReader, Iterator[RowBlock | pa.Table]]:
    """Return how to read a file's rows, and its blocks; tables at once where only Python can read the file."""
    if _needs_python(file):
        lines = pythonrows.text_lines(stream, file.encoding)
        reader = _reader(file, wanted, next(lines, "") if file.header_lines else "", encoded)
        for _ in range(file.header_lines - 1):
            next(lines, "")
        return reader, _tables_by_python(reader, lines)
    header = stream.readline() if file.header_lines else b""
    text = next(pythonrows.text_lines([header], file.encoding), "")
    for _ in range(file.header_lines - 1):
        stream.readline()
    begun = file.header_lines > 0
    blocks = read_blocks(stream, file.delimiter, file.quote, room or Room(), begun=begun)
    return _reader(file, wanted, text, encoded), blocks


def _reader(
    file: DataFile, wanted: Sequence[str], header: str, encoded: frozenset[str] = frozenset()
) -> RowReader:
    width = pythonrows.width_of(header, file) if header else 0
    return RowReader(file, tuple(wanted), width, encoded.intersection(wanted))


def _tables_by_python(reader: RowReader, lines: Iterator[str]) -> Iterator[pa.Table]:
    rows: list[list[str]] = []
    number = 1
    for cells in pythonrows.split_rows(lines, reader.file):
        rows.append(cells)
        if len(rows) == PYTHON_ROWS:
            yield reader.read_cells(iter(rows), number + np.arange(len(rows)))
            number, rows = number + len(rows), []
    if rows:
        yield reader.read_cells(iter(rows), number + np.arange(len(rows)))


def _needs_python(file: DataFile) -> bool:
    """Return whether Arrow cannot split such a file: letters of several bytes, a delimiter of several letters."""
    delimiter, quote = file.delimiter, file.quote
    is_odd = len(delimiter) != 1 or not delimiter.isascii() or delimiter in "\r\n\0" or delimiter == quote
    return is_odd or len(quote) > 1 or not quote.isascii() or pythonrows.is_wide(file.encoding)


def _trimmed(column: Column) -> pa.Array:
    """Return texts with their ends trimmed; null where nothing is left. Empty texts are null already."""
    array = flat(column)
    if not pa.types.is_dictionary(array.type) and not pa.types.is_string(array.type):
        return array
    if pa.types.is_dictionary(array.type):
        values = array.dictionary
        told = _trimmed(values)
        if told is values:
            return array
        return recode(told, pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False))
    if is_tight(array):
        return array
    trimmed = pc.utf8_trim_whitespace(array)
    if _letters(trimmed) == _letters(array):
        return array
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _letters(column: pa.Array) -> int:
    return pc.sum(pc.binary_length(column)).as_py() or 0
