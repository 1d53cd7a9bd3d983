"""A written name taken apart: genus, epithets, rank, hybrid marks, authors."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass, replace

from naflora_etl.names.spelling import plain_letters

RANKS: dict[str, str] = {
    "subsp.": "Subspecies",
    "var.": "Variety",
    "f.": "Form",
    "subvar.": "Subvariety",
    "subf.": "Subform",
    "nothosubsp.": "nothosubsp.",
    "nothovar.": "nothovar.",
    "nothof.": "nothof.",
    "convar.": "Convariety",
    "proles": "proles",
    "lusus": "lusus",
    "monstr.": "monstr.",
    "unranked": "Infraspecific",
}
"""Infraspecific rank as WCVP abbreviates it -> as WCVP's taxon_rank words it."""

_MARKERS = {rank.rstrip("."): rank for rank in RANKS} | {
    "ssp": "subsp.",
    "sbsp": "subsp.",
    "subspec": "subsp.",
    "subspecies": "subsp.",
    "varietas": "var.",
    "variety": "var.",
    "v": "var.",
    "fo": "f.",
    "form": "f.",
    "forma": "f.",
    "fma": "f.",
    "fm": "f.",
    "fa": "f.",
    "prol": "proles",
    "nothossp": "nothosubsp.",
    "nssp": "nothosubsp.",
    "nsubsp": "nothosubsp.",
    "nvar": "nothovar.",
    "lus": "lusus",
}
_RANKS_ABOVE_SPECIES = (
    "subfam supertrib trib tr subtrib subtr subg subgen subgenus supersect sect section subsect ser series subser "
    "nothosect nothoser unr"
)
_ABOVE_SPECIES = frozenset(_RANKS_ABOVE_SPECIES.split())
_UNSURE = {"cf", "aff", "nr", "near", "?", "prox", "/", "vel"}
_NO_SPECIES = {"sp", "spp", "spec", "species", "indet", "sect", "ssp", "nov"}
# Lower-case words that belong to authors or to notes and so cannot be epithets.
_SMALL_WORDS = (
    "ex in et and und y non nec not de del dela della delle dello degli den der des di do dos du da la las le les los "
    "lo van von vom zu zum zur ten ter af av fil f auct auctt auctorum sensu sec hort nom nomen pro emend ined apud "
    "mihi nob anon or with of al bis sine comb stat orth sphalm err typ s l str st cv grex hybrid hybr cf aff nr "
    "complex group agg serotype serovar strain clone vel"
)
_NOT_EPITHETS = frozenset(_SMALL_WORDS.split())
_NO_WORDS = (
    "None Not No Unidentified Unknown Unnamed Undetermined Undet Indet Indeterminate Incertae Plant Plants Sterile"
)
_NO_GENUS = frozenset(_NO_WORDS.split())
_MISAPPLIED = re.compile(r"^\(?(?:auct|auctt|auctorum|sensu(?!\s+(?:lato|stricto|amplo)\b))\b")

_GENUS = re.compile(r"[A-ZÀ-ÖØ-ÞŒ][a-zß-öø-ÿœ]+(?:-[A-Za-zÀ-ÖØ-öø-ÿœ]+)*\??")
_EPITHET = re.compile(r"(?:st\.-)?[a-zß-öø-ÿœ]+(?:[-'’][a-zß-öø-ÿœ]{2,}|[a-zß-öø-ÿœ])(?:[-'’][a-zß-öø-ÿœ]+)*")
_PLAIN = re.compile(r"([A-Z][a-z]+) ([a-z-]{3,})(?: (subsp\.|var\.|f\.) ([a-z-]{3,}))?")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>")
_TIMES = re.compile(r"[×✕✖⨯╳☓]\s*")
_LONE_X = re.compile(r"(?:^|(?<=\s))[xXхХ](?=\s+\S)|^[xX](?=[A-Z][a-z])")
_GLUED = re.compile(r"(?<=[a-z])\(")
_GREEK = re.compile(r"(?<=[\s.])[α-ωΑ-Ω]\.?\s*(?=[a-z])")
_BRACKETED = re.compile(r"\[[^\]]*×[^\]]*\]|\(pro (?:sp|hybr|nm)[^)]*\)")
_CULTIVAR = re.compile(r"\s(?:cv\.?\s+)?(?:['‘’\"“](?=[A-Z])([^'‘’\"“”]+)['’\"”])|\scv\.?\s+(\S.*)$")
_SUBGENUS = re.compile(r"\([A-Z][a-z.-]*\)")


@dataclass(frozen=True, slots=True)
class ParsedName:
    """The parts of a name; `reason` says why a text is no name, and then the parts mean nothing."""

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
    is_hybrid_formula: bool = False
    qualifier: str | None = None
    """Why the name is not meant plainly: cf., aff., ?, sp., auct."""
    cultivar: str | None = None
    reason: str | None = None

    @property
    def canonical(self) -> str:
        """The name in WCVP's manner, without authors: `Poa × nannfeldtii`, `Abies balsamea f. hudsonia`."""
        parts = [
            "×" if self.genus_hybrid else None,
            self.genus,
            "×" if self.species_hybrid else None,
            self.epithet,
            self.infraspecific_rank,
            self.infraspecific,
        ]
        return " ".join(part for part in parts if part)

    @property
    def is_autonym(self) -> bool:
        """Whether the name repeats its species' epithet (Poa alba var. alba), and so holds the species' own type."""
        return self.infraspecific is not None and self.infraspecific == self.epithet


