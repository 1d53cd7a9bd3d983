"""Which names become classes: the sections checklist, wcvp and taxa."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from naflora_etl.recipe.section import Section, Share


class ChecklistOptions(Section):
    paths: tuple[str, ...] = ()
    """Files of names; several are merged (Canada + Greenland + United States)."""
    name_column: str | None = None
    """Column that holds the name; found by its usual headings when not said."""
    author_column: str | None = None
    """Column that holds the authors, when they stand apart from the name."""


class WcvpOptions(Section):
    path: str | None = None
    """The backbone: wcvp_names.csv or its zip, or any names table with `mapping`."""
    mapping: dict[str, str] = Field(default_factory=dict)
    """WCVP column = column of the file, for a backbone in another layout (The Plant List)."""


class TaxaOptions(Section):
    ranks: tuple[str, ...] = ("Species",)
    """Ranks of accepted taxa that become classes."""
    infraspecific: Literal["lump", "set_aside"] = "lump"
    """lump: a variety counts as its species, as one class per species wants; set_aside: it is left out."""
    families: tuple[str, ...] = ()
    """Only these families; all when empty."""
    fuzzy_similarity: Share = 0.9
    """Least likeness of a misspelt name; below 0.9 rWCVP found matches untrustworthy."""
