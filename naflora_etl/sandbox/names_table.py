"""The sandbox's backbone of names, in the exact layout of the World Checklist of Vascular Plants: 31 columns, pipes."""

from __future__ import annotations

from naflora_etl.sandbox.flora import TaxonName
from naflora_etl.sandbox.world import World

COLUMNS = (
    "plant_name_id", "ipni_id", "taxon_rank", "taxon_status", "family", "genus_hybrid", "genus",
    "species_hybrid", "species", "infraspecific_rank", "infraspecies", "parenthetical_author", "primary_author",
    "publication_author", "place_of_publication", "volume_and_page", "first_published", "nomenclatural_remarks",
    "geographic_area", "lifeform_description", "climate_description", "taxon_name", "taxon_authors",
    "accepted_plant_name_id", "basionym_plant_name_id", "replaced_synonym_author", "homotypic_synonym",
    "parent_plant_name_id", "powo_id", "hybrid_formula", "reviewed",
)  # fmt: skip
AREAS = ("Loopland", "N. Loopland to Arlen Islands", 'E. Loopland ("Sandhills")', "Subarctic Loopland")
LIFEFORMS = ("perennial", "annual or biennial", "shrub", "tuber geophyte", "hemicryptophyte")


def write_names_table(world: World) -> str:
    """Return the whole file: no quoting (a quotation mark is a letter like any other), line feeds, a header."""
    homotypic = {
        name.basionym_id: name.name_id for name in world.flora.names() if name.basionym_id and name.status == "Accepted"
    }
    rows = ["|".join(COLUMNS)]
    rows += ["|".join(_cells(name, homotypic)) for name in world.flora.names()]
    return "\n".join(rows) + "\n"


def _cells(name: TaxonName, homotypic: dict[str, str]) -> list[str]:
    accepted = name.status == "Accepted"
    number = int(name.name_id)
    values = {
        "plant_name_id": name.name_id,
        "ipni_id": name.ipni_id,
        "taxon_rank": name.rank,
        "taxon_status": name.status,
        "family": name.family,
        "genus": name.genus,
        "species_hybrid": "×" if name.hybrid else "",
        "species": name.species,
        "infraspecific_rank": name.infra_rank,
        "infraspecies": name.infraspecies,
        "parenthetical_author": name.parenthetical_author,
        "primary_author": name.primary_author,
        "place_of_publication": name.reference,
        "volume_and_page": name.page,
        "first_published": f"({name.year})",
        "nomenclatural_remarks": name.remarks,
        "geographic_area": AREAS[number % len(AREAS)] if accepted else "",
        "lifeform_description": LIFEFORMS[number % len(LIFEFORMS)] if accepted and name.species else "",
        "climate_description": "temperate" if accepted and name.species else "",
        "taxon_name": name.canonical,
        "taxon_authors": name.authors,
        "accepted_plant_name_id": name.accepted_id,
        "basionym_plant_name_id": name.basionym_id,
        "homotypic_synonym": "T" if name.status == "Synonym" and name.name_id in homotypic else "",
        "parent_plant_name_id": name.parent_id if accepted else "",
        "powo_id": name.ipni_id,
        "hybrid_formula": name.hybrid_formula,
        "reviewed": "Y",
    }
    return [values.get(column, "") for column in COLUMNS]
