"""A long stage is cut into slices: whole groups of its first table, the same ones on every machine."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.workspace import Workspace


def count_slices(url: str, stage: Stage, fingerprint: str, recipe: BaseModel) -> int:
    """Return how many slices a stage has; one when it is not cut, or has nothing to cut."""
    if stage.slice_by is None:
        return 1
    return max(1, len(_sliced(url, stage, fingerprint, _slice_size(stage, recipe))[1]))


def given_tables(url: str, stage: Stage, fingerprint: str, recipe: BaseModel, number: int) -> list[pa.Table]:
    """Return the clean rows that a slice of a stage is given: its part of the first table, the others whole."""
    if stage.slice_by is None:
        return _whole_tables(url, stage)
    tables, slices = _sliced(url, stage, fingerprint, _slice_size(stage, recipe))
    if not slices:
        return list(tables)
    return [tables[0].take(pa.array(slices[number])), *tables[1:]]


def _whole_tables(url: str, stage: Stage) -> list[pa.Table]:
    receipts, needed = Receipts(Workspace(url)), stage.columns or {}
    return [receipts.table(name, needed.get(name), clean=True) for name in stage.reads]


@lru_cache(maxsize=1)
def _sliced(url: str, stage: Stage, fingerprint: str, size: int | None) -> tuple[list[pa.Table], list[np.ndarray]]:
    """Return a stage's tables and the rows of each slice; kept, since every slice of the stage needs them."""
    tables = _whole_tables(url, stage)
    return tables, cut_rows(tables[0], stage.slice_by or "", size or tables[0].num_rows)


def _slice_size(stage: Stage, recipe: BaseModel) -> int | None:
    size: int | None = getattr(getattr(recipe, stage.name), stage.rows_per_slice or "", None)
    return size


def cut_rows(table: pa.Table, key: str, size: int) -> list[np.ndarray]:
    """Return the row numbers of each slice: whole groups of `key`, in order of first appearance, `size` rows or so."""
    if not table.num_rows:
        return []
    codes = table[key].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes))
    slices, start, last = [], 0, 0
    for end in ends:
        if end - start > size and last > start:
            slices.append(order[start:last])
            start = last
        last = int(end)
    slices.append(order[start:])
    return slices
