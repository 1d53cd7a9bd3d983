"""Checklists as the world writes them (Tropicos, USDA, BoCP, Darwin Core, a plain list) -> one table."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import ftfy
import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.names.parse import parse_name
from naflora_etl.names.textfile import DELIMITERS, decode_text, read_bytes
from naflora_etl.recipe import ChecklistOptions

SCHEMA = pa.schema(
    [
        ("checklist_key", pa.string()),
        ("source_file", pa.string()),
        ("line", pa.int64()),
        ("scientificName", pa.string()),
        ("scientificNameAuthorship", pa.string()),
        ("taxonRank", pa.string()),
        ("family", pa.string()),
        ("issue", pa.string()),
    ]
)

# Usual headings, in order of trust, with case, spaces and underscores taken away.
_NAME = (
    *("scientificname", "taxonname", "acceptedname", "latinname", "botanicalname", "fullname", "canonicalname"),
    *("plantname", "taxon", "species", "name"),
)
_AUTHOR = ("scientificnameauthorship", "author", "authors", "authorship", "authority", "taxonauthors", "nameauthor")
_RANK = ("taxonrank", "rank")
_FAMILY = ("family", "familyname")
_MOST_LINES_IN_A_ROW = 20


@dataclass(frozen=True)
class _Layout:
    """Where a file keeps what; a plain list has no delimiter and no headings."""

    delimiter: str | None
    columns: tuple[str, ...]
    name: int = 0
    author: int | None = None
    rank: int | None = None
    family: int | None = None


def read_checklists(paths: Sequence[str | Path], options: ChecklistOptions) -> pa.Table:
    """Return every row of the files in one table (schemas/checklist.json), files in the order given.

    A row that its header does not fit, or that has no name, stays and carries CHECKLIST_ROW_UNREADABLE; only blank
    lines are passed over. Raises Fault for a file that is missing, empty, no text, or has no column of names.
    """
    if not paths:
        raise Fault("checklist.paths is empty; name at least one file of plant names in the recipe.")
    rows: list[dict[str, object]] = []
    stems: dict[str, int] = {}
    for path in map(Path, paths):
        stem = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "checklist"
        stems[stem] = stems.get(stem, 0) + 1
        key = stem if stems[stem] == 1 else f"{stem}-{stems[stem]}"
        for line, values in _read_file(path, options):
            rows.append({"checklist_key": f"{key}:{line}", "source_file": path.name, "line": line} | values)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _read_file(path: Path, options: ChecklistOptions) -> Iterator[tuple[int, dict[str, str | None]]]:
    text, _ = decode_text(read_bytes(path, "a checklist"), path)
    lines = text.split("\n") if "\n" in text else text.split("\r")
    lines = [line.rstrip("\r") for line in lines]
    first = next(at for at, line in enumerate(lines) if line.strip())
    layout = _find_layout(lines[first:], path, options)
    for at, record in _records(lines, first + (1 if layout.columns else 0), layout.delimiter):
        yield at + 1, _read_row(record, layout)


def _find_layout(lines: list[str], path: Path, options: ChecklistOptions) -> _Layout:
    cuts = [(delimiter, _cut(lines[0], delimiter)) for delimiter in DELIMITERS if delimiter in lines[0]]
    for delimiter, columns in [*sorted(cuts, key=lambda cut: -len(cut[1])), (None, [lines[0].strip()])]:
        name = _place(columns, options.name_column, _NAME)
        if name is not None:
            author = _place(columns, options.author_column, _AUTHOR)
            if options.author_column and author is None:
                lacking = f"no column {options.author_column!r}"
                raise Fault(_no_column(path, columns, lacking, "checklist.author_column"))
            rank, family = _place(columns, None, _RANK), _place(columns, None, _FAMILY)
            return _Layout(delimiter, tuple(columns), name, author, rank, family)
    if options.name_column is None and _is_plain_list(lines):
        return _Layout(None, ())
    columns = max((columns for _, columns in cuts), key=len, default=[lines[0].strip()])
    lacking = f"no column {options.name_column!r}" if options.name_column else "no column of names"
    raise Fault(_no_column(path, columns, lacking, "checklist.name_column"))


def _no_column(path: Path, columns: Sequence[str], lacking: str, knob: str) -> str:
    shown = ", ".join(column[:40] or "(no heading)" for column in columns[:30])
    return f"{path} has {lacking}; its columns are: {shown}. Say which one with {knob}, and check the delimiter."


def _place(columns: Sequence[str], said: str | None, usual: Sequence[str]) -> int | None:
    if said is not None:
        return next((at for at, column in enumerate(columns) if column == said), None)
    plain = [re.sub(r"[\s_]+", "", column).lower() for column in columns]
    return next((plain.index(heading) for heading in usual if heading in plain), None)


def _is_plain_list(lines: list[str]) -> bool:
    """Whether most of the first lines read as names by themselves: a list without headings."""
    sample = [line for line in lines[:40] if line.strip()]
    names = sum(1 for line in sample if not (parsed := parse_name(line)).reason and parsed.epithet)
    return names * 2 > len(sample)


def _records(lines: list[str], start: int, delimiter: str | None) -> Iterator[tuple[int, list[str] | None]]:
    """Yield (index of the first line, cells) of each row; cells are None where a quotation never ends."""
    at = start
    while at < len(lines):
        line, taken = lines[at], 1
        if not line.strip():
            at += 1
            continue
        if delimiter not in (None, "\t") and line.count('"') % 2:
            taken = _quoted_lines(lines, at)
            line = "\n".join(lines[at : at + taken])
        unclosed = delimiter not in (None, "\t") and line.count('"') % 2
        yield at, None if unclosed else _cut(line, delimiter)
        at += taken


def _quoted_lines(lines: list[str], at: int) -> int:
    """Return over how many lines a quotation runs that begins at `at`; 1 if it ends nowhere near."""
    quotes = 0
    for taken, line in enumerate(lines[at : at + _MOST_LINES_IN_A_ROW], start=1):
        quotes += line.count('"')
        if quotes % 2 == 0:
            return taken
    return 1


def _cut(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return [line.strip()]
    if delimiter == "\t":
        # Tropicos does not escape the quotation marks inside its quoted cells, but never puts a tab in one.
        return [_unquote(cell.strip()) for cell in line.split("\t")]
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
    except (csv.Error, StopIteration):
        return []


def _unquote(cell: str) -> str:
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell


def _read_row(cells: list[str] | None, layout: _Layout) -> dict[str, str | None]:
    fitted = _fit(cells, layout)
    if fitted is None:
        verbatim = None if not cells else (layout.delimiter or "").join(cells).strip()
        return {"scientificName": verbatim or None, "issue": "CHECKLIST_ROW_UNREADABLE"}

    def cell(place: int | None) -> str | None:
        return None if place is None else _mend(fitted[place]) or None

    name = cell(layout.name)
    return {
        "scientificName": name,
        "scientificNameAuthorship": cell(layout.author),
        "taxonRank": cell(layout.rank),
        "family": cell(layout.family),
        "issue": None if name else "CHECKLIST_ROW_UNREADABLE",
    }


def _fit(cells: list[str] | None, layout: _Layout) -> list[str] | None:
    """Return as many cells as there are headings, or None if the row is not of this table."""
    if cells is None or layout.delimiter is None:
        return cells
    width = len(layout.columns)
    while len(cells) > width and not cells[-1]:
        cells = cells[:-1]
    if len(cells) > width and layout.name == width - 1:
        # The commas between authors were not quoted: what overflows belongs to the name, the last column.
        joined = f"{layout.delimiter} ".join(cells[width - 1 :])
        return [*cells[: width - 1], joined]
    return cells if len(cells) == width else None


def _mend(text: str) -> str:
    """Repair encoding faults only: mojibake, HTML entities, odd spaces."""
    if "&" in text and ";" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = ftfy.fix_encoding(text)
    return " ".join(text.split())
