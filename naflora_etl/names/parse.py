"""A written name taken apart: genus, epithets, rank, hybrid marks, authors; the plain ones, which are most, quickly."""

from __future__ import annotations

from functools import lru_cache

from naflora_etl.names.parse_rules import (
    NO_GENUS,
    NO_SPECIES,
    NOT_EPITHETS,
    UNSURE,
    parse_by_rules,
    read_behind,
)
from naflora_etl.names.parse_rules import ParsedName as ParsedName
from naflora_etl.names.qualifiers import split_qualifier
from naflora_etl.names.ranks import ABOVE_SPECIES, MARKERS
from naflora_etl.names.ranks import RANKS as RANKS
from naflora_etl.names.ranks import rank_mark as rank_mark

_NO_SHORTCUT = frozenset((*NOT_EPITHETS, *NO_SPECIES, *UNSURE, *ABOVE_SPECIES, *MARKERS))
_NO_PLANTS = (
    *("virus", "viruses", "viroid", "phage", "phages", "plasmid", "plasmids", "prion", "prions", "phytoplasma"),
    *("bacterium", "symbiont", "satellite", "rna", "dna"),
)
"""What a word ends in that is told to be no plant; nearly all words end in none of these."""

_read_behind = lru_cache(maxsize=65_536)(read_behind)  # many names bear the same authors


def parse_name(text: str, authorship: str | None = None) -> ParsedName:
    """Take a botanical name apart; `authorship` stands in where the authors are kept in a field of their own.

    Never raises: what is no name comes back with a `reason`. Text all in one case is read as if properly written.
    """
    given = authorship
    authorship, told = split_qualifier(given.strip() if given else None)
    words = text.split(" ", 2)
    if len(words) > 1 and _is_genus(words[0]) and _is_epithet(words[1]):
        genus, epithet = words[0], words[1]
        if len(words) == 2:
            if told is None:
                return ParsedName(genus, False, epithet, False, None, None, authorship, "Species")
        elif behind := _read_behind(words[2]):
            read = ParsedName(genus, False, epithet, False, None, None, authorship or behind.authorship, "Species")
            read.qualifier, read.cultivar = behind.qualifier or told or behind.standing, behind.cultivar
            return read
    return parse_by_rules(text, given)


@lru_cache(maxsize=65_536)
def _is_genus(word: str) -> bool:
    """Say whether a word is a genus whatever stands behind it, and read like any other one."""
    plain = word.isascii() and word.isalpha() and word.istitle() and len(word) > 1
    return plain and word not in NO_GENUS and not word.lower().endswith(_NO_PLANTS)


@lru_cache(maxsize=65_536)
def _is_epithet(word: str) -> bool:
    """Say whether a word behind a genus is an epithet whatever stands behind it, and read like any other one."""
    plain = word.isascii() and word.isalpha() and word.islower() and len(word) > 2
    return plain and word not in _NO_SHORTCUT and not word.endswith(_NO_PLANTS)
