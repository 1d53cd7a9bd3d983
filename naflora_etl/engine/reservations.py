"""/.well-known/tdmrep.json, asked once a host a day and kept to (TDM Reservation Protocol, W3C CG report 2024, 6.1).

A list of rules, of which the first that matches an address holds. A host that has no such file, or one that cannot be
read, reserves nothing: what is the matter with it keeps nobody waiting.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from yarl import URL

from naflora_etl.engine.addresses import AddressRefused, host_of
from naflora_etl.engine.answers import Stop, TryAgain
from naflora_etl.engine.robots import HOLD_S, Once

PLACE = ".well-known/tdmrep.json"
LONGEST_BYTES = 500 * 1024
"""Rules beyond are none: the file is then cut, and no JSON."""
PATIENCE_S = 10.0
"""An image does not wait longer for this file."""
HOLD_TROUBLE_S = 600
"""When a host that was in trouble is asked for it again."""


@dataclass(frozen=True)
class Rule:
    """What one rule says of the addresses that match its pattern."""

    pieces: tuple[str, ...]
    """The pattern between its `*`, without percent signs."""
    is_anchored: bool
    """Whether it ended in `$`."""
    is_reserved: bool
    policy: str
    """Where a licence may be had; empty: nowhere."""

    def matches(self, path: str) -> bool:
        """Return whether the pattern fits the beginning of a path, as those of robots.txt do; in linear time."""
        first, *rest = self.pieces
        if not path.startswith(first):
            return False
        at = len(first)
        for piece in rest[:-1] if self.is_anchored else rest:
            found = path.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        if not self.is_anchored:
            return True
        return len(path) - len(rest[-1]) >= at and path.endswith(rest[-1]) if rest else len(path) == at


def read_rules(body: bytes) -> tuple[Rule, ...]:
    """Return the rules of a tdmrep.json, in their order; those that cannot be understood are passed over."""
    try:
        told = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ()
    rules = (_rule(one) for one in (told if isinstance(told, list) else [told]))
    return tuple(rule for rule in rules if rule is not None)


def _rule(told: Any) -> Rule | None:
    if not isinstance(told, dict):
        return None
    location, reservation, policy = told.get("location"), told.get("tdm-reservation"), told.get("tdm-policy")
    if not isinstance(location, str) or not location.startswith(("/", "*")) or str(reservation) not in ("0", "1"):
        return None
    pieces = tuple(unquote(piece) for piece in location.removesuffix("$").split("*"))
    return Rule(pieces, location.endswith("$"), str(reservation) == "1", policy if isinstance(policy, str) else "")


@dataclass(frozen=True)
class Reservations:
    """Keeps one session to what the hosts that it asks reserve."""

    known: Once
    read: Callable[[URL], Awaitable[bytes]]
    """Asks for a tdmrep.json: raises TryAgain where none came, Stop where there is none."""

    async def obey(self, url: URL) -> None:
        """Raise Stop when the host reserves the address, with or without a policy by which a licence may be had."""
        host = host_of(url)
        rules: tuple[Rule, ...] = await self.known.of(host, lambda: self._read(url))
        path = unquote(url.raw_path_qs)
        rule = next((rule for rule in rules if rule.matches(path)), None)
        if rule is not None and rule.is_reserved:
            licence = f" (its policy: {rule.policy})" if rule.policy else ""
            raise Stop("ROBOTS_DISALLOWED", f"{host}/{PLACE} reserves {url.path}{licence}")

    async def _read(self, url: URL) -> tuple[tuple[Rule, ...], float]:
        try:
            return read_rules(await self.read(url.origin() / PLACE)), HOLD_S
        except (Stop, AddressRefused):
            return (), HOLD_S
        except TryAgain:
            return (), HOLD_TROUBLE_S
