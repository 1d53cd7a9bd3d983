"""Under which names a taxon is asked for, where an aggregator keeps publishers' own names."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from naflora_etl.engine.contracts import read_contract
from naflora_etl.recipe import HarvestOptions, SandboxOptions
from naflora_etl.sandbox.idigbio import Idigbio
from naflora_etl.sandbox.world import build_world
from naflora_etl.sources import idigbio
from naflora_etl.sources.synonyms import add_names

TAXON = {"taxon_id": "1", "genus": "Acer", "species": "rubrum"}
SCHEMA = read_contract("wcvp").arrow_schema


def name(genus: str, species: str | None, **more: Any) -> dict[str, Any]:
    usual = {"accepted_plant_name_id": "1", "taxon_rank": "Species", "taxon_status": "Synonym"}
    return dict.fromkeys(SCHEMA.names) | usual | {"genus": genus, "species": species} | more


CASES: dict[str, tuple[list[dict[str, Any]], dict[str, list[str]]]] = {
    "no synonym": ([], {"acer": ["rubrum"]}),
    "in its genus": ([name("Acer", "carolinianum")], {"acer": ["rubrum", "carolinianum"]}),
    "in another": ([name("Rufacer", "rubrum")], {"acer": ["rubrum"], "rufacer": ["rubrum"]}),
    "the accepted name itself": ([name("Acer", "rubrum", taxon_status="Accepted")], {"acer": ["rubrum"]}),
    "illegitimate ones too": ([name("Acer", "x", taxon_status="Illegitimate")], {"acer": ["rubrum", "x"]}),
    "no misapplied one": ([name("Acer", "saccharinum", taxon_status="Misapplied")], {"acer": ["rubrum"]}),
    "no variety": ([name("Acer", "rubrum", taxon_rank="Variety")], {"acer": ["rubrum"]}),
    "no genus": ([name("Rufacer", None, taxon_rank="Genus")], {"acer": ["rubrum"]}),
    "another taxon's": ([name("Acer", "saccharum", accepted_plant_name_id="2")], {"acer": ["rubrum"]}),
}


@pytest.mark.parametrize(("rows", "names"), CASES.values(), ids=CASES)
def test_names_by_genus(rows: list[dict[str, Any]], names: dict[str, list[str]]) -> None:
    (taxon,) = add_names([TAXON], pa.Table.from_pylist(rows, SCHEMA))
    assert taxon["names"] == names


def test_every_sheet_of_a_species_is_found_under_one_of_its_names() -> None:
    world = build_world(SandboxOptions(species=24, specimens_per_species=20))
    lookalike, options = Idigbio(world), HarvestOptions()
    under_one = under_all = truth = 0
    for plant in world.flora.species:
        names: dict[str, list[str]] = {}
        for one in plant.names:
            names.setdefault(one.genus.lower(), []).append(one.species.lower())
        wanted = {s.barcode.lower() for s in world.all_specimens() if s.in_idigbio and s.old_name in plant.names}
        accepted = {plant.accepted.genus.lower(): [plant.accepted.species.lower()]}
        for asked, is_all in ((accepted, False), (names, True)):
            found = set()
            for genus, epithets in asked.items():
                condition = idigbio.condition_for(genus, epithets, options)
                found |= {item["indexTerms"]["catalognumber"] for item in lookalike._records(condition)}
            under_all += len(found & wanted) * is_all
            under_one += len(found & wanted) * (not is_all)
        truth += len(wanted)
    assert under_all == truth > 300
    assert under_one < 0.95 * truth, "what was missed"
