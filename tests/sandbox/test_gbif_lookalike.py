"""GBIF's look-alike: its limits, its two taxonomies, its names, through a real socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asking import Reply, ask

from naflora_etl.sandbox.world import World

COL_XR = "7ddf754f-d193-4cc9-b351-99906754a03b"


def search(world: World, **params: Any) -> Reply:
    return ask(f"{world.gbif_api}/v1/occurrence/search", params)


def found(world: World, **params: Any) -> list[dict[str, Any]]:
    reply = search(world, checklistKey=COL_XR, limit=300, **params)
    assert reply.status == 200
    return list(reply.json["results"])


LIMITS = {
    "20 when nothing is said": ({}, 20),
    "as many as asked for": ({"limit": 7}, 7),
    "300 at most, and not a word about it": ({"limit": 5000}, 300),
    "none, for the count alone": ({"limit": 0}, 0),
}


@pytest.mark.parametrize("case", LIMITS)
def test_a_page_holds(world: World, case: str) -> None:
    params, size = LIMITS[case]
    page = search(world, **params).json
    assert (page["limit"], len(page["results"])) == (size, min(size, page["count"]))
    assert list(page) == ["offset", "limit", "endOfRecords", "count", "results", "facets"]


def test_pages_meet_without_gap_or_overlap(world: World) -> None:
    keys: list[int] = []
    while True:
        page = search(world, limit=90, offset=len(keys)).json
        keys += [record["key"] for record in page["results"]]
        if page["endOfRecords"]:
            break
    assert len(keys) == len(set(keys)) == page["count"]


WALLS = {"beyond 100,000": {"offset": 99_900, "limit": 300}, "no number": {"offset": "x"}, "below zero": {"offset": -1}}


@pytest.mark.parametrize("case", WALLS)
def test_400_for_an_offset(world: World, case: str) -> None:
    assert search(world, **WALLS[case]).status == 400


def test_the_last_page_before_the_wall_is_served(world: World) -> None:
    assert search(world, offset=99_700, limit=5000).json["endOfRecords"] is True


def test_keys_are_strings_in_the_catalogue_of_life_and_numbers_in_the_backbone(world: World) -> None:
    name = world.flora.species[0].accepted
    new = search(world, taxonKey=name.key, checklistKey=COL_XR).json["results"][0]
    old = search(world, taxonKey=name.backbone_key).json["results"][0]
    assert isinstance(new["taxonKey"], str)
    assert isinstance(old["taxonKey"], int)
    assert new["classifications"] == old["classifications"]
    assert set(new["classifications"]) > {COL_XR}


def test_a_key_of_the_other_taxonomy_finds_nothing(world: World) -> None:
    assert search(world, taxonKey=world.flora.species[0].accepted.key).json["count"] == 0


def test_a_species_is_found_with_its_synonyms_and_varieties(world: World) -> None:
    plant = world.flora.species[0]
    names = {record["scientificName"] for record in found(world, taxonKey=plant.accepted.key)}
    assert len(names) > 1
    assert names <= {name.scientific_name for name in plant.names}


def test_an_accepted_key_finds_synonyms_but_no_varieties(world: World) -> None:
    plant = world.flora.species[0]
    records = found(world, acceptedTaxonKey=plant.accepted.key)
    assert {record["acceptedScientificName"] for record in records} == {plant.accepted.scientific_name}
    assert not any(record["taxonRank"] == "VARIETY" for record in records)


def test_a_genus_holds_what_its_species_hold(world: World) -> None:
    genus = world.flora.genera[0]
    members = [world.flora.species[index].accepted.key for index in genus.species]
    assert len(found(world, taxonKey=genus.name.key)) == sum(len(found(world, taxonKey=key)) for key in members)


def test_a_repeated_parameter_means_either(world: World) -> None:
    keys = [plant.accepted.key for plant in world.flora.species[:2]]
    assert len(found(world, taxonKey=keys)) == sum(len(found(world, taxonKey=key)) for key in keys)


def test_a_name_that_nobody_knows_finds_nothing_rather_than_everything(world: World) -> None:
    assert found(world, scientificName="Nusquamia nulla") == []


def test_observations_come_unless_they_are_filtered_out(world: World) -> None:
    kinds = {record["basisOfRecord"] for record in found(world)}
    assert kinds == {"PRESERVED_SPECIMEN", "HUMAN_OBSERVATION"}
    assert {r["basisOfRecord"] for r in found(world, basisOfRecord="PRESERVED_SPECIMEN")} == {"PRESERVED_SPECIMEN"}


def test_countries_can_be_chosen(world: World) -> None:
    assert {record["countryCode"] for record in found(world, country=["CA", "GL"])} == {"CA", "GL"}


def test_some_media_have_a_web_page_and_no_address(world: World) -> None:
    media = [medium for record in found(world) for medium in record["media"]]
    without = [medium for medium in media if medium["identifier"] is None]
    assert without
    assert all(medium["references"] for medium in without)
    assert len({medium["license"] for medium in media}) > 8  # free text, as each house writes it


def test_one_record_by_its_key(world: World) -> None:
    record = found(world)[5]
    assert ask(f"{world.gbif_api}/v1/occurrence/{record['key']}", {"checklistKey": COL_XR}).json == record
    assert ask(f"{world.gbif_api}/v1/occurrence/4999999999").status == 404


@pytest.mark.real
def test_no_field_that_real_records_do_not_have(world: World) -> None:
    real = Path(__file__).parents[2] / "../shared/data/gbif/api/occurrence_search_taxonKey2683264_2025.json"
    if not real.is_file():
        pytest.skip("../shared/data is absent: no real answer to compare with")
    fields = {field for record in json.loads(real.read_text())["results"] for field in record}
    newer = {"classifications", "rightsHolder", "recordNumber", "infraspecificEpithet"}  # not in this old answer
    assert {field for record in found(world) for field in record} <= fields | newer


def match(world: World, **params: Any) -> dict[str, Any]:
    return dict(ask(f"{world.gbif_api}/v2/species/match", params).json)


def test_match_by_ipni_identifier_needs_no_name(world: World) -> None:
    synonym = next(name for name in world.flora.names() if name.status == "Synonym")
    told = match(world, scientificNameID=f"ipni:{synonym.ipni_id}", checklistKey=COL_XR)
    assert told["usage"]["key"] == synonym.key
    assert told["synonym"] is True
    assert told["acceptedUsage"]["key"] == world.names_by_id[synonym.accepted_id].key


def test_match_tells_homonyms_apart_by_their_authors(world: World) -> None:
    later = next(name for name in world.flora.names() if name.status == "Illegitimate")
    together = match(world, scientificName=later.scientific_name)
    apart = match(world, scientificName=later.canonical, scientificNameAuthorship=later.authors)
    alone = match(world, scientificName=later.canonical)
    assert together["usage"]["key"] == apart["usage"]["key"] == later.key
    assert alone["usage"]["status"] == "ACCEPTED"


MATCHES = {
    "a slip of the pen": ("{species}x", {}, "VARIANT"),
    "an unknown species of a known genus": ("{genus} nusquamensis", {}, "HIGHERRANK"),
    "the same, strictly": ("{genus} nusquamensis", {"strict": "true"}, "NONE"),
    "a genus": ("{genus}", {}, "EXACT"),
    "nothing known": ("Nusquamia nulla", {}, "NONE"),
}


@pytest.mark.parametrize("case", MATCHES)
def test_match_of(world: World, case: str) -> None:
    text, params, kind = MATCHES[case]
    species = world.flora.species[0].accepted
    told = match(world, scientificName=text.format(genus=species.genus, species=species.canonical), **params)
    assert told["diagnostics"]["matchType"] == kind
    assert ("usage" in told) == (kind != "NONE")


def test_the_old_match_is_flat_and_has_numbers(world: World) -> None:
    told = ask(f"{world.gbif_api}/v1/species/match", {"name": world.flora.species[1].accepted.canonical}).json
    assert isinstance(told["usageKey"], int)
    assert told["matchType"] == "EXACT"
    assert told["family"] == world.flora.species[1].accepted.family


def test_the_same_question_gets_the_same_bytes(world: World) -> None:
    assert search(world, limit=300).body == search(world, limit=300).body
