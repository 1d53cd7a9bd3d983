"""Author citations: the same authors, however they are spaced, dotted and joined, and how alike two citations are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import OSA

from naflora_etl.names.spelling import fold_word

_YEARS = re.compile(r"[,(\[]*\s*\b1[5-9]\d\d\b\s*[)\]]*|[,(\[]*\s*\b20\d\d\b\s*[)\]]*")
_PLACE = re.compile(r"\s+(?:in|apud)\s+[^()]*")  # `in` names the book, not the author
_NOTES = re.compile(
    r"[,;]?\s*\b(?:nom\.|nomen\b|pro sp|pro hybr|p\.\s?p\.|s\.\s?l\.|s\.\s?str\.|orth\.|emend\.|comb\.|"
    r"ined\b|non\b|not\b).*$"
)
_JOINED = re.compile(r"\s*(?:&|,|\bet\b|\band\b|\by\b)\s*")
_EX = re.compile(r"[^()&,]+(?:(?:&|,)[^()&,]+)*\s+ex\.?\s+")
_PARENTHESIS = re.compile(r"^\((.*?)\)?\)\s*(.*)$")
_GLUED = re.compile(r"\.(?=(?:ex|in)\.?\s)")  # Nutt.ex S.Watson
_SAINT = re.compile(r"\b(S(?:ain)?t)\.\s?(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")
_FILIUS = frozenset(("f", "fil", "filius", "bis"))  # the son, or the second of the name
_CROWD = frozenset(("al", "alii", "others"))

AGREE = 0.75
"""Author similarity from which two citations are taken for the same authors, differently abbreviated."""


@lru_cache(maxsize=65_536)
def normalise_authors(citation: str) -> str:
    """Return the citation in a form in which equal authors are equal strings; `ex` and its author are kept.

    Spaces, dots, diacritics, years, the place after `in` and nomenclatural notes are gone; `et` and `,` become `&`.
    The author of the basionym stands in parentheses before the others.
    """
    before, after = _halves(citation)
    return f"({_persons(before)}){_persons(after)}" if before else _persons(after)


@lru_cache(maxsize=65_536)
def publishing_authors(citation: str) -> str:
    """Return the citation as `normalise_authors` does, less whoever stands before `ex`: the code lets them be left out.

    Nutt. ex Torr. & A.Gray is thus the same as Torr. & A.Gray.
    """
    apart = _GLUED.sub(". ", citation.replace("[", "(").replace("]", ")"))
    return normalise_authors(_EX.sub("", apart))


def same_authors(one: str, other: str) -> bool:
    """Say whether two citations name the same authors, whether or not either tells who stands before `ex`."""
    if one == other or normalise_authors(one) == normalise_authors(other):
        return True
    if "ex" not in one and "ex" not in other:
        return False
    return publishing_authors(one) == publishing_authors(other)


@lru_cache(maxsize=65_536)
def author_similarity(one: str, other: str) -> float | None:
    """Return how alike two citations are, 0 (other people) to 1 (the same); None where either names nobody.

    Persons are compared by surname, whole or abbreviated, then by first initial and filius; the authors of the name
    weigh 0.7, those of the basionym 0.3. A basionym author that only one citation tells takes off a tenth; whoever
    stands before `ex`, or after it, may be left out.
    """
    if "\ufffd" in one or "\ufffd" in other:  # a letter lost to a wrong encoding is let go on the other side, too
        one, other = (text.encode("ascii", "ignore").decode() for text in (one, other))
    if same_authors(one, other):
        return 1.0 if normalise_authors(one) else None
    (before, after), (before_other, after_other) = _halves(one), _halves(other)
    if not (before or after) or not (before_other or after_other):
        return None
    name = _alike(after, after_other)
    if before and before_other:
        return round(0.7 * name + 0.3 * _alike(before, before_other), 4)
    if before or before_other:
        moved = _alike(before, after_other) if before else _alike(after, before_other)
        return round(max(0.9 * name, 0.6 * moved), 4)
    return name


@dataclass(frozen=True, slots=True)
class _Person:
    surname: str
    initial: str
    filius: bool
    cut: bool
    """Whether the surname is abbreviated."""
    whole: str


def _halves(citation: str) -> tuple[str, str]:
    """Return (authors of the basionym, authors of the name) without years, places and notes."""
    rounded = (citation.lower() if citation.isupper() else citation).replace("[", "(").replace("]", ")")
    bare = _NOTES.sub("", _PLACE.sub("", _SAINT.sub(r"\1", _GLUED.sub(". ", rounded))))
    bare = _YEARS.sub("", bare).strip(" ,;")
    inside = _PARENTHESIS.match(bare)
    return (inside[1], inside[2]) if inside else ("", bare)


def _persons(text: str) -> str:
    persons = (person for person in _JOINED.split(text) if person)
    return "&".join(" ex ".join(fold_word(part) for part in re.split(r"\s+ex\.?\s+", person)) for person in persons)


@lru_cache(maxsize=65_536)
def _teams(text: str) -> tuple[tuple[_Person, ...], ...]:
    """Return the team before `ex`, if there is one, and the team that published."""
    teams = re.split(r"(?:^|\s+)ex\.?\s+", text)
    return tuple(tuple(_person(person) for person in _JOINED.split(team) if fold_word(person)) for team in teams)


def _person(text: str) -> _Person:
    words = [(fold_word(word), word.endswith(".")) for word in _WORD.findall(text)]
    words = [(word, cut) for word, cut in words if word]
    filius = len(words) > 1 and words[-1][0] in _FILIUS
    if filius:
        words.pop()
    long = [(word, cut) for word, cut in words if len(word) > 1]
    surname, cut = (long or words or [("", False)])[-1]
    initial = words[0][0][0] if len(words) > 1 else ""
    return _Person(surname, initial, filius, cut, fold_word(text))


def _alike(one: str, other: str) -> float:
    """Return the likeness of two citations of one kind: the published teams, or either less its `ex`."""
    teams, others = _teams(one), _teams(other)
    best = 0.0
    for at, team in enumerate(reversed(teams)):
        for at_other, team_other in enumerate(reversed(others)):
            weight = 1.0 if at == at_other == 0 else 0.95
            best = max(best, weight * _team_likeness(team, team_other))
    return round(best, 4)


def _team_likeness(team: tuple[_Person, ...], other: tuple[_Person, ...]) -> float:
    crowd = any(person.whole in _CROWD for person in (*team, *other))
    few, many = sorted(
        ([person for person in side if person.whole not in _CROWD] for side in (team, other)), key=len
    )
    if not few:
        return 0.0
    total = sum(max(_person_likeness(person, candidate) for candidate in many) for person in few)
    return total / len(few) if crowd else 0.5 * total / len(few) + 0.5 * total / len(many)


def _person_likeness(one: _Person, other: _Person) -> float:
    if one.whole == other.whole:
        return 1.0
    likeness = _surname_likeness(one, other)
    if one.initial and other.initial and one.initial != other.initial:
        likeness *= 0.6
    return likeness * 0.7 if one.filius != other.filius else likeness


def _surname_likeness(one: _Person, other: _Person) -> float:
    short, long = sorted((one, other), key=lambda person: len(person.surname))
    if short.surname == long.surname:
        return 0.97  # an initial more or less
    if len(short.surname) >= 2 and long.surname.startswith(short.surname):
        return 0.95 if short.cut else 0.85 if len(short.surname) > 3 else 0.6
    if one.cut != other.cut and len(short.surname) >= 5 and long.surname.startswith(short.surname[:-1]):
        return 0.85  # Jurtz., Jurtsev
    likeness = float(OSA.normalized_similarity(short.surname, long.surname))
    return likeness if likeness >= 0.7 and len(short.surname) > 3 else 0.0
