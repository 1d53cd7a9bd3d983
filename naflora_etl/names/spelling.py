"""How two spellings of one word are seen to be the same, or merely alike."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_NOT_LETTERS = re.compile(r"[^a-z]+")
# Article 60.7 of the botanical code: umlauts are written out; other diacritics, the diaeresis among them, go.
_LETTERS = {"ä": "ae", "ö": "oe", "ü": "ue", "æ": "ae", "œ": "oe", "ø": "oe", "å": "ao", "ß": "ss", "ſ": "s"}
_LETTERS |= {"ł": "l", "đ": "d", "ı": "i"}
_CAPITALS = {letter.upper(): out.capitalize() for letter, out in _LETTERS.items() if letter not in "ßſı"}
_WRITTEN_OUT = str.maketrans(_LETTERS | _CAPITALS)
# Cyrillic letters that look like Latin ones stand in Latin words, in WCVP too.
_CYRILLIC = str.maketrans("аАВеЕКМНоОрРсСТуУхХіІ", "aABeEKMHoOpPcCTyYxXiI")
_MIXED = re.compile(r"\b(?=[^\W\d_]*[A-Za-z])(?=[^\W\d_]*[а-яА-ЯіІ])[^\W\d_]+")
# Second halves of compound epithets: the vowel that joins them (delphini-i-, endivi-ae-, cilia-to-) is Latin or Greek.
_SECOND_HALF = "foli|flor|form|carp|caul|sepal|petal|nerv|cost|sperm|glum|fruct"
_JOINED = re.compile(rf"(?<=[a-z]{{2}})(?:ae|ii|[eio])(?=(?:{_SECOND_HALF}))")
_PERSON = re.compile(r"(?:ian(?=us|a|um|e)|ior(?=um$))")
_ENDING = re.compile(r"(?:us|um|is|on|os|[aei]+)$")
_SHORTENED = re.compile(r"(?<=[^aeiou])r$|er$")  # niger, nigra; asper, aspera; campester, campestris
_OF_PERSONS = re.compile(r"(?:i?[oa]rum|i?ae|ii?)$")
_COMPARED = {"maius": "major", "majus": "major", "maior": "major", "minus": "minor"}
_ALIKE = (("ph", "f"), ("h", ""), ("y", "i"), ("j", "i"), ("k", "c"), ("w", "v"), ("cq", "q"))
_DIPHTHONG = re.compile(r"[ao]e")
_TWICE = re.compile(r"(.)\1+")


def latin_letters(text: str) -> str:
    """Return `text` with Latin letters for the Cyrillic ones that look like them, in words that hold both."""
    return _MIXED.sub(lambda found: found[0].translate(_CYRILLIC), text)


def plain_letters(word: str) -> str:
    """Return `word` without diacritics, as the code has names written: Doeringia (Döringia), Isoetes (Isoëtes)."""
    if word.isascii():
        return word
    composed = unicodedata.normalize("NFC", latin_letters(word)).replace("oö", "oo")
    decomposed = unicodedata.normalize("NFD", composed.translate(_WRITTEN_OUT))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def fold_word(word: str) -> str:
    """Return `word` in plain lower-case letters: no diacritics, hyphens, apostrophes or spaces.

    The botanical code lets none of these make two names different, so words that fold alike are the same word.
    """
    if word.isascii() and word.isalpha():
        return word.lower()
    folded = plain_letters(word.lower())
    return folded if folded.isalpha() and folded.isascii() else _NOT_LETTERS.sub("", folded)


@lru_cache(maxsize=1 << 20)
def stem_epithet(folded: str) -> str:
    """Return a folded epithet without what Latin scribes disagree about, for the comparison of two of one genus.

    That is gender (-us, -a, -um), the endings of persons' names (-i, -ii, -ae, -iae; -anus, -ianus), joining vowels
    (-iifolia, -ifolia, -aefolia), doubled letters, ae and oe for e, y and j for i, k for c, w for v, ph for f, and h.
    """
    folded = _COMPARED.get(folded, folded)
    stem = _PERSON.sub(lambda found: found[0].replace("i", "", 1), _JOINED.sub("i", folded))
    bare = _ENDING.sub("", stem)
    of_a_person = stem.endswith("i") or stem.endswith("ae")
    bare = (bare if of_a_person else _SHORTENED.sub("", bare)).rstrip("aei")
    stem = _DIPHTHONG.sub("e", bare if len(bare) >= 3 else stem)
    for written, plain in _ALIKE:
        stem = stem.replace(written, plain)
    return _TWICE.sub(r"\1", stem)


def is_one_genitive(one: str, other: str) -> bool:
    """Say whether two folded epithets name the same person or persons: cordieri, cordierorum; benthami, benthamii.

    The code has the number and sex of the persons, and -i for -ii, corrected without a new name (article 60.8).
    """
    stems = [_OF_PERSONS.sub("", word) for word in (one, other)]
    return stems[0] == stems[1] and len(stems[0]) >= 4 and stems[0] not in (one, other)


def is_one_man(one: str, other: str) -> bool:
    """Say whether two folded epithets differ only in -i and -ii."""
    return one[-1:] == other[-1:] == "i" and one.rstrip("i") == other.rstrip("i")
