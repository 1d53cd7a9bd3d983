"""Rows filed by a number, so that those of one number come back together: in files of a scratch folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from naflora_etl.engine.workspace import telling

FLUSH_ROWS = 50_000
"""Rows of a bucket that wait in memory until they are worth a write."""


class Buckets:
    """Tables cut into buckets, numbered from 0; each is read once."""

    def __init__(self, folder: Path, name: str, schema: pa.Schema) -> None:
        self._folder = folder
        self._name = name
        self._schema = schema
        self._waiting: dict[int, list[pa.RecordBatch]] = {}
        self._rows: dict[int, int] = {}
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}

    def file(self, table: pa.Table, buckets: np.ndarray) -> None:
        """Append each row to the bucket that `buckets` tells of it; raises Fault where the disk is full."""
        if not table.num_rows:
            return
        order = np.argsort(buckets, kind="stable")
        rows = table.select(self._schema.names).cast(self._schema).take(pa.array(order)).combine_chunks()
        found, starts = np.unique(buckets[order], return_index=True)
        for bucket, start, end in zip(found, starts, [*starts[1:], len(order)], strict=True):
            number, piece = int(bucket), rows.slice(start, end - start)
            self._waiting.setdefault(number, []).extend(piece.to_batches())
            self._rows[number] = self._rows.get(number, 0) + piece.num_rows
            if self._rows[number] >= FLUSH_ROWS:
                self._write(number, self._waiting.pop(number))
                self._rows[number] = 0

    def _write(self, number: int, batches: Iterable[pa.RecordBatch]) -> None:
        path = self._path(number)
        with telling(str(path)):
            if number not in self._writers:
                options = pa.ipc.IpcWriteOptions(compression="lz4")
                self._writers[number] = pa.ipc.new_stream(str(path), self._schema, options=options)
            for batch in batches:
                self._writers[number].write_batch(batch)

    def take(self, number: int) -> pa.Table:
        """Return all rows of a bucket in the order in which they came, and forget them."""
        waiting = pa.Table.from_batches(self._waiting.pop(number, []), self._schema)
        if number not in self._writers:
            return waiting
        self._writers.pop(number).close()
        with self._path(number).open("rb") as stream:
            filed = pa.ipc.open_stream(stream).read_all()
        self._path(number).unlink()
        return pa.concat_tables([filed, waiting])

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number:04}.arrows"
