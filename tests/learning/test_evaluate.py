"""Evaluating a run: the files it writes, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.costs import cost_rows, cost_table
from naflora_etl.learning.evaluate import Evaluation, evaluate_predictions, evaluate_run
from naflora_etl.learning.plots import plot_tables
from naflora_etl.learning.predict import Looks, predict_odds, predict_run
from naflora_etl.learning.predictions import read_predictions
from naflora_etl.learning.recipe import read_learn_recipe
from naflora_etl.learning.releases import open_release
from naflora_etl.learning.runs import Run
from naflora_etl.learning.score import score_submission
from naflora_etl.learning.train import train
from naflora_etl.learning.warp import STRAIGHT

SCHEMAS = Path(__file__).parents[2] / "schemas"


@pytest.fixture(scope="module")
def run(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    recipe = read_learn_recipe("tiny", ["data.size_px=48", "data.crop_area=1", "loop.epochs=10"])
    train(release, recipe=recipe, out=out)
    return out


@pytest.fixture(scope="module")
def evaluation(run: Path, release: Path) -> Evaluation:
    return evaluate_run(run, release)


def test_a_few_seconds_of_training_stand_above_chance(evaluation: Evaluation):
    assert evaluation.images == 18
    assert evaluation.top1 > 2 * evaluation.chance


def test_the_rows_are_those_of_the_contract(evaluation: Evaluation, run: Path):
    written = json.loads((run / "evaluation.json").read_text())
    assert written["top1"] == evaluation.top1
    contract = json.loads((SCHEMAS / "evaluation.json").read_text())
    for row in written["ranks"]:
        assert list(row) == [field["name"] for field in contract["fields"]]


def test_its_submission_scores_as_it_says(evaluation: Evaluation, run: Path, release: Path):
    score = score_submission(run / "submission.csv", release)
    assert (score.top1, score.ranks) == (evaluation.top1, evaluation.ranks)


def test_a_run_made_on_a_gpu_is_evaluated_where_there_is_none(
    evaluation: Evaluation, run: Path, release: Path, tmp_path: Path
):
    there = Path(shutil.copytree(run, tmp_path / "run"))
    told = (there / "recipe.toml").read_text()
    assert 'device = "cpu"' in told
    (there / "recipe.toml").write_text(told.replace('device = "cpu"', 'device = "cuda"'))
    assert evaluate_run(there, release).top1 == evaluation.top1


def test_evaluating_twice_gives_the_same_bytes_elsewhere_too(run: Path, release: Path, tmp_path: Path):
    evaluate_run(run, release, out=tmp_path / "again")
    for name in ("evaluation.json", "submission.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (run / name).read_bytes()


def test_k_beyond_the_classes_is_all_of_them(run: Path, release: Path, tmp_path: Path):
    evaluation = evaluate_run(run, release, out=tmp_path, top_k=50)
    assert (evaluation.top_k, evaluation.top_k_accuracy) == (6, 1.0)


def test_tables_and_figures_lie_beside(evaluation: Evaluation, run: Path):
    assert plot_tables(run) == ["by_train_count.png", "by_family.png", "calibration.png"]
    rows = (run / "by_species.csv").read_text().splitlines()
    assert rows[0] == "class_id,species,genus,family,train_images,test_images,accuracy" and len(rows) == 7
    assert (run / "by_train_count.csv").read_text().splitlines()[1].startswith('"[5, 10)",6,18,')
    assert 0 <= evaluation.calibration_error <= 1 and evaluation.log_loss > 0


@pytest.mark.parametrize("tta", ["five-crop", "rrc:6:top2", "rrc:3"])
def test_many_looks_at_a_sheet_are_one_answer(tta: str, run: Path, release: Path):
    found = predict_run(run, release, tta=tta)
    assert found.class_ids.shape == (18, 6)
    assert np.exp(found.log_odds).sum(1) == pytest.approx(np.ones(18), abs=1e-5)


def test_one_whole_crop_is_no_crop(run: Path, release: Path):
    recipe = read_learn_recipe("tiny", ["data.size_px=48", "data.crop_area=1"])
    part = open_release(release).part("test")
    looks = Looks((STRAIGHT, STRAIGHT), best=1)
    model = Run.open(run).load_model()
    twice, once = (np.concatenate(list(predict_odds(model, part, recipe, which))) for which in (looks, Looks()))
    assert np.allclose(twice, once, atol=1e-5)


def test_an_unknown_way_of_looking_is_told(run: Path, release: Path):
    with pytest.raises(
        Fault, match=r"--tta ten is not known; take none, five-crop, or rrc:N:topK as in rrc:100:top5\."
    ):
        predict_run(run, release, tta="ten")


def test_a_file_of_predictions_is_evaluated_as_its_run(evaluation: Evaluation, run: Path, release: Path):
    found = read_predictions(run / "predictions.parquet")
    assert evaluate_predictions(found, open_release(release), out=None) == evaluation


def test_costs_stand_beside_scores(evaluation: Evaluation, run: Path):
    row = cost_rows([run])[0]
    assert (row["arch"], row["macro_f1"]) == ("test_efficientnet", evaluation.ranks[0].macro_f1)
    assert cost_table([row]).splitlines()[2].count("|") == 9


def test_other_classes_are_refused(run: Path, make_release: Callable[..., Path]):
    before = (run / "evaluation.json").read_bytes()
    other = make_release(classes=5)
    with pytest.raises(Fault) as refusal:
        evaluate_run(run, other)
    assert str(refusal.value) == (
        f"6 classes stand in {run}, {other} has 5; they differ first at class 5: Viola odorata in {run}, nothing in "
        f"{other}. "
        "Evaluate on a release of the classes it was trained on."
    )
    assert (run / "evaluation.json").read_bytes() == before


def test_a_release_without_test_images_is_refused(run: Path, make_release: Callable[..., Path]):
    folder = make_release()
    table = pq.read_table(folder / "manifest.parquet")
    pq.write_table(table.filter(pc.equal(table["part"], "train")), folder / "manifest.parquet")
    with pytest.raises(Fault, match="has no test images, so there is nothing to evaluate on"):
        evaluate_run(run, folder)


def test_a_folder_without_a_run_is_refused(release: Path, tmp_path: Path):
    with pytest.raises(Fault, match=r"holds no run; `naflora train` makes one\.$"):
        evaluate_run(tmp_path, release)


def test_a_run_without_a_checkpoint_is_refused(run: Path, release: Path, tmp_path: Path):
    for name in ("run.json", "recipe.toml", "classes.parquet"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    with pytest.raises(Fault, match=r"has no checkpoint yet \(last\.pt\); go on with `naflora train --resume`\.$"):
        evaluate_run(tmp_path, release)


def test_a_checkpoint_of_another_model_is_refused(run: Path, release: Path, tmp_path: Path):
    for path in run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (run / "recipe.toml").read_text().replace("test_efficientnet", "test_resnet")
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(Fault, match=r"last\.pt is not of the model that recipe\.toml describes\.$"):
        evaluate_run(tmp_path, release)
