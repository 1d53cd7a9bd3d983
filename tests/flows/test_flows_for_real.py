"""The three deployments, run as a person runs them: server, worker, `prefect deployment run`, on a tiny sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from naflora_etl.engine.ledger import read_funnel
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.tables import clean_rows
from naflora_etl.engine.workspace import Workspace

pytestmark = pytest.mark.slow

NAMES = (
    "checklist", "wcvp", "taxa", "harvest", "records", "selection", "images", "split", "shards", "release",
)  # fmt: skip

RECIPE = """\
name = "tiny"

[sandbox]
species = 4
specimens_per_species = 8
min_sheet_px = 600
max_sheet_px = 700
port = {port}

[selection]
threshold = 4
cap = 6
spares = 2

[images]
size_px = 320
detect_px = 320
images_per_slice = 8

[release]
audit_sample = 0

[split]
minimum = 4

[shards]
samples_per_shard = 8

[http.default]
concurrency = 4
per_second = 50.0
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, port_everywhere: int) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE.format(port=port_everywhere))
    return path


@pytest.fixture(scope="module")
def work(recipe: Path) -> Path:
    return recipe.parent / "work"


@pytest.fixture(scope="module")
def built(prefect: Any, recipe: Path, work: Path) -> dict[str, Any]:
    """The flow run that built a release by the very command of the README."""
    return run(prefect, "build-naflora/build-naflora", recipe=recipe, work=work)


def run(prefect: Any, deployment: str, **parameters: object) -> dict[str, Any]:
    """Run a deployment to its end and return its flow run."""
    before = {found["id"] for found in prefect.ask("flow_runs/filter")}
    options = [word for name, value in parameters.items() for word in ("-p", f"{name}={value}")]
    done = prefect.run("deployment", "run", deployment, *options, "--watch")
    made = [found for found in prefect.ask("flow_runs/filter") if found["id"] not in before]
    assert len(made) == 1, done.stdout + done.stderr
    assert (done.returncode == 0) == (made[0]["state_name"] == "Completed"), done.stdout + done.stderr
    return dict(made[0])


def found_of(prefect: Any, kind: str, flow_run: dict[str, Any]) -> list[dict[str, Any]]:
    return list(prefect.ask(f"{kind}/filter", flow_runs={"id": {"any_": [flow_run["id"]]}}))


def images_of(work: Path) -> dict[str, Any]:
    images = clean_rows(Receipts(Workspace(str(work))).table("images"))
    return dict(zip(images["image_key"].to_pylist(), images["fetched_at"].to_pylist(), strict=True))


def test_a_deployment_runs_the_sandbox_to_a_release(prefect: Any, built: dict[str, Any], work: Path) -> None:
    assert built["state_name"] == "Completed", prefect.log()
    assert built["state"]["message"].startswith("release: ")
    files = {path.name for path in (work / "release").iterdir()}
    assert {"manifest.parquet", "README.md", "report.html"} <= files
    assert any(name.startswith("train-") for name in files) and any(name.startswith("test-") for name in files)


def test_every_stage_is_a_task_and_its_slices_are_tasks(prefect: Any, built: dict[str, Any]) -> None:
    tasks = {task["name"]: task["state_name"] for task in found_of(prefect, "task_runs", built)}
    assert set(tasks.values()) == {"Completed"}
    for stage in NAMES:
        assert stage in tasks
        assert any(name.startswith(f"{stage} slice 1 of ") for name in tasks)
    assert any(name.startswith("images slice 2 of ") for name in tasks)


def test_a_run_leaves_a_full_bar_and_the_funnel(prefect: Any, built: dict[str, Any]) -> None:
    left = {found["key"]: found for found in found_of(prefect, "artifacts", built)}
    assert left["build-naflora-progress"]["type"] == "progress"
    assert left["build-naflora-progress"]["data"] == 100
    for stage in NAMES:
        assert f"\n| {stage} |" in left["build-naflora-summary"]["data"]


def test_a_release_writes_the_tarball(prefect: Any, built: dict[str, Any], recipe: Path, work: Path) -> None:
    out = recipe.parent / "dist"
    before = [(receipt.stage, receipt.seconds) for receipt in read_funnel(Workspace(str(work)), NAMES)]
    made = run(prefect, "release/release", recipe=recipe, work=work, out=out)
    assert made["state_name"] == "Completed", prefect.log()
    assert list(out.glob("tiny-*.tar*"))
    assert [(receipt.stage, receipt.seconds) for receipt in read_funnel(Workspace(str(work)), NAMES)] == before


def test_a_reharvest_a_quarter_later_tells_what_changed_and_fetches_no_image_twice(
    prefect: Any, built: dict[str, Any], recipe: Path, work: Path
) -> None:
    before = images_of(work)
    made = run(prefect, "reharvest/reharvest", recipe=recipe, work=work)
    assert made["state"]["message"].endswith("Nothing is new; nothing was done."), made["state"]["message"]
    later = recipe.with_name("later.toml")
    later.write_text(recipe.read_text().replace("[sandbox]", "[sandbox]\nquarter = 1"))
    made = run(prefect, "reharvest/reharvest", recipe=later, work=work)
    assert made["state_name"] == "Completed", prefect.log()
    assert "added: images that no source had before" in made["state"]["message"]
    after = images_of(work)
    assert after != before and all(after[key] == before[key] for key in set(after) & set(before))
    summary = {found["key"]: found["data"] for found in found_of(prefect, "artifacts", made)}["reharvest-summary"]
    assert "## Added (" in summary and "\n| harvest |" in summary


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"recipe": "nowhere.toml"}, "nowhere.toml: no such recipe."),
        ({"until": "harvst"}, "there is no stage harvst; the path is taxa -> harvest -> "),
    ],
    ids=["no such recipe", "no such stage"],
)
def test_a_users_mistake_fails_the_run_with_its_sentence(
    parameters: dict[str, str], sentence: str, prefect: Any, recipe: Path, work: Path
) -> None:
    made = run(prefect, "build-naflora/build-naflora", **({"recipe": recipe, "work": work} | parameters))
    assert made["state_name"] == "Failed"
    assert made["state"]["message"].startswith(sentence)
