"""How like two names are, and when a likeness may be trusted."""

from __future__ import annotations

from rapidfuzz import process
from rapidfuzz.distance import OSA

from naflora_etl.names.index import BackboneIndex, Word
from naflora_etl.names.spelling import fold_word, stem_epithet

_SHORTEST = 5  # in shorter words one letter makes another word: alba, alpa
_FARTHEST = 3  # letters by which two spellings of one epithet (-er, -rum) may differ


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
    """Say whether two folded epithets may be one word: a single slip of the pen, or one stem with another ending.

    Two slips are not trusted: rWCVP's authors checked such matches by hand and found most of them wrong.
    """
    if one == other:
        return True
    if min(len(one), len(other)) >= _SHORTEST and OSA.distance(one, other, score_cutoff=1) <= 1:
        return True
    return stem_epithet(one) == stem_epithet(other)


def like_names(index: BackboneIndex, genus: str, epithet: str, infraspecific: str) -> list[tuple[str, str, str]]:
    """Return the (genus, epithet, infraspecific) of the backbone that these folded words may have been meant for.

    A genus that the backbone knows is never left for another one. A genus that it does not know may be misspelt
    only where the epithets stand under the other genus letter by letter.
    """
    epithets = index.epithets(genus)
    if not epithets:
        genera = index.like_genera(genus, _like_genera)
        names = [(like, epithet, infraspecific) for like in genera]
        return [name for name in names if index.find(*name)]
    names = []
    for word in _near(epithet, epithets):
        if not infraspecific:
            names.append((genus, word, ""))
            continue
        below = _near(infraspecific, index.infraspecific(genus, word))
        names += [(genus, word, lower) for lower in below if word == epithet or lower in (infraspecific, word)]
    return [name for name in names if index.find(*name)]


def _like_genera(genus: str, genera: list[str]) -> list[str]:
    found = process.extract(genus, genera, scorer=OSA.distance, score_cutoff=1, limit=None)
    return [like for like, _, _ in found if len(like) >= _SHORTEST]


def _near(text: str, words: list[Word]) -> list[str]:
    spellings = [word.text for word in words]
    found = process.extract(text, spellings, scorer=OSA.distance, score_cutoff=_FARTHEST, limit=None)
    return [spelling for spelling, _, _ in found if alike(text, spelling)]


def _edits(word: str, other: str) -> int:
    edits = int(OSA.distance(word, other))
    return 1 if edits > 1 and stem_epithet(word) == stem_epithet(other) else edits


def _bare(name: str) -> list[str]:
    return [fold_word(word) for word in name.split() if word not in ("×", "+")]
