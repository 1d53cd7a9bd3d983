"""One training by several processes, as torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import distributed

from naflora_etl.engine.faults import Fault


@dataclass(frozen=True)
class World:
    """Which of how many processes this is."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.size > 1:
            distributed.barrier()

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Return the mean over all processes."""
        if self.size > 1:
            distributed.all_reduce(value)
            value = value / self.size
        return value

    def gathered(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the rows of all processes, one's after the other's; gradients of all go back to where a row is from.

        Each process has as many.
        """
        return rows if self.size == 1 else cast(torch.Tensor, _Gathered.apply(rows, self.rank, self.size))

    def together(self, rows: torch.Tensor, count: int) -> torch.Tensor:
        """Return the rows of all processes as one tensor of `count`, which were dealt out in turn."""
        if self.size == 1:
            return rows
        most = -(-count // self.size)
        padded = torch.cat([rows, rows.new_zeros(most - len(rows), *rows.shape[1:])])
        found = [torch.empty_like(padded) for _ in range(self.size)]
        distributed.all_gather(found, padded)
        return torch.stack(found, dim=1).flatten(0, 1)[:count]


class _Gathered(torch.autograd.Function):
    """All rows forth; back the sum of what every process asks of a row."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, rank: int, size: int) -> torch.Tensor:
        ctx.mine = slice(rank * len(rows), (rank + 1) * len(rows))
        found = [torch.empty_like(rows) for _ in range(size)]
        distributed.all_gather(found, rows.contiguous())
        return torch.cat(found)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        whole = gradients[0].contiguous()
        distributed.all_reduce(whole)
        return whole[ctx.mine], None, None


def whole_batch(batch: int, sheets: int, world: World, *, parts: int = 1) -> int:
    """Return the sheets of a step, of all processes and parts together; raises Fault where they come out uneven."""
    batch = min(batch, sheets)
    if batch % (parts * world.size):
        raise Fault(
            f"A batch of {batch} sheets cannot be dealt evenly into {parts} parts for {world.size} "
            f"processes; change loop.batch{' or loop.accumulate' if parts > 1 else ''}."
        )
    return batch


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """Give the world that torchrun's environment describes; alone without one. gloo on CPUs, nccl on GPUs.

    Raises Fault where the processes could not find each other.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    if os.environ.get("MASTER_PORT") == "0":  # they would look for each other there for half an hour
        raise Fault("torchrun was given --master_port 0, where no process finds another; take --standalone, or a port.")
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
