"""What a training tells while it runs: loss, speed, and how long it waited for data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")


class Watch:
    """Loss, speed and waiting since they were last read."""

    def __init__(self, batch: int, mean: Callable[[torch.Tensor], torch.Tensor] = lambda loss: loss) -> None:
        self.batch = batch
        self.mean = mean
        """Over the processes of a training."""
        self.note = ""
        self.start()

    def start(self) -> None:
        """Begin to count now: what went before is not told."""
        self.losses: list[torch.Tensor] = []
        self.waited, self.began = 0.0, time.perf_counter()

    def timed(self, batches: Iterator[T]) -> Iterator[T]:
        """Yield the batches, and count the time of each as waiting for data."""
        while True:
            with self.waiting():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block as waiting for data."""
        began = time.perf_counter()
        yield
        self.waited += time.perf_counter() - began

    def add(self, loss: torch.Tensor) -> None:
        """Take the loss of a step, as it lies on the device."""
        self.losses.append(loss.detach())

    def read(self) -> dict[str, float]:
        """Return the mean loss, images_per_second, wait_share and seconds, and start anew."""
        loss = self.mean(torch.stack(self.losses).mean()).item()  # here, and only here, the CPU waits for the GPU
        seconds = time.perf_counter() - self.began
        speed, wait_share = len(self.losses) * self.batch / seconds, self.waited / seconds
        self.note = f"loss {loss:.3f}, {speed:.0f} images/s, {wait_share:.0%} waiting for data"
        self.start()
        return {"loss": loss, "images_per_second": speed, "wait_share": wait_share, "seconds": seconds}
