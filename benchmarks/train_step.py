"""Our training step against timm's own, the same model, size, batch and precision, on the same device.

    python benchmarks/train_step.py --arch resnet50 --size 224 --batch 256 --precision bfloat16     (a GPU)
    python benchmarks/train_step.py --arch test_resnet --size 32 --batch 8 --precision float32 --steps 4
    python benchmarks/train_step.py --all [--release RELEASE]           (a GPU: each network in each way)

Both have their images on the device; theirs are normalised floats and ours bytes, as each library keeps them. Blocks of
steps take turns; medians of blocks, and their ratio. Goal on a GPU: at least 0.97. With --release also end to end from
its tars, with so many --workers, after a first block in which kernels are chosen: goal 0.95 of the resident step.
Weights are random: they cost what others do.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from statistics import median

import torch

from naflora_etl.learning.devices import choose_device
from naflora_etl.learning.distributed import World
from naflora_etl.learning.learner import Learner
from naflora_etl.learning.losses import Problem, make_loss
from naflora_etl.learning.models import make_model
from naflora_etl.learning.recipe import LearnRecipe, read_learn_recipe
from naflora_etl.learning.train import train
from naflora_etl.learning.zoo import import_timm

BLOCKS = 5
NETWORKS = {  # of the recipes: height and width, sheets a step
    "resnet50": (224, 256),
    "tf_efficientnetv2_s": (256, 128),
    "vit_base_patch16_224": (224, 128),
    "convnext_base": (224, 128),
}
WAYS: dict[str, list[str]] = {
    "float32": ["--precision=float32", "--layout=contiguous"],
    "bfloat16": ["--precision=bfloat16", "--layout=contiguous"],
    "bfloat16, channels_last": ["--precision=bfloat16"],
    "bfloat16, channels_last, compile": ["--precision=bfloat16", "--compile"],
}


def ours(recipe: LearnRecipe, classes: int, size: int, device: torch.device) -> Callable[[int], None]:
    """Return what takes so many of our steps."""
    import numpy as np

    model = make_model(recipe.model, classes, shape=(size, size)).to(device)
    criterion = make_loss(recipe.loss, Problem(np.ones(classes, int)), device)
    learner = Learner(recipe, model, criterion, batch=recipe.loop.batch, world=World())
    images = torch.randint(0, 256, (recipe.loop.batch, 3, size, size), dtype=torch.uint8, device=device)
    labels = torch.randint(0, classes, (recipe.loop.batch,), device=device)
    batches = repeat((images, labels))

    def run(steps: int) -> None:
        for step in range(steps):
            learner.step(batches, step, 0.01)

    return run


def timms(recipe: LearnRecipe, classes: int, size: int, device: torch.device) -> Callable[[int], None]:
    """Return what takes so many steps as timm's benchmark.py --bench train does: forward, backward, SGD."""
    model = import_timm().create_model(recipe.model.arch, num_classes=classes).to(device).train()
    if recipe.loop.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if recipe.loop.compile:
        model = torch.compile(model)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    images = torch.randn(recipe.loop.batch, 3, size, size, device=device)
    if recipe.loop.channels_last:
        images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(0, classes, (recipe.loop.batch,), device=device)
    half = torch.float16 if recipe.loop.precision == "float16" else torch.bfloat16
    scaler = torch.amp.GradScaler(device.type, enabled=half == torch.float16)

    def run(steps: int) -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            with torch.autocast(device.type, half, enabled=recipe.loop.precision != "float32"):
                outputs = model(images)
            loss = torch.nn.functional.cross_entropy(outputs.float(), labels, label_smoothing=0.1)
            scaler.scale(loss).backward()
            scaler.step(optimiser)
            scaler.update()

    return run


def speed(run: Callable[[int], None], steps: int, batch: int, device: torch.device) -> float:
    """Return images a second over one block."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    run(steps)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return steps * batch / (time.perf_counter() - began)


def from_tars(release: Path, recipe: LearnRecipe, steps: int) -> tuple[float, float]:
    """Return images a second of a training from tars, and the share of it spent waiting for them, without warm-up."""
    loop = recipe.loop.model_copy(update={"epochs": 1_000, "log_steps": steps})
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        train(release, recipe=recipe.model_copy(update={"loop": loop}), out=out, stop_after_steps=2 * steps)
        *_, last = csv.DictReader((out / "log.csv").read_text().splitlines())
    return float(last["images_per_second"]), float(last["wait_share"])


def every_network(more: list[str]) -> None:
    """Measure each network in each way, each in a process of its own; a line of figures each, or what went wrong."""
    for arch, (size, batch) in NETWORKS.items():
        for way, knobs in WAYS.items():
            asked = [f"--arch={arch}", f"--size={size}", f"--batch={batch}", *knobs, *more]
            done = subprocess.run([sys.executable, __file__, *asked], capture_output=True, text=True)
            told = done.stdout if done.returncode == 0 else json.dumps({"arch": arch, "failed": done.stderr[-300:]})
            sys.stdout.write(f"{way}: {told.strip()}\n")
            sys.stdout.flush()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--arch", default="resnet50")
    options.add_argument("--size", type=int, default=224)
    options.add_argument("--batch", type=int, default=256)
    options.add_argument("--classes", type=int, default=15_501)
    options.add_argument("--precision", default="bfloat16")
    options.add_argument("--steps", type=int, default=30)
    options.add_argument("--layout", choices=["channels_last", "contiguous"], default="channels_last")
    options.add_argument("--compile", action="store_true")
    options.add_argument("--all", action="store_true", help="Each network of the recipes in each way.")
    options.add_argument("--release", type=Path)
    options.add_argument("--workers", type=int, default=16)
    given = options.parse_args()
    if given.all:
        every_network([word for word in sys.argv[1:] if word != "--all"])
        return
    knobs = [
        *(f"model.arch={given.arch}", f"data.size_px={given.size}", f"loop.batch={given.batch}", "loop.device=auto"),
        *(f"loop.precision={given.precision}", f"loop.compile={str(given.compile).lower()}"),
        f"loop.channels_last={str(given.layout == 'channels_last').lower()}",
        *("optimiser.name=sgdw", "loss.smoothing=0.1"),
        *(f"loop.workers={given.workers}", "loop.log_steps=1000000"),
    ]
    recipe = read_learn_recipe("tiny", knobs)
    device = choose_device(recipe.loop)
    sides = {"ours": ours(recipe, given.classes, given.size, device),
             "timm": timms(recipe, given.classes, given.size, device)}  # fmt: skip
    for run in sides.values():
        run(3)  # kernels are chosen, and compiled
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(BLOCKS):
        for name, run in sides.items():
            found[name].append(speed(run, given.steps, given.batch, device))
    told = {name: round(median(blocks), 1) for name, blocks in found.items()}
    told |= {"ratio": round(median(found["ours"]) / median(found["timm"]), 3), "arch": given.arch}
    told["device"] = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    if device.type == "cuda":
        told["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    if given.release:
        told["from_tars"], told["waiting"] = from_tars(given.release, recipe, given.steps)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
