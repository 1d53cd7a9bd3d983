"""Columns whose values repeat, as codes into a dictionary: judged once for each value, moved about as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ENCODED = pa.dictionary(pa.int32(), pa.string())
Column: TypeAlias = pa.Array | pa.ChunkedArray
MOST_CODES = 1 << 62
MOST_COUNTED = 1 << 20
"""So many codes are told apart by a table of them all, which costs a fifth of sorting them."""


def flat(column: Column) -> pa.Array:
    """Return a column in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def encode(column: Column) -> pa.DictionaryArray:
    """Return texts as codes; what is encoded stays as it is."""
    array = flat(column)
    return array if pa.types.is_dictionary(array.type) else array.dictionary_encode()


def decode(column: Column) -> pa.Array:
    """Return codes as texts; what is text stays as it is."""
    array = flat(column)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def as_kind(column: Column, kind: pa.DataType) -> pa.Array:
    """Return a column in one piece, encoded where `kind` is."""
    array = encode(column) if pa.types.is_dictionary(kind) else decode(column)
    return array if array.type.equals(kind) else array.cast(kind)


def stack(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of several tables in one piece; a column is encoded where it is in the first that has rows."""
    filled = [table for table in tables if table.num_rows] or tables[:1]
    first = filled[0]
    columns = {}
    for name, kind in zip(first.column_names, first.schema.types, strict=True):
        pieces = [as_kind(piece, kind) for table in filled for piece in table[name].chunks]
        columns[name] = pieces[0] if len(pieces) == 1 else flat(pa.chunked_array(pieces, kind))
    return pa.table(columns)


def repeat(text: str | None, rows: int) -> pa.DictionaryArray:
    """Return a column that says the same in every row."""
    if text is None:
        return pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()), pa.array([], pa.string()))
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))


def told_where(is_told: np.ndarray, text: str) -> pa.DictionaryArray:
    """Return a column that says `text` in some rows."""
    return only_where(is_told, repeat(text, len(is_told)))


def only_where(is_told: np.ndarray, column: Column) -> pa.Array:
    """Return a column, encoded or not, that says nothing in the other rows."""
    array = flat(column)
    if is_told.all():
        return array
    if not pa.types.is_dictionary(array.type):
        return pc.if_else(pa.array(is_told), array, pa.scalar(None, array.type))
    codes = pc.if_else(pa.array(is_told), array.indices, pa.scalar(None, pa.int32()))
    return pa.DictionaryArray.from_arrays(codes, array.dictionary)


def first_of(*columns: Column) -> pa.Array:
    """Return the first value that is told in each row, as text; nothing is copied where the others tell nothing."""
    telling = [column for column in columns if column.null_count < len(column)] or [columns[0]]
    texts = [decode(column) for column in telling]
    return texts[0] if len(texts) == 1 or not texts[0].null_count else pc.coalesce(*texts)


def first_encoded(*columns: Column) -> pa.DictionaryArray:
    """Return the first value that is told in each row, encoded."""
    telling = [encode(column) for column in columns if column.null_count < len(column)]
    if not telling:
        return repeat(None, len(columns[0]))
    if len(telling) == 1 or not telling[0].null_count:
        return telling[0]
    codes, start = np.full(len(columns[0]), -1, np.int32), 0
    for column in telling:
        told = (codes < 0) & pc.is_valid(column).to_numpy(zero_copy_only=False)
        codes[told] = pc.fill_null(column.indices, 0).to_numpy()[told] + start
        start += len(column.dictionary)
    return recode(pa.concat_arrays([column.dictionary for column in telling]), codes)


def recode(values: pa.Array, codes: np.ndarray) -> pa.DictionaryArray:
    """Return the column that `codes` (negative: null) make of values, of which several may be equal or null."""
    told = values.dictionary_encode()
    places = pa.array(codes, mask=codes < 0) if len(codes) and codes.min() < 0 else pa.array(codes)
    return pa.DictionaryArray.from_arrays(told.indices.take(places), told.dictionary)


def as_list(values: pa.Array) -> list[Any]:
    """Return texts as Python's."""
    return list(values.to_numpy(zero_copy_only=False))


def ask_distinct(columns: Sequence[Column]) -> tuple[np.ndarray, list[tuple[str | None, ...]]]:
    """Return a code for each row, and the texts that each code stands for."""
    codes, told = find_distinct(columns)
    count = len(told[0])
    texts = (as_list(values) if len(values) == count else as_list(values) * count for values in told)
    return codes, list(zip(*texts, strict=True))


def find_distinct(columns: Sequence[Column]) -> tuple[np.ndarray, list[pa.Array]]:
    """Return a code for each row, and for each column the texts, or nulls, that the codes stand for.

    But for the first, a column that says the same everywhere gives one value.
    """
    encoded = [encode(column) for column in columns]
    codes, count = _codes(encoded[0])
    if not len(codes):
        return codes, [column.dictionary.slice(0, 0) for column in encoded]
    told = [decode(column.slice(0, 1)) for column in encoded]
    varying = [0]
    for at, column in enumerate(encoded[1:], 1):
        other, others = _codes(column)
        if others == 1:
            continue
        varying.append(at)
        if count * others >= MOST_CODES:
            found, codes = np.unique(codes, return_inverse=True)
            count = len(found)
        codes, count = codes * others + other, count * others
    if len(varying) > 1:
        first, codes = _renumber(codes, count)
        places = pa.array(first)
        for at in varying:
            told[at] = decode(encoded[at].take(places))
    else:
        values = encoded[0].dictionary
        null = pa.nulls(count - len(values), values.type)
        told[0] = pa.concat_arrays([values, null]) if len(null) else values
    return codes, told


def _renumber(codes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a row of each code that there is, in the order of the codes, and for each row which of these it has."""
    if count > MOST_COUNTED:
        _, first, renumbered = np.unique(codes, return_index=True, return_inverse=True)
        return first, renumbered
    row = np.full(count, -1)
    row[codes] = np.arange(len(codes))
    there = np.flatnonzero(row >= 0)
    number = np.empty(count, np.int64)
    number[there] = np.arange(len(there))
    return row[there], number[codes]


def _codes(column: pa.DictionaryArray) -> tuple[np.ndarray, int]:
    """Return the codes of a column, null being one more where there is any, and how many there can be."""
    size = len(column.dictionary)
    if column.null_count:
        return pc.fill_null(column.indices, size).to_numpy().astype(np.int64), size + 1
    return column.indices.to_numpy().astype(np.int64), max(size, 1)
