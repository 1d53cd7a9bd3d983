"""A release calls datasets by their titles where these are known, and by their keys where not, in every file."""

from __future__ import annotations

import json

import bibtexparser
import pyarrow as pa
import pytest
from small_world import SmallWorld, make_table, make_world

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.contracts import check_table, read_contract
from naflora_etl.engine.tables import read_parquet
from naflora_etl.publishing.contents import Contents
from naflora_etl.publishing.table_check import check_derived_tables
from naflora_etl.publishing.verify import verify_release

KEY = "aa15af95-af7a-438b-a635-f68f519eaf39"
PLACE = f"https://www.gbif.org/dataset/{KEY}, https://doi.org/10.5886/46axw9"
TITLE = "Plants & <fungi> of 100% Québec"
CITED = "Louis-Marie (2025). Plants & <fungi>. Occurrence dataset https://doi.org/10.5886/46axw9"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    """Ten sheets of two datasets: GBIF told the title of one."""
    world = make_world(tmp_path_factory.mktemp("world"))
    records = world.tables["records"].to_pylist()
    for row in records:
        row["datasetKey"] = KEY if row["datasetKey"] == "d0" else row["datasetKey"]
    world.tables["records"] = make_table("records", records)
    said = {"key": KEY, "title": TITLE, "doi": "10.5886/46axw9", "citation": {"text": CITED}}
    page = world.tables["harvest"].to_pylist()[0] | {
        "page_key": f"gbif:w-10/dataset/{KEY}",
        "blob": Blobs(world.workspace).put(json.dumps(said).encode()),
        "record_count": None,
    }
    world.tables["harvest"] = make_table("harvest", [*world.tables["harvest"].to_pylist(), page])
    world.pack_shards()
    world.write_release()
    return world


def test_the_table_of_datasets_tells_them(world: SmallWorld) -> None:
    table = read_parquet(world.release / "datasets.parquet")
    assert check_table(table, read_contract("datasets")) == []
    known = {row["datasetKey"]: (row["title"], row["doi"], row["citation"]) for row in table.to_pylist()}
    assert known == {KEY: (TITLE, "10.5886/46axw9", CITED), "d1": (None, None, None)}
    assert sum(table["images"].to_pylist()) == 10


def test_thanks_go_to_the_title_and_the_key_stands_where_there_is_none(world: SmallWorld) -> None:
    lines = (world.release / "ACKNOWLEDGEMENTS.txt").read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if f"  {TITLE} ({PLACE})  " in line)
    assert lines[at + 1].strip() == CITED
    assert any("https://www.gbif.org/dataset/d1" in line for line in lines)
    assert lines[-1] == "Datasets whose title is not known, and which are called by their keys: 1."


def test_card_and_report_call_it_by_its_title(world: SmallWorld) -> None:
    assert "100% Québec" in (world.release / "README.md").read_text()
    page = (world.release / "report.html").read_text()
    assert "Plants &amp; &lt;fungi&gt; of 100% Québec" in page and "<fungi>" not in page
    makers = page[page.index("Images of each data set") : page.index('id="where"')]
    assert ">d1<" in makers


def test_one_title_that_both_aggregators_tell_says_whose() -> None:
    rows = {"source": ["gbif", "idigbio", "gbif"], "datasetKey": ["a", "b", "c"]}
    none = pa.table({})
    contents = Contents({}, pa.table(rows | {"part": ["train"] * 3}), none, none, (), ())
    vars(contents)["datasets"] = pa.table(rows | {"title": ["Herbarium", "Herbarium", None], "images": [1, 1, 1]})
    assert [count.name for count in contents.titles] == ["Herbarium (GBIF)", "Herbarium (iDigBio)", "c"]


def test_it_is_cited_for_tex_and_csl(world: SmallWorld) -> None:
    read = bibtexparser.parse_string((world.release / "citations.bib").read_text())
    assert read.failed_blocks == [] and len(read.entries) == 2
    entry = read.entries[1]
    assert entry["title"] == "{Plants \\& <fungi> of 100\\% Québec}"
    assert (entry["doi"], entry["year"]) == ("10.5886/46axw9", "2025")
    item = json.loads((world.release / "citations.json").read_text())[1]
    assert (item["title"], item["DOI"], item["issued"]) == (TITLE, "10.5886/46axw9", {"date-parts": [[2025]]})


def test_a_release_with_titles_is_verified_and_its_counts_are_still_held(world: SmallWorld) -> None:
    assert verify_release(world.release) == []
    tables = {name: read_parquet(world.release / f"{name}.parquet") for name in ("manifest", "datasets")}
    assert list(check_derived_tables(tables)) == []
    place = tables["datasets"].column_names.index("images")
    counts = pa.array([count + 1 for count in tables["datasets"]["images"].to_pylist()])
    tables["datasets"] = tables["datasets"].set_column(place, tables["datasets"].schema.field(place), counts)
    (found,) = check_derived_tables(tables)
    assert found.where == "datasets.parquet"
