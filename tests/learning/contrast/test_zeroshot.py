"""Zero-shot: prompts, vectors and ranks by hand, a release, a benchmark's table, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.learning import devices
from naflora_etl.learning.contrast.recipe import TowerOptions
from naflora_etl.learning.contrast.towers import Towers, make_towers
from naflora_etl.learning.contrast.zeroshot import class_prompts, class_vectors, judge, rank

ACER = {
    "taxon_name": "Acer rubrum",
    "family": "Sapindaceae",
    "genus": "Acer",
    "species": "rubrum",
    "common_name": "Red maple",
}
POA = {"taxon_name": "Poa annua", "family": "Poaceae", "genus": "Poa", "species": "annua"}


@pytest.fixture(scope="module")
def towers() -> Towers:
    torch.manual_seed(0)
    return make_towers(TowerOptions(arch="tiny"))


@pytest.mark.parametrize(
    ("prompts", "count", "first"),
    [
        ("plain", 1, "a photo of Acer rubrum."),
        ("clip80", 80, "a bad photo of a Acer rubrum."),
        ("taxonomic", 5, "a photo of Red maple."),
        ("A pressed {genus}.", 1, "A pressed Acer."),
    ],
)
def test_prompt_sets(prompts: str, count: int, first: str):
    made = class_prompts([ACER, POA], prompts)
    assert (len(made[0]), made[0][0]) == (count, first)


def test_taxonomic_prompts_are_those_a_class_has():
    assert class_prompts([POA], "taxonomic") == [
        ["a photo of Poa annua.", "a photo of Plantae Tracheophyta Poaceae Poa annua."]
    ]


def test_a_class_is_the_mean_of_its_prompts_made_a_unit_vector(towers: Towers):
    texts = ["a photo of Acer.", "a drawing of Acer."]
    with torch.no_grad():
        mean = towers.clip.encode_text(towers.tokenizer(texts), normalize=True).mean(dim=0)
    torch.testing.assert_close(class_vectors(towers, [texts])[0], mean / mean.norm())


def test_ranks_and_scores_by_hand():
    classes = torch.eye(3)
    seen = torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.2, 0.9], [0.5, 0.4, 0.1]])
    ranked = rank(seen, classes, k=5)  # three classes: all of them
    assert ranked.tolist() == [[0, 1, 2], [2, 1, 0], [0, 1, 2]]
    found = judge(ranked[:, :2], np.array([0, 1, 1]), 3, "plain", {})
    assert (found.top1, found.top5) == (pytest.approx(1 / 3), 1.0)
    assert str(found) == (
        "3 images of 3 classes, prompts plain: top-1 33.33%, top-5 100.00% (one of the classes at random: 33.33%)."
    )


def call(*words: object) -> str:
    return CliRunner().invoke(main, ["zeroshot", *map(str, words)]).output


def test_a_release_by_a_model_of_random_weights(release: Path):
    assert call("tiny", release, "--prompts", "taxonomic").startswith(
        "18 images of 6 classes, prompts taxonomic: top-1 "
    )


def test_the_towers_go_to_the_device_that_there_is(release: Path, monkeypatch: pytest.MonkeyPatch):
    moved: list[torch.device] = []
    to = Towers.to

    def spy(towers: Towers, device: torch.device) -> Towers:
        moved.append(device)
        return to(towers, torch.device("cpu"))

    monkeypatch.setattr(devices, "choose_device", lambda options: torch.device("cuda", 0))
    monkeypatch.setattr(Towers, "to", spy)
    assert call("tiny", release).startswith("18 images")
    assert moved == [torch.device("cuda", 0)]


@pytest.fixture
def benchmark(tmp_path: Path, draw_sheet) -> Path:
    rows = []
    for number, (kingdom, name, common, stage) in enumerate(
        [("Plantae", "Acer rubrum", "Red maple", "adult"), ("Plantae", "Carex alba", "White sedge", "adult"),
         ("Animalia", "Danaus plexippus", "Monarch", "larva"), ("Animalia", "Danaus plexippus", "Monarch", "adult")]
    ):  # fmt: skip
        (tmp_path / f"{number}.jpg").write_bytes(draw_sheet(number, 0))
        rows.append(
            {"path": f"{number}.jpg", "kingdom": kingdom, "scientificName": name, "common_name": common, "stage": stage}
        )
    rows.append(rows[0] | {"path": "gone.jpg"})
    path = tmp_path / "benchmark.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "4 images of 3 classes, prompts plain: "),
        (("--taxon", "plantae"), "2 images of 2 classes, prompts plain: "),
        (("--class-column", "common_name,stage"), "4 images of 4 classes, prompts plain: "),
        (("--taxon", "Fungi"), "no row has Fungi as its kingdom, phylum, class, order, family or genus."),
        (("--class-column", "label"), "has no column label; it has path, kingdom, scientificName, common_name, stage."),
    ],
)
def test_a_benchmark(benchmark: Path, options: tuple[str, ...], told: str):
    assert told in call("tiny", "--benchmark", benchmark, *options)


def test_an_image_that_is_gone_is_counted(benchmark: Path):
    assert call("tiny", "--benchmark", benchmark).endswith("; set aside: IMAGE_DAMAGED 1.\n")
    for path in benchmark.parent.glob("*.jpg"):
        path.unlink()
    assert "none of its 5 images could be read; paths are seen from" in call("tiny", "--benchmark", benchmark)


def test_what_is_refused(release: Path, tmp_path: Path, benchmark: Path):
    assert "give a release, or a table with --benchmark." in call("tiny", release, "--benchmark", benchmark)
    assert "holds no run of `naflora clip` with a checkpoint." in call(tmp_path, release)
    assert "open_clip has no such model; the nearest known one is" in call("tinny", release)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(
            ["tiny", "--benchmark", "nowhere.csv"],
            "nowhere.csv: no such benchmark; give a CSV with a path an image and scientificName.",
            id="no file",
        ),
        pytest.param(["tiny", "--benchmark", "."], ". cannot be read as a CSV file (Is a directory).", id="a folder"),
        pytest.param(
            ["runs/words", "--benchmark", "x.csv"],
            "runs/words: no such run; `naflora clip` makes one, or give a model of open_clip by its name.",
            id="no run",
        ),
    ],
)
def test_what_is_not_there_is_told(words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    called = CliRunner().invoke(main, ["zeroshot", *words])
    assert (called.exit_code, called.output) == (1, f"Error: {sentence}\n")
