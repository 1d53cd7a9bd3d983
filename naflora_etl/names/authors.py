"""Author citations: the same authors, however they are spaced, dotted and joined."""

from __future__ import annotations

import re
from functools import lru_cache

from naflora_etl.names.spelling import fold_word

_YEARS = re.compile(r"[,(\[]*\s*\b1[5-9]\d\d\b\s*[)\]]*|[,(\[]*\s*\b20\d\d\b\s*[)\]]*")
_PLACE = re.compile(r"\s+(?:in|apud)\s+[^()]*")  # `in` names the book, not the author
_NOTES = re.compile(r"[,;]?\s*\b(?:nom\.|nomen\b|pro sp|pro hybr|p\.\s?p\.|s\.\s?l\.|s\.\s?str\.|orth\.|emend\.).*$")
_JOINED = re.compile(r"\s*(?:&|,|\bet\b|\band\b|\by\b)\s*")
_EX = re.compile(r"[^()&,]+(?:(?:&|,)[^()&,]+)*\s+ex\.?\s+")
_PARENTHESIS = re.compile(r"^\((.*?)\)?\)\s*(.*)$")


@lru_cache(maxsize=65_536)
def normalise_authors(citation: str) -> str:
    """Return the citation in a form in which equal authors are equal strings; `ex` and its author are kept.

    Spaces, dots, diacritics, years, the place after `in` and nomenclatural notes are gone; `et` and `,` become `&`.
    The author of the basionym stands in parentheses before the others.
    """
    bare = _YEARS.sub("", _NOTES.sub("", _PLACE.sub("", citation.replace("[", "(").replace("]", ")")))).strip(" ,;")
    inside = _PARENTHESIS.match(bare)
    if inside:
        return f"({_persons(inside[1])}){_persons(inside[2])}"
    return _persons(bare)


@lru_cache(maxsize=65_536)
def publishing_authors(citation: str) -> str:
    """Return the citation as `normalise_authors` does, less whoever stands before `ex`: the code lets them be left out.

    Nutt. ex Torr. & A.Gray is thus the same as Torr. & A.Gray.
    """
    return normalise_authors(_EX.sub("", citation.replace("[", "(").replace("]", ")")))


def same_authors(one: str, other: str) -> bool:
    """Say whether two citations name the same authors, whether or not either tells who stands before `ex`."""
    if normalise_authors(one) == normalise_authors(other):
        return True
    if " ex" not in one and " ex" not in other:
        return False
    return publishing_authors(one) == publishing_authors(other)


def _persons(text: str) -> str:
    persons = (person for person in _JOINED.split(text) if person)
    return "&".join(" ex ".join(fold_word(part) for part in re.split(r"\s+ex\.?\s+", person)) for person in persons)
