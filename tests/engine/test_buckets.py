"""Rows come back by their bucket, in the order in which they came, whether they waited in memory or on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from naflora_etl.engine import buckets
from naflora_etl.engine.buckets import Buckets

ROWS = pa.table({"key": [f"{n:03}" for n in range(100)], "bucket": [n * 7 % 4 for n in range(100)]})


@pytest.mark.parametrize("flush", [1, 10, 1000], ids=["all on the disk", "some", "none"])
def test_rows_come_back_by_their_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: int) -> None:
    monkeypatch.setattr(buckets, "FLUSH_ROWS", flush)
    filed = Buckets(tmp_path, "rows", ROWS.schema)
    for start in range(0, 100, 30):
        piece = ROWS.slice(start, 30)
        filed.file(piece, np.asarray(piece["bucket"]))
    assert len(list(tmp_path.iterdir())) == (0 if flush == 1000 else 4)
    for number in range(4):
        expected = [row for row in ROWS.to_pylist() if row["bucket"] == number]
        assert filed.take(number).to_pylist() == expected
        assert filed.take(number).num_rows == 0, "what was taken is forgotten"
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_into_which_nothing_fell_has_the_columns(tmp_path: Path) -> None:
    filed = Buckets(tmp_path, "rows", ROWS.schema)
    filed.file(ROWS.slice(0, 0), np.zeros(0, np.int64))
    assert filed.take(3).schema == ROWS.schema
