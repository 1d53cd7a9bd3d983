"""The door of this wing: a written name in, its accepted taxon or the reason why there is none out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pyarrow as pa

from naflora_etl.names.homonyms import Choice, in_order
from naflora_etl.names.index import BackboneIndex
from naflora_etl.names.overrides import DROP, Override, Overrides
from naflora_etl.names.parse import ParsedName, parse_name
from naflora_etl.names.qualifiers import GARDENS, MISAPPLIED, split_qualifier
from naflora_etl.names.search import Found, Homonyms, MatchType, Search, folded_words
from naflora_etl.names.spelling import fold_word

MOST_ALTERNATIVES = 5
"""How many names a person is shown beside a doubtful one."""

_PARTED = {"Illegitimate": "NAME_ILLEGITIMATE", "Invalid": "NAME_INVALID", "Misapplied": "NAME_MISAPPLIED"}


class Verdict(NamedTuple):
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
    verdict: str = "unresolved"
    """One name out of rules.VERDICTS."""
    rule: str = "none"
    """One name out of rules.RULES."""
    author_similarity: float | None = None
    alternatives: tuple[int, ...] = ()
    """Rows that were not taken: homonyms, the likest of one not found, a doubtful name without its doubt."""
    override: str | None = None
    """Who decided, and why."""


class Resolver:
    """Resolves names against one backbone, plain ones in some twenty microseconds; equal questions from memory.

    `ranks` are the ranks of taxa that count; None: all. With infraspecific="lump" a name that leads to a variety leads
    on to the accepted species of the same genus and epithet, if `ranks` want species; else it is RANK_NOT_WANTED.
    homonyms="accepted" takes the only accepted one of several homonyms where a name came without authors.
    Raises Fault if `overrides` tell an id that the backbone lacks.
    """

    def __init__(
        self,
        wcvp: pa.Table,
        fuzzy_similarity: float = 0.9,
        *,
        ranks: Sequence[str] | None = ("Species",),
        infraspecific: Literal["lump", "set_aside"] = "lump",
        homonyms: Homonyms = "set_aside",
        overrides: Overrides | None = None,
    ) -> None:
        self._index = BackboneIndex(wcvp)
        self._fuzzy_similarity = fuzzy_similarity
        self._ranks = None if ranks is None else frozenset(ranks)
        self._falls_back = infraspecific == "lump"
        self._lump = self._falls_back and self._ranks is not None and "Species" in self._ranks
        self._homonyms: Homonyms = homonyms
        self._overrides = overrides
        self._decided = overrides.rows(wcvp) if overrides else {}
        self._known: dict[tuple[str, str | None, str | None], Verdict] = {}

    @property
    def wcvp(self) -> pa.Table:
        """The backbone, into which a verdict's rows point."""
        return self._index.table

    def resolve(
        self,
        name: str | None,
        authorship: str | None = None,
        family: str | None = None,
        *,
        verbatim: str | None = None,
    ) -> Verdict:
        """Return the verdict on one name as it was written, with its authors behind it or apart.

        The rules are those of rules.RULES, in that order. `family` decides between homonyms, and keeps a misspelt
        genus within it. `verbatim` is the name before it was mended, if it was: overrides know it by that. Never
        raises for any text.
        """
        name = name or ""
        if self._overrides:
            override = self._overrides.find(verbatim or name, authorship) or self._overrides.find(name, authorship)
            if override:
                return self._obey(override, parse_name(name, authorship))
        question = (name, authorship, family)
        verdict = self._known.get(question)
        if verdict is None:
            verdict = self._known[question] = self._decide(*question)
        return verdict

    def describe(self, rows: Sequence[int]) -> str | None:
        """Return rows of the backbone as people write them, `Abies alba Mill. [381621]; ...`; None for none."""
        told = []
        for row in rows:
            cells = (self._index.text(row, column) for column in ("taxon_name", "taxon_authors"))
            told.append(" ".join(cell for cell in cells if cell) + f" [{self._index.text(row, 'plant_name_id')}]")
        return "; ".join(told) or None

    def _decide(self, text: str, authorship: str | None, family: str | None) -> Verdict:
        name = self._parse(text, authorship)
        canonical = name.canonical
        refusal = self._refusal(name)
        if refusal:
            issue, verdict = refusal
            meant = self._rows_of(name)[:MOST_ALTERNATIVES] if name.qualifier and name.epithet else ()
            return Verdict(None if name.reason else canonical, issue=issue, verdict=verdict, alternatives=meant)
        search = Search(
            self._index, name, canonical, family, self._fuzzy_similarity, self._homonyms, self._falls_back, text
        )
        return self._conclude(canonical, search.find())

    def _parse(self, text: str, authorship: str | None) -> ParsedName:
        """Parse a name; a second word with a capital that the genus has as an epithet is one (Quercus Douglasii)."""
        name = parse_name(text, authorship)
        if name.epithet is None and name.rank == "Genus" and not name.is_hybrid_formula:
            words = text.split()
            at = 2 if name.genus_hybrid and len(words) > 2 else 1
            titled = len(words) > at and (words[at].istitle() or words[at].isupper())
            if titled and fold_word(words[at]) in self._index.epithets(fold_word(name.genus)):
                return parse_name(" ".join([*words[:at], words[at].lower(), *words[at + 1 :]]), authorship)
        return name

    def _obey(self, override: Override, name: ParsedName) -> Verdict:
        canonical = None if name.reason else name.canonical
        if override.accepted_id == DROP:
            return Verdict(
                canonical, issue="NAME_DROPPED", verdict="dropped", rule="override", override=override.reason
            )
        found = Found("override", "exact", None, Choice(self._decided[override.accepted_id], None))
        return self._conclude(canonical, found, override.reason)

    def _refusal(self, name: ParsedName) -> tuple[str, str] | None:
        if name.reason:
            return "NAME_UNPARSABLE", "unreadable"
        if name.is_hybrid_formula:
            return "NAME_IS_HYBRID_FORMULA", "formula"
        wanted = self._ranks is None or (name.rank or "") in self._ranks
        if name.qualifier == "sp." or (name.epithet is None and not (wanted and name.rank == "Genus")):
            return "RANK_NOT_WANTED", "rank"
        if name.qualifier == MISAPPLIED:
            return "NAME_MISAPPLIED", "misapplied"
        if name.qualifier == GARDENS and self._is_of_gardens(name):
            return None
        return ("NAME_DOUBTFUL", "doubtful") if name.qualifier else None

    def _rows_of(self, name: ParsedName) -> tuple[int, ...]:
        words = folded_words(name)
        return tuple(in_order(self._index, self._index.find(*words)))

    def _is_of_gardens(self, name: ParsedName) -> bool:
        """Say whether the backbone itself has the name as one of gardeners."""
        cited = (self._index.text(row, "taxon_authors") for row in self._rows_of(name))
        return any(split_qualifier(authors)[1] == GARDENS for authors in cited)

    def _conclude(self, canonical: str | None, found: Found, override: str | None = None) -> Verdict:
        """Return the verdict: follow the row that was found to the taxon that counts, or say why there is none."""
        row = found.choice.row
        if row is None:
            return self._not_found(canonical, found)
        index = self._index
        status = index.status(row)
        taxon = None if status == "Misapplied" else index.accepted(row)
        issue, counted = None, None
        if taxon is None:
            issue = _PARTED.get(status, "NAME_UNPLACED")
        else:
            counted = self._wanted(taxon)
            issue = "RANK_NOT_WANTED" if counted is None else None
        verdict = "unplaced" if taxon is None else "accepted" if taxon == row else "synonym"
        name_id = index.text(row, "plant_name_id")
        return Verdict(
            canonical_name=canonical,
            match_type=found.match_type,
            match_similarity=_rounded(found.likeness),
            row=row,
            plant_name_id=name_id,
            taxon_row=taxon if counted is None else counted,
            taxon_id=None if counted is None else name_id if counted == row else index.text(counted, "plant_name_id"),
            issue=issue,
            verdict=status.lower() if status in _PARTED else verdict,
            rule=found.rule,
            author_similarity=found.choice.author_similarity,
            alternatives=found.choice.rivals[:MOST_ALTERNATIVES],
            override=override,
        )

    def _not_found(self, canonical: str | None, found: Found) -> Verdict:
        if found.choice.rivals:
            likeness = _rounded(found.likeness)
            rivals = found.choice.rivals[:MOST_ALTERNATIVES]
            return Verdict(
                canonical, found.match_type, likeness, issue="NAME_AMBIGUOUS", verdict="ambiguous", alternatives=rivals
            )
        near = found.near[:MOST_ALTERNATIVES]
        if near:
            return Verdict(canonical, issue="NAME_NEEDS_REVIEW", verdict="review", alternatives=near)
        return Verdict(canonical, issue="NAME_NOT_FOUND")

    def _wanted(self, taxon: int) -> int | None:
        """Return the taxon itself if its rank counts, its species if varieties are lumped, else None."""
        index = self._index
        if self._ranks is None or index.rank(taxon) in self._ranks:
            return taxon
        if not self._lump or index.text(taxon, "infraspecies") is None:
            return None
        words = fold_word(index.text(taxon, "genus") or ""), fold_word(index.text(taxon, "species") or "")
        species = [row for row in index.find(*words) if index.accepted(row) == row and index.rank(row) == "Species"]
        if len(species) > 1:
            species = [row for row in species if index.is_hybrid(row) == index.is_hybrid(taxon)]
        return species[0] if len(species) == 1 else None


def _rounded(likeness: float | None) -> float | None:
    return likeness if likeness is None or likeness == 1 else round(likeness, 4)
