"""On a CUDA device: what the CPU's tests promise to the bit holds there within rounding. `pytest -m gpu` runs these.

Their tolerances were set before one was at hand, and held.
"""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import distributed

from naflora_etl.cli import main
from naflora_etl.engine.faults import Fault
from naflora_etl.learning.contrast.recipe import read_contrast_recipe
from naflora_etl.learning.contrast.tune import tune
from naflora_etl.learning.devices import choose_device
from naflora_etl.learning.distributed import World, _Gathered
from naflora_etl.learning.learner import Learner
from naflora_etl.learning.losses import Problem, make_loss
from naflora_etl.learning.models import make_model
from naflora_etl.learning.predict import predict_run
from naflora_etl.learning.recipe import LearnRecipe, read_learn_recipe
from naflora_etl.learning.train import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here"),
]
# no dropout, whose draws differ between devices
SMALL = ["data.size_px=32", "loop.batch=16", "loop.epochs=2", "loop.log_steps=1", "loop.device=cuda"]


def small_recipe(*more: str) -> LearnRecipe:
    return read_learn_recipe("tiny", [*SMALL, *more])


def losses(run: Path) -> list[float]:
    return [float(row["loss"]) for row in csv.DictReader((run / "log.csv").read_text().splitlines())]


@pytest.fixture(autouse=True)
def whole_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolve in float32 where float32 is asked for, and not in TensorFloat-32 of ten bits."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize(
    ("more", "within"),
    [
        pytest.param([], 1e-3, id="float32"),
        pytest.param(["loop.channels_last=true"], 1e-3, id="channels last"),
        pytest.param(["loop.precision=bfloat16", "loop.channels_last=true"], 0.05, id="bfloat16"),
        pytest.param(["loop.precision=float16", "loop.channels_last=true"], 0.02, id="float16, losses scaled"),
        # torch's compiler warns of torch itself
        pytest.param(["loop.compile=true"], 1e-3, id="compiled", marks=pytest.mark.filterwarnings("ignore")),
        pytest.param(["data.mixup=0.2", "data.cutmix=1"], 1e-3, id="mixed"),
        pytest.param(["data.erase_share=0.5"], 0.2, id="erased, by noise of the device's own"),
        pytest.param(["loss.name=seesaw"], 1e-3, id="Seesaw"),
        pytest.param(["loss.name=class_balanced"], 1e-3, id="class-balanced"),
        pytest.param(["model.head=sub_center", "loss.name=arcface"], 1e-3, id="ArcFace"),
        pytest.param(["model.rank_heads=true", "loss.genus_weight=0.5", "loss.family_weight=0.5"], 1e-3, id="ranks"),
        pytest.param(["loss.genus_weight=0.5", "loss.distance_weight=1"], 1e-3, id="sums over a genus, distances"),
        pytest.param(["loop.accumulate=2", "loop.ema_decay=0.9", "optimiser.clip_norm=1"], 1e-3, id="in two parts"),
        pytest.param(["model.freeze=backbone", "loop.cache_features=true"], 1e-3, id="on stored features"),
    ],
)
def test_each_way_of_training_begins_with_the_loss_of_the_cpu(
    more: list[str], within: float, release: Path, tmp_path: Path
):
    """The first step's, of the same weights and sheets; what follows drifts apart by rounding, and stays a number."""
    result = train(release, recipe=small_recipe(*more), out=tmp_path / "gpu")
    assert result.device == torch.cuda.get_device_name() and result.is_finished
    train(release, recipe=small_recipe(*more, "loop.device=cpu", "loop.compile=false"), out=tmp_path / "cpu",
          stop_after_steps=1)  # fmt: skip
    assert losses(tmp_path / "gpu")[0] == pytest.approx(losses(tmp_path / "cpu")[0], rel=within)


