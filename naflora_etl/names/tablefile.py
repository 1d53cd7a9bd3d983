"""A table as a file that people open: CSV, TSV, JSON or Parquet by its extension; written beside, then renamed."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import parquet_bytes

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


def check_table_path(path: Path) -> None:
    """Raise Fault, before any work is done, if no table can be written to this path."""
    if path.suffix.lower() not in (*_DELIMITERS, ".json", ".parquet"):
        raise Fault(f"{path}: the extension says what is written; use .csv, .tsv, .json or .parquet.")
    if path.is_dir():
        raise Fault(f"{path} is a folder; name the file in it.")
    if not path.parent.is_dir():
        raise Fault(f"{path}: there is no folder {path.parent}; make it first.")


def refuse_overwriting(written: Mapping[str, Path | None], given: Mapping[str, Path | None]) -> None:
    """Raise Fault if a file to be written, by the option that names it, is one that is read, or another's."""
    taken = {path.resolve(): f"the {what}" for what, path in given.items() if path}
    for option, path in written.items():
        if path is None:
            continue
        if path.resolve() in taken:
            raise Fault(f"{option} {path} would overwrite {taken[path.resolve()]}; give it another name.")
        taken[path.resolve()] = f"what {option} writes"


def write_table(table: pa.Table, path: Path) -> None:
    """Write the table to the path; nobody ever sees half of it."""
    check_table_path(path)
    data = _encode(table, path.suffix.lower())
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise Fault(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        beside.unlink(missing_ok=True)


def _encode(table: pa.Table, suffix: str) -> bytes:
    if suffix == ".parquet":
        return parquet_bytes(table)
    if suffix == ".json":
        return (json.dumps(table.to_pylist(), ensure_ascii=False, indent=1) + "\n").encode()
    return csv_text(table, _DELIMITERS[suffix]).encode()


def csv_text(table: pa.Table, delimiter: str = ",") -> str:
    """Return the table as CSV with headings, lines ended by a newline, cells quoted where they must be, null empty."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return stream.getvalue()
