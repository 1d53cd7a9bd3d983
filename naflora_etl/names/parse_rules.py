"""The rules by which a written name is taken apart: genus, epithets, rank, hybrid marks, authors."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from naflora_etl.names.qualifiers import split_qualifier
from naflora_etl.names.ranks import ABOVE_SPECIES, MARKERS, RANKS
from naflora_etl.names.spelling import latin_letters, plain_letters

UNSURE = {"cf", "aff", "nr", "near", "?", "prox", "/", "vel"}
NO_SPECIES = {"sp", "spp", "spec", "species", "indet", "sect", "ssp", "nov"}
# Lower-case words that belong to authors or to notes and so cannot be epithets.
_SMALL_WORDS = (
    "ex in et and und y non nec not de del dela della delle dello degli den der des di do dos du da la las le les los "
    "lo van von vom zu zum zur ten ter af av fil f auct auctt auctorum sensu sec hort nom nomen pro emend ined apud "
    "mihi nob anon or with of al bis sine comb stat orth sphalm err typ s l str st cv grex hybrid hybr cf aff nr "
    "complex group agg aggr aggreg aggregate coll species serotype serovar strain clone vel parte fide vide "
    "secundum quoad ht excl ms sens lato stricto amplo"
)
NOT_EPITHETS = frozenset(_SMALL_WORDS.split())
_NO_WORDS = (
    "None Not No Unidentified Unknown Unnamed Undetermined Undet Indet Indeterminate Incertae Plant Plants Sterile"
)
NO_GENUS = frozenset(_NO_WORDS.split())
_EITHER = frozenset(("dela",))  # of an author's name as a rule, but an epithet directly behind a genus
_DIRECT = "secundum"  # one-sided, directly behind a genus or a rank; elsewhere it says whose sense is meant
# What an epithet looks like that stands behind authors without a rank; anything else there is a word about them.
_LATIN = re.compile(r"[a-z]{3,}(?:us|a|um|is|e|i|ens|ans|oides)")
_NO_PLANT = re.compile(
    r"\b(?:\w*virus(?:es)?|viroid|\w*phages?|plasmids?|prions?|phytoplasma|bacterium|symbiont|satellite|rna|dna)\b",
    re.IGNORECASE,
)

_GENUS = re.compile(r"[A-ZÀ-ÖØ-ÞŒ][a-zß-öø-ÿœ]+(?:-[A-Za-zÀ-ÖØ-öø-ÿœ]+)*\??")
_EPITHET = re.compile(r"(?:st\.-)?[a-zß-öø-ÿœ]+(?:[-'’][a-zß-öø-ÿœ]{2,}|[a-zß-öø-ÿœ])(?:[-'’][a-zß-öø-ÿœ]+)*")
_PLAIN_RANK = re.compile(r"(subsp\.|var\.|f\.) ([a-z-]{3,})")
_PLAIN = re.compile(rf"([A-Z][a-z]+) ([a-z-]{{3,}})(?: {_PLAIN_RANK.pattern})?")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>")
_TIMES = re.compile(r"[×✕✖⨯╳☓]\s*")
_LONE_X = re.compile(r"(?:^|(?<=\s))[xXхХ](?=\s+\S|$)|^[xX](?=[A-Z][a-z])")
_GLUED = re.compile(r"(?<=[a-z])\(")
_GLUED_COMMA = re.compile(r",(?=[a-z])")
_GREEK = re.compile(r"(?:(?<=\s)|(?<=\.))[α-ωΑ-Ω]\.?\s*(?=[a-z])")
_GLUED_RANK = re.compile(r"(?<=\s)((?:notho)?(?:subsp|ssp|var|f)|subvar|subf|convar|fo|forma)\.(?=[a-zß-öø-ÿœα-ω])")
_BRACKETED = re.compile(r"\[[^\]]*×[^\]]*\]|\(pro (?:sp|hybr|nm)[^)]*\)")
_CULTIVAR = re.compile(r"\s(?:cv\.?\s+)?(?:['‘’\"“](?=[A-Z])([^'‘’\"“”]+)['’\"”])|\scv\.?\s+(\S.*)$")
_SUBGENUS = re.compile(r"\([A-Z][a-z.-]*\)")


@dataclass(slots=True)
class ParsedName:
    """The parts of a name; `reason` says why a text is no name, and then the parts mean nothing.

    Not frozen, since the parser fills it in bit by bit, and lists are long.
    """

    genus: str = ""
    genus_hybrid: bool = False
    epithet: str | None = None
    species_hybrid: bool = False
    infraspecific_rank: str | None = None
    infraspecific: str | None = None
    authorship: str | None = None
    """Authors of the name itself; in an autonym (Poa alba L. var. alba) those of the species."""
    rank: str | None = None
    """Family, Genus, Infrageneric, Species, Subspecies, Variety ...; Infraspecific where the rank is not written."""
    infrageneric: str | None = None
    """Rank and epithet between genus and species: `sect. Caninae`."""
    is_hybrid_formula: bool = False
    parents: tuple[str, ...] = ()
    """The other parents of a formula, canonical; empty where the formula breaks off."""
    qualifier: str | None = None
    """Why the name is not meant plainly: cf., aff., ?, sp., and those of qualifiers.py: auct., agg., s.l. ..."""
    cultivar: str | None = None
    reason: str | None = None

    @property
    def canonical(self) -> str:
        """The name in WCVP's manner, without authors: `Poa × nannfeldtii`, `Abies balsamea f. hudsonia`.

        A formula has all its parents, each with its whole genus: `Salix aurita × Salix caprea`.
        """
        marked = self.genus_hybrid or self.species_hybrid or self.is_hybrid_formula or self.infrageneric
        if self.genus and self.epithet and not (marked or self.infraspecific_rank or self.infraspecific):
            return f"{self.genus} {self.epithet}"
        parts = [
            "×" if self.genus_hybrid else None,
            self.genus,
            self.infrageneric,
            "×" if self.species_hybrid else None,
            self.epithet,
            self.infraspecific_rank,
            self.infraspecific,
        ]
        own = " ".join(filter(None, parts))
        return " × ".join((own, *(self.parents or ("",)))).strip() if self.is_hybrid_formula else own

    @property
    def is_autonym(self) -> bool:
        """Whether the name repeats its species' epithet (Poa alba var. alba), and so holds the species' own type."""
        return self.infraspecific is not None and self.infraspecific == self.epithet


def parse_by_rules(text: str, authorship: str | None = None) -> ParsedName:
    """Return what parse.parse_name does, with no shortcut taken."""
    authorship, told = split_qualifier(authorship.strip() if authorship else None)
    plain = _PLAIN.fullmatch(text) if told is None else None
    if plain and plain[2] not in NOT_EPITHETS and plain[2] not in NO_SPECIES and plain[1] not in NO_GENUS:
        rank = RANKS[plain[3]] if plain[3] else "Species"
        return ParsedName(plain[1], False, plain[2], False, plain[3], plain[4], authorship or None, rank)
    cleaned, cultivar = _clean(text)
    if not cleaned:
        return ParsedName(reason="it is empty")
    if _NO_PLANT.search(cleaned):
        return ParsedName(reason="it names no plant")
    parsed = _read_genus(cleaned.split(), one_case=text.upper() == text)
    authors, standing = split_qualifier(parsed.authorship)
    return _put(
        parsed, authorship=authorship or authors, qualifier=parsed.qualifier or told or standing, cultivar=cultivar
    )


class Behind(NamedTuple):
    """What is read behind a genus and an epithet."""

    authorship: str | None
    standing: str | None
    """The qualifier that stands among the authors."""
    qualifier: str | None
    """The one that stands apart from them: cf., ?"""
    cultivar: str | None


def read_behind(text: str) -> Behind | None:
    """Return what is read behind a genus and an epithet; None where that depends on which these are.

    All the rules read the text behind two words that stand for any: none of them looks at a plain genus and epithet
    but to complete a formula's parents, and to see whether a variety repeats the epithet.
    """
    if _PLAIN_RANK.fullmatch(text):
        return None
    cleaned, cultivar = _clean(f"Genus epitheton {text}")
    if _NO_PLANT.search(cleaned):
        return None
    parsed = _read_genus(cleaned.split(), one_case=False)
    if parsed.epithet != "epitheton" or parsed.infraspecific is not None or parsed.is_hybrid_formula:
        return None
    authors, standing = split_qualifier(parsed.authorship)
    return Behind(authors, standing, parsed.qualifier, cultivar)


def _clean(text: str) -> tuple[str, str | None]:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).replace("†", " ").replace("ſ", "s")
        text = latin_letters(text)
        text = _GREEK.sub("", _GLUED_RANK.sub(r"\1. ", text))
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text and ";" in text:
        text = html.unescape(text)
    if "_" in text and " " not in text.strip():
        text = text.replace("_", " ")
    if "," in text:
        text = _GLUED_COMMA.sub(", ", text)
    text = _LONE_X.sub("× ", _TIMES.sub("× ", _GLUED.sub(" (", text.strip())))
    if "×" in text or "(pro" in text:
        text = _BRACKETED.sub(" ", _TIMES.sub("× ", text))
    cultivar = None
    found = _CULTIVAR.search(text)
    if found:
        cultivar = (found[1] or found[2]).strip()
        text = text[: found.start()] + text[found.end() :]
    if text.upper() == text or text[:1].islower():
        text = _as_written(text)
    if "." in text:
        text = _GLUED_RANK.sub(r"\1. ", text)
    return " ".join(text.split()), cultivar


def _as_written(text: str) -> str:
    """Give a name in capitals, or without any, the one capital that it should have."""
    words = (text.lower() if text.upper() == text else text).split()
    place = 1 if words and words[0] in ("×", "+") else 0
    if len(words) > place and _EPITHET.fullmatch(words[place]):
        words[place] = words[place].capitalize()
    return " ".join(words)


def _read_genus(words: list[str], one_case: bool) -> ParsedName:
    genus_hybrid = words[0] in ("×", "+") and len(words) > 1
    at = 1 if genus_hybrid else 0
    if not _GENUS.fullmatch(words[at].rstrip(",")) or words[at] in NO_GENUS:
        return ParsedName(reason=f"it begins with {words[at]!r}, which is no genus")
    genus = plain_letters(words[at].rstrip("?,")).capitalize()
    base = ParsedName(genus, genus_hybrid, rank=_rank_of_uninomial(genus))
    if words[at].endswith("?"):
        base = _put(base, qualifier="?")
    at += 1
    if at + 1 < len(words) and _SUBGENUS.fullmatch(words[at]) and _is_epithet(words[at + 1]):
        at += 1
    return _read_species(base, words, at, one_case)


def _read_species(base: ParsedName, words: list[str], at: int, one_case: bool) -> ParsedName:
    while at < len(words) and words[at].rstrip(".") in UNSURE:
        base, at = _put(base, qualifier=words[at]), at + 1
    if at == len(words):
        return base
    mark = words[at].rstrip(".,")
    named = at + 1 < len(words) and _GENUS.fullmatch(words[at + 1])
    if mark in ABOVE_SPECIES and (named or words[at].endswith(".")):
        return _read_infrageneric(base, words, at)
    if mark in NO_SPECIES and not _is_epithet(words[at], also=NO_SPECIES):
        return _put(base, qualifier="sp.")
    if words[at] == "×":
        if at + 1 == len(words) or not _is_directly(words[at + 1]):
            return _read_formula(base, words[at:])
        base, at = _put(base, species_hybrid=True), at + 1
    elif not _is_directly(words[at]) and not (words[at] in _EITHER and at + 1 < len(words)):
        if "×" in words[at:]:
            return _read_formula(base, words[words.index("×", at) :])
        above = next((place for place in range(at, len(words)) if words[place].rstrip(".") in ABOVE_SPECIES), None)
        if above is not None and words[above].endswith("."):
            return _read_infrageneric(base, words, above)
        return _put(base, authorship=" ".join(words[at:]))
    species = _put(base, epithet=_epithet(words[at]), rank="Species")
    return _read_rest(species, words, at + 1, one_case)


def _read_rest(name: ParsedName, words: list[str], at: int, one_case: bool) -> ParsedName:
    """Read what follows the species epithet: authors, ranks with their epithets, a second parent, doubts."""
    follows = at < len(words) and not one_case and not words[at - 1].endswith(",")
    if follows and _is_epithet(words[at]) and words[at].rstrip(".") not in MARKERS:
        name, at = _put(name, infraspecific=_epithet(words[at]), rank="Infraspecific"), at + 1
    authors: list[str] = []
    while at < len(words):
        word = words[at]
        if word in ("×", "+"):
            return _read_formula(name, words[at:])
        ranked = _read_rank(words, at)
        if ranked:
            rank = RANKS[ranked[0] or "unranked"]
            name = _put(name, infraspecific_rank=ranked[0], infraspecific=ranked[1], rank=rank)
            authors, at = (authors if name.is_autonym else []), ranked[2]
            continue
        if authors and name.infraspecific_rank is None and _is_latin_epithet(words, at) and not one_case:
            name = _put(name, infraspecific=_epithet(word), rank="Infraspecific")
            authors = authors if name.is_autonym else []
        elif word.rstrip(".") in UNSURE:
            name = _put(name, qualifier=word)
        elif word.rstrip(".") not in ("ssp", "subsp", "var") or words[at - 1] == "orth.":
            authors.append(word)
        elif at + 1 < len(words):  # what follows is no epithet, but whatever is meant is not the species
            name = _put(name, qualifier=word)
            authors.append(word)
        at += 1
    return _put(name, authorship=" ".join(authors).strip(" ,") or None)


def _read_infrageneric(base: ParsedName, words: list[str], at: int) -> ParsedName:
    """Read `sect. Caninae` and what follows it."""
    rank = ABOVE_SPECIES[words[at].rstrip(".,")]
    epithet = words[at + 1] if at + 1 < len(words) and _GENUS.fullmatch(words[at + 1]) else None
    authors = " ".join(words[at + 2 :]) or None
    return _put(base, rank="Infrageneric", infrageneric=f"{rank} {epithet}" if epithet else None, authorship=authors)


def _read_formula(first: ParsedName, words: list[str]) -> ParsedName:
    """Read the other parents behind `×`: whole names, names of an abbreviated genus, or mere epithets of the same."""
    parents: list[list[str]] = []
    for word in words:
        if word in ("×", "+"):
            parents.append([])
        elif parents:
            parents[-1].append(word)
    read = []
    for parent in filter(None, parents):
        if _EPITHET.fullmatch(parent[0]) and parent[0] not in NOT_EPITHETS:
            parent = [first.genus, *parent]
        elif re.fullmatch(r"[A-Z][a-z]?\.", parent[0]):
            parent = [first.genus, *parent[1:]]
        name = _read_genus(parent, one_case=False)
        read += [] if name.reason else [name.canonical]
    return _put(first, is_hybrid_formula=True, parents=tuple(read), authorship=None)


def _is_latin_epithet(words: list[str], at: int) -> bool:
    """Say whether a word behind authors is an epithet whose rank was left out: authors follow it, or nothing."""
    word = words[at]
    before = words[at - 1]
    behind_author = before.endswith(")") or (before[:1].isupper() and not before.endswith(","))
    behind_author = behind_author or before in ("f.", "fil.", "bis")
    latin = before.endswith(")") or _LATIN.fullmatch(word)  # who published stands behind a parenthesis, in capitals
    if not (behind_author and latin and len(word) > 3 and _is_epithet(word)):
        return False
    return at + 1 == len(words) or words[at + 1][:1].isupper() or words[at + 1].startswith("(")


def _read_rank(words: list[str], at: int) -> tuple[str | None, str, int] | None:
    """Return (rank, epithet, place behind both) if a rank and its epithet begin at `at`; `*` is a rank untold."""
    mark = words[at].rstrip(".")
    if len(mark) > 2:
        mark = mark.lower()  # Var., but F. is an author
    rank = MARKERS.get(mark)
    if rank is None and mark != "*":
        return None
    behind = at + 1
    if behind < len(words) and words[behind] == "×":
        behind += 1
    if behind == len(words):
        return None
    epithet = words[behind].lower() if len(mark) > 2 else words[behind]  # var. Douglasii, as it was once written
    return (rank, _epithet(epithet), behind + 1) if _is_directly(epithet) else None


def _is_epithet(word: str, also: frozenset[str] | set[str] = frozenset()) -> bool:
    bare = word.rstrip(",")
    return bare not in NOT_EPITHETS and bare not in also and _EPITHET.fullmatch(bare) is not None


def _is_directly(word: str) -> bool:
    return _is_epithet(word) or word.rstrip(",") == _DIRECT


def _epithet(word: str) -> str:
    return plain_letters(word.rstrip(",").replace("st.-", "st-").replace("'", "").replace("’", ""))


def _put(name: ParsedName, **parts: object) -> ParsedName:
    for part, value in parts.items():
        setattr(name, part, value)
    return name


def _rank_of_uninomial(word: str) -> str:
    if word.endswith("aceae"):
        return "Family"
    return "Order" if word.endswith("ales") and len(word) > 7 else "Genus"
