"""The backbone of names: WCVP as Kew publishes it, or another table by a mapping -> one table in WCVP's words."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.tables import read_parquet
from naflora_etl.names.parse import RANKS
from naflora_etl.names.textfile import decode_text, find_delimiter, read_bytes

_COLUMNS = (
    "plant_name_id ipni_id powo_id taxon_rank taxon_status family genus_hybrid genus species_hybrid species "
    "infraspecific_rank infraspecies parenthetical_author primary_author taxon_name taxon_authors "
    "accepted_plant_name_id homotypic_synonym hybrid_formula"
)
COLUMNS = tuple(_COLUMNS.split())
_NEEDED = ("plant_name_id", "taxon_status", "genus", "species", "accepted_plant_name_id")
_REQUIRED = ("taxon_rank", "taxon_status", "genus", "taxon_name")
_NAME_PARTS = ("genus_hybrid", "genus", "species_hybrid", "species", "infraspecific_rank", "infraspecies")

_STATUSES = {
    "unresolved": "Unplaced",
    "unchecked": "Unplaced",
    "unknown": "Unplaced",
    "homotypic synonym": "Synonym",
    "homotypic_synonym": "Synonym",
    "heterotypic synonym": "Synonym",
    "heterotypic_synonym": "Synonym",
    "ambiguous synonym": "Synonym",
    "valid": "Accepted",
    "provisionally accepted": "Provisionally Accepted",
    "artificial hybrid": "Artificial Hybrid",
}
_UNREADABLE = "BACKBONE_ROW_UNREADABLE"
_REPEATED = "BACKBONE_ROW_REPEATED"


def read_backbone(path: str | Path, mapping: Mapping[str, str]) -> pa.Table:
    """Return the names table at `path` in the columns of schemas/wcvp.json, in the order of the file.

    Reads wcvp_names.csv (pipes, no quotation marks) or the zip that holds it, as they are downloaded, and any other
    CSV, TSV or Parquet through `mapping` {column of WCVP: column of the file}. What a file lacks is built: the name
    from its parts, the rank from its epithets, an accepted name's accepted id from its own. Raises Fault for a file
    that is no such table, telling the columns that it lacks and has.
    """
    raw, torn = _read_table(Path(path), mapping)
    table = _fill(pa.table({name: _column(raw, name) for name in COLUMNS}))
    table = table.append_column("issue", _unreadable(table))
    if torn:
        table = pa.concat_tables([table, _torn_rows(torn)])
    return _with_unique_ids(table)


def _read_table(path: Path, mapping: Mapping[str, str]) -> tuple[pa.Table, list[int]]:
    """Return the file's columns under WCVP's names, and the numbers of the lines that did not fit its header."""
    unknown = sorted(set(mapping) - set(COLUMNS))
    if unknown:
        raise Fault(f"wcvp.mapping: {unknown[0]} is no column of WCVP; those are: {', '.join(COLUMNS)}.")
    data = read_bytes(path, "the backbone")
    if data.startswith(b"PK\x03\x04"):
        data = _unzip(data, path)
    if data.startswith(b"PAR1"):
        table, torn = _read_parquet(data, path)
    else:
        table, torn = _read_csv(data, path)
    columns = {name: mapping.get(name, name) for name in COLUMNS}
    lacking = [columns[name] for name in COLUMNS if columns[name] not in table.column_names]
    needed = [column for column in lacking if column in {columns[name] for name in _NEEDED} | set(mapping.values())]
    if needed:
        raise Fault(
            f"{path} has no column {', '.join(map(repr, needed))}; its columns are: {', '.join(table.column_names)}. "
            "Say with wcvp.mapping which of them is which column of WCVP."
        )
    found = {name: column for name, column in columns.items() if column not in lacking}
    return table.select(list(found.values())).rename_columns(list(found)), torn


def _unzip(data: bytes, path: Path) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            tables = sorted(n for n in archive.namelist() if n.lower().endswith((".csv", ".txt", ".tsv", ".parquet")))
            chosen = [n for n in tables if n.rpartition("/")[2].lower() == "wcvp_names.csv"] or tables
            if len(chosen) != 1:
                raise Fault(f"{path} holds {', '.join(tables) or 'no table'}; unpack it and name the table of names.")
            return archive.read(chosen[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Fault(f"{path} is a damaged zip ({error}); download it again.") from None


def _read_parquet(data: bytes, path: Path) -> tuple[pa.Table, list[int]]:
    try:
        return read_parquet(io.BytesIO(data)), []
    except (pa.ArrowInvalid, OSError) as error:
        raise Fault(f"{path} is a damaged Parquet file: {str(error).splitlines()[0]}") from None


def _read_csv(data: bytes, path: Path) -> tuple[pa.Table, list[int]]:
    header = data[: data.find(b"\n") + 1 or len(data)].decode("utf-8-sig", errors="replace")
    delimiter = find_delimiter(header)
    if delimiter is None:
        decode_text(data[:100_000], path)  # tells a picture or a web page by its name
        raise Fault(f"{path} has one column, {header.strip()[:60]!r}; a backbone is a table cut by | , ; or tabs.")
    torn: list[int] = []

    def set_aside(row: pv.InvalidRow) -> str:
        torn.append(row.number)
        return "skip"

    # WCVP's file quotes nothing, so a quotation mark in it is only a mark.
    quoting = {"quote_char": False} if delimiter == "|" else {"quote_char": '"', "double_quote": True}
    parsing = pv.ParseOptions(delimiter=delimiter, invalid_row_handler=set_aside, ignore_empty_lines=True, **quoting)
    converting = pv.ConvertOptions(
        check_utf8=True, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=True
    )
    converting.column_types = {name.strip('"'): pa.string() for name in header.strip("\r\n").split(delimiter)}
    for encoding in ("utf-8", "cp1252"):
        torn.clear()
        # One thread: only then does Arrow know the number of a line that it must set aside.
        reading = pv.ReadOptions(use_threads=False, block_size=1 << 24, encoding=encoding)
        try:
            return pv.read_csv(io.BytesIO(data), reading, parsing, converting), torn
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            fault = str(error)
    raise Fault(f"{path} cannot be read as a table: {fault.splitlines()[0]}")


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        return pa.chunked_array([pa.nulls(len(table), pa.string())])
    trimmed = pc.utf8_trim_whitespace(table[name].cast(pa.string()))
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)


def _fill(table: pa.Table) -> pa.Table:
    """Build what other layouts leave out, and put ranks and statuses in WCVP's words."""
    ranks = _reword(table["infraspecific_rank"], _rank_mark)
    status = _reword(table["taxon_status"], _status)
    table = _put(_put(table, "infraspecific_rank", ranks), "taxon_status", status)
    by_parts = pc.if_else(
        pc.is_valid(table["infraspecies"]),
        pc.fill_null(_reword(ranks, lambda rank: RANKS.get(rank, rank)), "Infraspecific"),
        pc.if_else(pc.is_valid(table["species"]), "Species", "Genus"),
    )
    table = _put(table, "taxon_rank", pc.coalesce(table["taxon_rank"], by_parts))
    if table["taxon_name"].null_count:
        parts = [table[part] for part in _NAME_PARTS]
        built = pc.binary_join_element_wise(*parts, " ", null_handling="skip")
        table = _put(table, "taxon_name", pc.coalesce(table["taxon_name"], built))
    own = pc.and_(pc.equal(status, "Accepted"), pc.is_null(table["accepted_plant_name_id"]))
    accepted = pc.if_else(pc.fill_null(own, False), table["plant_name_id"], table["accepted_plant_name_id"])
    return _put(table, "accepted_plant_name_id", accepted)


