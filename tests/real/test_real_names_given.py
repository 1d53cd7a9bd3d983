"""Real checklists and backbones, read whole: every row is clean or has a named issue, and the counts are those seen."""

from pathlib import Path

import pytest

from naflora_etl.engine.contracts import check_table, read_contract
from naflora_etl.engine.tables import count_issues
from naflora_etl.names.backbone import describe_backbone, read_backbone
from naflora_etl.names.checklist import read_checklists
from naflora_etl.names.namelist import read_name_list
from naflora_etl.recipe import ChecklistOptions

DATA = Path(__file__).parents[2] / "../shared/data"
CANADA, USA = (f"Tropicos_Name_Search_Results_{name}.dat" for name in ("Canada", "United States"))
BOCP, USDA = "USCANMEX_plant_names.csv", "usda_plants.csv"
REPEATED, NO_VESSELS = "CHECKLIST_NAME_REPEATED", "NOT_VASCULAR"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent: the shared real data are not beside this clone"),
]

CHECKLISTS = {
    "Tropicos, Canada": ((CANADA,), 9_200, {REPEATED: 1}, {"utf-8"}),
    "Tropicos, United States": ((USA,), 22_908, {REPEATED: 3}, {"utf-8"}),
    "both": ((CANADA, USA), 32_108, {REPEATED: 3_354}, {"utf-8"}),
    "BoCP": ((BOCP,), 34_539, {REPEATED: 1}, {"cp1252"}),
    "USDA": ((USDA,), 32_800, {NO_VESSELS: 222}, {"utf-8"}),
    "all": ((CANADA, USA, BOCP, USDA), 99_447, {REPEATED: 33_026, NO_VESSELS: 222}, {"utf-8", "cp1252"}),
}


@pytest.mark.parametrize(("names", "rows", "issues", "encodings"), CHECKLISTS.values(), ids=CHECKLISTS)
def test_every_row_of_a_checklist_is_accounted_for(
    names: tuple[str, ...], rows: int, issues: dict[str, int], encodings: set[str]
) -> None:
    table = read_checklists([DATA / "checklist" / name for name in names], ChecklistOptions())
    assert check_table(table, read_contract("checklist")) == []
    assert (len(table), count_issues(table)) == (rows, issues)
    assert table["issue"].null_count + sum(issues.values()) == rows
    assert set(table["encoding"].to_pylist()) == encodings


def test_authors_cut_by_commas_and_letters_of_windows_are_whole_again() -> None:
    rows = read_checklists([DATA / "checklist" / BOCP], ChecklistOptions()).to_pylist()
    assert sum(row["mended"] == "cut by commas" for row in rows) == 526
    assert rows[16]["scientificName"] == "Abies durangensis Martínez"
    assert not any("\ufffd" in row["scientificName"] for row in rows)


LISTS = {
    "names/gold_redlist/redlist-summary_2022-1.csv": (61_015, "entities", 11_569),
    "names/gold_redlist/redlist-fuzzy-checked.csv": (561, "lost letters", 18),
    "names/gold_wcvpy/test_inputs/unmatched.csv": (30, None, 30),
    "checklist/usda_plants.csv": (32_800, None, 32_800),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_to_be_matched_keep_every_row(name: str) -> None:
    rows, mended, count = LISTS[name]
    names = read_name_list(DATA / name)
    assert len(names.table) == rows
    assert sum(what == mended for what in names.mended) == count


def test_an_extract_of_wcvp_is_in_use_throughout() -> None:
    table = read_backbone(DATA / "names/wcvp_extract/wcvp_names.csv", {})
    assert check_table(table, read_contract("wcvp")) == []
    assert (len(table), table["issue"].null_count) == (3_687, 3_687)
    remarks = [remark for remark in table["remark"].to_pylist() if remark]
    assert remarks == ["BACKBONE_ACCEPTED_MISSING"] * 671, "an extract leads to names that it leaves out"
    about = describe_backbone(table.schema.metadata)
    assert about is not None and about.layout == "wcvp"
