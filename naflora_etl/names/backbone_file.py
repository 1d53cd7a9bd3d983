"""A names table on disk (CSV, TSV, Parquet, the right one in a zip or archive) -> batches of its columns as text."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv as pv

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.metafile import DataFile, read_meta
from naflora_etl.names.backbone_layouts import Layout, find_layout
from naflora_etl.names.headings import unique_headings
from naflora_etl.names.packed import GZIP, MOST_BYTES, ZIP, Pack, open_pack, read_unpacked
from naflora_etl.names.spreadsheet import OLD_EXCEL, PARQUET, read_parquet_text
from naflora_etl.names.textfile import decode_lines, find_delimiter, refuse_empty
from naflora_etl.names.textrows import Cutting, cut_line, read_text_rows

BLOCKS = (1 << 20, 64 << 20)  # bytes read at a time: little is lean, and the longest row must fit into one
SAMPLE = 1 << 20
_PREFERRED = ("wcvp_names.csv", "wcvp_names.txt", "wcvp_taxon.csv")
_ROWS_IN_A_BATCH = 100_000
Opener = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True)
class BackboneFile:
    """A names table that was found and understood."""

    path: Path
    layout: Layout
    ways: tuple[Callable[[dict[int, str]], Iterator[pa.RecordBatch]], ...]
    """How it can be read, the quickest first; each tells the rows that do not fit by their lines."""
    constants: dict[str, str] = field(default_factory=dict)
    """Columns of WCVP that have the same value in every row."""

    def read(self, convert: Callable[[pa.Table], pa.Table]) -> tuple[list[pa.Table], dict[int, str]]:
        """Return (what `convert` makes of each batch, rows that the headings do not fit by their lines).

        A batch has WCVP's column names, all text, empty cells null. What Arrow cannot read as it should (a text that
        is not UTF-8 throughout, a quotation over several lines) is read again, row by row.
        """
        for way in self.ways:
            torn: dict[int, str] = {}
            made: list[pa.Table] = []
            left = way(torn)
            while True:
                try:
                    batch = next(left, None)
                except (pa.ArrowInvalid, _Unlike) as error:
                    fault = str(error).splitlines()[0]
                    break
                if batch is None:
                    return made, torn
                made.append(convert(self._named(batch)))
        raise Fault(f"{self.path} cannot be read as a table: {fault}")

    def _named(self, batch: pa.RecordBatch) -> pa.Table:
        columns = {name: batch.column(column) for name, column in self.layout.columns.items()}
        for name, value in self.constants.items():
            columns.setdefault(name, pa.repeat(pa.scalar(value, pa.string()), batch.num_rows))
        return pa.table(columns)


class _Unlike(Exception):
    """The rows that Arrow found are not those that the lines make."""


def find_backbone_file(path: Path, mapping: Mapping[str, str]) -> BackboneFile:
    """Return the names table at `path`; raises Fault for what is none, telling what it is and what lacks."""
    pack = open_pack(path)
    if pack is None:
        return _plain_file(path, mapping)
    meta = pack.find("meta.xml")
    core = None
    if meta is not None:
        core, _ = read_meta(pack.read(meta), str(path), "download it again")
        name = meta.removesuffix("meta.xml") + core.location
        if name not in pack.sizes:
            raise Fault(f"{path}: its meta.xml promises {core.location}, which is not in it; download it again.")
    else:
        name = _choose(pack)
    where = f"{path}: {name}"
    if name.lower().endswith(".parquet"):
        return _parquet(pack.read(name, MOST_BYTES), path, mapping)
    if name.lower().endswith((".xlsx", ".xls", ".ods")):
        raise Fault(f"{where} is a spreadsheet, not a table of text; save it as CSV or TSV.")
    return _text(lambda: pack.open(name), path, where, mapping, core)


def _choose(pack: Pack) -> str:
    """Return the one table in a pack that is a names table: by its name, else as the only one."""
    preferred = pack.find(*_PREFERRED)
    if preferred is not None:
        return preferred
    tables = [name for name in pack.tables() if "distribution" not in name.lower()]
    if len(tables) != 1:
        held = ", ".join(tables[:5]) + (" ..." if len(tables) > 5 else "") if tables else "no table"
        what = "holds" if pack.is_zip else "is a folder that holds"
        raise Fault(f"{pack.path} {what} {held}; {'unpack it and ' if pack.is_zip else ''}name the table of names.")
    return tables[0]


def _plain_file(path: Path, mapping: Mapping[str, str]) -> BackboneFile:
    if not path.is_file():
        read_unpacked(path, "the backbone")  # tells what is wrong with it
    with path.open("rb") as stream:
        start = stream.read(8)
    if start.startswith((OLD_EXCEL, ZIP)):
        raise Fault(f"{path} is a spreadsheet, not a table of text; save it as CSV or TSV.")
    if start.startswith((GZIP, PARQUET)):
        data = read_unpacked(path, "the backbone", MOST_BYTES)
        if data.startswith(PARQUET):
            return _parquet(data, path, mapping)
        return _text(lambda: io.BytesIO(data), path, str(path), mapping, None)
    return _text(lambda: path.open("rb"), path, str(path), mapping, None)


def _parquet(data: bytes, path: Path, mapping: Mapping[str, str]) -> BackboneFile:
    table = read_parquet_text(data, path)
    layout = find_layout(table.column_names, mapping, str(path))
    chosen = table.select(sorted(set(layout.columns.values())))
    return BackboneFile(path, layout, (lambda torn: iter(chosen.to_batches(max_chunksize=_ROWS_IN_A_BATCH)),))


# text


@dataclass(frozen=True)
class _Text:
    """How a table of text is cut."""

    open: Opener
    where: str
    delimiter: str
    quotes: bool
    columns: list[str]
    header_lines: int


def _text(
    opener: Opener, path: Path, where: str, mapping: Mapping[str, str], core: DataFile | None
) -> BackboneFile:
    with opener() as stream:
        sample = stream.read(SAMPLE)
    refuse_empty(sample, where, "the backbone")
    whole = sample[: sample.rfind(b"\n") + 1] or sample
    header = decode_lines(whole[: 64 << 10], where)[0][0]
    delimiter = core.delimiter if core else find_delimiter(header)
    if delimiter is None:
        raise Fault(f"{where} has one column, {header.strip()[:60]!r}; a backbone is a table cut by | , ; or tabs.")
    columns = unique_headings(_columns(header, delimiter, core))
    layout = find_layout(columns, mapping, where)
    quotes = bool(core.quote) if core else _has_quotes(sample, delimiter)
    text = _Text(opener, where, delimiter, quotes, columns, core.header_lines if core else 1)
    constants = find_layout([*columns, *dict(core.constants)], mapping, where).columns if core else {}
    same = {name: dict(core.constants)[term] for name, term in constants.items() if core and term not in columns}
    wanted = list(dict.fromkeys(layout.columns.values()))
    ways = [partial(_by_arrow, text, wanted, block) for block in BLOCKS]
    return BackboneFile(path, layout, (*ways, partial(_by_rows, text, wanted)), same)


def _columns(header: str, delimiter: str, core: DataFile | None) -> Sequence[str]:
    if core is None:
        return cut_line(header, delimiter)
    width = len(header.split(delimiter)) if core.header_lines else 0
    return [*core.headings, *(f"column {at + 1}" for at in range(len(core.headings), width))]


def _has_quotes(sample: bytes, delimiter: str) -> bool:
    """Whether quotation marks enclose cells: between tabs, where nearly each that begins a cell also ends one.

    Commas need them, WCVP's pipes have none.
    """
    if delimiter != "\t":
        return delimiter != "|"
    cut = re.escape(delimiter.encode())
    begun = len(re.findall(rb'(?:^|[\r\n]|%b)"' % cut, sample))
    ended = len(re.findall(rb'"(?=$|[\r\n]|%b)' % cut, sample))
    return begun > 0 and min(begun, ended) > 0.9 * max(begun, ended)


def _by_arrow(text: _Text, wanted: list[str], block: int, torn: dict[int, str]) -> Iterator[pa.RecordBatch]:
    def set_aside(row: pv.InvalidRow) -> str:
        torn[row.number] = row.text
        return "skip"

    quoting = {"quote_char": '"', "double_quote": True} if text.quotes else {"quote_char": False}
    parsing = pv.ParseOptions(
        delimiter=text.delimiter, invalid_row_handler=set_aside, ignore_empty_lines=True, **quoting
    )
    converting = pv.ConvertOptions(
        include_columns=wanted,
        column_types={name: pa.string() for name in wanted},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    # One thread: only then does Arrow know the number of a line that it must set aside.
    reading = pv.ReadOptions(
        use_threads=False, block_size=block, column_names=text.columns, skip_rows=text.header_lines
    )
    rows = 0
    with text.open() as stream:
        for batch in pv.open_csv(stream, reading, parsing, converting):
            rows += batch.num_rows
            yield batch
    if text.quotes and (rows + len(torn) != _count_lines(text) or any('"' in line for line in torn.values())):
        raise _Unlike("a quotation runs over several lines")


def _count_lines(text: _Text) -> int:
    """Return how many lines hold something, those of headings not counted."""
    with text.open() as stream:
        return sum(1 for line in stream if line.strip()) - text.header_lines


def _by_rows(text: _Text, wanted: list[str], torn: dict[int, str]) -> Iterator[pa.RecordBatch]:
    """Yield the same in pure Python, each line in its own encoding: some ten times slower, and it reads anything."""
    with text.open() as stream:
        lines, _ = decode_lines(stream.read(), text.where)
    places = [text.columns.index(name) for name in wanted]
    kept: list[list[str]] = []
    cutting = Cutting(text.delimiter, len(text.columns), quotes=text.quotes)
    for row in read_text_rows(lines, text.header_lines, cutting):
        if not row.fits:
            torn[row.line] = " | ".join(row.cells)
            continue
        kept.append([row.cells[at] for at in places])
        if len(kept) == _ROWS_IN_A_BATCH:
            yield _batch(kept, wanted)
            kept = []
    if kept:
        yield _batch(kept, wanted)


def _batch(rows: list[list[str]], names: list[str]) -> pa.RecordBatch:
    columns = [pa.array([row[at] or None for row in rows], pa.string()) for at in range(len(names))]
    return pa.RecordBatch.from_arrays(columns, names=names)
