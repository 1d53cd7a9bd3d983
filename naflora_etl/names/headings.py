"""Which column is which: the usual headings of name tables, and where a recipe says otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# In order of trust, with case, spaces, dots and underscores taken away. Kew's own archive misspells the first.
_USUAL: dict[str, tuple[str, ...]] = {
    "name": (
        *("scientificname", "scientfiicname", "taxonname", "latinname", "botanicalname"),
        *("scientificnamewithauthor", "scientificnamewithauthors", "fullname", "canonicalname"),
        *("plantname", "taxon", "acceptedname", "species", "name"),
    ),
    "author": (
        *("scientificnameauthorship", "scientfiicnameauthorship", "taxonauthors", "nameauthor", "authorship"),
        *("author", "authors", "authority"),
    ),
    "genus": ("genus",),
    "epithet": ("specificepithet", "speciesepithet", "epithet"),
    "infraspecies": ("infraspecificepithet", "infraspecies"),
    "infraspecificRank": ("infraspecificrank", "taxonrank", "rank"),
    "rank": ("taxonrank", "rank"),
    "family": ("family", "familyname"),
    "identifier": ("taxonid", "nameid", "symbol", "acceptedsymbol", "id"),
    "accepted": ("acceptednameusageid",),
    "locationID": ("locationid",),
    "locality": ("locality", "region"),
    "countryCode": ("countrycode",),
    "country": ("country",),
    "stateProvince": ("stateprovince",),
    "occurrenceStatus": ("occurrencestatus",),
    "establishmentMeans": ("establishmentmeans", "nativestatus"),
    "group": ("groupname", "group", "majorgroup", "plantgroup"),
    "kingdom": ("kingdom",),
    "phylum": ("phylum", "division"),
    "class": ("class",),
    "higherClassification": ("higherclassification",),
    "growthHabit": ("growthhabit", "growthform"),
}
LONGEST_SHOWN = 30
_LONGEST = 120


@dataclass(frozen=True)
class Headings:
    """The columns of a table and the places of those that mean something here."""

    columns: tuple[str, ...]
    places: dict[str, int]

    def of(self, meaning: str) -> int | None:
        """Return the place of the column with this meaning; None where there is none."""
        return self.places.get(meaning)

    def repeats(self, cells: Sequence[str]) -> bool:
        """Whether a row is headings once more: these ones, or others where the name and a second one should stand."""
        place = self.places.get("name")
        if place is None or place >= len(cells) or cells[place].count(" ") > 3:
            return False  # most rows: a name with its authors
        if not _is_heading(cells[place], "name") and cells[place] != self.columns[place]:
            return False
        if len(self.columns) == 1 or list(cells) == list(self.columns):
            return True
        others = [(meaning, at) for meaning, at in self.places.items() if at != place and at < len(cells)]
        return any(_is_heading(cells[at], meaning) for meaning, at in others)


def find_headings(
    columns: Sequence[str], name_column: str | None = None, author_column: str | None = None
) -> Headings | None:
    """Return where everything is, or None if no column holds names (or none is called `name_column`)."""
    columns = tuple(columns)
    plain = plain_headings(columns)
    places = {
        meaning: plain.index(heading)
        for meaning, headings in reversed(_USUAL.items())
        for heading in reversed(headings)
        if heading in plain
    }
    if "name" in plain and columns and plain[places.get("name", 0)] == "acceptedname":
        places["name"] = plain.index("name")  # what a name was taken for stands beside it; the name itself is asked
    for meaning, said in (("name", name_column), ("author", author_column)):
        if said is not None:
            place = place_of(columns, said)
            places.pop(meaning, None)
            if place is not None:
                places[meaning] = place
    if "name" not in places and name_column is None and {"genus", "epithet"} <= set(places):
        places["name"] = places["epithet"]
    if "name" not in places:
        return None
    if places.get("author") == places["name"]:
        places.pop("author")
    return Headings(columns, places)


def _is_heading(cell: str, meaning: str) -> bool:
    return len(cell) <= _LONGEST and plain_headings([cell])[0] in _USUAL[meaning]


def place_of(columns: Sequence[str], said: str) -> int | None:
    """Return the place of the column of that very name, else of the only one that differs by case and spaces."""
    if said in columns:
        return list(columns).index(said)
    alike = [at for at, column in enumerate(columns) if column.strip().lower() == said.strip().lower()]
    return alike[0] if len(alike) == 1 else None


def plain_headings(columns: Sequence[str]) -> list[str]:
    """Return headings without case, spaces, dots, underscores and what precedes a term's own name in its URL."""
    return [re.sub(r"[\s_.:-]+", "", re.split(r"[/#]", column.strip())[-1]).lower() for column in columns]


def show_columns(columns: Sequence[str]) -> str:
    """Return the headings for a sentence, the long ones and the many cut short."""
    shown = ", ".join(column[:40] or "(no heading)" for column in columns[:LONGEST_SHOWN])
    return shown + (f" and {len(columns) - LONGEST_SHOWN} more" if len(columns) > LONGEST_SHOWN else "")


def unique_headings(columns: Sequence[str]) -> list[str]:
    """Return headings fit to be columns of one table: none empty, none twice, the first holder keeps a name."""
    taken: set[str] = set()
    unique = []
    for at, column in enumerate(columns, start=1):
        wanted = column.strip() or f"column {at}"
        name, again = wanted, 2
        while name in taken or (name != wanted and name in columns):
            name, again = f"{wanted} {again}", again + 1
        taken.add(name)
        unique.append(name)
    return unique
