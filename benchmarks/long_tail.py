"""Losses on a long tail: sandbox sheets of 48 species, 3 to 40 to train on; macro-F1 with intervals over seeds.

    python benchmarks/long_tail.py --work /tmp/long-tail --seeds 5 [--epochs 15]

Every seed draws its own sheets' order and weights; the sheets and their test part are the same. Between losses the
seeds are paired. Writes results.csv and prints the table of docs/learning.md.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import t as student
from small_release import Sheet, pack_release

from naflora_etl.learning.metrics import score_predictions
from naflora_etl.learning.predict import predict_run
from naflora_etl.learning.recipe import LearnRecipe, read_learn_recipe
from naflora_etl.learning.releases import open_release
from naflora_etl.learning.train import train
from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.sheet import draw_sheet, encode_jpeg
from naflora_etl.sandbox.world import build_world

SPECIES, LEAST, MOST, TESTED, LONG_PX = 48, 3, 40, 8, 128
LOSSES = {
    "cross entropy": [],
    "class-balanced, beta .99": ["loss.name=class_balanced", "loss.beta=0.99"],
    "Seesaw": ["loss.name=seesaw"],
}
KNOBS = ["data.size_px=[48, 36]", "data.fit=squash", "loop.batch=32", "optimiser.lr=0.004", "loop.log_steps=1000"]


def draw_release(folder: Path) -> Path:
    """Draw the sheets, long-tailed in training and even in the test."""
    if (folder / "classes.parquet").exists():
        return folder
    world = build_world(SandboxOptions(seed=3, species=SPECIES, specimens_per_species=170))
    order = np.random.default_rng(3).permutation(SPECIES)
    counts = np.geomspace(MOST, LEAST, SPECIES).round().astype(int)[np.argsort(order)]

    def sheets():
        for plant, count in zip(world.flora.species, counts, strict=True):
            name, genus = plant.accepted, world.flora.genera[plant.genus]
            pressed = [specimen for specimen in world.specimens(plant.index) if not specimen.observation]
            assert len(pressed) >= count + TESTED, (plant.index, len(pressed))
            for place, specimen in enumerate(pressed[: count + TESTED]):
                jpeg = encode_jpeg(draw_sheet(world, specimen, long_px=LONG_PX).pixels)
                part = "train" if place < count else "test"
                yield Sheet(name.canonical, name.canonical.split()[0], genus.name.family, part, jpeg)

    return pack_release(folder, sheets())


def measure(release: Path, recipe: LearnRecipe, out: Path) -> dict[str, float]:
    """Train, and return macro-F1 at three ranks and that of the species with fewer than 8 sheets."""
    began = time.process_time()
    train(release, recipe=recipe, out=out, resume=True)
    opened = open_release(release)
    part = opened.part("test")
    ranked = predict_run(out, release, kept=1).class_ids[:, 0]
    score = score_predictions(part.class_ids, ranked, opened.classes)
    counts = np.bincount(opened.part("train").class_ids)
    rare = np.flatnonzero(counts < 8)
    f1 = [2 * ((ranked == c) & (part.class_ids == c)).sum() / ((ranked == c).sum() + (part.class_ids == c).sum())
          for c in rare]  # fmt: skip
    return {**{row.rank: row.macro_f1 for row in score.ranks}, "rare species": float(np.mean(f1)),
            "CPU s": time.process_time() - began}  # fmt: skip


def say(line: object) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def interval(values: np.ndarray) -> str:
    """Return mean and 95 % interval by Student's t."""
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.3f} ± {half:.3f}" if values.min() < 0 else f"{values.mean():.3f} ± {half:.3f}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--epochs", type=int, default=15)
    given = options.parse_args()
    release = draw_release(given.work / "release")
    results: dict[str, list[dict[str, float]]] = {name: [] for name in LOSSES}
    rows = []
    for seed in range(1, given.seeds + 1):
        for name, knobs in LOSSES.items():
            own = [f"loop.seed={seed}", f"loop.epochs={given.epochs}"]
            recipe = read_learn_recipe("tiny", [*KNOBS, *own, *knobs])
            out = given.work / f"{name.split(',')[0].replace(' ', '-')}-{seed}"
            measured = measure(release, recipe, out)
            results[name].append(measured)
            rows.append({"loss": name, "seed": seed, **measured})
            say({key: round(value, 3) if isinstance(value, float) else value for key, value in rows[-1].items()})
    with (given.work / "results.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    for column in ("species", "rare species", "genus", "family", "CPU s"):
        base = np.array([row[column] for row in results["cross entropy"]])
        for name, measured in results.items():
            values = np.array([row[column] for row in measured])
            gain = "" if name == "cross entropy" else f"; against cross entropy, paired: {interval(values - base)}"
            say(f"{column:13} {name:26} {interval(values)}{gain}")


if __name__ == "__main__":
    main()
