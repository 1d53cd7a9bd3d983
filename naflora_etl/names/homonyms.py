"""Which of several rows of one name was meant: by authors, by family, by leading to one taxon, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from naflora_etl.names.authors import AGREE, author_similarity, normalise_authors
from naflora_etl.names.index import BackboneIndex
from naflora_etl.names.rules import STATUS_ORDER

_MARGIN = 0.1  # authors nearly as alike as the likest decide nothing

_FAMILIES = {
    "compositae": "asteraceae",
    "cruciferae": "brassicaceae",
    "gramineae": "poaceae",
    "guttiferae": "clusiaceae",
    "labiatae": "lamiaceae",
    "leguminosae": "fabaceae",
    "palmae": "arecaceae",
    "umbelliferae": "apiaceae",
}
"""The eight families with two lawful names (article 18.5 of the code)."""


class Choice(NamedTuple):
    """The row that was meant, or None; the likeness of its authors; and the rows between which nothing decided."""

    row: int | None
    author_similarity: float | None
    rivals: tuple[int, ...] = ()


def choose_row(
    index: BackboneIndex,
    rows: list[int],
    authorship: str | None,
    family: str | None,
    homonyms: Literal["set_aside", "accepted"] = "set_aside",
) -> Choice:
    """Return the row among `rows` that a name with these authors, in this family, was meant for.

    In this order: rows that are not merely misapplied; rows with the likest authors (the same string, the same authors,
    alike ones by a margin); rows of the family; then all must lead to one taxon. homonyms="accepted" takes the only
    accepted row of several where the name came without authors.
    """
    if len(rows) == 1:
        return Choice(rows[0], author_similarity(authorship or "", index.text(rows[0], "taxon_authors") or ""))
    rows = [row for row in rows if index.status(row) != "Misapplied"] or rows
    likeness = {row: author_similarity(authorship or "", index.text(row, "taxon_authors") or "") for row in rows}
    rows = _in_family(index, _by_authors(index, rows, authorship, likeness), family)
    taxa = {index.accepted(row) for row in rows}
    accepted = [row for row in rows if index.status(row) == "Accepted"]
    if len(rows) > 1 and len(taxa) > 1 and homonyms == "accepted" and not authorship and len(accepted) == 1:
        return Choice(accepted[0], likeness[accepted[0]])
    if len(taxa) > 1:
        return Choice(None, None, tuple(in_order(index, rows)))
    row = min(rows, key=lambda row: _precedence(index, row, likeness[row]))
    return Choice(row, likeness[row])


def _by_authors(
    index: BackboneIndex, rows: list[int], authorship: str | None, likeness: dict[int, float | None]
) -> list[int]:
    best = max((likeness[row] or 0.0 for row in rows), default=0.0)
    if not authorship or best < AGREE or len(rows) == 1:
        return rows
    if best < 1:
        return [row for row in rows if (likeness[row] or 0.0) > best - _MARGIN]
    same = [row for row in rows if likeness[row] == 1]
    written = [row for row in same if index.text(row, "taxon_authors") == authorship]
    normal = normalise_authors(authorship)
    return written or [
        row for row in same if normalise_authors(index.text(row, "taxon_authors") or "") == normal
    ] or same  # fmt: skip


def _in_family(index: BackboneIndex, rows: list[int], family: str | None) -> list[int]:
    if not family or len(rows) == 1:
        return rows
    return [row for row in rows if same_family(family, index.text(row, "family"))] or rows


def same_family(one: str | None, other: str | None) -> bool:
    """Say whether two family names are one family, also by the eight lawful alternatives (Compositae, Asteraceae)."""
    names = [_FAMILIES.get(name, name) for name in ((one or "").strip().lower(), (other or "").strip().lower())]
    return names[0] == names[1]


def in_order(index: BackboneIndex, rows: Iterable[int]) -> list[int]:
    """Return rows by status and then id: the order in which they are shown, whatever that of the backbone is."""
    return sorted(rows, key=lambda row: _precedence(index, row, None))


def _precedence(index: BackboneIndex, row: int, likeness: float | None) -> tuple[int, float, int, str]:
    status = index.status(row)
    order = STATUS_ORDER.index(status) if status in STATUS_ORDER else len(STATUS_ORDER)
    name_id = index.text(row, "plant_name_id") or ""
    return order, -(likeness or 0.0), len(name_id), name_id
