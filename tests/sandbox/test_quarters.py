"""A quarter later: what the sandbox's publishers did meanwhile, and what GBIF and iDigBio then say of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from asking import ask, free_port

from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.embedded import sandbox_running
from naflora_etl.sandbox.gatherings import Specimen
from naflora_etl.sandbox.gbif_record import COL_XR
from naflora_etl.sandbox.quarters import NEW_NUMBERS, fate_of
from naflora_etl.sandbox.world import World, build_world

SIZE = {"species": 8, "specimens_per_species": 24, "min_sheet_px": 300, "max_sheet_px": 400}
THEN = build_world(SandboxOptions(**SIZE))
NOW = build_world(SandboxOptions(**SIZE, quarter=1))


def by_barcode(world: World) -> dict[str, Specimen]:
    return {specimen.barcode: specimen for specimen in world.all_specimens()}


def fates() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for barcode, specimen in by_barcode(THEN).items():
        if not specimen.observation:
            found.setdefault(fate_of(barcode, 1, 1), []).append(barcode)
    return found


def test_a_quarter_is_the_same_whenever_it_is_asked_for_and_begins_like_the_one_before() -> None:
    again = build_world(SandboxOptions(**SIZE, quarter=1))
    assert list(again.all_specimens()) == list(NOW.all_specimens())
    assert set(by_barcode(THEN)) < set(by_barcode(NOW))


CHANGES: dict[str, Any] = {
    "withdrawn": lambda then, now: (now.in_gbif, now.in_idigbio) == (False, False),
    "picture_withdrawn": lambda then, now: now.pictures == then.pictures[:1],
    "redetermined": lambda then, now: now.name.taxon != then.taxon or now.name == then.name,
    "relicensed": lambda then, now: {picture.license for picture in now.pictures} == {"All rights reserved"},
    "edited": lambda then, now: now.number == f"{then.number}b",
    "": lambda then, now: (now.name, now.pictures, now.changed_in) == (then.name, then.pictures, 0),
}


@pytest.mark.parametrize("fate", CHANGES, ids=lambda fate: fate or "nothing")
def test_what_a_quarter_does(fate: str) -> None:
    then, now = by_barcode(THEN), by_barcode(NOW)
    assert fates()[fate]
    assert all(CHANGES[fate](then[barcode], now[barcode]) for barcode in fates()[fate])


def test_numbers_of_one_herbarium_are_new_and_those_of_another_change_hands() -> None:
    then, now = by_barcode(THEN), by_barcode(NOW)
    grn = [barcode for barcode in then if barcode.startswith("GRN")]
    assert all(now[barcode].gbif_key == then[barcode].gbif_key + NEW_NUMBERS for barcode in grn)
    osp = Counter(now[barcode].gbif_key != then[barcode].gbif_key for barcode in then if barcode.startswith("OSP"))
    assert osp[True]
    keys = [specimen.gbif_key for specimen in NOW.all_specimens()]
    assert len(keys) == len(set(keys))
    assert all(NOW.find_gbif(str(specimen.gbif_key)) == specimen for specimen in NOW.all_specimens())


def test_the_aggregators_say_what_may_be_new() -> None:
    with sandbox_running(NOW.options.model_copy(update={"port": free_port()})) as sandbox:
        search = f"{sandbox.gbif_api}/v1/occurrence/search"
        asked = {"limit": 0, "facet": "taxonKey", "facetLimit": 1000, "checklistKey": COL_XR}
        everything = ask(search, asked).json
        since = ask(search, asked | {"lastInterpreted": "2049-01-01,*"}).json
        assert since["count"] == everything["count"] and everything["facets"][0]["field"] == "TAXON_KEY"
        assert everything["facets"][0]["counts"][0]["count"] == everything["count"]
        gone = by_barcode(NOW)[fates()["withdrawn"][0]]
        record = f"{sandbox.gbif_api}/v1/occurrence/{gone.gbif_key}"
        assert (ask(record).status, ask(f"{record}/fragment").status) == (404, 200)
        top = f"{sandbox.idigbio_api}/v2/summary/top/records"
        body = {"rq": {"hasImage": True}, "top_fields": ["genus", "specificepithet"], "count": 100}
        told = ask(top, body=body).json
        later = ask(top, body=body | {"rq": {"datemodified": {"type": "range", "gte": "2049-01-01"}}}).json
        assert 0 < later["itemCount"] < told["itemCount"]
        genus = next(iter(told["genus"].values()))
        assert sum(part["itemCount"] for part in genus["specificepithet"].values()) == genus["itemCount"]