def test_a_killed_run_goes_on_where_it_was(release: Path, tmp_path: Path, kill_training: Callable[..., None]):
    more = ["loop.epochs=12", "loop.checkpoint_steps=2", "loop.precision=float16"]
    train(release, recipe=small_recipe(*more), out=tmp_path / "straight")
    kill_training(release, tmp_path / "run", *SMALL, *more)
    train(release, recipe=small_recipe(*more), out=tmp_path / "run", resume=True)
    straight, killed = losses(tmp_path / "straight"), losses(tmp_path / "run")
    assert len(killed) == len(straight) == 36
    assert np.mean(killed[-6:]) == pytest.approx(np.mean(straight[-6:]), rel=0.1)


def test_the_devices_predict_alike(release: Path, tmp_path: Path):
    train(release, recipe=small_recipe("loop.epochs=10"), out=tmp_path / "gpu")
    there = Path(shutil.copytree(tmp_path / "gpu", tmp_path / "cpu"))
    told = (there / "recipe.toml").read_text()
    (there / "recipe.toml").write_text(told.replace('device = "cuda"', 'device = "cpu"'))
    gpu, cpu = (predict_run(run, release) for run in (tmp_path / "gpu", there))
    assert np.array_equal(gpu.class_ids[:, 0], cpu.class_ids[:, 0])
    np.testing.assert_allclose(gpu.log_odds[:, 0], cpu.log_odds[:, 0], rtol=1e-3, atol=1e-4)


def test_torchrun_gives_each_process_its_device(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    knobs = [word for knob in SMALL for word in ("--set", knob)]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "1", "-m",
               "naflora_etl", "train", str(release), "--out", str(tmp_path / "run"), *knobs]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["device"] == torch.cuda.get_device_name()
    monkeypatch.setenv("LOCAL_RANK", str(torch.cuda.device_count()))
    with pytest.raises(Fault, match=r"torchrun started a process for CUDA device"):
        choose_device(small_recipe().loop)


@pytest.fixture
def nccl(tmp_path: Path) -> Iterator[None]:
    """One process that talks to itself."""
    distributed.init_process_group(
        "nccl", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1, device_id=torch.device("cuda", 0)
    )
    yield
    distributed.destroy_process_group()


def test_nccl_carries_rows_and_gradients(nccl: None):
    device = torch.device("cuda", 0)
    rows = torch.arange(6.0, device=device).view(3, 2).requires_grad_()
    found = _Gathered.apply(rows, 0, 1)
    (found * found).sum().backward()
    assert torch.equal(found, rows) and rows.grad is not None and torch.equal(rows.grad, 2 * rows)

    recipe = small_recipe("loop.accumulate=2", "model.arch=test_vit")
    model = make_model(recipe.model, 6, shape=(32, 32)).to(device)
    before = [weight.detach().clone() for weight in model.parameters()]
    learner = Learner(
        recipe, model, make_loss(recipe.loss, Problem(np.ones(6, int)), device), batch=16, world=World(0, 2)
    )
    parts = [(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), torch.arange(4)) for _ in range(2)]
    assert learner.step(iter(parts), 0, 0.01).isfinite()
    assert any(not torch.equal(weight, old) for weight, old in zip(model.parameters(), before, strict=True))
    learner.world.wait()


@pytest.mark.parametrize("lock", ["true", "false"])
@pytest.mark.parametrize(("precision", "within"), [("float32", 1e-3), ("bfloat16", 0.05)])
def test_towers_are_tuned_and_asked(lock: str, precision: str, within: float, release: Path, tmp_path: Path):
    """CLIP, and LiT on kept features: the first loss is the CPU's, and zeroshot tells what the run did."""
    knobs = ["loop.batch=12", "loop.epochs=2", "loop.log_steps=1", f"tower.lock_image={lock}",
             "tower.image_weights=random", f"loop.precision={precision}"]  # fmt: skip
    told = tune(release, recipe=read_contrast_recipe("clip-tiny", [*knobs, "loop.device=cuda"]), out=tmp_path / "gpu")
    tune(release, recipe=read_contrast_recipe("clip-tiny", knobs), out=tmp_path / "cpu", stop_after_steps=1)
    assert losses(tmp_path / "gpu")[0] == pytest.approx(losses(tmp_path / "cpu")[0], rel=within)
    called = CliRunner().invoke(main, ["zeroshot", str(tmp_path / "gpu"), str(release), "--json"])
    assert json.loads(called.stdout)["top1"] == told.top1
