"""`naflora reharvest`: a quarter later, and another; what is new comes, what is withdrawn goes, nothing comes twice."""

from __future__ import annotations

import csv
import json
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.tables import read_parquet
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.embedded import sandbox_running
from naflora_etl.sandbox.quarters import fate_of
from naflora_etl.sandbox.world import GBIF_ADDRESS, World, build_world

pytestmark = pytest.mark.slow
SIZE = {"seed": 8, "species": 6, "specimens_per_species": 14, "min_sheet_px": 400, "max_sheet_px": 450}
RECIPE = """name = "small"
[images]
redact = "none"
size_px = 300
[selection]
servers = 8
threshold = 1
cap = 60
[split]
minimum = 2
min_test = 1
[release]
version = "1.{quarter}.0"
audit_sample = 0
[http.default]
concurrency = 4
per_second = 200.0
[sandbox]
"""


def run(*words: str) -> str:
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@dataclass
class Quarters:
    """A workspace that was built in one quarter and brought up to date in the next two."""

    folder: Path
    port: int
    told: list[dict[str, Any]] = field(default_factory=list)
    """What each reharvest told."""
    again: list[str] = field(default_factory=list)
    """What a second one told, right after it."""
    logs: list[list[dict[str, Any]]] = field(default_factory=list)
    """The sandbox's own log of each quarter; of the second reharvest, where there was one, apart."""
    again_logs: list[list[dict[str, Any]]] = field(default_factory=list)
    manifests: list[dict[str, dict[str, Any]]] = field(default_factory=list)
    fetched: list[set[str]] = field(default_factory=list)
    """Addresses of the images that lay finished in the packs at the end of a quarter."""

    @property
    def work(self) -> str:
        return str(self.folder / "work")

    def world(self, quarter: int) -> World:
        return build_world(SandboxOptions(**SIZE, port=self.port, quarter=quarter))

    def live(self, quarter: int) -> None:
        """Let a quarter come, and build, or bring up to date."""
        world = self.world(quarter)
        recipe = self.folder / f"small{quarter}.toml"
        sandbox = "".join(f"{name} = {value}\n" for name, value in world.options.model_dump().items())
        recipe.write_text(RECIPE.format(quarter=quarter) + sandbox)
        with sandbox_running(world.options):
            if quarter == 0:
                run("build", str(recipe), "--work", self.work)
                self.logs.append(self.log())
            else:
                self.told.append(json.loads(run("reharvest", str(recipe), "--work", self.work, "--json")))
                self.logs.append(self.log())
                self.again.append(run("reharvest", str(recipe), "--work", self.work))
                self.again_logs.append(self.log()[len(self.logs[-1]) :])
                assert run("build", str(recipe), "--work", self.work).count("unchanged") >= 8
        manifest = read_parquet(self.folder / "work/release/manifest.parquet").to_pylist()
        self.manifests.append({row["image_key"]: row for row in manifest})
        done = Receipts(Workspace(self.work)).table("images").to_pylist()
        records = Receipts(Workspace(self.work)).table("records").to_pylist()
        urls = {row["image_key"]: row["image_url"] for row in records}
        self.fetched.append({urls[row["image_key"]] for row in done if row["issue"] is None})

    def log(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = requests.get(f"http://{GBIF_ADDRESS}:{self.port}/sandbox/log", timeout=10).json()
        return [line for line in lines if not line["path"].startswith("/sandbox")]


@pytest.fixture(scope="module")
def quarters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarters]:
    with socket.socket() as probe:
        probe.bind((GBIF_ADDRESS, 0))
        port = int(probe.getsockname()[1])
    found = Quarters(tmp_path_factory.mktemp("quarters"), port)
    with pytest.MonkeyPatch.context() as patch:
        for quarter, day in enumerate((date(2027, 1, 5), date(2027, 4, 5), date(2027, 7, 5))):
            patch.setenv("SOURCE_DATE_EPOCH", str(day.toordinal() * 86_400 - date(1970, 1, 1).toordinal() * 86_400))
            found.live(quarter)
        yield found


def barcodes_of(quarters: Quarters, fate: str, quarter: int) -> set[str]:
    specimens = [s for s in quarters.world(quarter - 1).all_specimens() if not s.observation]
    return {s.barcode for s in specimens if fate_of(s.barcode, SIZE["seed"], quarter) == fate}


@pytest.mark.parametrize("quarter", [1, 2])
def test_no_image_that_is_here_is_fetched_again(quarters: Quarters, quarter: int) -> None:
    pictures = [f"http://{line['host']}{line['path']}" for line in quarters.logs[quarter] if "/sheets/" in line["path"]]
    assert pictures, "new ones came"
    assert not set(pictures) & quarters.fetched[quarter - 1]


