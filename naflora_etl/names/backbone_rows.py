"""One batch of a names table -> WCVP's words: what other layouts leave out is built, and no more than that."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from naflora_etl.names.backbone_layouts import COLUMNS, EXTRA, INLINE, Layout
from naflora_etl.names.parse import RANKS, ParsedName, parse_name

UNREADABLE = "BACKBONE_ROW_UNREADABLE"
OTHER_RANK = "RANK_NOT_WANTED"
LONGEST = 1000  # letters; the longest names and authors have some two hundred
_NAME_PARTS = ("genus_hybrid", "genus", "species_hybrid", "species", "infraspecific_rank", "infraspecies")
_STATUSES = {
    "unresolved": "Unplaced",
    "unchecked": "Unplaced",
    "unknown": "Unplaced",
    "doubtful": "Unplaced",
    "homotypicsynonym": "Synonym",
    "heterotypicsynonym": "Synonym",
    "propartesynonym": "Synonym",
    "ambiguoussynonym": "Synonym",
    "valid": "Accepted",
    "provisionallyaccepted": "Provisionally Accepted",
    "artificialhybrid": "Artificial Hybrid",
    "localbiotype": "Local Biotype",
}
_RANK_WORDS = {word.lower(): word for word in RANKS.values()} | {
    "forma": "Form",
    "varietas": "Variety",
    "ssp": "Subspecies",
    "subsp": "Subspecies",
    "var": "Variety",
    "f": "Form",
    "sp": "Species",
    "species": "Species",
    "genus": "Genus",
    "family": "Family",
    "infraspecificname": "Infraspecific",
}
_MARKS = {word: mark for mark, word in RANKS.items() if mark != "unranked"}
_HEADINGS = ["Taxon_status", "Taxonomicstatus", "Taxonomic_status", "Taxonomic status", "Status"]
_IPNI = r"(?:^|ipni[:.]|names:)(?P<id>\d{1,9}-[1-9])$"


def in_wcvps_words(table: pa.Table, layout: Layout) -> pa.Table:
    """Return a batch with all of WCVP's columns, those of INLINE, and `issue`; rows in their order, none lost."""
    table = pa.table({name: _column(table, name) for name in (*COLUMNS, *INLINE, EXTRA)})
    written = table["taxon_status"]
    table = _put(table, "taxon_status", _reword(written, _status))
    if layout.names_are_whole:
        table = _with_parts(_with_extras(table, written))
    table = _with_marks(table)
    return table.select([*COLUMNS, *INLINE]).append_column("issue", _issues(table))


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        return pa.chunked_array([pa.nulls(len(table), pa.string())])
    trimmed = pc.utf8_trim_whitespace(table[name])
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)


def _with_marks(table: pa.Table) -> pa.Table:
    """Fill rank, infraspecific mark, name and an accepted name's accepted id, where they are empty."""
    ranks = _reword(table["infraspecific_rank"], _rank_mark)
    table = _put(table, "infraspecific_rank", ranks)
    by_parts = pc.if_else(
        pc.is_valid(table["infraspecies"]),
        pc.fill_null(_reword(ranks, lambda rank: RANKS.get(rank, rank)), "Infraspecific"),
        pc.if_else(pc.is_valid(table["species"]), "Species", "Genus"),
    )
    table = _put(table, "taxon_rank", pc.coalesce(_reword(table["taxon_rank"], _rank_word), by_parts))
    if table["taxon_name"].null_count:
        # Arrow 26 leaves a row out in which all are null, so the first never is.
        parts = [pa.repeat("", len(table)), *(table[part] for part in _NAME_PARTS)]
        built = pc.utf8_trim_whitespace(pc.binary_join_element_wise(*parts, " ", null_handling="skip"))
        built = pc.if_else(pc.equal(built, ""), None, built)
        table = _put(table, "taxon_name", pc.coalesce(table["taxon_name"], built))
    nowhere = pc.and_(pc.is_null(table["accepted_plant_name_id"]), pc.is_null(table["accepted_name"]))
    own = pc.fill_null(pc.and_(pc.equal(table["taxon_status"], "Accepted"), nowhere), False)
    accepted = pc.if_else(own, table["plant_name_id"], table["accepted_plant_name_id"])
    return _put(table, "accepted_plant_name_id", accepted)


def _with_extras(table: pa.Table, status: pa.ChunkedArray) -> pa.Table:
    """Fill what Darwin Core and version 5 put elsewhere: the identifiers of IPNI and POWO, homotypic synonyms."""
    ids = table["ipni_id"] if table["ipni_id"].null_count < len(table) else table["plant_name_id"]
    table = _put(table, "ipni_id", pc.struct_field(pc.extract_regex(ids, _IPNI), "id"))
    for name in ("powo_id", "homotypic_synonym", "hybrid_formula"):
        key = name.replace("_", "")
        found = pc.struct_field(pc.extract_regex(table[EXTRA], rf'"{key}"\s*:\s*"(?P<it>[^"]+)"'), "it")
        table = _put(table, name, pc.coalesce(table[name], found))
    homotypic = pc.equal(_reword(status, lambda word: "T" if _bare(word) == "homotypicsynonym" else ""), "T")
    return _put(table, "homotypic_synonym", pc.if_else(pc.fill_null(homotypic, False), "T", table["homotypic_synonym"]))


