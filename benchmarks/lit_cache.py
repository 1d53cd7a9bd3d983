"""How much a locked image tower's kept features save: LiT's step with and without them, in one run, by medians.

    python benchmarks/lit_cache.py --release RELEASE --arch ViT-B-32 --batch 16 --steps 5

Both ways do what a training does: the plain one decodes the sheets and sends them through the locked tower at every
step, the other takes their features from the file. The plain one reads texts by their whole context, as open_clip does;
a third way, features and the whole context, tells how much of the gain is that texts are cut behind the longest. What
making the file costs is told too. On a CPU one thread works and its CPU seconds are told, on a GPU those of the clock.
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from naflora_etl.engine.progress import Progress
from naflora_etl.learning.contrast.features import compute_features
from naflora_etl.learning.contrast.recipe import AdamOptions, TowerOptions, WordOptions
from naflora_etl.learning.contrast.schedule import make_adam
from naflora_etl.learning.contrast.texts import Words, rows_of
from naflora_etl.learning.contrast.towers import Towers, import_open_clip, make_towers
from naflora_etl.learning.data import SheetDataset, training_batches
from naflora_etl.learning.recipe import DataOptions
from naflora_etl.learning.releases import open_release


def step(
    towers: Towers, optimiser: torch.optim.Optimizer, seen: torch.Tensor, texts: list[str], *, whole: bool = False
) -> None:
    read = towers.clip.encode_text(towers.tokenizer(texts).to(seen.device), normalize=True) if whole else None
    loss = import_open_clip().ClipLoss()(seen, towers.read(texts) if read is None else read, towers.logit_scale.exp())
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", type=Path, required=True)
    parser.add_argument("--arch", default="ViT-B-32")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0, help="Threads that decode, of all ways.")
    parser.add_argument("--distinct", action="store_true", help="No two texts of a step are equal.")
    asked = parser.parse_args()
    torch.manual_seed(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    towers = make_towers(TowerOptions(arch=asked.arch, lock_image=True)).to(device).train()
    towers.clip.visual.eval()
    part = open_release(asked.release).part("train")
    words = Words(rows_of(part), WordOptions(kind="sci"))
    optimiser = make_adam(AdamOptions(), towers)
    dataset = SheetDataset(part, DataOptions(size_px=towers.shape, rotation_deg=0, flip=False))
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    torch.set_num_threads(1)
    taken: dict[str, list[float]] = {"plain": [], "whole": [], "kept": []}
    with closing(dataset):
        started = clock()
        features = compute_features(
            towers, dataset, batch=asked.batch, workers=asked.workers, progress=Progress()
        ).to(device)
        making = clock() - started
        towers.train()
        towers.clip.visual.eval()
        batches = training_batches(dataset, batch=asked.batch, seed=1, steps=range(asked.steps), workers=asked.workers)
        with closing(batches):
            for number in range(asked.steps):
                sheets = np.random.default_rng([1, number]).permutation(len(part))[: asked.batch]
                texts = words.of(sheets, seed=1, step=number)
                if asked.distinct:
                    texts = [f"{text} {place}" for place, text in enumerate(texts)]
                # in turn, so that whoever else is on the machine slows all
                for way, times in taken.items():
                    started = clock()
                    if way == "plain":
                        images, _ = next(batches)
                        with torch.no_grad():
                            seen = towers.see(images.to(device))
                    else:
                        seen = features[torch.from_numpy(sheets).to(device)]
                    step(towers, optimiser, seen, texts, whole=way != "kept")
                    if device.type == "cuda":
                        torch.cuda.synchronize()
                    times.append(clock() - started)
    slow, whole, fast = (statistics.median(times) for times in taken.values())
    distinct = asked.batch if asked.distinct else len({some["txt"] for some in words.texts})
    unit = "a second" if device.type == "cuda" else "a CPU second"
    print(  # noqa: T201
        f"{asked.arch} on {device}, batch {asked.batch}, at most {distinct} distinct texts, pairs {unit}: "
        f"{asked.batch / slow:.2f} through the tower; from kept features {asked.batch / whole:.2f} "
        f"({slow / whole:.1f} times), each text once and cut {asked.batch / fast:.2f} ({slow / fast:.1f} times); "
        f"the features of {len(part)} sheets took {making:.1f} s"
    )


if __name__ == "__main__":
    main()
