"""Sheets straight from a release's tars: map-style, by offset; seeded order; batches decoded ahead by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import lru_cache

import numpy as np
import torch

from naflora_etl.learning.decoders import PROCESSES_FROM, Decoders
from naflora_etl.learning.options import DataOptions
from naflora_etl.learning.releases import Integers, Part
from naflora_etl.learning.sheets import Sheets, Wanted
from naflora_etl.learning.warp import STRAIGHT, Pixels, View

BATCHES_AHEAD = 3
MOST_AT_ONCE = 8
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
        self._sheets = Sheets(part.folder, options)

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> tuple[Pixels, int]:
        return self.look(index)

    def look(self, index: int, *, seed: int = 0, epoch: int | None = None, view: View = STRAIGHT) -> tuple[Pixels, int]:
        """Return one sheet as `view` shows it, or at random when an epoch is given; raises Fault for a damaged one."""
        return self._sheets.look(self.wanted(index, seed=seed, epoch=epoch, view=view)), self.class_id(index)

    def wanted(self, index: int, *, seed: int = 0, epoch: int | None = None, view: View = STRAIGHT) -> Wanted:
        """Return where a sheet lies and how it is to be looked at."""
        part = self.part
        offset, length = int(part.offsets[index]), int(part.lengths[index])
        return Wanted(part.image_keys[index], part.shards[index], offset, length, view, seed, epoch)

    def class_id(self, index: int) -> int:
        """Return the class of one sheet."""
        return int(self.part.class_ids[index])

    def read(self, index: int) -> bytes:
        """Return the bytes of one image file as they lie in the tar."""
        return self._sheets.read(self.part.shards[index], int(self.part.offsets[index]), int(self.part.lengths[index]))

    def close(self) -> None:
        """Close the tars."""
        self._sheets.close()

    @contextmanager
    def looking(self, workers: int) -> Iterator[Callable[[Sequence[Wanted]], Pixels]]:
        """Give what so many threads look at sheets by, some at once: from PROCESSES_FROM on, a process for each."""
        if workers < PROCESSES_FROM:
            yield lambda some: np.stack([self._sheets.look(one) for one in some])
            return
        with closing(Decoders(self.part.folder, self.options)) as decoders:
            yield decoders.look


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
        [(dataset.wanted(index, seed=seed, epoch=epoch), dataset.class_id(index)) for index in indices]
        for indices, epoch in _indices(len(dataset), batch, seed, steps, share, parts)
    )
    return _load(dataset, wanted, workers)


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
        [
            (dataset.wanted(index, view=view), dataset.class_id(index))
            for index in sheets[start : start + batch]
            for view in views
        ]
        for start in range(0, len(sheets), batch)
    )
    return _load(dataset, wanted, workers)


def _load(dataset: SheetDataset, wanted: Iterator[list[tuple[Wanted, int]]], workers: int) -> Batches:
    with dataset.looking(workers) as look:
        if not workers:
            for items in wanted:
                yield _batch([look([sheet for sheet, _ in items])], items)
            return
        pool = ThreadPoolExecutor(workers, thread_name_prefix="sheets")
        waiting: deque[tuple[list[Future[Pixels]], list[tuple[Wanted, int]]]] = deque()
        try:
            for items in wanted:
                # some at once, or a process would wait for its next sheet as long as it looks at one
                each = max(1, min(MOST_AT_ONCE, len(items) // workers)) if workers >= PROCESSES_FROM else 1
                sheets = [sheet for sheet, _ in items]
                futures = [pool.submit(look, sheets[start : start + each]) for start in range(0, len(sheets), each)]
                waiting.append((futures, items))
                if len(waiting) > BATCHES_AHEAD:
                    yield _awaited(*waiting.popleft())
            while waiting:
                yield _awaited(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _awaited(futures: list[Future[Pixels]], items: list[tuple[Wanted, int]]) -> Batch:
    return _batch([future.result() for future in futures], items)


def _batch(sheets: list[Pixels], items: list[tuple[Wanted, int]]) -> Batch:
    images = torch.from_numpy(np.concatenate(sheets)).permute(0, 3, 1, 2)
    return images, torch.tensor([class_id for _, class_id in items])
