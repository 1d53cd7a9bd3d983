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
    if len(words) > 1 and _is_plain(words[0], words[1]):
        genus, epithet = words[0], words[1]
        if len(words) == 2:
            if told is None:
                return ParsedName(genus, False, epithet, False, None, None, authorship, "Species")
        elif behind := _read_behind(words[2]):
            read = ParsedName(genus, False, epithet, False, None, None, authorship or behind.authorship, "Species")
            read.qualifier, read.cultivar = behind.qualifier or told or behind.standing, behind.cultivar
            return read
    return parse_by_rules(text, given)


def _is_plain(genus: str, epithet: str) -> bool:
    """Say whether two words are a genus and an epithet whatever stands behind them, and whichever words they are."""
    return (
        genus.isascii() and genus.isalpha() and genus.istitle() and len(genus) > 1 and genus not in NO_GENUS
        and epithet.isascii() and epithet.isalpha() and epithet.islower() and len(epithet) > 2
        and epithet not in _NO_SHORTCUT and not genus.lower().endswith(_NO_PLANTS) and not epithet.endswith(_NO_PLANTS)
    )  # fmt: skip
