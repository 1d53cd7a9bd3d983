"""Checklists as the world writes them (Tropicos, USDA, BoCP, Darwin Core, a plain list) -> one table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from naflora_etl.engine.faults import Fault
from naflora_etl.names.distribution import Distribution
from naflora_etl.names.entries import Entry, read_entry
from naflora_etl.names.listing import Asked, Listing, read_listing
from naflora_etl.names.parse import parse_name
from naflora_etl.names.vascular import is_not_vascular
from naflora_etl.recipe import ChecklistOptions

SCHEMA = pa.schema(
    [
        ("checklist_key", pa.string()),
        ("source_file", pa.string()),
        ("line", pa.int64()),
        ("encoding", pa.string()),
        ("taxonID", pa.string()),
        ("scientificName", pa.string()),
        ("scientificNameAuthorship", pa.string()),
        ("taxonRank", pa.string()),
        ("family", pa.string()),
        ("written_name", pa.string()),
        ("mended", pa.string()),
        ("also_in", pa.string()),
        ("same_as", pa.string()),
        ("issue", pa.string()),
    ]
)
REPEATED = "CHECKLIST_NAME_REPEATED"
NOT_VASCULAR = "NOT_VASCULAR"
RANK_NOT_WANTED = "RANK_NOT_WANTED"
_AUTHORS = re.compile(r"\s\(?[A-ZÀ-Þ]")  # only authors have capitals behind the genus


def read_checklists(paths: Sequence[str | Path], options: ChecklistOptions) -> pa.Table:
    """Return every row of the files in one table (schemas/checklist.json), files in the order given.

    Every line that is not blank is a row, or part of one, or the line of headings. A row that its header does not fit,
    or that has no name, stays and carries an issue; so does one that the recipe does not ask for, and a name that an
    earlier row has, authors and all: it is `same_as` that one, which tells the files that it is `also_in`. Raises
    Fault for a file that is missing, empty, no table, or has no column of names.
    """
    if not paths:
        raise Fault("checklist.paths is empty; name at least one file of plant names in the recipe.")
    asked = Asked(options.name_column, options.author_column, options.encoding)
    listings = [read_listing(path, asked) for path in map(Path, paths)]
    rows: list[dict[str, Any]] = []
    stems: dict[str, int] = {}
    tells_regions = False
    for listing in listings:
        distribution = Distribution(listing, options)
        tells_regions |= distribution.tells_regions
        rows += _rows(listing, _stem(listing.path, stems), distribution, options)
    if options.regions and not tells_regions:
        raise Fault(
            "checklist.regions asks for " + ", ".join(options.regions) + ", but no checklist tells where its names "
            "occur (a distribution file, or a column locationID, countryCode, stateProvince ...); leave it out."
        )
    _merge(rows)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _stem(path: Path, stems: dict[str, int]) -> str:
    """Return what begins the keys of a file: its name, with a number where another file has the same."""
    stem = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "checklist"
    stems[stem] = stems.get(stem, 0) + 1
    return stem if stems[stem] == 1 else f"{stem}-{stems[stem]}"


def _rows(listing: Listing, key: str, distribution: Distribution, options: ChecklistOptions) -> list[dict[str, Any]]:
    rows = []
    for at, row in enumerate([*listing.above, *listing.rows]):
        is_above = at < len(listing.above)
        entry = read_entry(row, listing.headings, is_above)
        issue = entry.issue or _unwanted(entry, row.cells, listing, distribution, options)
        rows.append(
            {
                "checklist_key": f"{key}:{row.line}",
                "source_file": listing.path.name,
                "line": row.line,
                "encoding": (listing.encodings[at - len(listing.above)] if not is_above else "") or None,
                "taxonID": entry.identifier,
                "scientificName": entry.name,
                "scientificNameAuthorship": entry.author,
                "taxonRank": entry.rank,
                "family": entry.family,
                "written_name": entry.written,
                "mended": entry.mended,
                "also_in": None,
                "same_as": None,
                "issue": issue,
            }
        )
    return rows


def _unwanted(
    entry: Entry, cells: Sequence[str], listing: Listing, distribution: Distribution, options: ChecklistOptions
) -> str | None:
    """Return why the recipe does not ask for a row that can be read."""
    if options.vascular_only and is_not_vascular(cells, listing.headings, listing.constants, entry.family):
        return NOT_VASCULAR
    if options.ranks and _rank(entry) not in {*options.ranks, None}:
        return RANK_NOT_WANTED
    return distribution.issue(cells)


def _rank(entry: Entry) -> str | None:
    """Return the rank in WCVP's words: as the list says it, else as the name shows it; None where neither does."""
    if entry.rank:
        return _worded(entry.rank)
    parsed = parse_name(entry.name or "", entry.author)
    return None if parsed.reason else parsed.rank


@lru_cache(maxsize=1000)
def _worded(rank: str) -> str:
    bare = rank.lower().strip(" .")
    words = {"sp": "Species", "subsp": "Subspecies", "ssp": "Subspecies", "var": "Variety", "f": "Form"}
    return words.get(bare) or {"varietas": "Variety", "forma": "Form"}.get(bare) or bare.capitalize()


def _merge(rows: list[dict[str, Any]]) -> None:
    """Set aside each name that an earlier clean row has already, and tell both rows of each other."""
    first: dict[tuple[str, str], dict[str, Any]] = {}
    files: dict[str, list[str]] = {}
    for row in rows:
        if row["issue"] is not None:
            continue
        name, authors = row["scientificName"], row["scientificNameAuthorship"] or ""
        whole = name if name.endswith(authors) else f"{name} {authors}"
        # Without authors a homonym is known by its family alone.
        family = "" if _AUTHORS.search(whole) else (row["family"] or "").lower()
        holder = first.setdefault((whole, family), row)
        if holder is row:
            continue
        row["issue"], row["same_as"] = REPEATED, holder["checklist_key"]
        others = files.setdefault(holder["checklist_key"], [holder["source_file"]])
        if row["source_file"] not in others:
            others.append(row["source_file"])
            holder["also_in"] = " | ".join(others[1:])
