"""One parsed name on its way through the rules of matching, until one fires: which row it was meant for."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal, NamedTuple

from naflora_etl.names.authors import AGREE, author_similarity, same_authors
from naflora_etl.names.homonyms import Choice, choose_row, in_order, same_family
from naflora_etl.names.index import BackboneIndex
from naflora_etl.names.likeness import Candidate, Words, like_epithets, like_genera, similarity
from naflora_etl.names.parse import ParsedName
from naflora_etl.names.spelling import fold_word

MatchType = Literal["exact_with_author", "exact", "fuzzy", "none"]
Homonyms = Literal["set_aside", "accepted"]

_NOT_AGAINST = 0.3  # author similarity from which one slip of the pen is believed: that of a basionym author shared
_LONG = 5  # letters from which one slip is believed without the same authors
_AT_HOME = 10  # genera from which an epithet is a word of its own, and not another one misspelt
_SURE = 0.9  # author similarity from which several slips are believed
_SAME_TYPE = 0.57  # author similarity of two ranks of an epithet where only one tells the basionym's author
_LEAST_LIKE = 0.75  # similarity from which a name is worth showing to a person


class Found(NamedTuple):
    """The rule that fired and the row that it chose; without a row, the rows between which nothing decided."""

    rule: str
    match_type: MatchType
    likeness: float | None
    choice: Choice
    near: tuple[int, ...] = ()
    """Rows of names that are like it, the likest first, where no rule fired."""


@dataclass(slots=True)  # not frozen, which would make each of the eight a call
class Search:
    """A name, and what the search may know and do."""

    index: BackboneIndex
    name: ParsedName
    canonical: str
    family: str | None
    fuzzy_similarity: float
    homonyms: Homonyms
    falls_back: bool
    """Whether a variety that the backbone lacks may go to its species."""
    written: str = ""
    """The text that the name was read from; what was read has lost its diacritics."""

    def find(self) -> Found:
        """Try the rules of rules.RULES in their order."""
        name = self.name
        words = folded_words(name)
        same = self.index.find(*words)
        rows = self._of_rank(same)
        if rows:
            return self._exact(rows)
        agreeing = [row for row in same if self._has_one_type(row)]
        if agreeing:
            return Found("other_rank", "exact", 1.0, self._choose(agreeing))
        if name.is_autonym and self.falls_back:
            # An autonym holds its species' type, so it stands or falls with the species; many backbones leave it out.
            species = self._hybrids_apart(self.index.find(*words[:2]))
            # It bears no authors to tell homonyms apart, and only a legitimate name has one (article 26.1 of the code).
            lawful = [row for row in species if self.index.status(row) == "Accepted"]
            if species:
                return Found("autonym", "exact", 1.0, self._choose(lawful if len(lawful) == 1 else species))
        return self._misspelt(words, same)

    def _exact(self, rows: list[int]) -> Found:
        choice = self._choose(rows)
        if choice.row is None:
            return Found("none", "exact", 1.0, choice)
        if self.name.epithet is None and not self._is_this_genus(choice.row, choice.author_similarity):
            return Found("none", "none", None, Choice(None, None), (choice.row,))
        rule, found = self._exact_rule(choice.row, choice.author_similarity)
        return Found(rule if self._as_written(choice.row) else "orthographic", found, 1.0, choice)

    def _exact_rule(self, row: int, likeness: float | None) -> tuple[str, MatchType]:
        if likeness is None:
            return "exact_authors_absent", "exact"
        written, own = self.name.authorship or "", self.index.text(row, "taxon_authors") or ""
        if written == own or " ".join(written.split()) == own:
            return "exact_with_authors", "exact_with_author"
        if likeness == 1 and same_authors(written, own):
            return "exact_authors_normalised", "exact_with_author"
        return "exact_authors_alike" if likeness >= AGREE else "exact_authors_differ", "exact"

    def _is_this_genus(self, row: int, likeness: float | None) -> bool:
        """Say whether what stands behind a genus is its authors, and not an epithet that could not be read as one."""
        behind = self.name.authorship
        if behind is None:
            return True
        if likeness is not None:
            return likeness >= AGREE
        return not self.index.text(row, "taxon_authors") and behind.lstrip("([")[:1].isupper()

    def _as_written(self, row: int) -> bool:
        """Say whether the words are the row's very letters, case aside, and not merely the same word."""
        written = _composed(self.written or self.canonical).lower()
        whole = _composed(self.index.text(row, "taxon_name") or "").lower()
        if whole and whole in written:
            return True
        own = (self.index.text(row, column) or "" for column in ("genus", "species", "infraspecies"))
        return all(_composed(word).lower() in written for word in own)

    def _misspelt(self, words: Words, other_rank: list[int]) -> Found:
        if self.name.epithet is None:
            return Found("none", "none", None, Choice(None, None))
        candidates = like_epithets(self.index, words)
        if not candidates and not self.index.epithets(words[0]):
            candidates = like_genera(self.index, words)
        weighed = [weighed for weighed in map(self._weigh, candidates) if weighed]
        variants = [each for each in weighed if each.candidate.edits == 0 and each.is_believed]
        if variants:
            rows = [row for each in variants for row in each.rows]
            likeness = min(each.likeness for each in variants)
            return Found("orthographic", "fuzzy", likeness, self._choose(rows))
        trusted = [each for each in weighed if self._trusts(each)]
        if trusted:
            best = max(each.merit for each in trusted)
            chosen = [each for each in trusted if each.merit == best]
            rule = "fuzzy_genus" if chosen[0].candidate.genus_differs else "fuzzy_in_genus"
            choice = self._choose([row for each in chosen for row in each.rows])
            return Found(rule, "fuzzy", chosen[0].likeness, choice)
        return self._fallen_back(words, weighed, other_rank)

    def _fallen_back(self, words: Words, weighed: list[_Weighed], other_rank: list[int]) -> Found:
        if self.name.infraspecific and self.falls_back:
            species = self._hybrids_apart(self.index.find(*words[:2]))
            if species:
                # The authors are the variety's, and say nothing about the species.
                choice = choose_row(self.index, species, None, self.family, self.homonyms)
                likeness = similarity(self.canonical, f"{self.name.genus} {self.name.epithet}")
                return Found("species_of_infraspecific", "fuzzy", likeness, choice)
        near = sorted((each for each in weighed if each.likeness >= _LEAST_LIKE), key=lambda each: each.merit)[::-1]
        rows = (*in_order(self.index, other_rank), *(row for each in near for row in in_order(self.index, each.rows)))
        return Found("none", "none", None, Choice(None, None), rows)

    def _choose(self, rows: list[int]) -> Choice:
        return choose_row(self.index, rows, self.name.authorship, self.family, self.homonyms)

    def _weigh(self, candidate: Candidate) -> _Weighed | None:
        rows = self._of_rank(self.index.find(*candidate.words))
        if not rows:
            return None
        likeness = similarity(self.canonical, self.index.text(rows[0], "taxon_name") or "")
        authors = [each for each in map(self._authors, rows) if each is not None]
        families = {self.index.text(row, "family") for row in rows} if candidate.genus_differs and self.family else ()
        strays = bool(families) and not any(same_family(self.family, own) for own in families)
        return _Weighed(candidate, rows, likeness, max(authors, default=None), strays)

    def _trusts(self, each: _Weighed) -> bool:
        """Say whether a slip of the pen is the likeliest story: measured by benchmarks/names_stranger.py."""
        candidate = each.candidate
        if each.strays:
            return False
        if each.authors is None:
            common = self.index.genera_of(candidate.written) > _AT_HOME and not candidate.genus_differs
            return candidate.is_one_slip and not common and each.likeness >= self.fuzzy_similarity
        if candidate.genus_differs and each.authors < AGREE:
            return False  # a basionym's author shared is what another genus' combination has, not a misspelt one
        if candidate.edits == 1 and min(len(candidate.written), len(candidate.meant)) >= _LONG:
            return each.authors >= _NOT_AGAINST
        return each.authors >= _SURE and candidate.is_near

    def _authors(self, row: int) -> float | None:
        return author_similarity(self.name.authorship or "", self.index.text(row, "taxon_authors") or "")

    def _has_one_type(self, row: int) -> bool:
        """Say whether a row with the same epithets at another rank goes by the same type: autonyms, and by authors."""
        if self.name.is_autonym or "unranked" in (self.index.rank_mark(row), self.name.infraspecific_rank):
            return True
        return (self._authors(row) or 0.0) >= _SAME_TYPE

    def _of_rank(self, rows: list[int]) -> list[int]:
        """Keep the rows of the name's infraspecific rank, and of its hybrid state where both states exist."""
        rank = self.name.infraspecific_rank
        if rank and rank != "unranked":
            rows = [row for row in rows if self.index.rank_mark(row) == rank]
        return self._hybrids_apart(rows)

    def _hybrids_apart(self, rows: list[int]) -> list[int]:
        if len(rows) < 2:
            return rows
        marks = self.name.genus_hybrid, self.name.species_hybrid
        alike = [row for row in rows if self.index.hybrid_marks(row) == marks]
        return alike or [row for row in rows if any(self.index.hybrid_marks(row)) == any(marks)] or rows


def folded_words(name: ParsedName) -> Words:
    """Return the folded words by which the index knows a name."""
    epithet, below = name.epithet, name.infraspecific
    return fold_word(name.genus), fold_word(epithet) if epithet else "", fold_word(below) if below else ""


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A candidate with what speaks for it."""

    candidate: Candidate
    rows: list[int]
    likeness: float
    authors: float | None
    strays: bool
    """Whether it lies in another genus and another family than the list says."""

    @property
    def is_believed(self) -> bool:
        """Whether no authors speak against a spelling variant, or none could."""
        return self.authors is None or self.authors >= _NOT_AGAINST or self.candidate.is_sure

    @property
    def merit(self) -> tuple[int, float]:
        """Authors first, in three steps, then likeness."""
        authors = self.authors or 0.0
        return (2 if authors >= _SURE else 1 if authors >= AGREE else 0), round(self.likeness, 4)
