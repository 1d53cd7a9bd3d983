"""Ranks below and above the species: how they are written, and how WCVP abbreviates and words them."""

from __future__ import annotations

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
    "agamosp.": "agamosp.",
    "agamossp.": "agamossp.",
    "agamovar.": "agamovar.",
    "subproles": "subproles",
    "sublusus": "sublusus",
    "stirps": "stirps",
    "mut.": "mut.",
    "psp.": "psp.",
    "unranked": "Infraspecific",
}
"""Infraspecific rank as WCVP abbreviates it -> as WCVP's taxon_rank words it."""

MARKERS = {rank.rstrip("."): rank for rank in RANKS} | {
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
ABOVE_SPECIES = {
    "subfam": "subfam.",
    "supertrib": "supertrib.",
    "trib": "trib.",
    "tr": "trib.",
    "subtrib": "subtrib.",
    "subtr": "subtrib.",
    "subg": "subgen.",
    "subgen": "subgen.",
    "subgenus": "subgen.",
    "supersect": "supersect.",
    "sect": "sect.",
    "section": "sect.",
    "subsect": "subsect.",
    "ser": "ser.",
    "series": "ser.",
    "subser": "subser.",
    "div": "div.",
    "nothosect": "nothosect.",
    "nothoser": "nothoser.",
    "unr": "unr.",
}
"""Rank between genus and species, or above the genus, as it is written -> as it is abbreviated."""


def rank_mark(written: str | None) -> str | None:
    """Return an infraspecific rank as WCVP abbreviates it: ssp., subspecies -> subsp.; a word not known stays."""
    if written is None:
        return None
    bare = written.strip(" .[]").lower()
    return "unranked" if bare.endswith("unranked") else MARKERS.get(bare, written)
