"""Text keys as numbers, for work in arrays."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Text: TypeAlias = pa.Array | pa.ChunkedArray
Integers: TypeAlias = NDArray[np.int64]


def encode_keys(keys: Text) -> Integers:
    """Return a number for each key, the same for the same key, in order of first sight; -1 where it is null."""
    whole = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    codes = whole.dictionary_encode().indices.cast(pa.int64())
    return np.array(pc.fill_null(codes, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def first_of_runs(*columns: Integers) -> NDArray[np.bool_]:
    """Return which rows differ from the row before them in any column; the first row does."""
    starts = np.zeros(len(columns[0]), dtype=bool)
    starts[:1] = True
    for column in columns:
        starts[1:] |= column[1:] != column[:-1]
    return starts


def least_of(group: Integers, keys: Text) -> Integers:
    """Return, for each row, the place of the row of its group that has the smallest key."""
    order = np.asarray(pc.sort_indices(keys)).astype(np.int64)
    least = np.full(int(group.max(initial=-1)) + 1, -1, dtype=np.int64)
    least[group[order[::-1]]] = order[::-1]
    return np.asarray(least[group], dtype=np.int64)
