"""How two spellings of one word are seen to be the same, or merely alike."""

from __future__ import annotations

import re
import unicodedata

_NOT_LETTERS = re.compile(r"[^a-z]+")
# Article 60.7 of the botanical code: umlauts are written out; other diacritics, the diaeresis among them, go.
_LETTERS = {"ä": "ae", "ö": "oe", "ü": "ue", "æ": "ae", "œ": "oe", "ø": "oe", "å": "ao", "ß": "ss", "ſ": "s"}
_LETTERS |= {"ł": "l", "đ": "d", "ı": "i"}
_CAPITALS = {letter.upper(): out.capitalize() for letter, out in _LETTERS.items() if letter not in "ßſı"}
_WRITTEN_OUT = str.maketrans(_LETTERS | _CAPITALS)
# The longest endings first, so that `-rum` is not read as `-um`.
_GENDER = re.compile(r"(?:rum|rus|ra|er|um|us|is|on|os|a|e)$")
_ALIKE = (
    ("ae", "e"),
    ("oe", "e"),
    ("ph", "f"),
    ("th", "t"),
    ("rh", "r"),
    ("y", "i"),
    ("j", "i"),
    ("k", "c"),
    ("w", "v"),
)
_TWICE = re.compile(r"(.)\1+")


def plain_letters(word: str) -> str:
    """Return `word` without diacritics, as the code has names written: Doeringia (Döringia), Isoetes (Isoëtes)."""
    if word.isascii():
        return word
    composed = unicodedata.normalize("NFC", word).replace("oö", "oo")
    decomposed = unicodedata.normalize("NFD", composed.translate(_WRITTEN_OUT))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def fold_word(word: str) -> str:
    """Return `word` in plain lower-case letters: no diacritics, hyphens, apostrophes or spaces.

    The botanical code lets none of these make two names different, so words that fold alike are the same word.
    """
    folded = plain_letters(word.lower())
    return folded if folded.isalpha() and folded.isascii() else _NOT_LETTERS.sub("", folded)


def stem_epithet(folded: str) -> str:
    """Return a folded epithet without what Latin scribes disagree about: gender, -ii/-i, doubled letters, ae/oe/y/ph.

    Epithets with the same stem in the same genus are spelling variants of each other (peltatum, peltata).
    """
    stem = folded
    if stem.endswith(("iae", "ii")):
        stem = stem[:-3] + "ae" if stem.endswith("iae") else stem[:-1]
    for written, plain in _ALIKE:
        stem = stem.replace(written, plain)
    stem = _TWICE.sub(r"\1", stem)
    bare = _GENDER.sub("", stem)
    return bare if len(bare) >= 3 else stem
