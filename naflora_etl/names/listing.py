"""Any file of names -> its headings and rows: text, spreadsheet, Parquet; the one table in a zip, gzip or archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.metafile import DataFile, read_meta
from naflora_etl.names.headings import Headings, find_headings, place_of, show_columns
from naflora_etl.names.packed import ZIP, Pack, open_pack, read_unpacked
from naflora_etl.names.parse import parse_name
from naflora_etl.names.spreadsheet import OLD_EXCEL, PARQUET, read_parquet_text, read_sheets
from naflora_etl.names.textfile import DELIMITERS, decode_lines, refuse_empty
from naflora_etl.names.textrows import Cutting, Row, header_cuts, read_text_rows

PLAIN_LIST = "scientificName"
LINES_TO_LOOK_AT = 40
LINES_ABOVE_HEADINGS = 10


@dataclass(frozen=True)
class Asked:
    """What the user said about the columns, and how a Fault calls the places where that is said."""

    name_column: str | None = None
    author_column: str | None = None
    encoding: str | None = None
    say_name: str = "checklist.name_column"
    say_author: str = "checklist.author_column"
    what: str = "a checklist"


@dataclass(frozen=True)
class Listing:
    """A file of names, read: every line that is not blank is one of `rows`, or part of one, or the headings."""

    path: Path
    headings: Headings
    rows: list[Row]
    encodings: list[str]
    """The encoding that each row was read in; `` where the format itself says it."""
    above: list[Row] = field(default_factory=list)
    """What stands above the headings: a title, a first line of headings."""
    constants: dict[str, str] = field(default_factory=dict)
    distribution: Listing | None = None
    """The distribution.txt of a Darwin Core archive; its cells are found by `headings` too."""
    is_plain: bool = False
    """A list without headings, a name a line."""


def read_listing(path: str | Path, asked: Asked) -> Listing:
    """Return what the file holds; raises Fault for one that is missing, empty, damaged, or has no column of names."""
    path = Path(path)
    pack = open_pack(path)
    if pack is None:
        return _read_data(read_unpacked(path, asked.what), path, asked)
    meta = pack.find("meta.xml")
    if meta is not None:
        return _read_archive(pack, meta, asked)
    if path.is_dir():
        raise Fault(f"{path} is a folder without a meta.xml, so no Darwin Core archive; name the file in it.")
    tables = pack.tables()
    if len(tables) != 1:
        held = ", ".join(tables[:5]) + (" ..." if len(tables) > 5 else "") if tables else "no table"
        raise Fault(f"{path} holds {held}; {asked.what} is one table: unpack it and name that.")
    data = pack.read(tables[0])
    refuse_empty(data, f"{path}: {tables[0]}", asked.what)
    return _read_data(data, path, asked)


def _read_data(data: bytes, path: Path, asked: Asked) -> Listing:
    if data.startswith(PARQUET):
        return _from_parquet(data, path, asked)
    if data.startswith((OLD_EXCEL, ZIP)):
        return _from_sheets(data, path, asked)
    return _from_text(data, path, asked)


# text


def _from_text(data: bytes, path: Path, asked: Asked) -> Listing:
    lines, encodings = decode_lines(data, path, asked.encoding)
    first = next(at for at, line in enumerate(lines) if line.strip())
    found = _find_headings(lines, first, asked)
    if found is None and asked.name_column is None and _is_plain_list(lines[first:]):
        rows = list(read_text_rows(lines, first, Cutting(None, 1)))
        headings = Headings((PLAIN_LIST,), {"name": 0})
        return Listing(path, headings, rows, [encodings[row.line - 1] for row in rows], is_plain=True)
    if found is None:
        raise Fault(_no_names(header_cuts(lines[first])[0][1], path, asked, lines[first + 1 : first + 200]))
    at, delimiter, headings = found
    _check_author(headings, path, asked)
    cutting = Cutting(delimiter, len(headings.columns), headings.of("name"))
    rows = list(read_text_rows(lines, at + 1, cutting))
    above = [Row(number + 1, [line.strip()]) for number, line in enumerate(lines[first:at], first) if line.strip()]
    _refuse_misfits(rows, lines, delimiter, headings, path)
    return Listing(path, headings, rows, [encodings[row.line - 1] for row in rows], above)


def _find_headings(lines: Sequence[str], first: int, asked: Asked) -> tuple[int, str | None, Headings] | None:
    """Return (index of the line of headings, delimiter, headings): the first line, or one under a title."""
    looked = 0
    for at in range(first, min(first + LINES_ABOVE_HEADINGS, len(lines))):
        if not lines[at].strip():
            continue
        for delimiter, columns in header_cuts(lines[at]):
            headings = find_headings(columns, asked.name_column, asked.author_column)
            if headings is not None and (at == first or len(columns) > 1):
                return at, delimiter, headings
        looked += 1
        if parse_name(lines[at][:200]).epithet and looked > 1:
            return None  # a list of names has begun
    return None


def _is_plain_list(lines: Sequence[str]) -> bool:
    """Whether most of the first lines read as names by themselves: a list without headings."""
    sample = [line.strip() for line in lines[:LINES_TO_LOOK_AT] if line.strip()]
    for delimiter in DELIMITERS:
        cuts = sample[0].count(delimiter)
        if cuts and len(sample) > 1 and sum(line.count(delimiter) == cuts for line in sample) * 5 > len(sample) * 4:
            return False  # a table whose headings say nothing
    parsed = [parse_name(line[:200].strip('"')) for line in sample]
    return sum(1 for name in parsed if name.epithet and not name.reason) * 2 > len(sample)


def _refuse_misfits(
    rows: Sequence[Row], lines: Sequence[str], delimiter: str | None, headings: Headings, path: Path
) -> None:
    """Raise Fault where not one row is cut as the headings are: then the delimiter is wrong, not the rows."""
    if not rows or any(row.fits for row in rows):
        return
    raise Fault(
        f"{path}: none of its {len(rows):,} rows has the {len(headings.columns)} cells of its headings "
        f"({show_columns(headings.columns)}), which are cut by {_told(delimiter)}; "
        f"line {rows[0].line} has {len(rows[0].cells)}. Save the whole file with one delimiter."
    )


def _told(delimiter: str | None) -> str:
    return {"\t": "tabs", None: "nothing"}.get(delimiter, f"{delimiter!r}")


# spreadsheets, Parquet


def _from_sheets(data: bytes, path: Path, asked: Asked) -> Listing:
    sheets = read_sheets(data, path)
    seen: list[list[str]] = []
    for cells in sheets.values():
        holding = [at for at, row in enumerate(cells) if any(row)][:LINES_ABOVE_HEADINGS]
        seen += [cells[at] for at in holding[:1]]
        for place, at in enumerate(holding):
            columns = _trimmed(cells[at])
            headings = find_headings(columns, asked.name_column, asked.author_column)
            if headings is None:
                continue
            _check_author(headings, path, asked)
            below = enumerate(cells[at + 1 :], at + 2)
            rows = [_sheet_row(line, row, len(columns)) for line, row in below if any(row)]
            above = [Row(number + 1, _trimmed(cells[number])) for number in holding[:place]]
            return Listing(path, headings, rows, [""] * len(rows), above)
    if not seen:
        raise Fault(f"{path} is empty; {asked.what} needs a line of headings and rows under it.")
    raise Fault(_no_names(_trimmed(seen[0]), path, asked, []))


def _trimmed(cells: Sequence[str]) -> list[str]:
    width = max((at for at, cell in enumerate(cells, 1) if cell), default=0)
    return list(cells[:width])


def _sheet_row(line: int, cells: list[str], width: int) -> Row:
    kept = [*cells[:width], *[""] * (width - len(cells))]
    return Row(line, kept) if not any(cells[width:]) else Row(line, _trimmed(cells), fits=False)


def _from_parquet(data: bytes, path: Path, asked: Asked) -> Listing:
    table = read_parquet_text(data, path)
    headings = find_headings(table.column_names, asked.name_column, asked.author_column)
    if headings is None:
        raise Fault(_no_names(table.column_names, path, asked, []))
    _check_author(headings, path, asked)
    columns = [column.fill_null("").to_pylist() for column in table.columns]
    rows = [Row(at, list(cells)) for at, cells in enumerate(zip(*columns, strict=True), 1)]
    return Listing(path, headings, rows, [""] * len(rows))


# archives


def _read_archive(pack: Pack, meta: str, asked: Asked) -> Listing:
    root = meta.removesuffix("meta.xml")
    core, extensions = read_meta(pack.read(meta), str(pack.path), "download it again")
    if core.row_type not in ("taxon", ""):
        raise Fault(f"{pack.path} is an archive of {core.row_type} rows, not of names; {asked.what} has Taxon rows.")
    places = [file for file in extensions if file.row_type == "distribution"]
    distribution = _read_archive_file(pack, root, places[0], Asked(), with_names=False) if places else None
    return _read_archive_file(pack, root, core, asked, with_names=True, distribution=distribution)


def _read_archive_file(
    pack: Pack, root: str, file: DataFile, asked: Asked, with_names: bool, distribution: Listing | None = None
) -> Listing:
    if root + file.location not in pack.sizes:
        raise Fault(f"{pack.path}: its meta.xml promises {file.location}, which is not in it; download it again.")
    data = pack.read(root + file.location)
    where = f"{pack.path}: {file.location}"
    said = None if file.encoding.lower().replace("-", "") in ("utf8", "ascii", "usascii") else file.encoding
    lines, encodings = decode_lines(data, where, asked.encoding or said) if data.strip() else ([], [])
    headings = find_headings(file.headings, asked.name_column, asked.author_column)
    if headings is None:
        if with_names:
            raise Fault(_no_names(file.headings, pack.path, asked, []))
        headings = find_headings([*file.headings, "name"]) or Headings(file.headings, {})
    headings = Headings(file.headings, {**headings.places, "id": file.id_position})
    width = len(lines and _header(lines, file)) or len(file.headings)
    cutting = Cutting(file.delimiter, max(width, len(file.headings)), None, bool(file.quote))
    rows = list(read_text_rows(lines, file.header_lines, cutting))
    used = [encodings[row.line - 1] for row in rows]
    return Listing(pack.path, headings, rows, used, constants=dict(file.constants), distribution=distribution)


def _header(lines: Sequence[str], file: DataFile) -> list[str]:
    return lines[0].split(file.delimiter) if file.header_lines else []


# what is told


def _check_author(headings: Headings, path: Path, asked: Asked) -> None:
    if asked.author_column is not None and headings.of("author") is None:
        if place_of(headings.columns, asked.author_column) is not None:
            raise Fault(
                f"{path}: column {asked.author_column!r} holds the names, so it cannot hold the authors; "
                f"leave out {asked.say_author} where they stand behind the names."
            )
        shown = show_columns(headings.columns)
        raise Fault(
            f"{path} has no column {asked.author_column!r}; its columns are: {shown}. "
            f"Say which one with {asked.say_author}."
        )


def _no_names(columns: Sequence[str], path: Path, asked: Asked, lines: Sequence[str]) -> str:
    lacking = f"no column {asked.name_column!r}" if asked.name_column else "no column of names"
    told = f"{path} has {lacking}; its columns are: {show_columns(columns)}. "
    likely = _likely_column(columns, lines) if not asked.name_column else None
    if likely is not None:
        return told + f"{columns[likely]!r} seems to hold them: say so with {asked.say_name}."
    return told + f"Say which one with {asked.say_name}, and check the delimiter."


def _likely_column(columns: Sequence[str], lines: Sequence[str]) -> int | None:
    """Return the column of which most cells read as species names, to be told, never to be taken unasked."""
    rows = [cells for line in lines if line.strip() for _, cells in header_cuts(line)[:1] if len(cells) == len(columns)]
    counts = [sum(1 for cells in rows if parse_name(cells[at][:200]).epithet) for at in range(len(columns))]
    best = max(range(len(columns)), key=lambda at: counts[at], default=None)
    return best if best is not None and rows and counts[best] * 2 > len(rows) else None
