"""From a release of the sandbox to a named sheet: every command of learning in turn, as a user types them."""

from __future__ import annotations

import csv
import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from naflora_etl.cli import main

pytestmark = pytest.mark.slow  # a build of a tiny world, three trainings, an export

RECIPE = """
name = "learned"
[images]
redact = "none"
size_px = 200
[selection]
servers = 8
threshold = 3
cap = 10
spares = 2
[split]
minimum = 6
min_test = 2
[http.default]
per_second = 40
[sandbox]
seed = 7
species = 6
specimens_per_species = 16
port = 8957
min_sheet_px = 400
max_sheet_px = 500
"""


def run(*words: object) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned")
    (folder / "learned.toml").write_text(RECIPE)
    run("build", folder / "learned.toml", "--work", folder / "work")
    knobs = [word for knob in ("data.size_px=64", "loop.epochs=12") for word in ("--set", knob)]
    run("train", folder / "work" / "release", "--recipe", "tiny", "--out", folder / "run", *knobs)
    run("evaluate", folder / "run", folder / "work" / "release")
    run("export", folder / "run", "--out", folder / "model", "--calibrate", folder / "work" / "release")
    return folder


def test_the_exported_model_scores_as_the_run_did(folder: Path) -> None:
    release, sheets = folder / "work" / "release", folder / "sheets"
    sheets.mkdir()
    truth = {}
    for shard in release.glob("test-*.tar"):
        with tarfile.open(shard) as tar:
            for member in tar:
                data = tar.extractfile(member)
                assert data is not None
                key, ending = member.name.split(".")
                if ending == "jpg":
                    (sheets / member.name).write_bytes(data.read())
                else:
                    truth[f"{key}.jpg"] = json.loads(data.read())
    told = json.loads(run("identify", sheets, "--model", folder / "model", "--json"))
    evaluation = json.loads((folder / "run" / "evaluation.json").read_text())
    named = {Path(one["path"]).name: one["top"][0]["label"] for one in told}
    right = [label["class_id"] == truth[name]["class_id"] for name, label in named.items()]
    assert len(right) == evaluation["images"]
    assert sum(right) / len(right) == pytest.approx(evaluation["top1"])
    assert all(label["taxon_id"] for label in named.values())
    assert "On " in (folder / "model" / "README.md").read_text()


def test_labels_are_reviewed_and_captions_written(folder: Path) -> None:
    release = folder / "work" / "release"
    told = run("review", folder / "model", release, "--out", folder / "review")
    rows = list(csv.DictReader((folder / "review" / "review.csv").read_text().splitlines()))
    assert f"disputes {len(rows)} of " in told
    run("captions", release, "--out", folder / "captions.csv", "--text", "all")
    assert "taxonTag" in (folder / "captions.csv").read_text().splitlines()[0]
    assert "images of " in run("stats", release)


def test_words_name_sheets(folder: Path) -> None:
    release = folder / "work" / "release"
    run("clip", release, "--out", folder / "words", "--set", "loop.epochs=2", "--set", "loop.batch=16")
    locked = [
        "tower.lock_image=true",
        f"tower.weights={folder / 'words' / 'last.pt'}",
        "loop.epochs=2",
        "loop.batch=16",
    ]
    run("clip", release, "--out", folder / "lit", *(word for knob in locked for word in ("--set", knob)))
    found = json.loads(run("zeroshot", folder / "lit", release, "--prompts", "taxonomic", "--json"))
    assert 0 <= found["top1"] <= found["top5"] <= 1
