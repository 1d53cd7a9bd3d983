"""A list of names to be matched: the input's own columns untouched, and the names and authors in them mended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from naflora_etl.names.entries import read_entry
from naflora_etl.names.headings import unique_headings
from naflora_etl.names.listing import Asked, read_listing


@dataclass(frozen=True)
class NameList:
    """A list as it was given, and what is to be matched of it; all sequences are as long as `table`."""

    table: pa.Table
    """The input's own columns, in order, all text, as they stand in the file; empty cells are null."""
    name_column: str
    """Which column of `table` holds the names."""
    author_column: str | None
    """Which holds the authors, where they stand apart."""
    names: list[str | None]
    """The names, mended of encoding faults."""
    authors: list[str | None]
    families: list[str | None]
    lines: list[int]
    """Line in the file, or row of the spreadsheet."""
    mended: list[str | None]
    """What was mended in name or authors: mojibake, entities ...; null: nothing."""
    issues: list[str | None]
    """Why a row cannot be matched; null: it can."""


def read_name_list(path: str | Path, name_column: str | None = None, author_column: str | None = None) -> NameList:
    """Return every row of a CSV, TSV, XLSX, Parquet or plain list, in order, with all its columns.

    The column of names (and of authors) is found by the usual headings when it is not said. A row that its headings do
    not fit stays, its cells where they fall, and carries an issue. Raises Fault for a file that holds no list.
    """
    asked = Asked(name_column, author_column, None, "--name-column", "--author-column", "a list of names")
    listing = read_listing(path, asked)
    headings = listing.headings
    columns = unique_headings(headings.columns)
    rows = [*listing.above, *listing.rows]
    entries = [read_entry(row, headings, at < len(listing.above)) for at, row in enumerate(rows)]
    cells = [_as_wide(row.cells, len(columns)) for row in rows]
    return NameList(
        table=pa.table({name: pa.array([row[at] for row in cells], pa.string()) for at, name in enumerate(columns)}),
        name_column=columns[headings.places["name"]],
        author_column=columns[headings.places["author"]] if "author" in headings.places else None,
        names=[entry.name if entry.issue is None else None for entry in entries],
        authors=[entry.author for entry in entries],
        families=[entry.family for entry in entries],
        lines=[row.line for row in rows],
        mended=[entry.mended for entry in entries],
        issues=[entry.issue for entry in entries],
    )


def _as_wide(cells: list[str], width: int) -> list[str | None]:
    kept = [cell or None for cell in cells[:width]] + [None] * (width - len(cells))
    if len(cells) > width:
        kept[-1] = " | ".join(cells[width - 1 :])
    return kept
