"""The wing against real checklists and real backbones; prints the funnel (`pytest -m real -s tests/names`)."""

import csv
import json
import re
import resource
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from naflora_etl.engine.tables import clean_rows, count_issues
from naflora_etl.names.backbone import read_backbone
from naflora_etl.names.checklist import read_checklists
from naflora_etl.names.likeness import alike, similarity
from naflora_etl.names.parse import parse_name
from naflora_etl.names.spelling import fold_word
from naflora_etl.recipe import ChecklistOptions, TaxaOptions
from naflora_etl.stages.taxa import resolve_checklist

DATA = Path(__file__).parents[2] / "../shared/data"
TPL = {
    "plant_name_id": "ID",
    "ipni_id": "IPNI id",
    "family": "Family",
    "genus_hybrid": "Genus hybrid marker",
    "genus": "Genus",
    "species_hybrid": "Species hybrid marker",
    "species": "Species",
    "infraspecific_rank": "Infraspecific rank",
    "infraspecies": "Infraspecific epithet",
    "taxon_authors": "Authorship",
    "taxon_status": "Taxonomic status in TPL",
    "accepted_plant_name_id": "Accepted ID",
}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent: the shared real data are not beside this clone"),
]


def tell(text: str) -> None:
    """Write a line of the report, seen with -s."""
    sys.stdout.write(f"{text}\n")


def tropicos() -> pa.Table:
    paths = sorted((DATA / "checklist").glob("Tropicos_*.dat"))
    return read_checklists(paths, ChecklistOptions())


def funnel(checklist: pa.Table, backbone: Path, mapping: dict[str, str]) -> pa.Table:
    start = time.perf_counter()
    wcvp = clean_rows(read_backbone(backbone, mapping))
    loaded = time.perf_counter()
    taxa = resolve_checklist(clean_rows(checklist), wcvp, options=TaxaOptions())
    resolved = time.perf_counter()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tell(f"\n{backbone.name}: {len(wcvp):,} names in {loaded - start:.1f} s; {len(taxa):,} checklist rows")
    tell(f"  resolved in {resolved - loaded:.1f} s; peak {peak_mb:.0f} MB")
    tell(f"  clean {taxa['issue'].null_count:,} -> {len(taxa['taxon_id'].drop_null().unique()):,} taxa")
    tell(f"  {count_issues(taxa)}\n  {taxa['match_type'].value_counts().to_pylist()}")
    assert taxa["checklist_key"].to_pylist() == clean_rows(checklist)["checklist_key"].to_pylist()
    return taxa


def test_every_row_of_the_tropicos_lists_is_read() -> None:
    checklist = tropicos()
    assert len(checklist) == 9200 + 22908
    assert count_issues(checklist) == {"CHECKLIST_NAME_REPEATED": 3354}, "names of both countries"


def test_the_tropicos_lists_against_the_wcvp_extract() -> None:
    taxa = funnel(tropicos(), DATA / "names/wcvp_extract/wcvp_names.csv", {})
    rows = [row for row in taxa.to_pylist() if row["issue"] != "RANK_NOT_WANTED"]
    poa = [row for row in rows if re.match(r"(Poa|Clethra) [a-z-]+(?![a-z.-])", row["canonical_name"] or "")]
    clean = sum(1 for row in poa if row["issue"] is None)
    tell(f"  of {len(poa)} names of Poa and Clethra, the extract's genera: {clean} clean")
    assert clean / len(poa) > 0.9


def test_the_tropicos_lists_against_the_plant_list() -> None:
    (parquet,) = (DATA / "names/tpl11").glob("*.parquet")
    taxa = funnel(tropicos(), parquet, TPL)
    species = [row for row in taxa.to_pylist() if " " in (row["canonical_name"] or "")]
    assert sum(1 for row in species if row["issue"] is None) / len(species) > 0.8


def test_canonical_forms_of_gnparsers_own_cases() -> None:
    text = (DATA / "names/gnparser_test_data.md").read_text(encoding="utf-8")
    cases = [json.loads(case) for case in re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)]
    # Cases of the zoological code, of microbes and of more than one name are not this parser's to answer.
    plain = [
        case
        for case in cases
        if case["parsed"] and case["quality"] <= 2 and case["cardinality"] in (2, 3) and not case.get("hybrid")
        and not any(key in case for key in ("virus", "bacteria", "surrogate"))
    ]  # fmt: skip
    right = [case for case in plain if parse_name(case["verbatim"]).canonical == case["canonical"]["full"]]
    tell(f"\ngnparser: {len(right)} of {len(plain)} canonical forms ({len(right) / len(plain):.1%})")
    assert len(right) / len(plain) > 0.9


def test_misspellings_that_a_botanist_kept() -> None:
    with (DATA / "names/gold_redlist/redlist-fuzzy-checked.csv").open(encoding="utf-8") as file:
        kept = [row for row in csv.DictReader(file) if row["keep"] == "1"]
    right = 0
    for row in kept:
        one, other = parse_name(row["scientific_name"]), parse_name(row["wcvp_name"])
        epithets = alike(fold_word(one.epithet or ""), fold_word(other.epithet or ""))
        right += epithets and similarity(one.canonical, other.canonical) >= 0.9
    tell(f"\nRed List: {right} of {len(kept)} kept misspellings are like enough ({right / len(kept):.1%})")
    assert right / len(kept) > 0.8