def parse_name(text: str, authorship: str | None = None) -> ParsedName:
    """Take a botanical name apart; `authorship` stands in where the authors are kept in a field of their own.

    Never raises: what is no name comes back with a `reason`. Text all in one case is read as if properly written.
    """
    plain = _PLAIN.fullmatch(text) if not (authorship and _MISAPPLIED.match(authorship)) else None
    if plain and plain[2] not in _NOT_EPITHETS and plain[2] not in _NO_SPECIES and plain[1] not in _NO_GENUS:
        rank = RANKS[plain[3]] if plain[3] else "Species"
        return ParsedName(plain[1], False, plain[2], False, plain[3], plain[4], authorship or None, rank)
    cleaned, cultivar = _clean(text)
    if not cleaned:
        return ParsedName(reason="it is empty")
    parsed = _read_genus(cleaned.split(), one_case=text.upper() == text)
    authors = (authorship or parsed.authorship or "").strip() or None
    qualifier = parsed.qualifier or ("auct." if authors and _MISAPPLIED.match(authors) else None)
    return replace(parsed, authorship=authors, qualifier=qualifier, cultivar=cultivar)


def _clean(text: str) -> tuple[str, str | None]:
    if not text.isascii():
        text = _GREEK.sub("", unicodedata.normalize("NFC", text).replace("†", " ").replace("ſ", "s"))
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text and ";" in text:
        text = html.unescape(text)
    if "_" in text and " " not in text.strip():
        text = text.replace("_", " ")
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
    if not _GENUS.fullmatch(words[at].rstrip(",")) or words[at] in _NO_GENUS:
        return ParsedName(reason=f"it begins with {words[at]!r}, which is no genus")
    genus = plain_letters(words[at].rstrip("?,")).capitalize()
    base = ParsedName(genus, genus_hybrid, rank=_rank_of_uninomial(genus))
    if words[at].endswith("?"):
        base = replace(base, qualifier="?")
    at += 1
    if at + 1 < len(words) and _SUBGENUS.fullmatch(words[at]) and _is_epithet(words[at + 1]):
        at += 1
    return _read_species(base, words, at, one_case)


def _read_species(base: ParsedName, words: list[str], at: int, one_case: bool) -> ParsedName:
    while at < len(words) and words[at].rstrip(".") in _UNSURE:
        base, at = replace(base, qualifier=words[at]), at + 1
    if at == len(words):
        return base
    mark = words[at].rstrip(".,")
    if mark in _ABOVE_SPECIES:
        return replace(base, rank="Infrageneric")
    if mark in _NO_SPECIES and not _is_epithet(words[at], also=_NO_SPECIES):
        return replace(base, qualifier="sp.")
    if words[at] == "×":
        if at + 1 == len(words) or not _is_epithet(words[at + 1]):
            return replace(base, is_hybrid_formula=True)
        base, at = replace(base, species_hybrid=True), at + 1
    elif not _is_epithet(words[at]):
        formula = "×" in words[at:]
        return replace(base, authorship=" ".join(words[at:]), is_hybrid_formula=formula)
    species = replace(base, epithet=_epithet(words[at]), rank="Species")
    return _read_rest(species, words, at + 1, one_case)


def _read_rest(name: ParsedName, words: list[str], at: int, one_case: bool) -> ParsedName:
    """Read what follows the species epithet: authors, ranks with their epithets, a second parent, doubts."""
    follows = at < len(words) and not one_case and not words[at - 1].endswith(",")
    if follows and _is_epithet(words[at]) and words[at].rstrip(".") not in _MARKERS:
        name, at = replace(name, infraspecific=_epithet(words[at]), rank="Infraspecific"), at + 1
    authors: list[str] = []
    while at < len(words):
        word = words[at]
        if word in ("×", "+"):
            return replace(name, is_hybrid_formula=True, authorship=None)
        ranked = _read_rank(words, at)
        if ranked:
            name = replace(name, infraspecific_rank=ranked[0], infraspecific=ranked[1], rank=RANKS[ranked[0]])
            authors, at = (authors if name.is_autonym else []), ranked[2]
            continue
        if word.rstrip(".") in _UNSURE:
            name = replace(name, qualifier=word)
        elif not (word.rstrip(".") in ("ssp", "subsp", "var") and at + 1 == len(words)):
            authors.append(word)
        at += 1
    return replace(name, authorship=" ".join(authors).strip(" ,") or None)


def _read_rank(words: list[str], at: int) -> tuple[str, str, int] | None:
    """Return (rank, epithet, place behind both) if a rank and its epithet begin at `at`."""
    rank = _MARKERS.get(words[at].rstrip("."))
    if rank is None:
        return None
    behind = at + 1
    if behind < len(words) and words[behind] == "×":
        behind += 1
    if behind < len(words) and _is_epithet(words[behind]):
        return rank, _epithet(words[behind]), behind + 1
    return None


def _is_epithet(word: str, also: frozenset[str] | set[str] = frozenset()) -> bool:
    bare = word.rstrip(",")
    return bare not in _NOT_EPITHETS and bare not in also and _EPITHET.fullmatch(bare) is not None


def _epithet(word: str) -> str:
    return plain_letters(word.rstrip(",").replace("st.-", "st-").replace("'", "").replace("’", ""))


def _rank_of_uninomial(word: str) -> str:
    if word.endswith("aceae"):
        return "Family"
    return "Order" if word.endswith("ales") and len(word) > 7 else "Genus"
