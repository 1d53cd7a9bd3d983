"""Rows on their way, too many for memory: filed in buckets on a scratch disk, and a DuckDB that spills there too."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from naflora_etl.engine.tables import hearing_interrupts
from naflora_etl.engine.workspace import Workspace, telling

MEMORY = "1200MB"
"""What DuckDB may hold; Python and Arrow need about as much again."""
THREADS = 2
FLUSH_ROWS = 50_000
"""Rows of a bucket that wait in memory until they are worth a write."""


class Spool:
    """A scratch folder that goes when the block ends; buckets are numbered from 0.

    In a local workspace it lies in its folder `scratch`, so that what a kill leaves is found and removed by the next.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._place = workspace.local("scratch") if workspace.is_local else None
        self._folder = Path()
        self._waiting: dict[tuple[str, int], list[pa.RecordBatch]] = {}
        self._rows: dict[tuple[str, int], int] = {}
        self._writers: dict[tuple[str, int], pa.ipc.RecordBatchStreamWriter] = {}

    def __enter__(self) -> Spool:
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)
            with telling(str(self._place)):
                self._place.mkdir(parents=True)
            self._folder = self._place
        else:
            self._folder = Path(tempfile.mkdtemp())
        spilt = str(self._folder / "spilt")
        config: dict[str, Any] = {"memory_limit": MEMORY, "temp_directory": spilt, "threads": THREADS}
        self._database = duckdb.connect(str(self._folder / "spool.duckdb"), config=config)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()
        self._database.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def query(self, sql: str, parameters: Sequence[Any] = (), **tables: pa.Table) -> pa.Table:
        """Run one query over Arrow tables that it names and over tables that were kept; in any thread."""
        with hearing_interrupts(), closing(self._database.cursor()) as cursor:
            for name, table in tables.items():
                cursor.register(name, table)
            return cursor.sql(sql, params=list(parameters)).to_arrow_table()

    def keep(self, name: str, table: pa.Table) -> None:
        """Append rows to a table of the database, for queries over all of them."""
        with hearing_interrupts():
            self._database.register("arriving", table)
            self._database.execute(f"create table if not exists {name} as from arriving limit 0")
            self._database.execute(f"insert into {name} from arriving")
            self._database.unregister("arriving")

    def file(self, name: str, table: pa.Table, buckets: np.ndarray) -> None:
        """Append each row to the bucket that `buckets` tells of it."""
        if not table.num_rows:
            return
        order = np.argsort(buckets, kind="stable")
        sorted_rows = table.take(pa.array(order)).combine_chunks()
        found, starts = np.unique(buckets[order], return_index=True)
        for bucket, start, end in zip(found, starts, [*starts[1:], len(order)], strict=True):
            self._add(name, int(bucket), sorted_rows.slice(start, end - start))

    def _add(self, name: str, bucket: int, rows: pa.Table) -> None:
        key = name, bucket
        self._waiting.setdefault(key, []).extend(rows.to_batches())
        self._rows[key] = self._rows.get(key, 0) + rows.num_rows
        if self._rows[key] >= FLUSH_ROWS or key in self._writers:
            self._flush(key)

    def _flush(self, key: tuple[str, int]) -> None:
        batches = self._waiting.pop(key, [])
        if key not in self._writers:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            path = self._folder / f"{key[0]}-{key[1]:04}.arrows"
            with telling(str(path)):
                self._writers[key] = pa.ipc.new_stream(str(path), batches[0].schema, options=options)
        with telling(str(self._folder)):
            for batch in batches:
                self._writers[key].write_batch(batch)
        self._rows[key] = 0

    def take(self, name: str, bucket: int, schema: pa.Schema) -> pa.Table:
        """Return all rows of a bucket in the order in which they came, and forget them."""
        key = name, bucket
        waiting = pa.Table.from_batches(self._waiting.pop(key, []), schema)
        if key not in self._writers:
            return waiting
        self._writers.pop(key).close()
        path = self._folder / f"{name}-{bucket:04}.arrows"
        with path.open("rb") as stream:
            filed = pa.ipc.open_stream(stream).read_all()
        path.unlink()
        return pa.concat_tables([filed, waiting])
