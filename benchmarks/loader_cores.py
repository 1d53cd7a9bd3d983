"""Images a second of our loader by the number of its workers: as threads, as processes, and torch's DataLoader.

    python benchmarks/loader_cores.py RELEASE [--workers 4 16] [--size 224] [--batch 256] [--steps 12]

Seconds of the clock, so on a quiet machine. A few batches go first, in which processes begin. The DataLoader reads the
same dataset, each sheet by the same steps (seen straight, as is ours then), and stacks them in its own processes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import torch

from naflora_etl.learning import data
from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.releases import open_release

FIRST = 6
"""Batches before the clock runs: more than wait ahead."""


def speed(batches: Iterable[data.Batch], batch: int) -> float:
    """Return images a second of all but the first batches."""
    began, number = 0.0, 0
    for number, _ in enumerate(batches, start=1):
        if number == FIRST:
            began = time.perf_counter()
    return (number - FIRST) * batch / (time.perf_counter() - began)


def torchs(dataset: data.SheetDataset, batch: int, workers: int, steps: int) -> float:
    """Return images a second of torch's DataLoader."""
    order = data.order_of_epoch(len(dataset), seed=1, epoch=0).tolist() * (steps * batch // len(dataset) + 1)
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=batch, sampler=order[: steps * batch], num_workers=workers,
        multiprocessing_context="fork" if workers else None,
    )  # fmt: skip
    return speed(loader, batch)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("release", type=Path)
    options.add_argument("--workers", type=int, nargs="+", default=[4, 16])
    options.add_argument("--size", type=int, default=224)
    options.add_argument("--batch", type=int, default=256)
    options.add_argument("--steps", type=int, default=12)
    given = options.parse_args()
    part = open_release(given.release).part("train")
    straight = DataOptions(size_px=given.size, flip=False, rotation_deg=0)
    for workers in given.workers:
        for way in ("threads", "processes", "DataLoader"):
            with closing(data.SheetDataset(part, straight)) as dataset:
                if way == "DataLoader":
                    found = torchs(dataset, given.batch, workers, FIRST + given.steps)
                else:
                    data.PROCESSES_FROM = 1 if way == "processes" else 10**9
                    found = speed(
                        data.training_batches(
                            dataset, batch=given.batch, seed=1, steps=range(FIRST + given.steps), workers=workers
                        ),
                        given.batch,
                    )
            row = {"workers": workers, "way": way, "images_per_second": round(found)}
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
