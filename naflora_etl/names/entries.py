"""One row of a list of names -> its name, authors, rank and family, mended of encoding faults only."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

import ftfy

from naflora_etl.names.headings import Headings
from naflora_etl.names.textrows import Row

UNREADABLE = "CHECKLIST_ROW_UNREADABLE"
HEADING = "CHECKLIST_ROW_IS_HEADING"
LONGEST_NAME = 1000  # letters; the longest names, authors and all, have some two hundred
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f\u200b-\u200f\u2060\ufeff\ufffe\uffff]")
_BARE_EPITHET = re.compile(r"(?:[×xX]\s*)?[a-zà-ÿ]")


@dataclass(frozen=True, slots=True)
class Entry:
    """What one row says; `issue` tells why it cannot be used."""

    name: str | None = None
    author: str | None = None
    rank: str | None = None
    family: str | None = None
    identifier: str | None = None
    written: str | None = None
    """The name as the file has it, where it was mended or the row cannot be used."""
    mended: str | None = None
    """What was mended in name or authors, as in `mojibake | entities`."""
    issue: str | None = None


def read_entry(row: Row, headings: Headings, is_above: bool = False) -> Entry:
    """Return what a row says. Never raises: a row that is none of this table comes with an issue and its text."""
    if is_above or headings.repeats(row.cells):
        return Entry(written=_shown(row), issue=HEADING)
    if not row.fits:
        return Entry(name=_shown(row), written=_shown(row), issue=UNREADABLE)
    cells, of = row.cells, headings.of
    written = _name(cells, headings)
    author_place = of("author")
    author = cells[author_place] if author_place is not None else ""
    if max(len(written), len(author)) > LONGEST_NAME:
        return Entry(name=_shown(row), written=_shown(row), issue=UNREADABLE)
    name, found = mend(written)
    author, found_too = mend(author)
    mended = list(dict.fromkeys([*found, *found_too, *(["cut by commas"] if row.joined else [])]))
    rank, family, identifier = (
        mend(cells[place])[0][:LONGEST_NAME] if (place := of(meaning)) is not None else ""
        for meaning in ("rank", "family", "identifier")
    )
    return Entry(
        name=name or None,
        author=author or None,
        rank=rank or None,
        family=family or None,
        identifier=identifier or None,
        written=written if mended else None,
        mended=" | ".join(mended) or None,
        issue=None if name else UNREADABLE,
    )


def mend(text: str) -> tuple[str, list[str]]:
    """Return (text without encoding faults, what was found): mojibake, HTML entities, control characters.

    Spaces are made single without being told. A letter that an earlier program has lost, written as U+FFFD, cannot be
    brought back; it stays and is told.
    """
    if text.isascii() and text.isprintable() and "&" not in text:
        return " ".join(text.split()), []
    found = []
    if "&" in text and ";" in text and (plain := html.unescape(text)) != text:
        text, found = plain, ["entities"]
    if not text.isascii() and (plain := ftfy.fix_encoding(text)) != text:
        text = plain
        found.append("mojibake")
    if (plain := _CONTROLS.sub("", text)) != text:
        text = plain
        found.append("control characters")
    if "\ufffd" in text:
        found.append("lost letters")
    return " ".join(text.split()), found


def _name(cells: list[str], headings: Headings) -> str:
    """Return the cell that holds the name, with its genus before it and more behind it where these stand apart."""
    name = cells[headings.places["name"]]
    genus = headings.of("genus")
    if genus is None or not _BARE_EPITHET.match(name) or name.lower().startswith(f"{cells[genus].lower()} "):
        return name
    parts = [cells[genus], name]
    below = headings.of("infraspecies")
    if below is not None and cells[below].strip():
        mark = headings.of("infraspecificRank")
        parts += [cells[mark] if mark is not None else "", cells[below]]
    return " ".join(part.strip() for part in parts if part.strip())


def _shown(row: Row) -> str | None:
    return " | ".join(cell[:200] for cell in row.cells[:20] if cell)[:LONGEST_NAME] or None
