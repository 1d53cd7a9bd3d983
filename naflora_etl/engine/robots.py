"""robots.txt, asked once a host a day and kept to (RFC 9309)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from protego import Protego
from yarl import URL

from naflora_etl.engine.addresses import AddressRefused, host_of
from naflora_etl.engine.answers import Stop
from naflora_etl.engine.lanes import Lanes

HOLD_S = 86_400
"""RFC 9309, 2.4: a robots.txt may be kept for a day."""
LONGEST_BYTES = 500 * 1024
"""RFC 9309, 2.5: at least so much of it is read; the rest is passed over."""


@dataclass(frozen=True)
class Robots:
    """Keeps one session to the robots.txt of the hosts that it asks; what they say is kept with the lanes."""

    lanes: Lanes
    agent: str
    read: Callable[[URL], Awaitable[bytes]]
    """Asks for a robots.txt: raises TryAgain where none came, Stop where there is none."""
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def obey(self, url: URL) -> None:
        """Raise Stop when the host's robots.txt asks us to stay away; 4xx allows, 5xx forbids for now (TryAgain)."""
        host = host_of(url)
        known = self.lanes.robots
        if host not in known or known[host][0] < time.monotonic() - HOLD_S:
            async with self.locks.setdefault(host, asyncio.Lock()):
                if host not in known or known[host][0] < time.monotonic() - HOLD_S:
                    known[host] = time.monotonic(), await self._read(url)
        if not known[host][1].can_fetch(str(url), self.agent):
            raise Stop("ROBOTS_DISALLOWED", f"{host}/robots.txt disallows {url.path}")

    def delay_s(self, host: str) -> float:
        """Return the seconds between requests that the host's Crawl-delay asks for; 0 where it has none."""
        if host not in self.lanes.robots:
            return 0.0
        return float(self.lanes.robots[host][1].crawl_delay(self.agent) or 0.0)

    async def _read(self, url: URL) -> Any:
        try:
            text = await self.read(url.origin() / "robots.txt")
        except (Stop, AddressRefused):
            text = b""
        return Protego.parse(text.decode("utf-8-sig", "replace"))
