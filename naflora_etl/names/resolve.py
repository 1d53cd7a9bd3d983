"""The door of this wing: a written name in, its accepted taxon or the reason why there is none out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from naflora_etl.names.authors import same_authors
from naflora_etl.names.index import BackboneIndex
from naflora_etl.names.likeness import like_names, similarity
from naflora_etl.names.parse import ParsedName, parse_name
from naflora_etl.names.spelling import fold_word

MatchType = Literal["exact_with_author", "exact", "fuzzy", "none"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a name. `row` and `taxon_row` are positions in the backbone table that the resolver was given."""

    canonical_name: str | None = None
    match_type: MatchType = "none"
    match_similarity: float | None = None
    row: int | None = None
    """The matched name."""
    plant_name_id: str | None = None
    """Its identifier."""
    taxon_row: int | None = None
    """The taxon that counts: the accepted one, or its species where varieties are lumped."""
    taxon_id: str | None = None
    """Its identifier: the class of an image. Null whenever there is an issue."""
    issue: str | None = None


class Resolver:
    """Resolves names against one backbone, each in some ten microseconds; equal questions are answered from memory.

    `ranks` are the ranks of taxa that count. With infraspecific="lump" a name that leads to a variety leads on to the
    accepted species of the same genus and epithet, if `ranks` want species; else it is RANK_NOT_WANTED.
    """

    def __init__(
        self,
        wcvp: pa.Table,
        fuzzy_similarity: float = 0.9,
        *,
        ranks: Sequence[str] = ("Species",),
        infraspecific: Literal["lump", "set_aside"] = "lump",
    ) -> None:
        self._index = BackboneIndex(wcvp)
        self._fuzzy_similarity = fuzzy_similarity
        self._ranks = frozenset(ranks)
        self._lump = infraspecific == "lump" and "Species" in self._ranks
        self._known: dict[tuple[str, str | None], Verdict] = {}

    def resolve(self, name: str | None, authorship: str | None = None) -> Verdict:
        """Return the verdict on one name as it was written, with its authors behind it or apart.

        Looked for, in this order: the name with the same authors; the name; a misspelt name (within its genus; else
        under a misspelt genus, with the very epithets). Among several rows the same authors decide, then being the
        only accepted one, then leading all to the same taxon; else the name is ambiguous. Never raises for any text.
        """
        question = (name or "", authorship)
        if question not in self._known:
            self._known[question] = self._resolve(parse_name(name or "", authorship))
        return self._known[question]

    def _resolve(self, name: ParsedName) -> Verdict:
        blank = Verdict(canonical_name=None if name.reason else name.canonical)
        refusal = self._refusal(name)
        if refusal:
            return replace(blank, issue=refusal)
        words = fold_word(name.genus), fold_word(name.epithet or ""), fold_word(name.infraspecific or "")
        rows = self._of_rank(self._index.find(*words), name)
        if not rows and name.is_autonym and self._lump:
            # An autonym holds its species' type, so it stands or falls with the species; many backbones leave it out.
            rows = self._index.find(words[0], words[1])
        if rows:
            return self._judge(blank, rows, name.authorship, "exact", 1.0)
        return self._resolve_misspelt(blank, name, words)

    def _refusal(self, name: ParsedName) -> str | None:
        if name.reason:
            return "NAME_UNPARSABLE"
        if name.is_hybrid_formula:
            return "NAME_IS_HYBRID_FORMULA"
        if name.qualifier == "sp." or (name.epithet is None and (name.rank or "") not in self._ranks):
            return "RANK_NOT_WANTED"
        return "NAME_DOUBTFUL" if name.qualifier else None

    def _resolve_misspelt(self, blank: Verdict, name: ParsedName, words: tuple[str, str, str]) -> Verdict:
        if name.epithet is None:
            return replace(blank, issue="NAME_NOT_FOUND")
        found: list[tuple[float, list[int]]] = []
        for like in like_names(self._index, *words):
            rows = self._of_rank(self._index.find(*like), name)
            if rows:
                likeness = similarity(name.canonical, self._index.text(rows[0], "taxon_name") or "")
                found.append((likeness, rows))
        best = max((likeness for likeness, _ in found), default=0.0)
        if best < self._fuzzy_similarity or not found:
            return replace(blank, issue="NAME_NOT_FOUND")
        rivals = [rows for likeness, rows in found if likeness == best]
        # Between two names that are equally like, being accepted decides nothing: either may have been meant.
        every = [row for rows in rivals for row in rows]
        return self._judge(blank, every, name.authorship, "fuzzy", best, by_status=len(rivals) == 1)

    def _of_rank(self, rows: list[int], name: ParsedName) -> list[int]:
        """Keep the rows of the name's infraspecific rank, and of its hybrid state where both states exist."""
        if name.infraspecific_rank and name.infraspecific_rank != "unranked":
            rows = [row for row in rows if self._index.text(row, "infraspecific_rank") == name.infraspecific_rank]
        if len(rows) > 1:
            hybrid = name.genus_hybrid or name.species_hybrid
            rows = [row for row in rows if self._index.is_hybrid(row) == hybrid] or rows
        return rows

    def _judge(
        self,
        blank: Verdict,
        rows: list[int],
        authorship: str | None,
        found: MatchType,
        likeness: float,
        by_status: bool = True,
    ) -> Verdict:
        row, with_author = self._choose(rows, authorship, by_status)
        match_type: MatchType = "exact_with_author" if with_author and found == "exact" else found
        verdict = replace(blank, match_type=match_type, match_similarity=round(likeness, 4))
        if row is None:
            return replace(verdict, issue="NAME_AMBIGUOUS")
        verdict = replace(verdict, row=row, plant_name_id=self._index.text(row, "plant_name_id"))
        taxon = None if self._index.status(row) == "Misapplied" else self._index.accepted(row)
        if taxon is None:
            return replace(verdict, issue="NAME_UNPLACED")
        wanted = self._wanted(taxon)
        if wanted is None:
            return replace(verdict, taxon_row=taxon, issue="RANK_NOT_WANTED")
        return replace(verdict, taxon_row=wanted, taxon_id=self._index.text(wanted, "plant_name_id"))

    def _choose(self, rows: list[int], authorship: str | None, by_status: bool) -> tuple[int | None, bool]:
        """Return (the row, whether its authors are the name's), or no row where nothing decides between several."""
        index = self._index
        rows = [row for row in rows if index.status(row) != "Misapplied"] or rows
        same = [row for row in rows if authorship and same_authors(authorship, index.text(row, "taxon_authors") or "")]
        rows = same or rows
        if len(rows) == 1:
            return rows[0], bool(same)
        accepted = [row for row in rows if index.status(row) == "Accepted"]
        if by_status and len(accepted) == 1:
            return accepted[0], bool(same)
        taxa = {index.accepted(row) for row in rows}
        if len(taxa) == 1 and None not in taxa:
            return min(accepted or rows, key=lambda row: index.text(row, "plant_name_id") or ""), bool(same)
        return None, bool(same)

    def _wanted(self, taxon: int) -> int | None:
        """Return the taxon itself if its rank counts, its species if varieties are lumped, else None."""
        index = self._index
        if index.rank(taxon) in self._ranks:
            return taxon
        if not self._lump or index.text(taxon, "infraspecies") is None:
            return None
        words = fold_word(index.text(taxon, "genus") or ""), fold_word(index.text(taxon, "species") or "")
        species = [row for row in index.find(*words) if index.accepted(row) == row and index.rank(row) == "Species"]
        if len(species) > 1:
            species = [row for row in species if index.is_hybrid(row) == index.is_hybrid(taxon)]
        return species[0] if len(species) == 1 else None
