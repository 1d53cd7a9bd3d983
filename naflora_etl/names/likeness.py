"""How like two names are, and which names of the backbone a misspelt one may have been meant for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

from naflora_etl.names.index import BackboneIndex
from naflora_etl.names.spelling import fold_word, is_one_genitive, is_one_man, stem_epithet

Words = tuple[str, str, str]
"""Folded genus, epithet and infraspecific epithet ("" where there is none)."""

_SHORTEST = 5  # in shorter words one letter makes another word: alba, alpa
_FARTHEST = 4  # letters by which two spellings of one epithet may differ; for more than 1 the same authors must answer
_KEPT = 3  # letters at the beginning that a pen slipping twice leaves alone


@dataclass(frozen=True, slots=True)
class Candidate:
    """A name of the backbone that a written one may have been meant for."""

    words: Words
    edits: int
    """Letters more, less, other or swapped, over all the words; 0 where only Latin spelling differs."""
    written: str = ""
    """The word that differs, as it was written, folded."""
    meant: str = ""
    """The word of the backbone that stands for it."""
    genus_differs: bool = False

    @property
    def is_one_slip(self) -> bool:
        """Whether the words differ by one letter, and keep the first."""
        return self.edits == 1 and self.written[:1] == self.meant[:1]

    @property
    def is_sure(self) -> bool:
        """Whether the words are the same by the code, whoever the authors are: -i and -ii."""
        return self.edits == 0 and is_one_man(self.written, self.meant)

    @property
    def is_near(self) -> bool:
        """Whether the words keep three quarters of their letters, and the first three; or one slip is in their stem."""
        length = min(len(self.written), len(self.meant))
        if self.edits * 4 <= length and self.written[:_KEPT] == self.meant[:_KEPT]:
            return True
        if length < _SHORTEST:
            return self.edits == 1
        slips = OSA.distance(stem_epithet(self.written), stem_epithet(self.meant))
        return self.edits == 1 or (slips == 1 and self.written[:1] == self.meant[:1])


def similarity(one: str, other: str) -> float:
    """Return 1 less the edits between two names over the length of the longer (0 to 1); hybrid marks do not count.

    An edit is a letter more, less or other, two letters swapped, or a word of the same stem (peltatum, peltata).
    """
    words, others = _bare(one), _bare(other)
    if len(words) == len(others):
        edits = sum(map(_edits, words, others))
    else:
        edits = OSA.distance(" ".join(words), " ".join(others))
    return 1 - edits / max(len(" ".join(words)), len(" ".join(others)), 1)


def alike(one: str, other: str) -> bool:
    """Say whether two folded epithets may be one word: a single slip of the pen, or one stem with another ending."""
    if one == other or stem_epithet(one) == stem_epithet(other):
        return True
    return min(len(one), len(other)) >= _SHORTEST and OSA.distance(one, other, score_cutoff=1) <= 1


def like_epithets(index: BackboneIndex, words: Words) -> list[Candidate]:
    """Return the names of the same genus whose epithets are like the written ones, the likest first.

    Of a species' and a variety's epithet only one may be misspelt, or both by Latin spelling alone.
    """
    genus, epithet, infraspecific = words
    found = []
    for species, edits in _near(epithet, index.epithets(genus)):
        if not infraspecific:
            found.append(Candidate((genus, species, ""), edits, epithet, species))
            continue
        for below, more in _near(infraspecific, index.infraspecific(genus, species)):
            if not edits:
                found.append(Candidate((genus, species, below), more, infraspecific, below))
            elif not more or (epithet == infraspecific and species == below):
                found.append(Candidate((genus, species, below), edits, epithet, species))
    found = [candidate for candidate in found if candidate.words != words and index.has(candidate.words)]
    return sorted(found, key=lambda candidate: (candidate.edits, candidate.words))


def like_genera(index: BackboneIndex, words: Words) -> list[Candidate]:
    """Return the names under a genus one slip away (a letter, or the same Latin stem) with the very same epithets."""
    genus, *epithets = words
    names = [(like, *epithets) for like in index.like_genera(genus, _near_genera)]
    found = [name for name in sorted(names) if index.has(name)]
    return [Candidate((name[0], name[1], name[2]), 1, genus, name[0], True) for name in found]


def _near_genera(genus: str, genera: Sequence[str]) -> list[str]:
    found = process.extract(genus, genera, scorer=OSA.distance, score_cutoff=1, limit=None)
    return [like for like, _, _ in found if len(like) >= _SHORTEST and like != genus]


def _near(text: str, spellings: Sequence[str]) -> list[tuple[str, int]]:
    """Return (spelling, edits) of the words like `text`: 0 for itself and for Latin variants; another ending is 1."""
    found = process.extract(text, spellings, scorer=OSA.distance, score_cutoff=_FARTHEST, limit=None)
    stem = stem_epithet(text)
    near = []
    for spelling, edits, _ in found:
        other = stem_epithet(spelling)
        if other == stem or is_one_genitive(text, spelling):
            near.append((spelling, 0))
        elif min(len(spelling), len(text)) >= _SHORTEST - 1:
            near.append((spelling, int(edits) if edits < 2 else min(int(edits), 1 + OSA.distance(stem, other))))
    return near


def _edits(word: str, other: str) -> int:
    edits = int(OSA.distance(word, other))
    return 1 if edits > 1 and stem_epithet(word) == stem_epithet(other) else edits


def _bare(name: str) -> list[str]:
    return [fold_word(word) for word in name.split() if word not in ("×", "+")]
