"""Rows on their way, too many for memory: tables on a shelf, of which a part lies on a scratch disk, and a DuckDB."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from naflora_etl.engine.buckets import Buckets
from naflora_etl.engine.tables import hearing_interrupts
from naflora_etl.engine.workspace import Workspace, telling

MEMORY = "1000MB"
"""What DuckDB may hold; Python and Arrow need about as much again."""
THREADS = 1
"""Of each query: whoever has many rows asks in threads of its own, and DuckDB's would only take their places."""
MEMORY_KEPT_MS = 10_000
"""How long Arrow keeps memory that nothing lies in."""
ROOM_BYTES = 500_000_000
"""What all shelves together hold in memory."""


class Spool:
    """A scratch folder that goes when the block ends.

    In a local workspace it lies in its folder `scratch`, so that what a kill leaves is found and removed by the next.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._place = workspace.local("scratch") if workspace.is_local else None
        self._folder = Path()
        self.held_bytes = 0
        """What lies on the shelves in memory; counted by who has the lock."""
        self.lock = Lock()

    def __enter__(self) -> Spool:
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)
            with telling(str(self._place)):
                self._place.mkdir(parents=True)
            self._folder = self._place
        else:
            self._folder = Path(tempfile.mkdtemp())
        self._pool = pa.default_memory_pool()
        _take_steady_memory()
        spilt = str(self._folder / "spilt")
        config: dict[str, Any] = {"memory_limit": MEMORY, "temp_directory": spilt, "threads": THREADS}
        self._sweeper = ThreadPoolExecutor(1, thread_name_prefix="sweeper")
        self._database = duckdb.connect(str(self._folder / "spool.duckdb"), config=config)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._sweeper.shutdown()
        pa.set_memory_pool(self._pool)
        shutil.rmtree(self._folder, ignore_errors=True)

    def query(self, sql: str, parameters: Sequence[Any] = (), **tables: pa.Table) -> pa.Table:
        """Run one query over Arrow tables that it names and over tables that were kept; in any thread."""
        with hearing_interrupts(), closing(self._database.cursor()) as cursor:
            for name, table in tables.items():
                cursor.register(name, table)
            return cursor.sql(sql, params=list(parameters)).to_arrow_table()

    def buckets(self, name: str, schema: pa.Schema) -> Buckets:
        """Return empty buckets for rows of a schema; their name is their own."""
        return Buckets(self._folder, name, schema)

    def forget(self, path: Path) -> None:
        """Remove a file that nobody has open, in a thread that does nothing else: some disks clear its place at once,
        and whoever removes it waits."""
        self._sweeper.submit(path.unlink)

    def shelf(self, name: str) -> Shelf:
        """Return an empty shelf; its name is its own."""
        return Shelf(self, self._folder, name)


def _take_steady_memory() -> None:
    """Let Arrow have jemalloc where it was built with it, unless its variable in the environment names a pool.

    Tables come and go by the hundred megabytes here, and what Arrow takes by default gives memory back to the system
    only to ask for it again: a sixth of the time is the system's then, instead of a quarter.
    """
    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        with suppress(NotImplementedError):
            pa.set_memory_pool(pa.jemalloc_memory_pool())
            pa.jemalloc_set_decay_ms(MEMORY_KEPT_MS)


class Shelf:
    """Tables by number, in memory as long as there is room, then on the scratch disk."""

    def __init__(self, spool: Spool, folder: Path, name: str) -> None:
        self._spool = spool
        self._folder = folder
        self._name = name
        self._held: dict[int, pa.Table] = {}
        self._count = 0

    def add(self, table: pa.Table) -> None:
        """Put a table behind the others; raises Fault where the disk is full."""
        self._count += 1
        self.put(self._count - 1, table)

    def put(self, number: int, table: pa.Table) -> None:
        """Put a table where it belongs, on a shelf to which none is added; in any thread. Raises as `add`."""
        size = table.nbytes
        with self._spool.lock:
            has_room = self._spool.held_bytes + size <= ROOM_BYTES
            self._spool.held_bytes += size if has_room else 0
        if has_room:
            self._held[number] = table
            return
        path = self._path(number)
        with telling(str(path)), pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)

    def read(self, number: int) -> pa.Table:
        """Return a table that was not dropped."""
        if number in self._held:
            return self._held[number]
        with pa.OSFile(str(self._path(number))) as stream:  # a map would stay open as long as the table
            return pa.ipc.open_stream(stream).read_all()

    def drop(self, number: int) -> None:
        """Forget a table."""
        if number in self._held:
            size = self._held.pop(number).nbytes
            with self._spool.lock:
                self._spool.held_bytes -= size
        else:
            self._spool.forget(self._path(number))

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number:05}.arrows"
