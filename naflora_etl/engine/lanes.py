"""How often and how many at once a host is asked: one lane a host, shared by all threads and event loops here."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

LOOK_AGAIN_S = 0.02


class Policy(Protocol):
    """Manners towards a host."""

    @property
    def concurrency(self) -> int:
        """Connections at a time."""

    @property
    def per_second(self) -> float:
        """Requests a second."""


@dataclass
class Lane:
    """The state of one host; times are of time.monotonic()."""

    in_flight: int = 0
    free_at: float = 0.0

    def try_enter(self, policy: Policy, now: float) -> float:
        """Enter and return 0, or return the seconds after which to look again."""
        if self.in_flight >= policy.concurrency:
            return LOOK_AGAIN_S
        if now < self.free_at:
            return self.free_at - now
        self.in_flight += 1
        self.free_at = now + 1 / policy.per_second
        return 0.0


class Lanes:
    """All lanes of a process. Not asyncio's own semaphores, which serve one event loop only."""

    def __init__(self) -> None:
        self.robots: dict[str, tuple[float, Any]] = {}
        """What each host's robots.txt says, and when it was read (time.monotonic())."""
        self._lanes: dict[str, Lane] = {}
        self._lock = threading.Lock()

    @asynccontextmanager
    async def enter(self, host: str, policy: Policy) -> AsyncIterator[None]:
        """Wait for a turn at `host`, and leave the lane at the end of the block."""
        while wait := self._try(host, policy):
            await asyncio.sleep(wait)
        try:
            yield
        finally:
            with self._lock:
                self._lanes[host].in_flight -= 1

    def pause(self, host: str, seconds: float) -> None:
        """Ask nothing of `host` for so long, as its Retry-After wished."""
        with self._lock:
            lane = self._lanes.setdefault(host, Lane())
            lane.free_at = max(lane.free_at, time.monotonic() + seconds)

    def _try(self, host: str, policy: Policy) -> float:
        with self._lock:
            return self._lanes.setdefault(host, Lane()).try_enter(policy, time.monotonic())


LANES = Lanes()
