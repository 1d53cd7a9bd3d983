"""Two versions of a backbone compared: names that lead elsewhere, taxa lumped or split, what came and went."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.engine.tables import clean_rows
from naflora_etl.names.authors import normalise_authors
from naflora_etl.names.backbone import read_backbone

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CHANGES: dict[str, str] = {
    "lumped": "Its whole taxon went into one that other names led to before.",
    "split": "The names of its taxon lead to several taxa now, and this one not to the old.",
    "renamed": "Its whole taxon has another accepted name, under which nothing else stood.",
    "placed": "It had no accepted taxon, and has one now.",
    "unplaced": "It had an accepted taxon, and has none now.",
    "appeared": "The old version does not have the name.",
    "vanished": "The new version does not have the name.",
}
"""What may have become of a name between two versions; names that lead where they led are not told."""

_MOST_STEPS = 20
_COLUMNS = ("plant_name_id", "taxon_name", "taxon_authors", "taxon_status", "accepted_plant_name_id")


def compare_backbones(old: Path, new: Path, *, mapping: Mapping[str, str]) -> pa.Table:
    """Return one row per name that changed: `name, authors, change`, and for both versions its id, status and taxon.

    A name is the same in both if its id and name are, else if its name and authors are, else if the name alone is and
    stands but once in either. Sorted by change, in the order of CHANGES, then by name.
    """
    before, after = (clean_rows(read_backbone(path, mapping)).select(_COLUMNS).combine_chunks() for path in (old, new))
    return compare_tables(before, after)


def compare_tables(before: pa.Table, after: pa.Table) -> pa.Table:
    """Return what `compare_backbones` does, of two tables in WCVP's columns."""
    to_new = _find_names(before, after)
    led, leads = _accepted(before), _accepted(after)
    new_taxon = np.where(to_new >= 0, leads[to_new], -1)
    kept_taxon = np.where(led >= 0, to_new[led], -1)
    there = to_new >= 0
    moved = there & (led >= 0) & (new_taxon >= 0) & (new_taxon != kept_taxon)
    kinds: dict[str, Places] = {
        **_sort_moves(np.flatnonzero(moved), led, new_taxon, there),
        "placed": np.flatnonzero(there & (led < 0) & (new_taxon >= 0)),
        "unplaced": np.flatnonzero(there & (led >= 0) & (new_taxon < 0)),
        "vanished": np.flatnonzero(~there),
    }
    known = np.zeros(len(after), bool)
    known[to_new[there]] = True
    appeared = np.flatnonzero(~known)
    tables = []
    for change in CHANGES:
        if change == "appeared":
            nothing = np.full(len(appeared), -1)
            tables.append(_tell(change, before, nothing, nothing, after, appeared, leads[appeared]))
        else:
            rows = kinds[change]
            tables.append(_tell(change, before, rows, led[rows], after, to_new[rows], new_taxon[rows]))
    return pa.concat_tables(tables)


def count_changes(changes: pa.Table) -> dict[str, int]:
    """Return how many names there are of each change, all of CHANGES, in their order."""
    counts = {row["values"]: row["counts"] for row in changes["change"].value_counts().to_pylist()}
    return {change: counts.get(change, 0) for change in CHANGES}


def _find_names(before: pa.Table, after: pa.Table) -> Places:
    """Return for each old row the new row of the same name, or -1."""
    by_id = _places(before["plant_name_id"], after["plant_name_id"])
    same = np.array(
        pc.equal(before["taxon_name"], after["taxon_name"].take(pa.array(np.maximum(by_id, 0)))).fill_null(False)
    )
    found = np.where((by_id >= 0) & same, by_id, -1)
    for key in (_cited_names, _single_names):
        rest = np.flatnonzero(found < 0)
        free = np.setdiff1d(np.arange(len(after)), found)
        if not len(rest) or not len(free):
            break
        places = _places(key(before.take(pa.array(rest))), key(after.take(pa.array(free))))
        found[rest] = np.where(places >= 0, free[np.maximum(places, 0)], -1)
    return found


def _cited_names(table: pa.Table) -> pa.Array:
    authors = table["taxon_authors"].fill_null("").combine_chunks().dictionary_encode()
    normal = pa.array([normalise_authors(citation) for citation in authors.dictionary.to_pylist()], pa.string())
    return pc.binary_join_element_wise(table["taxon_name"].combine_chunks(), normal.take(authors.indices), "\t")


def _single_names(table: pa.Table) -> pa.Array:
    names = table["taxon_name"].combine_chunks()
    counts = names.value_counts()
    single = counts.field("values").filter(pc.equal(counts.field("counts"), 1))
    return pc.if_else(pc.is_in(names, value_set=single), names, None)


def _places(asked: pa.ChunkedArray | pa.Array, given: pa.ChunkedArray | pa.Array) -> Places:
    given = given.combine_chunks() if isinstance(given, pa.ChunkedArray) else given
    places = pc.index_in(asked, value_set=given, skip_nulls=True)
    places = places.combine_chunks() if isinstance(places, pa.ChunkedArray) else places
    found: Places = places.fill_null(-1).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return found


def _accepted(table: pa.Table) -> Places:
    """Return for each row the row that it leads to; -1 for none, and for rings."""
    following = _places(table["accepted_plant_name_id"], table["plant_name_id"])
    status = np.array(pc.equal(table["taxon_status"], "Misapplied").fill_null(False))
    following = np.where(status, -1, following)
    place = following.copy()
    for _ in range(_MOST_STEPS):
        place = np.where(place >= 0, following[place], -1)
    ends = np.where(place >= 0, following[place] == place, False)
    return np.where(ends, place, -1)


def _sort_moves(rows: Places, led: Places, leads: Places, there: Flags) -> dict[str, Places]:
    """Return the rows that lead elsewhere now as `lumped`, `split` and `renamed`."""
    both = np.flatnonzero(there & (led >= 0) & (leads >= 0))
    pairs = np.unique(np.stack([led[both], leads[both]]), axis=1)
    origins, ways = np.unique(pairs[0], return_counts=True)
    split = np.isin(led[rows], origins[ways > 1])
    ends, comers = np.unique(pairs[1], return_counts=True)
    crowded = np.isin(leads[rows], ends[comers > 1])
    return {"split": rows[split], "lumped": rows[~split & crowded], "renamed": rows[~split & ~crowded]}


def _tell(
    change: str, before: pa.Table, old: Places, old_taxon: Places, after: pa.Table, new: Places, new_taxon: Places
) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for side, table, rows, taxa in (("old", before, old, old_taxon), ("new", after, new, new_taxon)):
        columns[f"{side}_id"] = _take(table["plant_name_id"], rows)
        columns[f"{side}_status"] = _take(table["taxon_status"], rows)
        columns[f"{side}_accepted_id"] = _take(table["plant_name_id"], taxa)
        columns[f"{side}_accepted_name"] = _take(table["taxon_name"], taxa)
    named = after, new
    if change != "appeared":
        named = before, old
    first = {
        "name": _take(named[0]["taxon_name"], named[1]),
        "authors": _take(named[0]["taxon_authors"], named[1]),
        "change": pa.array([change] * len(old), pa.string()),
    }
    told = pa.table(first | columns)
    return told.sort_by([(column, "ascending") for column in ("name", "authors", "old_id", "new_id")])


def _take(column: pa.ChunkedArray, rows: Places) -> pa.Array:
    places = pa.array(rows, mask=rows < 0)
    return column.combine_chunks().take(places)
