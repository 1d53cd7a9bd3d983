"""taxa: every row of the checklist comes back, in its order, with one verdict."""

import json
from pathlib import Path

import pyarrow as pa

from naflora_etl.names.backbone import COLUMNS
from naflora_etl.names.rules import RULES, VERDICTS
from naflora_etl.recipe import TaxaOptions
from naflora_etl.stages.taxa import STAGE, resolve_checklist

WCVP = [
    # id, name, rank, authors, status, accepted id, family
    ("1", "Abies alba", "Species", "Mill.", "Accepted", "1", "Pinaceae"),
    ("2", "Pinus picea", "Species", "L.", "Synonym", "1", "Pinaceae"),
    ("3", "Poa annua", "Species", "L.", "Accepted", "3", "Poaceae"),
]
CHECKLIST = [
    ("list:9", "Pinus picea", "L."),
    ("list:2", "Poa annua", None),
    ("list:3", "Poaceae", "Barnhart"),
    ("list:4", "Abies alba", "Mill."),
    ("list:5", "Zea mays", "L."),
]


def wcvp() -> pa.Table:
    rows = []
    for name_id, name, rank, authors, status, accepted, family in WCVP:
        genus, species = name.split()
        row = {"plant_name_id": name_id, "taxon_name": name, "taxon_rank": rank, "taxon_authors": authors}
        row |= {"taxon_status": status, "accepted_plant_name_id": accepted, "family": family}
        rows.append(dict.fromkeys(COLUMNS) | row | {"genus": genus, "species": species, "ipni_id": f"ipni-{name_id}"})
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in (*COLUMNS, "issue")]))


def checklist() -> pa.Table:
    names = ("checklist_key", "scientificName", "scientificNameAuthorship")
    columns = zip(*CHECKLIST, strict=True)
    return pa.table({name: pa.array(list(column), pa.string()) for name, column in zip(names, columns, strict=True)})


def test_every_row_comes_back_in_its_order_with_its_verdict() -> None:
    taxa = resolve_checklist(checklist(), wcvp(), options=TaxaOptions())
    assert [(row["checklist_key"], row["taxon_id"], row["issue"]) for row in taxa.to_pylist()] == [
        ("list:9", "1", None),
        ("list:2", "3", None),
        ("list:3", None, "RANK_NOT_WANTED"),
        ("list:4", "1", None),
        ("list:5", None, "NAME_NOT_FOUND"),
    ]
    assert taxa.slice(0, 1).to_pylist() == [
        {
            "checklist_key": "list:9",
            "scientificName": "Pinus picea",
            "scientificNameAuthorship": "L.",
            "canonical_name": "Pinus picea",
            "parsed_rank": "Species",
            "parsed_authors": "L.",
            "verdict": "synonym",
            "rule": "exact_with_authors",
            "match_type": "exact_with_author",
            "match_similarity": 1.0,
            "author_similarity": 1.0,
            "plant_name_id": "2",
            "matched_name": "Pinus picea",
            "matched_authors": "L.",
            "taxon_status": "Synonym",
            "taxon_id": "1",
            "taxon_name": "Abies alba",
            "taxon_authors": "Mill.",
            "taxon_rank": "Species",
            "family": "Pinaceae",
            "genus": "Abies",
            "species": "alba",
            "ipni_id": "ipni-1",
            "alternatives": None,
            "override": None,
            "issue": None,
        }
    ]


def test_the_columns_are_those_of_the_contract() -> None:
    contract = json.loads((Path(__file__).parents[2] / "schemas/taxa.json").read_text(encoding="utf-8"))
    taxa = resolve_checklist(checklist(), wcvp(), options=TaxaOptions())
    assert taxa.column_names == [field["name"] for field in contract["fields"]]
    enums = {field["name"]: field.get("constraints", {}).get("enum") for field in contract["fields"]}
    assert (enums["verdict"], enums["rule"]) == (list(VERDICTS), list(RULES))


def test_a_person_decides(tmp_path: Path) -> None:
    path = tmp_path / "overrides.csv"
    path.write_text("name,accepted_id,who,why\nPoaceae,3,AB,a test\nPoa annua,drop,AB,seedlings\n", encoding="utf-8")
    options = TaxaOptions(overrides=str(path))
    taxa = resolve_checklist(checklist(), wcvp(), options=options).to_pylist()
    assert [(row["taxon_id"], row["rule"], row["override"], row["issue"]) for row in taxa[1:3]] == [
        (None, "override", "AB: seedlings", "NAME_DROPPED"),
        ("3", "override", "AB: a test", None),
    ]
    assert STAGE.files is not None
    assert (STAGE.files(options), STAGE.files(TaxaOptions())) == ((str(path),), ())


def test_only_the_families_that_are_wanted() -> None:
    taxa = resolve_checklist(checklist(), wcvp(), options=TaxaOptions(families=("POACEAE",)))
    issues = taxa["issue"].to_pylist()
    assert issues == ["FAMILY_NOT_WANTED", None, "RANK_NOT_WANTED", "FAMILY_NOT_WANTED", "NAME_NOT_FOUND"]
    assert taxa["taxon_id"].to_pylist() == [None, "3", None, None, None]


def test_an_empty_checklist_gives_an_empty_table() -> None:
    empty = resolve_checklist(checklist().slice(0, 0), wcvp(), options=TaxaOptions())
    assert len(empty) == 0
    assert empty.schema == resolve_checklist(checklist(), wcvp(), options=TaxaOptions()).schema


def test_the_stage_promises_that_no_name_vanishes() -> None:
    assert (STAGE.name, STAGE.reads, STAGE.accounts_for) == ("taxa", ("checklist", "wcvp"), "checklist_key")
