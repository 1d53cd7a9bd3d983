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

HOLD_S = 86_400
"""RFC 9309, 2.4: a robots.txt may be kept for a day."""
LONGEST_BYTES = 500 * 1024
"""RFC 9309, 2.5: at least so much of it is read; the rest is passed over."""


@dataclass(frozen=True)
class Once:
    """What is asked of each host once and then kept, though many of a session want to know it at the same time."""

    kept: dict[str, tuple[float, Any]]
    """By host: until when (time.monotonic()), and what; shared by the sessions of a process."""
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def of(self, host: str, read: Callable[[], Awaitable[tuple[Any, float]]]) -> Any:
        """Return what is kept of a host; else what `read` brings, and keep it for the seconds that it tells."""
        if not self._holds(host):
            async with self.locks.setdefault(host, asyncio.Lock()):
                if not self._holds(host):
                    value, seconds = await read()
                    self.kept[host] = time.monotonic() + seconds, value
        return self.kept[host][1]

    def _holds(self, host: str) -> bool:
        return host in self.kept and self.kept[host][0] > time.monotonic()


@dataclass(frozen=True)
class Robots:
    """Keeps one session to the robots.txt of the hosts that it asks."""

    known: Once
    agent: str
    read: Callable[[URL], Awaitable[bytes]]
    """Asks for a robots.txt: raises TryAgain where none came, Stop where there is none."""

    async def obey(self, url: URL) -> float:
        """Raise Stop when the host's robots.txt asks us to stay away; 4xx allows, 5xx forbids for now (TryAgain).

        Return the seconds between requests that its Crawl-delay asks for; 0 where it has none.
        """
        host = host_of(url)
        rules = await self.known.of(host, lambda: self._read(url))
        if not rules.can_fetch(str(url), self.agent):
            raise Stop("ROBOTS_DISALLOWED", f"{host}/robots.txt disallows {url.path}")
        return float(rules.crawl_delay(self.agent) or 0.0)

    async def allows(self, url: URL) -> bool:
        """Return whether the host's robots.txt lets us ask for an address."""
        rules = await self.known.of(host_of(url), lambda: self._read(url))
        return bool(rules.can_fetch(str(url), self.agent))

    async def _read(self, url: URL) -> tuple[Any, float]:
        try:
            text = await self.read(url.origin() / "robots.txt")
        except (Stop, AddressRefused):
            text = b""
        return Protego.parse(text.decode("utf-8-sig", "replace")), HOLD_S
