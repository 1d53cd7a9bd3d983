"""GBIF's index is being rebuilt while a reharvest asks: nothing is let go that answers by key."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from naflora_etl.cli import main
from naflora_etl.engine.tables import read_parquet
from naflora_etl.sandbox.world import GBIF_ADDRESS

pytestmark = pytest.mark.slow
RECIPE = """name = "tiny"
images = {{redact = "none", size_px = 64}}
selection = {{servers = 8, threshold = 1, cap = 60}}
split = {{minimum = 2, min_test = 1}}
release = {{audit_sample = 0}}
harvest = {{sources = ["gbif"]}}
http.default = {{concurrency = 4, per_second = 200.0}}
[sandbox]
seed = 8
species = 3
specimens_per_species = 8
min_sheet_px = 300
max_sheet_px = 320
port = {port}
quarter = {quarter}
gbif_lists = {lists}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    with socket.socket() as probe:
        probe.bind((GBIF_ADDRESS, 0))
        (tmp_path / "port").write_text(str(probe.getsockname()[1]))
    return tmp_path


def invoke(place: Path, command: str, *words: str, quarter: int, lists: float) -> Result:
    recipe = place / "tiny.toml"
    recipe.write_text(RECIPE.format(port=(place / "port").read_text(), quarter=quarter, lists=lists))
    return CliRunner().invoke(main, [command, str(recipe), "--work", str(place / "work"), *words])


def run(place: Path, command: str, *words: str, quarter: int, lists: float) -> str:
    result = invoke(place, command, *words, quarter=quarter, lists=lists)
    assert result.exit_code == 0, result.output
    return result.output


def released(place: Path) -> set[str]:
    return set(read_parquet(place / "work/release/manifest.parquet")["image_key"].to_pylist())


def test_a_source_that_forgets_most_keeps_what_it_sent_till_the_loss_is_accepted(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1799107200")
    run(place, "build", quarter=0, lists=1.0)
    whole = released(place)
    told: dict[str, Any] = json.loads(run(place, "reharvest", "--json", quarter=1, lists=0.2))
    assert [held["source"] for held in told["held"]] == ["gbif"] and told["held"][0]["lost"] > len(whole) / 2
    assert not any(told["counts"].values()) and released(place) == whole, "as it was"
    said = run(place, "reharvest", quarter=1, lists=0.2)
    assert "taken for trouble of the source" in said and released(place) == whole, "asked again, and not believed again"
    told = json.loads(run(place, "reharvest", "--json", "--accept-losses", quarter=1, lists=0.2))
    assert told["held"] == [] and told["counts"]["withdrawn"] > len(whole) / 2
    assert len(released(place) & whole) < len(whole) / 2


def test_a_build_does_not_choose_from_a_reharvest_that_was_killed_before_its_losses_were_judged(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1799107200")
    run(place, "build", quarter=0, lists=1.0)
    whole = released(place)
    with monkeypatch.context() as patch:
        patch.setattr("naflora_etl.renewing.run.find_troubled", killed)
        assert invoke(place, "reharvest", quarter=1, lists=0.2).exit_code != 0
    refused = invoke(place, "build", quarter=1, lists=0.2)
    assert refused.exit_code == 1 and "run `naflora reharvest` with this recipe" in refused.output
    run(place, "build", "--until", "records", quarter=1, lists=0.2)
    assert released(place) == whole, "nothing was chosen"
    told = json.loads(run(place, "reharvest", "--json", quarter=1, lists=0.2))
    assert [held["source"] for held in told["held"]] == ["gbif"] and released(place) == whole
    assert "unchanged" in run(place, "build", quarter=1, lists=0.2) and released(place) == whole


def killed(*_: Any) -> Any:
    raise KeyboardInterrupt