@pytest.mark.parametrize("quarter", [1, 2])
def test_what_was_withdrawn_is_gone_from_the_release_and_named(quarters: Quarters, quarter: int) -> None:
    gone = set().union(*(barcodes_of(quarters, "withdrawn", number) for number in range(1, quarter + 1)))
    then, now = quarters.manifests[quarter - 1], quarters.manifests[quarter]
    assert {row["catalogNumber"] for row in then.values()} & barcodes_of(quarters, "withdrawn", quarter)
    assert not {row["catalogNumber"] for row in now.values()} & gone
    if quarter == 2:
        with (quarters.folder / "work/release/withdrawn.csv").open(newline="") as stream:
            named = {row["image_key"]: row for row in csv.DictReader(stream)}
        published = set().union(*quarters.manifests)
        ever = quarters.manifests[0] | quarters.manifests[1]
        assert {key for key, row in ever.items() if row["catalogNumber"] in gone} <= set(named) <= published
        assert {row["reason"] for row in named.values()} >= {"WITHDRAWN", "LICENSE_NOT_ALLOWED"}
        assert {row["last_release"] for row in named.values()} == {"1.0.0", "1.1.0"}, "the list travels"
        assert not set(named) & set(now)
    assert run("verify", str(quarters.folder / "work/release")).strip().endswith("keeps its promises.")


@pytest.mark.parametrize("quarter", [1, 2])
def test_what_changed_is_told_by_its_kind(quarters: Quarters, quarter: int) -> None:
    told = quarters.told[quarter - 1]
    kinds: dict[str, set[str]] = {}
    for image in told["images"]:
        kinds.setdefault(image["kind"], set()).add(image["catalogNumber"])
    old = {specimen.barcode for specimen in quarters.world(quarter - 1).all_specimens()}
    assert kinds["added"] - old, "new sheets; old ones too, where what was against them is gone"
    assert kinds["changed"] <= barcodes_of(quarters, "edited", quarter) | repointed(old)
    assert barcodes_of(quarters, "edited", quarter) & kinds["changed"]
    moved = kinds.get("moved", set())  # in the second quarter none had a mate in its genus
    assert moved <= barcodes_of(quarters, "redetermined", quarter) and (moved or quarter == 2)
    assert kinds["set_aside"] & barcodes_of(quarters, "relicensed", quarter)
    fates = ("withdrawn", "picture_withdrawn")
    assert kinds["withdrawn"] <= set().union(*(barcodes_of(quarters, fate, quarter) for fate in fates))
    assert all(image["new_name"] != image["old_name"] for image in told["images"] if image["kind"] == "moved")
    for source in told["confirmed"].values():
        assert source["gone"] == source["asked"] > 0 and source["alive"] == []


def repointed(barcodes: set[str]) -> set[str]:
    return {barcode for barcode in barcodes if barcode.startswith("OSP")}


@pytest.mark.parametrize("quarter", [1, 2])
def test_asked_again_at_once_it_asks_a_few_questions_and_does_nothing(quarters: Quarters, quarter: int) -> None:
    assert "Nothing is new; nothing was done." in quarters.again[quarter - 1]
    lines = quarters.again_logs[quarter - 1]
    paths = [line["path"].split("?")[0] for line in lines]
    assert paths.count("/v1/occurrence/search") == 2
    assert set(paths) <= {"/v1/occurrence/search", "/v2/summary/top/records", "/v2/summary/count/media"}
    assert not any("/sheets/" in path for path in paths)


def test_a_harvest_under_another_snapshot_forgets_nothing_that_was_withdrawn(quarters: Quarters) -> None:
    work = quarters.folder / "anew"
    shutil.copytree(quarters.work, work)
    before, last = named_in(work), quarters.manifests[2]
    options = SandboxOptions(**SIZE, port=quarters.port, quarter=3)
    sandbox = "".join(f"{name} = {value}\n" for name, value in options.model_dump().items())
    recipe = quarters.folder / "anew.toml"
    recipe.write_text(RECIPE.format(quarter=3).replace("[sandbox]", '[harvest]\nsnapshot = "2"\n[sandbox]') + sandbox)
    with sandbox_running(options):
        run("build", str(recipe), "--work", str(work))
    gone = {key for key, row in last.items() if row["catalogNumber"] in barcodes_of(quarters, "withdrawn", 3)}
    now = named_in(work)
    assert gone and {now[key] for key in gone} == {"1.2.0"}, "what was released last is on the list, too"
    back = {row["image_key"] for row in read_parquet(work / "release/manifest.parquet").to_pylist()}
    assert set(before) - back <= set(now) and not set(now) & back


def named_in(work: Path) -> dict[str, str]:
    with (work / "release/withdrawn.csv").open(newline="") as stream:
        return {row["image_key"]: row["last_release"] for row in csv.DictReader(stream)}
