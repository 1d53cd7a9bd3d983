"""How many images are in hand at once: as many as keep the hands busy, no more than fit in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

FIRST = 16
MEAN_BYTES = 2_500_000.0
"""A sheet's usual size, until the first have come."""


class Window:
    """An image is in hand from before it is asked for until it is finished.

    The window opens by one whenever hands wait for work, and closes by one when bodies pile up before them: many are
    asked for at once where servers are slow, few where they are quick, and bodies never fill the memory.
    """

    def __init__(self, hands: int, budget_bytes: int) -> None:
        self.hands = hands
        self.budget_bytes = budget_bytes
        self.size = max(FIRST, 2 * hands)
        self.in_hand = 0
        self.piled = 0
        """Bodies that have come and are not finished."""
        self.mean_bytes = MEAN_BYTES
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until one more may be in hand, and have it in hand for the block."""
        if self.in_hand >= self._room() or self._waiting:
            mine = asyncio.get_running_loop().create_future()
            self._waiting.append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self._leave()
                raise
        else:
            self.in_hand += 1
        try:
            yield
        finally:
            self._leave()

    def came(self, size_bytes: int) -> None:
        """Tell that a body came; its hands are sought."""
        self.mean_bytes += (size_bytes - self.mean_bytes) / 32
        self.piled += 1
        if self.piled > 3 * self.hands:
            self.size = max(2 * self.hands, self.size - 1)

    def finished(self) -> None:
        """Tell that a body is finished and forgotten."""
        self.piled -= 1
        if self.piled < self.hands and self.in_hand >= self.size:
            self.size += 1

    def _room(self) -> int:
        return min(self.size, max(self.hands, int(self.budget_bytes / max(1.0, self.mean_bytes))))

    def _leave(self) -> None:
        self.in_hand -= 1
        while self._waiting and self.in_hand < self._room():
            waiter = self._waiting.popleft()
            if not waiter.done():
                self.in_hand += 1
                waiter.set_result(None)
