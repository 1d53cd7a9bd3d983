"""The given tables: the recipe names files, the stages read them."""

import json
from pathlib import Path

import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.recipe import ChecklistOptions, WcvpOptions
from naflora_etl.stages.given import CHECKLIST, WCVP

SCHEMAS = Path(__file__).parents[2] / "schemas"


def columns(schema: str) -> list[str]:
    return [field["name"] for field in json.loads((SCHEMAS / f"{schema}.json").read_text())["fields"]]


def test_a_checklist(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text("name\nPoa annua L.\n")
    options = ChecklistOptions(paths=(str(path),))
    table = CHECKLIST.run(options=options)
    assert table["scientificName"].to_pylist() == ["Poa annua L."]
    assert table.column_names == columns("checklist")
    assert CHECKLIST.files is not None
    assert list(CHECKLIST.files(options)) == [str(path)]


def test_a_backbone(tmp_path: Path) -> None:
    path = tmp_path / "names.tsv"
    path.write_text("key\tstate\tgenus\tspecies\tfamily\tleads to\nk1\taccepted\tPoa\tannua\tPoaceae\t\n")
    mapping = {"plant_name_id": "key", "taxon_status": "state", "accepted_plant_name_id": "leads to"}
    options = WcvpOptions(path=str(path), mapping=mapping)
    table = WCVP.run(options=options)
    assert table["taxon_name"].to_pylist() == ["Poa annua"]
    assert table["accepted_plant_name_id"].to_pylist() == ["k1"]
    assert table.column_names == columns("wcvp")
    assert WCVP.files is not None
    assert list(WCVP.files(options)) == [str(path)]


def test_a_recipe_that_names_none_is_told_so() -> None:
    with pytest.raises(Fault, match=r"^wcvp\.path is not set; "):
        WCVP.run(options=WcvpOptions())
    with pytest.raises(Fault, match=r"^checklist\.paths is empty; "):
        CHECKLIST.run(options=ChecklistOptions())
    assert WCVP.files is not None
    assert list(WCVP.files(WcvpOptions())) == []
