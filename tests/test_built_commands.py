"""What plan, why and release tell of a workspace at each point of its way, on a tiny sandbox."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.tables import parquet_bytes, read_parquet, sha256_of
from naflora_etl.engine.workspace import Workspace
from naflora_etl.names.backbone import describe_backbone
from naflora_etl.plan import Plan, describe_plan, plan_recipe
from naflora_etl.recipe import read_recipe
from naflora_etl.sandbox.embedded import sandbox_for

RECIPE = """
name = "told"
[images]
redact = "none"
size_px = 200
[selection]
servers = 6
threshold = 3
cap = 4
spares = 2
[split]
minimum = 3
min_test = 1
[http.default]
per_second = 40
[sandbox]
seed = 7
species = 4
specimens_per_species = 10
port = 8937
min_sheet_px = 400
max_sheet_px = 500
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("told")
    (folder / "told.toml").write_text(RECIPE)
    return folder


def run(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments, "--work", str(folder / "work")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def plan(folder: Path) -> Plan:
    workspace = Workspace(str(folder / "work"))
    with sandbox_for(read_recipe(folder / "told.toml"), workspace, serve=False) as recipe:
        return plan_recipe(recipe, workspace)


@pytest.fixture(scope="module")
def plans(folder: Path) -> dict[str, Plan]:
    """Plans made before anything, after the selection and after the images; the workspace is then built to its end."""
    made = {"nothing": plan(folder)}
    for until in ("selection", "images"):
        run(folder, "build", str(folder / "told.toml"), "--until", until)
        made[until] = plan(folder)
    return made


def test_before_the_harvest_only_aggregators_are_counted(plans: dict[str, Plan]) -> None:
    first = plans["nothing"]
    assert first.is_first and {errand.what for errand in first.errands} == {"gbif", "idigbio"}
    gbif = first.errands[0]
    assert (gbif.requests_least, gbif.requests_most) == (2 * first.taxa, 11 * first.taxa)
    assert gbif.seconds_most == -(-gbif.requests_most // 40)
    assert "Nothing was asked yet" in describe_plan(first) and "plan again" in describe_plan(first)


def test_after_the_selection_only_image_hosts_are(plans: dict[str, Plan], folder: Path) -> None:
    errands = plans["selection"].errands
    rows = Receipts(Workspace(str(folder / "work"))).table("selection").to_pylist()
    chosen = sum(row["role"] == "chosen" for row in rows)
    assert {errand.what for errand in errands} == {"images"}
    assert sum(errand.requests_least - 2 for errand in errands) == chosen
    assert "Nothing was asked yet" not in describe_plan(plans["selection"])


def test_when_all_is_here_nobody_is_asked(plans: dict[str, Plan]) -> None:
    assert plans["images"].errands == ()
    assert "would ask nobody" in describe_plan(plans["images"])


def test_plan_and_status_tell_the_backbone(plans: dict[str, Plan], folder: Path) -> None:
    metadata = Receipts(Workspace(str(folder / "work"))).metadata("wcvp")
    backbone = describe_backbone(metadata)
    assert backbone is not None and len(backbone.sha256) == 64
    assert f"Names are those of {backbone.as_sentence()}." in plans["images"].notes
    told = CliRunner().invoke(main, ["status", "--work", str(folder / "work")])
    assert f"    {backbone.as_sentence()}\n" in told.output
    told = CliRunner().invoke(main, ["status", "--work", str(folder / "work"), "--json"])
    assert [row["backbone"]["sha256"] for row in json.loads(told.output) if "backbone" in row] == [backbone.sha256]


def test_what_failed_for_now_is_planned_and_nothing_is_taken_away(plans: dict[str, Plan], folder: Path) -> None:
    workspace = Workspace(str(folder / "work"))
    receipts = Receipts(workspace)
    receipt = receipts.find("images")
    assert receipt is not None
    path = next(receipts.parts(receipt))
    whole = workspace.read(path)
    with workspace.open(path) as stream:
        table = read_parquet(stream)
    rows = table.to_pylist()
    troubled = next(row for row in rows if row["issue"] not in (None, "SPARE_NOT_NEEDED"))
    troubled["issue"] = "HOST_TROUBLE"
    body = parquet_bytes(table.from_pylist(rows, table.schema))
    workspace.write(path, body)
    vouched = (f"{receipt.parts[0].split(':')[0]}:{sha256_of(body)}", *receipt.parts[1:])
    receipts.write(replace(receipt, parts=vouched, issues={**receipt.issues, "HOST_TROUBLE": 1}))
    try:
        again = plan(folder)
        assert troubled["host"] in {errand.host for errand in again.errands}
        assert sum(errand.requests_least for errand in again.errands) >= 2
        assert receipts.find("images") is not None
    finally:
        workspace.write(path, whole)
        receipts.write(receipt)


def test_a_taxons_life_is_told_shortly_and_whole_as_json(plans: dict[str, Plan], folder: Path) -> None:
    rows = Receipts(Workspace(str(folder / "work"))).table("taxa").to_pylist()
    row = next(row for row in rows if row["issue"] is None)
    told = run(folder, "why", row["taxon_id"])
    values = json.loads(run(folder, "why", row["taxon_id"], "--json"))
    count = sum(value["stage"] == "records" for value in values)
    assert f"records: {count} rows in all" in told
    assert told.count("record_key ") == 1
    assert f"naflora why {row['taxon_id']}" in run(folder, "why", row["checklist_key"])


def test_release_tells_a_script_its_files_alone(plans: dict[str, Plan], folder: Path) -> None:
    told = run(folder, "release", str(folder / "told.toml"), "--out", str(folder / "dist"), "--json")
    assert [Path(path).name for path in json.loads(told)] == ["told-0.1.0.tar", "SHA256SUMS"]
