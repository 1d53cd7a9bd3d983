"""Tables larger than memory go through in pieces; a signal that comes while DuckDB works is an interruption."""

from __future__ import annotations

import io
import os
import signal
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from naflora_etl.engine import tables
from naflora_etl.engine.contracts import check_table, read_contract
from naflora_etl.engine.spool import Spool
from naflora_etl.engine.tables import (
    GROUP_ROWS,
    cut_windows,
    hearing_interrupts,
    parquet_bytes,
    query_tables,
    read_columns,
    read_parquet,
    read_row_groups,
    read_schema,
    write_parquet,
    write_pieces,
)
from naflora_etl.engine.workspace import Workspace

GIVEN = pa.table({"x": [1]})


def queries() -> None:
    while True:
        query_tables("select x from given", given=GIVEN)


def spooled() -> None:
    with Spool(Workspace("memory://interrupted")) as spool:
        while True:
            spool.query("select x from given", given=GIVEN)


# an interrupted clean-up leaves its look into the scratch folder to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("ask", [queries, spooled])
def test_an_interrupted_query_is_an_interruption(ask: Callable[[], None]) -> None:
    for turn in range(8):  # wherever DuckDB stands when it comes
        sender = threading.Timer(0.05 + turn / 1000, os.kill, (os.getpid(), signal.SIGINT))
        sender.start()
        with pytest.raises(KeyboardInterrupt):
            ask()
        sender.join()


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="no such thing"), hearing_interrupts():
        raise RuntimeError("no such thing")


LARGE = pa.table({"key": [f"{n:06}" for n in range(GROUP_ROWS + 5)], "class": [n % 7 for n in range(GROUP_ROWS + 5)]})


def written(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    write_parquet(table, stream)
    return stream.getvalue()


def test_how_the_rows_were_cut_before_shows_in_no_byte() -> None:
    chunked = pa.concat_tables(LARGE.slice(start, 999) for start in range(0, LARGE.num_rows, 999))
    pieces = io.BytesIO()
    write_pieces(cut_windows([chunked], GROUP_ROWS), pieces)
    assert written(chunked) == written(LARGE) == pieces.getvalue()
    assert read_parquet(pieces).equals(LARGE)


def test_what_range_a_column_is_of_is_told_rightly_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of keys in order, of what repeats and of numbers; a reader that skips groups by it misses no row."""
    monkeypatch.setattr(tables, "GROUP_ROWS", 100)
    monkeypatch.setattr(tables, "SAMPLE_ROWS", 50)
    rows = range(450)
    made = pa.table({
        "key": [f"k{at:04}" for at in rows], "alone": [f"x{at * 277 % 450}é" for at in rows],
        "kind": [None if at % 9 == 0 else "ab"[at // 200 % 2] for at in rows], "year": [1800 + at for at in rows],
    })  # fmt: skip
    body = parquet_bytes(made)
    file = pq.ParquetFile(io.BytesIO(body))
    for group in range(file.num_row_groups):
        here = made.slice(100 * group, 100)
        for place, name in enumerate(made.column_names):
            told = file.metadata.row_group(group).column(place).statistics
            has_range = told is not None and told.has_min_max
            assert has_range == (name != "alone")
            if has_range:
                values = [value for value in here[name].to_pylist() if value is not None]
                assert (told.min, told.max, told.null_count) == (min(values), max(values), here[name].null_count)
    for name in made.column_names:
        value = made[name][333].as_py()
        found = pq.read_table(io.BytesIO(body), filters=[(name, "==", value)])
        assert found["key"].to_pylist() == made.filter(pc.equal(made[name], value))["key"].to_pylist()


def test_a_table_without_rows_is_written_with_its_columns() -> None:
    assert read_parquet(io.BytesIO(written(LARGE.slice(0, 0)))).schema == LARGE.schema


def test_of_a_large_file_the_named_columns_come_a_group_at_a_time() -> None:
    groups = list(read_row_groups(io.BytesIO(written(LARGE)), ["class"]))
    assert [(group.num_rows, group.column_names) for group in groups] == [(GROUP_ROWS, ["class"]), (5, ["class"])]


@pytest.mark.parametrize("kept", ["a file", "a file of a workspace", "bytes in memory", "a file in a tar"])
def test_no_thread_of_arrow_holds_a_python_stream(kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lets go of it while the interpreter ends aborts the process."""
    given: list[Any] = []
    for name in ("read_table", "ParquetFile", "read_schema"):
        asked = getattr(pq, name)
        monkeypatch.setattr(
            pq, name, lambda source, *a, asked=asked, **k: given.append(source) or asked(source, *a, **k)
        )
    place = tmp_path / "rows.parquet"
    place.write_bytes(parquet_bytes(GIVEN))
    with tarfile.open(tmp_path / "rows.tar", "w") as tar:
        tar.add(place, "rows.parquet")
    packed = tarfile.open(tmp_path / "rows.tar")  # noqa: SIM115 - closed at the end
    streams: dict[str, Callable[[], IO[bytes]]] = {
        "a file": lambda: place.open("rb"),
        "a file of a workspace": lambda: Workspace(str(tmp_path)).open("rows.parquet"),
        "bytes in memory": lambda: io.BytesIO(place.read_bytes()),
        "a file in a tar": lambda: packed.extractfile("rows.parquet") or io.BytesIO(),
    }
    with streams[kept]() as stream:
        assert read_parquet(stream) == GIVEN and read_columns(stream, ["x", "y"]) == GIVEN
        assert [*read_row_groups(stream)] == [GIVEN] and read_schema(stream) == GIVEN.schema
    packed.close()
    assert given and all(
        isinstance(source, pa.NativeFile) and not isinstance(source, pa.PythonFile) for source in given
    )


def test_a_query_that_cannot_spill_what_it_holds_is_given_twice_the_room() -> None:
    wide = pa.table({"x": [f"{n:020}" for n in range(300_000)]})
    sql = "select len(list(x order by x)) as length from wide"  # a list that is being made is not spilled: 70 MB
    assert query_tables(sql, memory_limit="50MB", wide=wide)["length"].to_pylist() == [300_000]
    with pytest.raises(duckdb.OutOfMemoryException):
        query_tables(sql, memory_limit="10MB", wide=wide)


KEYS = {
    "ascending": (pa.array(["a", "b", "c"]), 0),
    "in no order": (pa.array(["b", "a", "c"]), 0),
    "one twice": (pa.array(["a", "b", "b"]), 1),
    "one twice, apart": (pa.array(["b", "a", "b"]), 1),
    "two told by nothing": (pa.array([None, None, "a"]), 1),
    "nothing but nulls, of no type": (pa.nulls(3), 1),
}


@pytest.mark.parametrize(("keys", "faults"), KEYS.values(), ids=KEYS)
def test_a_key_that_stands_twice_is_told_in_whatever_order(keys: pa.Array, faults: int) -> None:
    contract = replace(read_contract("specimens").only("specimen_key"), primary_key=("specimen_key",))
    told = check_table(pa.table({"specimen_key": keys}), contract)
    assert len([fault for fault in told if "more than once" in fault]) == faults
