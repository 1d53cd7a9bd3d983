"""Parquet in, Parquet out, DuckDB over it: the only home of both."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

GROUP_ROWS = 131_072
"""Rows of a row group, in which Parquet is written and can be read again."""
ZSTD: Any = {"compression": "zstd", "compression_level": 1}
FEW_ROWS = 10_000
"""So few are read faster by one thread."""


SAMPLE_ROWS = 8_192
"""By so many rows a column is judged to repeat its values, or not."""


def write_parquet(table: pa.Table, stream: IO[bytes], *, dictionary: bool = True) -> None:
    """Write `table` to `stream` as zstd Parquet; the same table gives the same bytes.

    Without a dictionary of each column's values, text of which little is repeated is read in two thirds of the time;
    in a large table, columns whose values hardly repeat have none in any case: it would be made only to be given up.
    zstd's lowest level leaves a table of records as small as higher ones do, in three quarters of the time. What range
    such texts are of is told of the first column alone, by which tables are sorted: in others it takes in everything.
    """
    starts = range(0, max(1, table.num_rows), GROUP_ROWS)
    write_pieces((table.slice(start, GROUP_ROWS) for start in starts), stream, dictionary=dictionary)


def write_pieces(pieces: Iterable[pa.Table], stream: IO[bytes], *, dictionary: bool = True) -> None:
    """Write one table that comes in pieces of GROUP_ROWS, at least one; the bytes are those of `write_parquet`.

    Each piece is in one chunk when it is written, since how its rows were cut before would show in the bytes.
    """
    rest = iter(pieces)
    first = next(rest)
    repeating: bool | list[str] = dictionary
    ranged: bool | list[str] = True
    if first.num_rows >= SAMPLE_ROWS:
        sample = first.slice(0, SAMPLE_ROWS)
        names = [name for name in first.column_names if _repeats(sample[name])]
        repeating = names if dictionary else False
        keys = {*names, first.column_names[0]}
        ranged = [name for name in first.column_names if name in keys or not _is_text(first, name)]
    options: Any = {"use_dictionary": repeating, "write_statistics": ranged} | ZSTD
    with pq.ParquetWriter(stream, first.schema, **options) as writer:
        for piece in chain([first], rest):
            writer.write_table(piece.combine_chunks(), row_group_size=GROUP_ROWS)


def _repeats(column: pa.ChunkedArray) -> bool:
    """Return whether values of a column repeat; one that is nested has always a dictionary of its values."""
    return pa.types.is_nested(column.type) or len(pc.unique(column)) < len(column) / 2


def _is_text(table: pa.Table, name: str) -> bool:
    return bool(pa.types.is_string(table.schema.field(name).type))


def parquet_bytes(table: pa.Table) -> bytes:
    """Return `table` as the bytes of a Parquet file."""
    stream = io.BytesIO()
    write_parquet(table, stream)
    return stream.getvalue()


def read_parquet(source: str | Path | IO[bytes], columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file from a local path or an open binary stream."""
    opened = _native(source)
    if columns is None:  # a table of many small parts is read in a fifth of the time without a data set around each
        with pq.ParquetFile(opened) as file:
            return file.read(use_threads=file.metadata.num_rows > FEW_ROWS)
    return pq.read_table(opened, columns=columns, partitioning=None)


def _native(source: str | Path | IO[bytes]) -> Any:
    """Return a file on this machine as Arrow opens it itself, bytes in memory or in a tar as a copy of its own.

    Arrow reads with threads of its own. One that lets go of a Python stream while the interpreter ends aborts the
    process: "terminate called without an active exception", exit 134.
    """
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, io.BytesIO):
        memory = pa.BufferOutputStream()
        memory.write(source.getbuffer())
        return pa.BufferReader(memory.getvalue())
    if isinstance(source, tarfile.ExFileObject):  # which lies among others, so that Arrow cannot open it itself
        memory = pa.BufferOutputStream()
        source.seek(0)
        shutil.copyfileobj(source, memory, 1 << 20)
        return pa.BufferReader(memory.getvalue())
    file = getattr(source, "f", source)  # a workspace's, around the file itself
    if isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO) and isinstance(file.name, str):
        return pa.OSFile(file.name)
    return source


def read_columns(source: IO[bytes], columns: Sequence[str]) -> pa.Table:
    """Read those of `columns` that a Parquet file has; no more than these is ever in memory."""
    there = set(pq.read_schema(_native(source)).names)
    source.seek(0)
    return read_parquet(source, [name for name in columns if name in there])


