"""Training: it learns, it resumes to the bit, and it stops with a sentence."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.devices import choose_device
from naflora_etl.learning.evaluate import evaluate_run
from naflora_etl.learning.recipe import LearnRecipe, read_learn_recipe
from naflora_etl.learning.runs import Run
from naflora_etl.learning.train import train

# dropout, batch norms, a warp at random and a changing rate: all that a resume could get wrong
SMALL = ["data.size_px=32", "loop.batch=16", "loop.epochs=2", "loop.log_steps=2", "model.dropout=0.2"]


def small_recipe(*more: str) -> LearnRecipe:
    return read_learn_recipe("tiny", [*SMALL, *more])


@pytest.fixture(scope="module")
def six_steps(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("straight") / "run"
    assert train(release, recipe=small_recipe(), out=out).steps == 6
    return out


def checkpoint(run: Path) -> dict:
    return torch.load(run / "last.pt", weights_only=True)


def logged(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "log.csv").read_text().splitlines()))


def assert_same_bits(one: Path, other: Path) -> None:
    ours, theirs = checkpoint(one), checkpoint(other)
    assert ours["step"] == theirs["step"]
    assert all(torch.equal(tensor, theirs["model"][name]) for name, tensor in ours["model"].items())
    for number, state in ours["optimiser"]["state"].items():
        assert all(torch.equal(torch.as_tensor(v), theirs["optimiser"]["state"][number][k]) for k, v in state.items())


def test_a_run_folder_holds_what_was_asked_and_what_was_reached(release: Path, six_steps: Path):
    assert read_learn_recipe(six_steps / "recipe.toml") == small_recipe()
    assert (six_steps / "classes.parquet").read_bytes() == (release / "classes.parquet").read_bytes()
    metrics = json.loads((six_steps / "metrics.json").read_text())
    assert (metrics["steps"], metrics["total_steps"], metrics["epochs"], metrics["sheets"]) == (6, 6, 2.0, 48)
    assert metrics["images_per_second"] > 0 and metrics["arch"] == "test_efficientnet"
    rows = logged(six_steps)
    assert [row["step"] for row in rows] == ["2", "3", "4", "6"]
    assert rows[0].keys() == {"step", "epoch", "lr", "loss", "images_per_second", "wait_share"}


@pytest.mark.parametrize("optimiser", ["adamw", "sgdw"])
def test_three_steps_and_three_more_are_six(optimiser: str, release: Path, six_steps: Path, tmp_path: Path):
    recipe = small_recipe(f"optimiser.name={optimiser}")
    if optimiser != "adamw":
        six_steps = tmp_path / "straight"
        train(release, recipe=recipe, out=six_steps)
    out = tmp_path / "run"
    first = train(release, recipe=recipe, out=out, stop_after_steps=2)
    assert (first.steps, first.is_finished) == (2, False)
    assert str(first).endswith("at step 2 of 6; go on with --resume.")
    # the rest on two decoding threads: neither they nor the place of the break may show
    again = recipe.model_copy(update={"loop": recipe.loop.model_copy(update={"workers": 2})})
    train(release, recipe=again, out=out, resume=True, stop_after_steps=1)
    assert train(release, recipe=again, out=out, resume=True).is_finished
    assert_same_bits(six_steps, out)


def test_rows_that_a_killed_run_logged_after_its_checkpoint_are_struck_out(release: Path, tmp_path: Path):
    train(release, recipe=small_recipe(), out=tmp_path, stop_after_steps=3)
    with (tmp_path / "log.csv").open("a") as stream:
        stream.write("4,2,0.1,9.9,1,0\n5,2,0.1,9")
    train(release, recipe=small_recipe(), out=tmp_path, resume=True)
    assert [row["step"] for row in logged(tmp_path)] == ["2", "3", "4", "6"]


def test_resuming_a_finished_run_changes_nothing(release: Path, six_steps: Path):
    before = (six_steps / "last.pt").read_bytes(), (six_steps / "metrics.json").read_bytes()
    assert train(release, recipe=small_recipe(), out=six_steps, resume=True).is_finished
    assert before == ((six_steps / "last.pt").read_bytes(), (six_steps / "metrics.json").read_bytes())


def test_a_release_of_other_classes_is_not_resumed_on(make_release: Callable[..., Path], tmp_path: Path):
    """The same manifest, but a species bears another name."""
    folder, out = make_release(train=4, test=1), tmp_path / "run"
    train(folder, recipe=small_recipe(), out=out, stop_after_steps=1)
    table = pq.read_table(folder / "classes.parquet").to_pylist()
    table[0]["taxon_name"] = "Acer nigrum"
    pq.write_table(pa.Table.from_pylist(table), folder / "classes.parquet")
    with pytest.raises(Fault, match=f"differ first at class 0: Acer rubrum in {out}, Acer nigrum in {folder}"):
        train(folder, recipe=small_recipe(), out=out, resume=True)


def test_a_checkpoint_of_a_longer_training_is_refused(release: Path, six_steps: Path, tmp_path: Path):
    train(release, recipe=small_recipe("loop.epochs=1"), out=tmp_path, stop_after_steps=1)
    (tmp_path / "last.pt").write_bytes((six_steps / "last.pt").read_bytes())
    with pytest.raises(Fault, match=r"last\.pt is at step 6 and this recipe's training has 3: it is of another recipe"):
        train(release, recipe=small_recipe("loop.epochs=1"), out=tmp_path, resume=True)


def test_resuming_where_nothing_is_begins(release: Path, tmp_path: Path):
    assert train(release, recipe=small_recipe(), out=tmp_path / "new", resume=True, stop_after_steps=1).steps == 1


def test_progress_tells_steps_and_speed(release: Path, tmp_path: Path):
    told: list[tuple[int, int, str]] = []
    train(release, recipe=small_recipe(), out=tmp_path, progress=lambda *args: told.append(args))
    assert [done for done, _, _ in told] == [1, 2, 3, 4, 5, 6]
    assert "images/s" in told[-1][2] and "waiting for data" in told[-1][2]


def test_the_callers_random_state_and_threads_are_left_alone(release: Path, tmp_path: Path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    train(release, recipe=small_recipe(f"loop.threads={threads + 1}"), out=tmp_path, stop_after_steps=1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_loss_that_is_no_number_stops_and_leaves_the_checkpoint(release: Path, tmp_path: Path):
    wild = small_recipe("optimiser.name=sgdw", "optimiser.lr=1e30", "schedule.name=constant", "loop.checkpoint_steps=1")
    with pytest.raises(Fault) as refusal:
        train(release, recipe=wild, out=tmp_path)
    assert "no finite number any more at step" in str(refusal.value)
    assert "lower optimiser.lr" in str(refusal.value)
    if (tmp_path / "last.pt").exists():
        assert all(tensor.isfinite().all() for tensor in checkpoint(tmp_path)["model"].values())
    assert not (tmp_path / "metrics.json").exists()


class TestRefused:
    def test_a_run_that_is_there_already(self, release: Path, six_steps: Path):
        before = (six_steps / "last.pt").read_bytes()
        with pytest.raises(Fault, match=r"holds a run already; go on with --resume, or give another folder\.$"):
            train(release, recipe=small_recipe(), out=six_steps)
        assert (six_steps / "last.pt").read_bytes() == before

    def test_another_recipe(self, release: Path, six_steps: Path):
        with pytest.raises(Fault, match=r"was begun with optimiser\.lr = 0\.003, and the recipe now says 0\.5; resume"):
            train(release, recipe=small_recipe("optimiser.lr=0.5"), out=six_steps, resume=True)

    def test_a_norm_of_one_value_is_told(self, make_release: Callable[..., Path], tmp_path: Path):
        recipe = small_recipe("loop.batch=1", "model.arch=tf_mobilenetv3_small_minimal_100", "data.size_px=32")
        with pytest.raises(Fault, match=r"1 sheet at a time, shrunk to one point; raise loop\.batch or data\.size_px"):
            train(make_release(train=1), recipe=recipe, out=tmp_path / "run")

    def test_a_batch_that_cannot_be_dealt_evenly(self, make_release: Callable[..., Path], tmp_path: Path):
        with pytest.raises(
            Fault, match=r"A batch of 5 sheets cannot be dealt evenly into 2 parts for 1 processes; change"
        ):
            train(
                make_release(train=1, classes=5),
                recipe=small_recipe("loop.accumulate=2"),
                out=tmp_path / "run",
            )

    def test_another_release(self, six_steps: Path, make_release: Callable[..., Path]):
        with pytest.raises(Fault, match="was begun on another release than"):
            train(make_release(train=9), recipe=small_recipe(), out=six_steps, resume=True)

    def test_a_folder_of_other_things(self, release: Path, tmp_path: Path):
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(Fault, match="is not empty and holds no run"):
            train(release, recipe=small_recipe(), out=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    def test_a_file_as_folder(self, release: Path, tmp_path: Path):
        (tmp_path / "run").write_text("")
        with pytest.raises(Fault, match="is a file; give a folder for the run"):
            train(release, recipe=small_recipe(), out=tmp_path / "run")

    def test_a_class_without_images(self, make_release: Callable[..., Path], tmp_path: Path):
        folder = make_release()
        table = pq.read_table(folder / "manifest.parquet")
        kept = table.filter(pc.not_equal(table["class_id"], 3))
        pq.write_table(kept, folder / "manifest.parquet")
        with pytest.raises(Fault, match=r"1 of 6 classes have no training image, first Carex flava; build the release"):
            train(folder, recipe=small_recipe(), out=tmp_path / "run")
        assert not (tmp_path / "run").exists()

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
    def test_a_device_that_is_not_there(self, release: Path, tmp_path: Path):
        with pytest.raises(Fault, match=r"loop\.device = cuda: torch finds no CUDA device here; take auto or cpu\."):
            train(release, recipe=small_recipe("loop.device=cuda"), out=tmp_path)

    def test_more_processes_than_devices(self, monkeypatch: pytest.MonkeyPatch):
        """The second of two that torchrun started, where there is one CUDA device."""
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        loop = small_recipe("loop.device=cuda").loop
        assert choose_device(loop) == torch.device("cuda", 0)
        monkeypatch.setenv("LOCAL_RANK", "1")
        with pytest.raises(Fault, match=r"for CUDA device 1, and there are 1 here, .* give --nproc_per_node 1, or"):
            choose_device(loop)

    def test_a_damaged_checkpoint(self, release: Path, tmp_path: Path):
        train(release, recipe=small_recipe(), out=tmp_path, stop_after_steps=1)
        (tmp_path / "last.pt").write_bytes((tmp_path / "last.pt").read_bytes()[:1000])
        with pytest.raises(Fault, match=r"last\.pt cannot be read \(.*\); train into a new folder\.$"):
            train(release, recipe=small_recipe(), out=tmp_path, resume=True)


def test_one_image_a_class_still_trains(make_release: Callable[..., Path], tmp_path: Path):
    folder = make_release(train=1, test=1)
    assert train(folder, recipe=small_recipe("loop.batch=64"), out=tmp_path / "run").steps == 2


def test_the_class_balanced_loss_trains(release: Path, tmp_path: Path):
    recipe = small_recipe("loss.name=class_balanced", "loop.precision=bfloat16")
    assert train(release, recipe=recipe, out=tmp_path, stop_after_steps=2).loss is not None


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(["data.mixup=0.2", "data.cutmix=1", "data.erase_share=0.5"], id="mixed and erased"),
        pytest.param(["data.rand_augment=rand-m9-mstd0.5", "loop.workers=2"], id="RandAugment on two threads"),
        pytest.param(["loop.ema_decay=0.9", "loop.accumulate=2"], id="moving mean, in two parts"),
        pytest.param(["loop.precision=float16", "loop.channels_last=true"], id="float16, channels last"),
        pytest.param(["model.rank_heads=true", "loss.genus_weight=0.5", "optimiser.clip_norm=1"], id="rank heads"),
        pytest.param(["loss.name=arcface", "model.head=sub_center", "loss.distance_weight=0.1"], id="arcface"),
        pytest.param(["model.freeze=backbone", "loop.cache_features=true"], id="stored features"),
    ],
)
def test_each_way_of_training_resumes_to_the_bit(more: list[str], release: Path, tmp_path: Path):
    recipe = small_recipe("loop.epochs=1", *more)
    train(release, recipe=recipe, out=tmp_path / "straight")
    train(release, recipe=recipe, out=tmp_path / "broken", stop_after_steps=1)
    assert train(release, recipe=recipe, out=tmp_path / "broken", resume=True).is_finished
    assert_same_bits(tmp_path / "straight", tmp_path / "broken")


def test_parts_of_a_batch_add_up_to_it(release: Path, tmp_path: Path):
    weights = []
    for parts in (1, 2):
        recipe = small_recipe(
            "model.arch=test_vit", "model.dropout=0", f"loop.accumulate={parts}", "optimiser.name=sgdw"
        )
        train(release, recipe=recipe, out=tmp_path / str(parts), stop_after_steps=2)
        weights.append(checkpoint(tmp_path / str(parts))["model"])
    assert all(torch.allclose(tensor, weights[1][name], atol=1e-5) for name, tensor in weights[0].items())


def test_stored_features_teach_the_head_what_sheets_would(release: Path, tmp_path: Path):
    straight = ["data.flip=false", "data.rotation_deg=0", "data.crop_area=1", "model.freeze=backbone"]
    for stored in ("true", "false"):
        recipe = small_recipe(*straight, "model.dropout=0", f"loop.cache_features={stored}")
        train(release, recipe=recipe, out=tmp_path / stored)
    one, other = (checkpoint(tmp_path / stored)["model"] for stored in ("true", "false"))
    assert all(torch.allclose(tensor, other[name], atol=1e-5) for name, tensor in one.items())


def test_the_moving_mean_is_what_is_evaluated(release: Path, tmp_path: Path):
    train(release, recipe=small_recipe("loop.ema_decay=0.5"), out=tmp_path, stop_after_steps=2)
    loaded, state = Run.open(tmp_path).load_model().state_dict(), checkpoint(tmp_path)
    assert all(torch.equal(tensor, state["ema"][name]) for name, tensor in loaded.items())
    assert not torch.equal(loaded["head.1.weight"], state["model"]["head.1.weight"])


def test_a_board_that_is_not_installed_is_told(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(Fault, match=r"^loop\.report_to names wandb, which is not installed: pip install wandb\.$"):
        train(release, recipe=small_recipe("loop.report_to=['wandb']"), out=tmp_path)


def test_tensorboard_shows_what_the_log_holds(release: Path, tmp_path: Path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed here: pip install tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = small_recipe("loop.report_to=['tensorboard']")
    train(release, recipe=recipe, out=tmp_path, stop_after_steps=3)
    train(release, recipe=recipe, out=tmp_path, resume=True)
    shown = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    losses = [(event.step, event.value) for event in shown.Scalars("loss")]
    assert [step for step, _ in losses] == [int(row["step"]) for row in logged(tmp_path)]
    assert [loss for _, loss in losses] == pytest.approx([float(row["loss"]) for row in logged(tmp_path)], rel=1e-4)


@pytest.mark.slow
def test_weights_and_biases_keeps_the_log_offline(release: Path, tmp_path: Path):
    pytest.importorskip("wandb", reason="wandb is not installed here: pip install wandb")
    offline = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "HOME": str(tmp_path)}
    knobs = [word for knob in (*SMALL, "loop.report_to=['wandb']") for word in ("--set", knob)]
    command = [sys.executable, "-m", "naflora_etl", "train", str(release), "--out", str(tmp_path / "run"), *knobs]
    subprocess.run(command, env={**os.environ, **offline}, check=True, stdout=subprocess.DEVNULL, timeout=300)
    kept = list((tmp_path / "run" / "wandb").glob("offline-run-*-run/run-run.wandb"))
    assert len(kept) == 1 and b"wait_share" in kept[0].read_bytes()


def test_a_port_at_which_no_process_is_found_is_refused(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What torchrun --master_port 0 sets; both would wait for half an hour."""
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Fault, match=r"^torchrun was given --master_port 0, .* take --standalone, or a port\.$"):
        train(release, recipe=small_recipe(), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_processes_are_one(release: Path, tmp_path: Path, run_two: Callable[..., None]):
    more = ["model.arch=test_vit", "model.dropout=0", "optimiser.name=sgdw", "loop.epochs=1"]
    train(release, recipe=small_recipe(*more), out=tmp_path / "one")
    knobs = [word for knob in (*SMALL, *more) for word in ("--set", knob)]
    run_two("train", release, "--out", tmp_path / "two", *knobs)
    one, two = checkpoint(tmp_path / "one")["model"], checkpoint(tmp_path / "two")["model"]
    assert max((tensor - two[name]).abs().max().item() for name, tensor in one.items()) < 1e-6
    assert [row["step"] for row in logged(tmp_path / "two")] == [row["step"] for row in logged(tmp_path / "one")]
    assert json.loads((tmp_path / "two" / "metrics.json").read_text())["processes"] == 2


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(release: Path, tmp_path: Path, kill_training: Callable[..., None]):
    more = ["loop.epochs=12", "loop.checkpoint_steps=2"]
    train(release, recipe=small_recipe(*more), out=tmp_path / "straight")
    kill_training(release, tmp_path / "run", *SMALL, *more)
    train(release, recipe=small_recipe(*more), out=tmp_path / "run", resume=True)
    assert_same_bits(tmp_path / "straight", tmp_path / "run")


@pytest.mark.slow
def test_the_tiny_recipe_learns_the_leaves(make_release: Callable[..., Path], tmp_path: Path):
    folder = make_release(train=24, test=8)
    train(folder, recipe=read_learn_recipe("tiny", ["data.size_px=64"]), out=tmp_path / "run")
    evaluation = evaluate_run(tmp_path / "run", folder)
    assert evaluation.chance == pytest.approx(1 / 6)
    assert evaluation.top1 > 0.8 and evaluation.ranks[0].macro_f1 > 0.8


def test_labels_are_those_of_the_table_not_of_its_rows(make_release: Callable[..., Path], tmp_path: Path):
    folder = make_release(train=2, test=1)
    table = pq.read_table(folder / "classes.parquet")
    pq.write_table(table.take(pa.array([5, 3, 1, 0, 2, 4])), folder / "classes.parquet")
    train(folder, recipe=small_recipe("loop.batch=4"), out=tmp_path / "run", stop_after_steps=1)
    assert evaluate_run(tmp_path / "run", folder).images == 6
