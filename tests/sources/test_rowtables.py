"""Arrow's rows are Python's: files with every fault, in every mixture, read both ways and in blocks of any size."""

from __future__ import annotations

import csv
import io
from random import Random
from types import ModuleType
from typing import Any

import pytest

from naflora_etl.engine.metafile import DataFile
from naflora_etl.sources import pythonrows, rowblocks, rowtables
from naflora_etl.sources.rowblocks import Room, RowBlock
from naflora_etl.sources.rowtables import _reader, _tables_by_python, open_rows

WANTED = ("a", "b", "c")
PLAIN = [b"", b"abc", "é".encode(), b"12"]
QUOTED = [b'"x,y"', b'"p ""q"" r"', b'"l1\nl2"', b'""']
ODD = [
    b"a", b" ", b"\xe9", "é".encode(), "\u00a0".encode(), "\u3000".encode(), b"\0", b'""', b'"', b'"x,y"', b'"l\nm"',
    b"\r", b"\x1c", b"", b"bc",
]  # fmt: skip
TIDY, RARELY_ODD, OFTEN_ODD, ALWAYS_ODD = 0.0, 0.02, 0.3, 1.0


def some_file(random: Random, oddness: float) -> tuple[bytes, DataFile]:
    """Return a file, and what meta.xml says of it, truly or not."""
    file = DataFile(
        "x", "occurrence", ((1, "a"), (2, "b"), (2, "c"), (3, "a")), (("c", "told"),) if random.random() < 0.3 else (),
        0, random.choice(",\t"), random.choice(['"', ""]), random.choice(["UTF-8", "latin-1"]), random.randint(0, 1),
    )  # fmt: skip
    delimiter = file.delimiter.encode()
    header = [b"id", b"a", b"b", b"c", b"d"][: random.choice([4, 4, 4, 4, 1, 3, 5])]
    lines = [delimiter.join(header) + b"\n"] * file.header_lines
    for _ in range(random.randint(0, 12)):
        cells = 4 if random.random() < 0.8 else random.randint(0, 6)
        row = delimiter.join(some_cell(random, oddness, file) for _ in range(cells))
        lines.append(row + random.choice([b"\n", b"\n", b"\r\n", b"\n\n"]))
    body = b"".join(lines)
    return random.choice([b"", b"", b"\xef\xbb\xbf"]) + (body.rstrip(b"\n") if random.random() < 0.3 else body), file


def some_cell(random: Random, oddness: float, file: DataFile) -> bytes:
    if random.random() < oddness:
        return b"".join(random.choices(ODD, k=random.randint(0, 3)))
    return random.choice(PLAIN + (QUOTED if file.quote else []))


def read_by_blocks(data: bytes, file: DataFile, block_bytes: int) -> list[dict[str, Any]] | str:
    try:
        reader, blocks = open_rows(io.BytesIO(data), file, WANTED, room=Room(block_bytes))
        tables = [reader.read_block(block) if isinstance(block, RowBlock) else block for block in blocks]
    except csv.Error as error:
        return str(error)
    return sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["number"])


def read_by_python(data: bytes, file: DataFile) -> list[dict[str, Any]] | str:
    lines = pythonrows.text_lines(io.BytesIO(data), file.encoding)
    try:
        reader = _reader(file, WANTED, next(lines, "") if file.header_lines else "")
        return [row for table in _tables_by_python(reader, lines) for row in table.to_pylist()]
    except csv.Error as error:
        return str(error)


LIMITS = {
    "returns are many": (rowblocks, "MANY_RETURNS", 1),
    "misplaced marks are many": (rowblocks, "MOST_ODD_QUOTES", 1),
    "windows are small": (rowblocks, "WINDOW_BYTES", 5),
    "Arrow splits little at a time": (rowtables, "ARROW_BYTES", 20),
    "Python reads few rows at a time": (rowtables, "PYTHON_ROWS", 2),
}


@pytest.mark.parametrize(("module", "name", "value"), LIMITS.values(), ids=LIMITS)
def test_limits_make_no_difference(
    module: ModuleType, name: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(name)
    for _ in range(100):
        data, file = some_file(random, OFTEN_ODD)
        told = read_by_python(data, file)
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            assert read_by_blocks(data, file, 100) == read_by_python(data, file) == told, (data, file)


def test_memory_that_blocks_share_is_nobodys_rows() -> None:
    """What was read of one file stays as it was while another is read into the same memory."""
    random, room, kept = Random("room"), Room(100), []
    for _ in range(40):
        data, file = some_file(random, RARELY_ODD)
        reader, blocks = open_rows(io.BytesIO(data), file, WANTED, encoded=frozenset("ab"), room=room)
        tables = [reader.read_block(block) for block in blocks if isinstance(block, RowBlock)]
        kept.append((data, file, tables))
    for data, file, tables in kept:
        rows = sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["number"])
        assert rows == read_by_python(data, file), (data, file)


@pytest.mark.parametrize("oddness", [TIDY, RARELY_ODD, OFTEN_ODD, ALWAYS_ODD])
def test_both_ways_give_the_same_rows(oddness: float) -> None:
    random = Random(f"rows/{oddness}")
    for _ in range(250):
        data, file = some_file(random, oddness)
        size = random.choice([7, 30, 100, 10_000])
        assert read_by_blocks(data, file, size) == read_by_python(data, file), (data, file, size)
