"""Sheets straight from a release's tars: map-style, by offset; seeded order; batches decoded ahead by threads."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.augment import RandAugment
from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.releases import MEND, Integers, Part
from naflora_etl.learning.warp import STRAIGHT, Pixels, View, draw_view, warp_sheet

T = TypeVar("T")
BATCHES_AHEAD = 3
Batch = tuple[torch.Tensor, torch.Tensor]
"""Images as B x 3 x H x W uint8, class_ids as B int64."""
Batches = Generator[Batch, None, None]


class SheetDataset:
    """The sheets of one part; `dataset[i]` is (height x width x 3 uint8, class_id), as any torch loader wants it.

    Random reads by offset rather than a stream through the tars: an order is exact, shuffles the whole part, and
    starts anywhere, so that a run can resume in the middle of an epoch.
    """

    def __init__(self, part: Part, options: DataOptions) -> None:
        self.part = part
        self.options = options
        self._files: dict[str, int] = {}
        self._lock = threading.Lock()
        self._augment = RandAugment(options.rand_augment) if options.rand_augment else None

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> tuple[Pixels, int]:
        return self.look(index)

    def look(self, index: int, *, seed: int = 0, epoch: int | None = None, view: View = STRAIGHT) -> tuple[Pixels, int]:
        """Return one sheet as `view` shows it, or at random when an epoch is given; raises Fault for a damaged one."""
        key, shard = self.part.image_keys[index], self.part.shards[index]
        if epoch is not None:
            view = draw_view(self.options, seed=seed, epoch=epoch, image_key=key)
        try:
            pixels = warp_sheet(self.read(index), self.options, view)
        except (OSError, ValueError, SyntaxError) as error:  # Pillow tells damage in all three
            raise Fault(f"{self.part.folder / shard}: image {key} cannot be read ({error}); {MEND}.") from None
        if self._augment is not None and epoch is not None:
            pixels = self._augment(pixels, [seed, epoch, int(key, 16)])
        return pixels, int(self.part.class_ids[index])

    def read(self, index: int) -> bytes:
        """Return the bytes of one image file as they lie in the tar."""
        length = int(self.part.lengths[index])
        data = os.pread(self._file(self.part.shards[index]), length, int(self.part.offsets[index]))
        if len(data) != length:
            raise OSError(f"{len(data)} of {length} bytes")
        return data

    def close(self) -> None:
        """Close the tars."""
        while self._files:
            os.close(self._files.popitem()[1])

    def _file(self, shard: str) -> int:
        with self._lock:
            if shard not in self._files:
                self._files[shard] = os.open(self.part.folder / shard, os.O_RDONLY)
            return self._files[shard]


def steps_per_epoch(sheets: int, batch: int) -> int:
    """Return the steps of an epoch; what does not fill a batch waits for the next epoch, in another order."""
    return max(1, sheets // batch)


@lru_cache(maxsize=2)
def order_of_epoch(sheets: int, *, seed: int, epoch: int) -> Integers:
    """Return the order in which an epoch sees the sheets."""
    return np.random.default_rng([seed, epoch]).permutation(sheets)


def training_batches(
    dataset: SheetDataset,
    *,
    batch: int,
    seed: int,
    steps: range,
    workers: int,
    share: tuple[int, int] = (0, 1),
    parts: int = 1,
) -> Batches:
    """Yield the batches of `steps`, counted over the whole training; each depends on (seed, step) alone.

    A step's sheets come in `parts` batches, and of each this process (number, of so many) gets its share: the same
    sheets make a step however many processes there are, so a run may go on with another number of them.
    """
    wanted = (
        [(index, epoch) for index in indices]
        for indices, epoch in _indices(len(dataset), batch, seed, steps, share, parts)
    )
    return _load(lambda item: dataset.look(item[0], seed=seed, epoch=item[1]), wanted, workers)


def stored_batches(
    features: torch.Tensor,
    labels: torch.Tensor,
    *,
    batch: int,
    seed: int,
    steps: range,
    share: tuple[int, int],
    parts: int,
) -> Batches:
    """Yield the same batches of features that were computed before, sheets x features."""
    for indices, _ in _indices(len(features), batch, seed, steps, share, parts):
        chosen = torch.tensor(indices)
        yield features[chosen], labels[chosen]


def _indices(
    sheets: int, batch: int, seed: int, steps: range, share: tuple[int, int], parts: int
) -> Iterator[tuple[list[int], int]]:
    an_epoch, number = steps_per_epoch(sheets, batch), batch // parts // share[1]
    for step in steps:
        epoch, position = divmod(step, an_epoch)
        order = order_of_epoch(sheets, seed=seed, epoch=epoch)
        for part in range(parts):
            begin = position * batch + (part * share[1] + share[0]) * number
            yield order[begin : begin + number].tolist(), epoch


def plain_batches(
    dataset: SheetDataset,
    *,
    batch: int,
    workers: int,
    views: Sequence[View] = (STRAIGHT,),
    share: tuple[int, int] = (0, 1),
) -> Batches:
    """Yield all sheets once, in the order of the part; of each as many images as there are views, one by one.

    `share` (number, of so many) takes every so-manieth of them.
    """
    sheets = range(share[0], len(dataset), share[1])
    wanted = (
        [(index, view) for index in sheets[start : start + batch] for view in views]
        for start in range(0, len(sheets), batch)
    )
    return _load(lambda item: dataset.look(item[0], view=item[1]), wanted, workers)


def _load(look: Callable[[T], tuple[Pixels, int]], wanted: Iterator[list[T]], workers: int) -> Batches:
    if not workers:
        for items in wanted:
            yield _stack([look(item) for item in items])
        return
    # threads, not processes: Pillow decodes and warps outside the interpreter's lock, and nothing needs pickling
    pool = ThreadPoolExecutor(workers, thread_name_prefix="sheets")
    waiting: deque[list[Future[tuple[Pixels, int]]]] = deque()
    try:
        for items in wanted:
            waiting.append([pool.submit(look, item) for item in items])
            if len(waiting) > BATCHES_AHEAD:
                yield _stack([future.result() for future in waiting.popleft()])
        while waiting:
            yield _stack([future.result() for future in waiting.popleft()])
    finally:
        pool.shutdown(cancel_futures=True)


def _stack(samples: list[tuple[Pixels, int]]) -> Batch:
    images = torch.from_numpy(np.stack([pixels for pixels, _ in samples])).permute(0, 3, 1, 2)
    return images, torch.tensor([class_id for _, class_id in samples])
