"""Which names become classes: the sections checklist, wcvp and taxa."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from naflora_etl.recipe.section import Section, Share


class ChecklistOptions(Section):
    paths: tuple[str, ...] = ()
    """CSV, TSV, XLSX, Parquet, plain lists, Darwin Core archives; several are merged (Canada + Greenland + ...)."""
    name_column: str | None = None
    """Column that holds the name; found by its usual headings when not said."""
    author_column: str | None = None
    """Column that holds the authors, when they stand apart from the name."""
    encoding: str | None = None
    """Encoding of files that are not UTF-8, when the one that was found is wrong (cp1250, latin2)."""
    vascular_only: bool = True
    """Set mosses, liverworts, algae, fungi and lichens aside, where the list's own groups or families tell them."""
    ranks: tuple[str, ...] = ()
    """Only rows of these ranks (Species, Variety ...), as the list or the name says; all when empty."""
    regions: tuple[str, ...] = ()
    """Only names that occur here (CA, CA-QC, Ontario), in lists that tell; lists that do not are kept whole."""
    occurrence: tuple[str, ...] = ()
    """Occurrence statuses that count (present, doubtful ...); all but absent, excluded and extinct when empty."""
    establishment: tuple[str, ...] = ()
    """Establishment means that count (native, introduced ...), in lists that tell; all when empty."""


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
    homonyms: Literal["set_aside", "accepted"] = "set_aside"
    """Names without authors that several taxa bear: set aside, or taken for the only accepted of them, a guess."""
    overrides: str | None = None
    """File of decisions that win: name as the checklist writes it, accepted_id (or `drop`), who, why."""
