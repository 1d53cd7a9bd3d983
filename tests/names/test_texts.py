"""A cell read out of a column's bytes is the cell that Arrow tells."""

from __future__ import annotations

import pyarrow as pa
import pytest

from naflora_etl.names.texts import read_texts

TOLD = ["Poa", "", None, "Bouteloua", "Grünw.", None, "×", "a", "b", "c", None]
COLUMNS = {
    "texts": pa.array(TOLD),
    "texts beyond two gigabytes": pa.array(TOLD, pa.large_string()),
    "a part": pa.array(TOLD).slice(3),
    "a part without nulls": pa.array(TOLD).slice(6, 4),
    "codes": pa.array(TOLD).dictionary_encode(),
    "nothing": pa.nulls(3),
    "nothing but nulls": pa.nulls(3, pa.string()),
    "nothing but empty texts": pa.array(["", ""]),
    "no rows": pa.array([], pa.string()),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_every_cell(column: pa.Array) -> None:
    read = read_texts(column)
    assert [read(row) for row in range(len(column))] == column.to_pylist()
