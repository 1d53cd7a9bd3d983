"""The backbone of names: WCVP as Kew publishes it, Darwin Core, or another table by a mapping -> WCVP's words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.receipts import digest_path
from naflora_etl.names.backbone_cache import cache_key, find_cached, is_worth_keeping, keep
from naflora_etl.names.backbone_file import find_backbone_file
from naflora_etl.names.backbone_layouts import COLUMNS, INLINE
from naflora_etl.names.backbone_rows import UNREADABLE, in_wcvps_words
from naflora_etl.names.backbone_version import find_version

REPEATED = "BACKBONE_ROW_REPEATED"
MISSING = "BACKBONE_ACCEPTED_MISSING"
CYCLIC = "BACKBONE_ACCEPTED_CYCLIC"
_REQUIRED = ("taxon_rank", "taxon_status", "genus", "taxon_name")
_ABOUT = b"naflora.backbone"


@dataclass(frozen=True)
class Backbone:
    """What is recorded of a names table beside its rows."""

    file: str
    layout: str
    """wcvp, wcvp-v5, darwin-core or mapping."""
    version: str | None
    """As the file, its readme or its archive says; None where nothing says it."""
    sha256: str
    """Of the file as it lies there."""

    def as_sentence(self) -> str:
        """Return the backbone in words: its file, its version and the first digits of its digest."""
        version = f"version {self.version}" if self.version else "which tells no version"
        return f"{self.file}, {version} ({self.layout}), sha256 {self.sha256[:12]}"


def read_backbone(path: str | Path, mapping: Mapping[str, str], *, cached: bool = True) -> pa.Table:
    """Return the names table at `path` in the columns of schemas/wcvp.json, in the order of the file.

    Read as they are: WCVP's wcvp_names.csv (pipes, no quotation marks), its layout up to version 5, Kew's Darwin Core
    archive, the zips they come in, and any CSV, TSV or Parquet under Darwin Core's own headings; any other through
    `mapping` {column of WCVP: column of the file}. What a file lacks is built: the name from its parts, the parts from
    the name, an accepted name's accepted id from its own. A row that cannot be used has an `issue`; one that leads to
    no taxon by a fault of the table stays in use, lest its name be taken for another, and has a `remark`. The table's
    metadata tell what it is (describe_backbone). A large file is read once and then, unless `cached` is false, comes
    from the user's cache folder. Raises Fault for a file that is no such table, telling the columns it lacks and has.
    """
    path = Path(path)
    digest = digest_path(str(path)) if path.is_file() else ""
    key = cache_key(digest, mapping) if cached and is_worth_keeping(path) else None
    kept = find_cached(key) if key else None
    if kept is not None:
        return kept
    table = _read(path, mapping, digest)
    if key:
        keep(key, table)
    return table


def describe_backbone(metadata: Mapping[bytes, bytes] | None) -> Backbone | None:
    """Return what the metadata of a table that read_backbone returned tell; None for those of any other."""
    said = (metadata or {}).get(_ABOUT)
    return Backbone(**json.loads(said)) if said else None


def _read(path: Path, mapping: Mapping[str, str], digest: str) -> pa.Table:
    file = find_backbone_file(path, mapping)
    batches, torn = file.read(lambda batch: in_wcvps_words(batch, file.layout))
    rows = [*batches, _torn_rows(torn)] if torn or not batches else batches
    table = _with_unique_ids(_with_inline_accepted(pa.concat_tables(rows)))
    table = table.add_column(len(COLUMNS), "remark", _remarks(table))
    about = Backbone(path.name, file.layout.kind, find_version(path), digest or digest_path(str(path)))
    return table.replace_schema_metadata({_ABOUT: json.dumps(asdict(about)).encode()})


def _torn_rows(torn: Mapping[int, str]) -> pa.Table:
    lines = sorted(torn)
    given = {"plant_name_id": [f"line:{line}" for line in lines], "taxon_name": [torn[line][:200] for line in lines]}
    columns = {name: pa.array(given.get(name, [None] * len(lines)), pa.string()) for name in (*COLUMNS, *INLINE)}
    return pa.table(columns | {"issue": pa.array([UNREADABLE] * len(lines), pa.string())})


def _with_inline_accepted(table: pa.Table) -> pa.Table:
    """Find the accepted id of rows that give the accepted name alone; what several accepted rows bear stays empty."""
    without = pc.and_(pc.is_null(table["accepted_plant_name_id"]), pc.is_valid(table["accepted_name"]))
    if pc.any(without).as_py():
        ids, names = table["plant_name_id"].to_pylist(), table["taxon_name"].to_pylist()
        authors, statuses = table["taxon_authors"].to_pylist(), table["taxon_status"].to_pylist()
        holders: dict[str, str | None] = {}
        for name_id, name, by, status in zip(ids, names, authors, statuses, strict=True):
            if status == "Accepted" and name:
                whole = f"{name} {by}" if by else name
                holders[whole] = None if whole in holders else name_id
        inline, whose = table["accepted_name"].to_pylist(), table["accepted_authors"].to_pylist()
        accepted = table["accepted_plant_name_id"].to_pylist()
        for at, is_without in enumerate(without.to_pylist()):
            if is_without:
                accepted[at] = holders.get(f"{inline[at]} {whose[at]}" if whose[at] else inline[at])
        place = table.column_names.index("accepted_plant_name_id")
        table = table.set_column(place, "accepted_plant_name_id", pa.chunked_array([pa.array(accepted, pa.string())]))
    return table.drop_columns(list(INLINE))


def _with_unique_ids(table: pa.Table) -> pa.Table:
    """Give every row an id of its own and a value wherever the contract asks for one; the first holder keeps an id."""
    for name in _REQUIRED:
        table = _put(table, name, pc.fill_null(table[name], ""))
    ids = table["plant_name_id"]
    if not ids.null_count and pc.count_distinct(ids).as_py() == len(ids):
        return table
    seen: set[str] = set()
    taken = set(ids.to_pylist())
    unique, issues = [], table["issue"].to_pylist()
    for at, name_id in enumerate(ids.to_pylist()):
        if name_id is None:
            name_id = _free(f"row:{at + 1}", taken)
        elif name_id in seen:
            name_id, issues[at] = _free(f"{name_id}#{at + 1}", taken), issues[at] or REPEATED
        seen.add(name_id)
        unique.append(name_id)
    table = _put(table, "plant_name_id", pa.chunked_array([pa.array(unique, pa.string())]))
    return _put(table, "issue", pa.chunked_array([pa.array(issues, pa.string())]))


def _free(name_id: str, taken: set[str | None]) -> str:
    while name_id in taken:
        name_id += "'"
    taken.add(name_id)
    return name_id


def _remarks(table: pa.Table) -> pa.Array:
    """Say of each row in use whose accepted names end nowhere why: one is not there, or they lead round in a ring."""
    accepted = table["accepted_plant_name_id"]
    following = pc.index_in(accepted, value_set=table["plant_name_id"].combine_chunks())
    unusable = pc.is_valid(table["issue"]).combine_chunks().to_numpy(zero_copy_only=False)
    steps: npt.NDArray[np.int64] = following.combine_chunks().fill_null(-1).cast(pa.int64()).to_numpy().copy()
    missing = (steps < 0) & pc.is_valid(accepted).combine_chunks().to_numpy(zero_copy_only=False)
    missing |= (steps >= 0) & unusable[steps]
    steps[missing] = -1
    # The last place, -1, stands for nowhere; each round doubles how far every row has been followed.
    ends = np.append(steps, -1)
    is_end = np.append(steps == np.arange(len(steps)), True)
    lost = np.append(missing, False)
    for _ in range(len(ends).bit_length()):
        further, lost = ends[ends], lost | lost[ends]
        if np.array_equal(further, ends):
            break
        ends = further
    cyclic = ~is_end[ends[:-1]]
    kind = np.where(unusable, -1, np.where(lost[:-1], 0, np.where(cyclic, 1, -1)))
    return pa.array([MISSING, CYCLIC], pa.string()).take(pa.array(kind, pa.int64(), mask=kind < 0))


def _put(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