def _put(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _reword(column: pa.ChunkedArray, word: Callable[[str], str]) -> pa.ChunkedArray:
    """Apply `word` to each distinct value; there are a handful of them in a million rows."""
    distinct = column.unique().drop_null()
    words = pa.array([word(value) for value in distinct.to_pylist()], pa.string())
    return words.take(pc.index_in(column, value_set=distinct))


def _rank_mark(written: str) -> str:
    bare = written.lower().rstrip(".")
    return next((rank for rank in RANKS if rank.rstrip(".") == bare), written)


def _status(written: str) -> str:
    return _STATUSES.get(written.lower(), written[:1].upper() + written[1:].lower())


def _unreadable(table: pa.Table) -> pa.Array:
    """A row without an id, a genus or a status says nothing; Arrow's own misfits come apart, as torn rows."""
    silent = pc.or_(
        pc.or_(pc.is_null(table["plant_name_id"]), pc.is_null(table["genus"])), pc.is_null(table["taxon_status"])
    )
    return pc.if_else(silent, _UNREADABLE, pa.scalar(None, pa.string()))


def _torn_rows(lines: list[int]) -> pa.Table:
    required = {"plant_name_id": [f"line:{line}" for line in lines]}
    required |= {name: [""] * len(lines) for name in _REQUIRED}
    columns = {name: pa.array(required.get(name, [None] * len(lines)), pa.string()) for name in COLUMNS}
    return pa.table(columns | {"issue": pa.array([_UNREADABLE] * len(lines), pa.string())})


def _with_unique_ids(table: pa.Table) -> pa.Table:
    """Give every row an id of its own and a value wherever the contract asks for one; the first holder keeps an id."""
    for name in _REQUIRED:
        table = _put(table, name, pc.fill_null(table[name], ""))
    ids = table["plant_name_id"]
    if not ids.null_count and len(ids.unique()) == len(ids):
        return table.combine_chunks()
    seen: set[str] = set()
    unique, issues = [], table["issue"].to_pylist()
    for at, name_id in enumerate(ids.to_pylist()):
        if name_id is None:
            name_id = f"row:{at + 1}"
        elif name_id in seen:
            name_id, issues[at] = f"{name_id}#{at + 1}", issues[at] or _REPEATED
        seen.add(name_id)
        unique.append(name_id)
    table = _put(table, "plant_name_id", pa.chunked_array([pa.array(unique, pa.string())]))
    return _put(table, "issue", pa.chunked_array([pa.array(issues, pa.string())])).combine_chunks()
