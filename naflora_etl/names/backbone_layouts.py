"""The layouts that names tables come in, and which of their columns is which of WCVP's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from naflora_etl.engine.faults import Fault
from naflora_etl.names.headings import show_columns

_COLUMNS = (
    "plant_name_id ipni_id powo_id taxon_rank taxon_status family genus_hybrid genus species_hybrid species "
    "infraspecific_rank infraspecies parenthetical_author primary_author taxon_name taxon_authors "
    "accepted_plant_name_id homotypic_synonym hybrid_formula"
)
COLUMNS = tuple(_COLUMNS.split())
INLINE = ("accepted_name", "accepted_authors")
"""The accepted name itself, as older tables give it beside or instead of its identifier."""
EXTRA = "dynamic_properties"
"""Where Kew's archive keeps what Darwin Core has no term for, as JSON."""
_NEEDED = ("plant_name_id", "taxon_status")

# Kew's own checklist up to its version 5 (2021): one file, its accepted names inline.
_VERSION_5 = {
    "plant_name_id": "kew_id",
    "family": "family",
    "genus": "genus",
    "species": "species",
    "infraspecies": "infraspecies",
    "taxon_name": "taxon_name",
    "taxon_authors": "authors",
    "taxon_rank": "rank",
    "taxon_status": "taxonomic_status",
    "accepted_plant_name_id": "accepted_kew_id",
    "accepted_name": "accepted_name",
    "accepted_authors": "accepted_authors",
}
# Darwin Core's terms, in order of trust; Kew's archive writes them small and misspells two.
_DARWIN_CORE: dict[str, tuple[str, ...]] = {
    "plant_name_id": ("taxonid",),
    "ipni_id": ("scientificnameid",),
    "family": ("family",),
    "genus": ("genericname", "genus"),
    "species": ("specificepithet",),
    "infraspecies": ("infraspecificepithet",),
    "taxon_name": ("scientificname", "scientfiicname"),
    "taxon_authors": ("scientificnameauthorship", "scientfiicnameauthorship"),
    "taxon_rank": ("taxonrank",),
    "taxon_status": ("taxonomicstatus",),
    "accepted_plant_name_id": ("acceptednameusageid", "acceptedtaxonid"),
    "accepted_name": ("acceptednameusage", "acceptedscientificname"),
    EXTRA: ("dynamicproperties",),
}
_TERMS: dict[str, dict[str, str]] = {
    "wcvp": {},
    "wcvp-v5": _VERSION_5,
    "darwin-core": {"plant_name_id": "taxonID", "taxon_status": "taxonomicStatus", "genus": "scientificName"}
    | {"accepted_plant_name_id": "acceptedNameUsageID", "species": "specificEpithet"},
}
"""How a layout calls the columns that it cannot do without."""


@dataclass(frozen=True)
class Layout:
    """Which column of a file is which of WCVP's."""

    kind: str
    """wcvp, wcvp-v5, darwin-core or mapping."""
    columns: dict[str, str]
    """Column of WCVP (or of INLINE, EXTRA) -> column of the file."""

    @property
    def names_are_whole(self) -> bool:
        """Whether genus and epithets must be read out of the name, not out of columns that classify it."""
        return self.kind in ("wcvp-v5", "darwin-core")


def find_layout(found: Sequence[str], mapping: Mapping[str, str], where: str) -> Layout:
    """Return the layout of a file with these headings; raises Fault, which tells what lacks and what is there."""
    said = _said(mapping)
    lacking = [column for column in said.values() if column not in found]
    if lacking:
        raise Fault(_lacking(where, lacking, found))
    layouts = (_as_wcvp(found), _as_version_5(found), _as_darwin_core(found))
    nearest = sorted(layouts, key=lambda layout: -len(_found_needed(layout.columns)))
    for layout in nearest:
        columns = {name: column for name, column in layout.columns.items() if column not in said.values()} | said
        if not _missing(columns):
            return Layout(layout.kind if not said else "mapping" if layout.kind == "wcvp" else layout.kind, columns)
    missing = _missing({**nearest[0].columns, **said})
    raise Fault(_lacking(where, [_TERMS[nearest[0].kind].get(name, name) for name in missing], found))


def _said(mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the mapping in WCVP's words; Darwin Core's terms are understood, too."""
    terms = {term: name for name, others in _DARWIN_CORE.items() for term in others if name in COLUMNS}
    said = {}
    for key, column in mapping.items():
        name = key if key in COLUMNS else terms.get(key.lower())
        if name is None:
            raise Fault(f"wcvp.mapping: {key} is no column of WCVP; those are: {', '.join(COLUMNS)}.")
        said[name] = column
    return said


def _as_wcvp(found: Sequence[str]) -> Layout:
    return Layout("wcvp", {name: name for name in COLUMNS if name in found})


def _as_version_5(found: Sequence[str]) -> Layout:
    return Layout("wcvp-v5", {name: column for name, column in _VERSION_5.items() if column in found})


def _as_darwin_core(found: Sequence[str]) -> Layout:
    plain = {column.rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower(): column for column in reversed(found)}
    columns = {}
    for name, terms in _DARWIN_CORE.items():
        term = next((term for term in terms if term in plain), None)
        if term is not None:
            columns[name] = plain[term]
    return Layout("darwin-core", columns)


def _found_needed(columns: Mapping[str, str]) -> list[str]:
    return [name for name in (*_NEEDED, "accepted_plant_name_id") if name in columns]


def _missing(columns: Mapping[str, str]) -> list[str]:
    """Return what a names table cannot do without and this one has not."""
    missing = [name for name in _NEEDED if name not in columns]
    if "taxon_name" not in columns:
        missing += [name for name in ("genus", "species") if name not in columns]
    if not {"accepted_plant_name_id", "accepted_name"} & set(columns):
        missing.append("accepted_plant_name_id")
    return missing


def _lacking(where: str, lacking: Sequence[str], found: Sequence[str]) -> str:
    return (
        f"{where} has no column {', '.join(map(repr, lacking))}; its columns are: {show_columns(found)}. Say with "
        "wcvp.mapping (or --mapping) which of them is which column of WCVP, or bring a table with Darwin Core's own "
        "(taxonID, scientificName, taxonomicStatus, acceptedNameUsageID)."
    )
