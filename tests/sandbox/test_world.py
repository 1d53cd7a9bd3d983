"""The world: the same seed makes the same, of any size, with every quarrel about names that real floras have."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter

import pytest

from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.world import build_world, digest_options

WORLD = build_world(SandboxOptions())
NAMES = list(WORLD.flora.names())
SPECIMENS = list(WORLD.all_specimens())


def test_the_same_seed_makes_the_same_world() -> None:
    again = build_world(SandboxOptions())
    assert again.flora == WORLD.flora
    assert list(again.all_specimens()) == SPECIMENS


def test_another_seed_makes_another_world() -> None:
    other = build_world(SandboxOptions(seed=2))
    assert not {name.canonical for name in other.flora.names()} & {name.canonical for name in NAMES if name.species}


def test_a_larger_world_begins_like_a_smaller_one() -> None:
    larger = build_world(SandboxOptions(species=40))
    assert larger.flora.species[:12] == WORLD.flora.species
    assert larger.specimens(3) == WORLD.specimens(3)


def test_specimens_do_not_depend_on_who_asked_first() -> None:
    again = build_world(SandboxOptions())
    assert again.specimens(7) == WORLD.specimens(7)


QUARRELS = {
    "synonyms": lambda: [name for name in NAMES if name.status == "Synonym"],
    "homotypic synonyms": lambda: [name for name in NAMES if name.basionym_id],
    "homonyms": lambda: [name for name in NAMES if name.status == "Illegitimate"],
    "names without a place": lambda: [name for name in NAMES if name.status == "Unplaced" and not name.accepted_id],
    "hybrids": lambda: [name for name in NAMES if name.hybrid and name.hybrid_formula and "×" in name.canonical],
    "varieties": lambda: [name for name in NAMES if name.infra_rank == "var." and name.status == "Accepted"],
    "subspecies": lambda: [name for name in NAMES if name.infra_rank == "subsp."],
}


@pytest.mark.parametrize("quarrel", QUARRELS)
def test_a_small_world_has(quarrel: str) -> None:
    assert QUARRELS[quarrel]()


def test_homonyms_lead_to_different_species() -> None:
    by_name: dict[str, set[int | None]] = {}
    for name in NAMES:
        by_name.setdefault(name.canonical, set()).add(name.taxon)
    assert max(len(taxa) for taxa in by_name.values()) > 1


def test_keys_are_unique_and_some_are_no_numbers() -> None:
    keys = [name.key for name in build_world(SandboxOptions(species=500)).flora.names()]
    assert len(set(keys)) == len(keys)
    assert not any(key.isdigit() for key in keys)


RECORDS = {
    "in both aggregators": lambda s: s.in_gbif and s.in_idigbio,
    "in GBIF alone": lambda s: s.in_gbif and not s.in_idigbio,
    "in iDigBio alone": lambda s: s.in_idigbio and not s.in_gbif,
    "an observation": lambda s: s.observation,
    "from abroad": lambda s: s.place[0] in ("MX", "JP"),
    "under two names": lambda s: s.name != s.old_name,
    "with several pictures": lambda s: len(s.pictures) > 1,
    "with a web page instead of a picture": lambda s: any(picture.only_page for picture in s.pictures),
    "without a licence": lambda s: any(picture.license is None for picture in s.pictures),
    "with all rights reserved": lambda s: any(picture.license == "All rights reserved" for picture in s.pictures),
    "without a whole date": lambda s: len(s.date) < 10,
    "with an interval as date": lambda s: "/" in s.date,
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_small_world_has_a_record(kind: str) -> None:
    assert any(RECORDS[kind](specimen) for specimen in SPECIMENS)


def test_gatherings_are_shared_out_to_several_herbaria() -> None:
    keepers: dict[tuple[str, ...], list[str]] = {}
    for specimen in SPECIMENS:
        if not specimen.observation:
            gathering = str(specimen.taxon), specimen.collector, specimen.number, specimen.date
            keepers.setdefault(gathering, []).append(specimen.institution.code)
    shared = [codes for codes in keepers.values() if len(codes) > 1]
    assert shared
    assert all(len(set(codes)) == len(codes) for codes in shared)


def test_species_have_a_long_tail() -> None:
    counts = sorted(Counter(s.taxon for s in SPECIMENS if not s.observation).values())
    assert counts[0] < 10 < counts[len(counts) // 2] < counts[-1]
    assert 13 <= sum(counts) / len(counts) <= 17  # the mean that was asked for is 16


def test_every_barcode_leads_back_to_its_specimen() -> None:
    assert all(WORLD.find_barcode(specimen.barcode) == specimen for specimen in SPECIMENS)
    assert WORLD.find_barcode("NWU999990000") is None
    assert WORLD.find_barcode("nonsense") is None


def test_building_is_quick() -> None:
    began = time.process_time()
    list(build_world(SandboxOptions()).all_specimens())
    assert time.process_time() - began < 0.5


def test_importing_the_world_imports_neither_server_nor_brushes() -> None:
    code = "import sys, naflora_etl.sandbox.world; print([m for m in ('aiohttp', 'cv2', 'numpy') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_options_tell_worlds_apart() -> None:
    assert digest_options(SandboxOptions()) == digest_options(SandboxOptions(seed=1))
    assert digest_options(SandboxOptions()) != digest_options(SandboxOptions(specimens_per_species=17))