def _with_parts(table: pa.Table) -> pa.Table:
    """Read genus, epithets, marks and authors out of the whole names.

    Darwin Core's `genus` is where a taxon is classified, so a synonym's is its accepted name's; its scientificName
    has the authors with it as often as not.
    """
    names, authors = table["taxon_name"].to_pylist(), table["taxon_authors"].to_pylist()
    given = [table[part].to_pylist() for part in ("genus", "species", "infraspecies")]
    ranks = table["taxon_rank"].to_pylist()
    rows = [
        _parts(name, author, rank, said)
        for name, author, rank, said in zip(names, authors, ranks, zip(*given, strict=True), strict=True)
    ]
    for at, column in enumerate((*_NAME_PARTS, "taxon_name", "taxon_authors")):
        table = _put(table, column, pa.chunked_array([pa.array([row[at] for row in rows], pa.string())]))
    return table


def _parts(
    name: str | None, authors: str | None, rank: str | None, said: tuple[str | None, str | None, str | None]
) -> tuple[str | None, ...]:
    """Return (genus mark, genus, species mark, species, rank mark, infraspecies, name, authors)."""
    text = (name or "")[:LONGEST]
    if authors and text.endswith(f" {authors}"):
        text = text[: -len(authors) - 1].rstrip(" ,")
    parsed = parse_name(text) if text else ParsedName(reason="it is empty")
    if parsed.reason or parsed.is_hybrid_formula or parsed.rank in ("Family", "Order"):
        return None, said[0], None, said[1], None, said[2], name, authors
    mark = parsed.infraspecific_rank
    if parsed.infraspecific and (mark is None or mark == "unranked"):
        mark = _MARKS.get(_rank_word(rank or ""), mark)
    if authors is None and parsed.authorship and not parsed.is_autonym:
        authors = parsed.authorship
    written = parsed.canonical if authors and parsed.authorship else text
    return (
        "×" if parsed.genus_hybrid else None,
        parsed.genus,
        "×" if parsed.species_hybrid else None,
        parsed.epithet,
        mark if parsed.infraspecific else None,
        parsed.infraspecific,
        written,
        authors,
    )


def _issues(table: pa.Table) -> pa.ChunkedArray:
    """Say which rows cannot be used: no id, status or genus; headings once more; text that is no name; other ranks."""
    empty = pc.or_(pc.is_null(table["plant_name_id"]), pc.is_null(table["taxon_status"]))
    bad = pc.or_(empty, pc.is_in(table["taxon_status"], value_set=pa.array(_HEADINGS)))
    for name in ("plant_name_id", "taxon_name", "genus", "species", "infraspecies", "taxon_authors"):
        odd = pc.or_(pc.greater(pc.binary_length(table[name]), LONGEST), pc.match_substring(table[name], "\0"))
        bad = pc.or_(bad, pc.fill_null(odd, False))
    above = pc.and_(pc.is_null(table["species"]), pc.not_equal(table["taxon_rank"], "Genus"))
    no_genus = pc.is_null(table["genus"])
    issue = pc.if_else(no_genus, UNREADABLE, pa.scalar(None, pa.string()))
    issue = pc.if_else(above, OTHER_RANK, issue)
    return pc.if_else(bad, UNREADABLE, issue)


def _put(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _reword(column: pa.ChunkedArray, word: Callable[[str], str]) -> pa.ChunkedArray:
    """Apply `word` to each distinct value; there are a handful of them in a million rows."""
    distinct = column.unique().drop_null()
    words = pa.array([word(value) for value in distinct.to_pylist()], pa.string())
    return pa.chunked_array([words.take(pc.index_in(column, value_set=distinct).combine_chunks())])


def _rank_mark(written: str) -> str:
    bare = written.lower().rstrip(".")
    return next((rank for rank in RANKS if rank.rstrip(".") == bare), written)


def _rank_word(written: str) -> str:
    bare = written.strip().rstrip(".").lower()
    return _RANK_WORDS.get(bare) or _RANK_WORDS.get(f"{bare}.") or (bare.capitalize() if written.isupper() else written)


def _status(written: str) -> str:
    return _STATUSES.get(_bare(written), written[:1].upper() + written[1:].lower())


def _bare(word: str) -> str:
    return re.sub(r"[\s_-]+", "", word).lower()
