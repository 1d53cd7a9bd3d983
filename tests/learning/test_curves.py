"""Runs fine-tuned from ever more classes, as two curves; the classes of the second scaled, as Fig. 6 scales them."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from naflora_etl.cli import main
from naflora_etl.learning.curves import compare_curves, pretrained_classes
from naflora_etl.learning.predictions import Predictions, keep_likeliest
from naflora_etl.learning.recipe import read_learn_recipe
from naflora_etl.learning.releases import open_release
from naflora_etl.learning.train import train

# folder, classes pretrained on, sheets of the 18 named rightly
RUNS = (
    ("A/scratch", 0, 3), ("A/200", 200, 9), ("A/398", 398, 15),
    ("R/scratch", 0, 3), ("R/500-seed1", 500, 5), ("R/500-seed2", 500, 7), ("R/1000", 1000, 12),
)  # fmt: skip


@pytest.fixture
def curves(release: Path, tmp_path: Path) -> Path:
    opened = open_release(release)
    part = opened.part("test")
    for name, classes, right in RUNS:
        run = tmp_path / name
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps({"classes": 6, "pretrained_classes": classes}))
        answers = np.where(np.arange(len(part)) < right, part.class_ids, (part.class_ids + 1) % 6)
        odds = np.full((len(part), 6), -4.0, np.float32)
        odds[np.arange(len(part)), answers] = -0.1
        Predictions(part.image_keys, *keep_likeliest(odds, 3), opened.classes.species, {}).write(
            run / "predictions.parquet"
        )
    return tmp_path


def test_a_thousand_random_classes_stand_at_their_398_animals(curves: Path, release: Path):
    found = compare_curves(curves / "A", curves / "R", open_release(release), scale_x=0.398)
    placed = [(point.run.removeprefix(f"{curves}/"), point.classes, point.x) for point in found.points]
    assert placed[-1] == ("R/1000", 1000, 398.0) and placed[2] == ("A/398", 398, 398.0)
    assert {run: x for run, _, x in placed if run.startswith("A")} == {"A/scratch": 0, "A/200": 200, "A/398": 398}
    tops = [(gap.x, round(18 * gap.a, 6), round(18 * gap.b, 6)) for gap in found.gaps]
    # at 200, between the mean of two seeds at 199 (6 of 18) and 12 of 18 at 398
    assert tops == [(0, 3, 3), (200, 9, pytest.approx(6 + 6 / 199, abs=1e-6)), (398, 15, 12)]


def test_unscaled_curves_meet_where_both_reach(curves: Path, release: Path):
    found = compare_curves(curves / "R", curves / "A", open_release(release))
    assert [gap.x for gap in found.gaps] == [0]  # A ends at 398 classes, before R's 500


def test_the_command(curves: Path, release: Path):
    words = ["compare", curves / "A", curves / "R", release, "--scale-x", 0.398]
    files = ["--plot", curves / "fig6.png", "--out", curves / "fig6.csv"]
    called = CliRunner().invoke(main, [str(word) for word in (*words, *files)])
    assert called.exit_code == 0, called.output
    assert f"at 398: {curves}/R -0.167 against {curves}/A" in called.output
    assert (curves / "fig6.png").read_bytes().startswith(b"\x89PNG")
    lines = (curves / "fig6.csv").read_text().splitlines()
    assert lines[0] == "curve,run,classes,x,macro_f1,top1" and len(lines) == 1 + len(RUNS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["A", "R", "--by", "family"], "these are folders of runs", id="gains of curves"),
        pytest.param(["A/398", "R/1000", "--scale-x", "0.4"], "A/398 holds none", id="two runs scaled"),
        pytest.param(["A", "R/1000"], "R/1000 holds none", id="a curve and a run"),
        pytest.param(["A", "R", "--scale-x", "0"], "0.0 is not in the range x>0", id="no scale"),
    ],
)
def test_what_does_not_go_together_is_told(words: list[str], sentence: str, curves: Path, release: Path):
    places = [str(curves / words[0]), str(curves / words[1]), str(release)]
    called = CliRunner().invoke(main, ["compare", *places, *words[2:]])
    assert called.exit_code != 0
    assert sentence in called.output


@pytest.mark.parametrize(
    ("run_json", "sentence"),
    [
        pytest.param({"classes": 6}, "does not tell on how many classes it was pretrained", id="unknown pretraining"),
        pytest.param({"pretrained_classes": 50}, "has no predictions yet; run `naflora evaluate ", id="unevaluated"),
    ],
)
def test_a_run_that_makes_no_point_is_told(run_json: dict[str, int], sentence: str, curves: Path, release: Path):
    (curves / "A" / "more").mkdir()
    (curves / "A" / "more" / "run.json").write_text(json.dumps(run_json))
    called = CliRunner().invoke(main, ["compare", str(curves / "A"), str(curves / "R"), str(release)])
    assert called.exit_code != 0 and sentence in called.output


def test_a_fine_tuned_run_remembers_on_how_many_classes_it_was_pretrained(release: Path, tmp_path: Path):
    small = ["data.size_px=32", "loop.batch=16", "loop.epochs=1"]
    train(release, recipe=read_learn_recipe("tiny", small), out=tmp_path / "before")
    tuned = read_learn_recipe("tiny", [*small, f"model.weights={tmp_path / 'before' / 'last.pt'}"])
    train(release, recipe=tuned, out=tmp_path / "after", stop_after_steps=1)
    told = [json.loads((tmp_path / run / "run.json").read_text()) for run in ("before", "after")]
    assert [run["pretrained_classes"] for run in told] == [0, 6]
    assert pretrained_classes(str(tmp_path / "elsewhere.safetensors")) is None
