"""Spreadsheets and Parquet files -> rows of text cells."""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet
from naflora_etl.names.packed import check_spreadsheet

OLD_EXCEL = b"\xd0\xcf\x11\xe0"
PARQUET = b"PAR1"


def read_sheets(data: bytes, path: Path) -> dict[str, list[list[str]]]:
    """Return the cells of each sheet of an XLSX, XLS or ODS document as text; raises Fault for a damaged one."""
    import python_calamine as calamine

    if not data.startswith(OLD_EXCEL):
        check_spreadsheet(data, path)
    try:
        with calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            sheets = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except calamine.PasswordError:
        raise Fault(f"{path} is locked with a password; save it without one, or as CSV.") from None
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise Fault(f"{path} cannot be read as a spreadsheet ({error}); save it as CSV.") from None
    return {name: [[_text(cell) for cell in row] for row in cells] for name, cells in sheets.items()}


def read_parquet_text(data: bytes, path: Path) -> pa.Table:
    """Return a Parquet file with every column as text; raises Fault for a damaged one."""
    try:
        table = read_parquet(io.BytesIO(data))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise Fault(f"{path} is a damaged Parquet file: {str(error).splitlines()[0]}") from None
    columns = [_text_column(table.column(at), name, path) for at, name in enumerate(table.column_names)]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _text_column(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            return column.cast(pa.string())
        if pa.types.is_floating(column.type):  # identifiers that a gap has turned into decimals
            whole = pc.all(pc.equal(pc.floor(column), column)).as_py()
            column = column.cast(pa.int64()) if whole else column
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.chunked_array([pa.array([_shown(value) for value in column.to_pylist()], pa.string())])


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    return str(cell).strip()
