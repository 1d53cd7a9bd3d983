"""The funnel, and one key's life through it, read from receipts and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from naflora_etl.engine.receipts import Receipt, Receipts
from naflora_etl.engine.tables import query_tables
from naflora_etl.engine.workspace import Workspace


@dataclass(frozen=True)
class Trace:
    """One row that a key has in one table."""

    stage: str
    row: dict[str, Any]


def read_funnel(workspace: Workspace, stages: Sequence[str]) -> list[Receipt]:
    """Return the receipts of the stages that are built, in order of the path."""
    receipts = Receipts(workspace)
    return [receipt for name in stages if (receipt := receipts.find(name)) is not None]


def trace_key(workspace: Workspace, stages: Sequence[str], keys: Sequence[str], key: str) -> list[Trace]:
    """Return every row in which `key` stands in one of the columns `keys`, table by table in order of the path.

    Rows that share an `image_key` with a row found earlier belong to the same life and are returned too.
    """
    receipts = Receipts(workspace)
    found: list[Trace] = []
    images: set[str] = set()
    for stage in stages:
        if receipts.find(stage) is None:
            continue
        table = receipts.table(stage)
        rows = _rows_with(table, [name for name in keys if name in table.column_names], key, sorted(images))
        found += [Trace(stage, row) for row in rows]
        if len(rows) <= 20:  # a taxon has thousands of images; only a few keys' whole lives are followed
            images |= {row["image_key"] for row in rows if row.get("image_key")}
    return found


def _rows_with(table: pa.Table, columns: list[str], key: str, images: list[str]) -> list[dict[str, Any]]:
    tests = [f'"{name}" = ?' for name in columns]
    values: list[Any] = [key] * len(columns)
    if "image_key" in columns and images:
        tests.append("list_contains(?, image_key)")
        values.append(images)
    if not tests:
        return []
    return list(query_tables(f"select * from given where {' or '.join(tests)}", values, given=table).to_pylist())
