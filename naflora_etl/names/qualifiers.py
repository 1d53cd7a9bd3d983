"""What stands behind a name and is no author: its sense (agg., s.l., auct.), and notes on its standing.

The marks are those of gnparser's test document, and of European floras, which have aggregates by the hundred.
"""

from __future__ import annotations

import re
from functools import lru_cache

_BROAD = r"s\.\s?l\.|s\.\s?lat\.?|s\.\s?ampl\.|sens(?:u|\.)\s?(?:lat(?:issimo|iore|o|\.)?|ampl(?:o|\.))|s\.?\s?lato"
_NARROW = r"s\.\s?s\.|s\.\s?str\.?|sens(?:u|\.)\s?str(?:icto|\.)?|s\.?\s?stricto"
_CROWD = r"(?:species\s)?(?:agg(?:r|reg)?\.|agg|aggr|aggregate|complex|group)|coll\."
_PART = r"p\.\s?p\.(?:\s?[A-Z]\b|\s?(?:max|maj|min)\b\.?)?|pro\sparte(?:\s(?:majore|maxima|minore))?"
# Followed by nothing, a comma, authors: s.l. Welsh, once in capitals, is a person.
_BEHIND = r"[)\]]?(?=\s*$|\s*[,;(\[-]|\s+[A-ZÀ-ÖØ-Þ(]|\s+(?:non|nec|excl|auctt?|ex|nom|et)\b)"
_SENSES = {
    qualifier: re.compile(rf"(?:^|(?<=[\s,;.)]))[,;]?\s*[(\[]?(?:{marks}){_BEHIND}")
    for qualifier, marks in (("agg.", _CROWD), ("s.l.", _BROAD), ("s.str.", _NARROW), ("p.p.", _PART))
}
_START = r"(?:^|[\s,;(\[])"
# From one of these words on, nothing is an author of this name.
_TAILS = {
    "auct.": re.compile(rf"{_START}(?:[Aa]uctt?\b(?!\.?\s*\)\s*\w)|[Aa]uctorum\b|[Ss]ensu\b)"),
    "sec.": re.compile(rf"{_START}(?:sec\b\.?|secundum\b|fide\b|vide\b)"),
    "p.p.": re.compile(rf"{_START}(?:excl\.|exclus\b|quoad\b)|,\s*P\.\s?P\.$"),
    "nom.": re.compile(rf"{_START}[Nn]om(?:\.\s?(?!cons|nov|alt)[a-z]|en\s+(?!cons|nov|alt)[A-Za-z])"),
    "": re.compile(
        rf"{_START}(?:[Nn]om(?:\.\s?|en\s)(?:cons|nov|alt)|(?:comb|stat)\.\s?(?:nov|ined|inval)|sp\.\s?nov|pro\ssyn|"
        r"orth\.\s?(?:var|err)|sphalm\b|ined\b|in\s(?:litt|sched|herb)\b|[Mm][Ss]$|non\b|nec\b|not\b)"
    ),
}
_GARDENS = re.compile(r"\(?(?:[Hh]ort(?:ul)?(?:orum)?|ht)\b\.?\)?(?:\s*$|\s*[,;(]?\s*(?:non|nec|not)\b.*$)|ht\.[A-Z].*")
_ANY = re.compile(
    r"[Aa]uct|ensu\b|sens\.|agg|aggr|complex|group|coll\.|(?i:s\.\s?(?:l|s|ampl)|p\.\s?p\.|pro parte)"
    r"|s\.?\s?(?:lato|stricto)"
    r"|\bsec\b|secundum|\bfide\b|\bvide\b|excl|quoad|\b[Hh]ort|\bht\b|\b[Nn]om(?:\.|en\b)|\b(?:comb|stat|sp|orth)\."
    r"|syn\b|sphalm|ined\b|litt\b|sched\b|herb\b|\b[Mm][Ss]\b|\b(?:non|nec|not)\b"
)

MISAPPLIED = "auct."
GARDENS = "hort."
_ORDER = (MISAPPLIED, "agg.", "s.l.", "p.p.", "sec.", "nom.")


@lru_cache(maxsize=65_536)
def split_qualifier(citation: str | None) -> tuple[str | None, str | None]:
    """Return (authors alone, why the name is not meant plainly) of what stands behind a name.

    The qualifiers, the first that is there: `auct.` somebody's error, `agg.` a group of species, `s.l.` a wider sense
    than the name's own, `p.p.` a part of it, `sec.` somebody's sense, `nom.` a name that the list itself calls
    illegitimate, invalid or nude, without authors to find it by; and `hort.`, gardeners in the place of authors.
    What means nothing but the name itself goes without a word: s.str., nom. cons., comb. nov., non L.
    """
    if not citation or not _ANY.search(citation):
        return citation or None, None
    if _GARDENS.fullmatch(citation):
        return GARDENS, GARDENS
    found, authors = set(), citation
    for qualifier, mark in _SENSES.items():  # first, for sensu lato is no `sensu`
        if mark.search(authors):
            authors = " ".join(mark.sub(" ", authors).split())
            found.add(qualifier)
    tails = {qualifier: match.start() for qualifier, tail in _TAILS.items() if (match := tail.search(authors))}
    authors = authors[: min(tails.values(), default=len(authors))].strip(" ,;-")
    found.update(tails)
    if authors:
        found.discard("nom.")
    return authors or None, next((qualifier for qualifier in _ORDER if qualifier in found), None)