def read_schema(source: IO[bytes]) -> pa.Schema:
    """Return the columns of a Parquet file and their types, of which its end alone is read."""
    return pq.read_schema(_native(source))


def read_metadata(source: IO[bytes]) -> dict[bytes, bytes]:
    """Return what stands beside the rows of a Parquet file, of which its end alone is read."""
    return dict(pq.read_schema(_native(source)).metadata or {})


def read_row_groups(source: str | Path | IO[bytes], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of a Parquet file in the pieces that it was written in, one in memory at a time."""
    named = None if columns is None else list(columns)
    with pq.ParquetFile(_native(source)) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, named)
        if not file.num_row_groups:
            yield file.read(named)


def cut_windows(pieces: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Yield the rows of `pieces`, which come one after the other, `rows` at a time; one without rows if there is none.

    Each is in one chunk, so that it does not matter how the rows were cut before.
    """
    waiting: pa.Table | None = None
    is_first = True
    for piece in pieces:
        waiting = piece if waiting is None else pa.concat_tables([waiting, piece])
        while waiting.num_rows >= rows:
            yield waiting.slice(0, rows).combine_chunks()
            waiting, is_first = waiting.slice(rows), False
    if waiting is not None and (waiting.num_rows or is_first):
        yield waiting.combine_chunks()


INTERRUPTED = re.compile("Query interrupted|Interrupted!|KeyboardInterrupt")


@contextmanager
def hearing_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt for a signal that came while DuckDB worked, which tells of it as an error of its own."""
    try:
        yield
    except (RuntimeError, duckdb.Error) as error:
        if INTERRUPTED.search(str(error)):
            raise KeyboardInterrupt from error
        raise


def query_tables(
    sql: str, parameters: Sequence[Any] = (), *, memory_limit: str | None = None, **tables: pa.Table
) -> pa.Table:
    """Run one DuckDB query over Arrow tables that it names; no file, no shared connection.

    With a `memory_limit`, such as "1GB", a query that needs more to join or sort spills to a scratch folder. Not all
    that DuckDB holds can be spilled, and how much that is differs with how its threads meet: a query that finds no
    room is asked once more, of one thread and with twice the limit.
    """
    try:
        return _query(sql, parameters, tables, {"memory_limit": memory_limit} if memory_limit else {})
    except duckdb.OutOfMemoryException:
        if memory_limit is None:
            raise
        number, unit = re.findall(r"\d+|\D+", memory_limit)
        return _query(sql, parameters, tables, {"memory_limit": f"{2 * int(number)}{unit}", "threads": 1})


def _query(sql: str, parameters: Sequence[Any], tables: Mapping[str, pa.Table], settings: dict[str, Any]) -> pa.Table:
    with hearing_interrupts(), tempfile.TemporaryDirectory() as scratch:
        config = settings | ({"temp_directory": scratch} if settings else {})
        with duckdb.connect(":memory:", config=config) as connection:
            for name, table in tables.items():
                connection.register(name, table)
            return connection.sql(sql, params=list(parameters)).to_arrow_table()


class RowHasher:
    """Gives each row of a table a number of 64 bits, in any thread; equal rows have equal ones.

    One DuckDB serves all the parts of a table: to open one takes longer than the rows of a part.
    """

    def __init__(self) -> None:
        self._database = duckdb.connect(":memory:", config={"threads": 1})

    def hash(self, table: pa.Table) -> np.ndarray:
        """Return the numbers (uint64) of a table's rows."""
        columns = ", ".join(f'"{name}"' for name in table.column_names)
        with hearing_interrupts(), closing(self._database.cursor()) as cursor:
            cursor.register("given", table)
            return np.asarray(cursor.sql(f"select hash({columns}) as h from given").to_arrow_table()["h"].to_numpy())


def clean_rows(table: pa.Table) -> pa.Table:
    """Return the rows whose issue is null; a table without the column is clean throughout."""
    if "issue" not in table.column_names:
        return table
    return table.filter(pc.is_null(table["issue"]))


def count_issues(table: pa.Table) -> dict[str, int]:
    """Return how many rows carry each issue, the most frequent first, ties by name."""
    if "issue" not in table.column_names:
        return {}
    counts = table["issue"].drop_null().value_counts().to_pylist()
    return {row["values"]: row["counts"] for row in sorted(counts, key=lambda row: (-row["counts"], row["values"]))}


def sha256_of(data: bytes) -> str:
    """Return the sha256 of `data` in hex."""
    return hashlib.sha256(data).hexdigest()
