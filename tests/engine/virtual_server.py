"""Servers that throttle, in virtual time: the client is the real one, its session and its lanes' clock are not.

A minute of asking takes no time here, and no machine is too busy to keep a pace.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from naflora_etl.engine import lanes
from naflora_etl.engine.breaker import HostState
from naflora_etl.engine.http import Answer, Ask, HttpClient
from naflora_etl.engine.lanes import Lanes
from naflora_etl.recipe import HttpOptions
from tests.virtual_loop import run_at_once

Verdict = tuple[int, float | None]
"""Status and Retry-After."""
Rule = Callable[[float], Verdict]
"""What a server says to a request that comes at some second of its life."""
WELL: Verdict = (200, None)
HOST = "127.0.0.1"


def window(requests: int, seconds: float, wish: float | None) -> Rule:
    """Grant so many requests in any so many seconds; what is refused does not count."""
    granted: deque[float] = deque(maxlen=requests)

    def rule(now: float) -> Verdict:
        if len(granted) == requests and granted[0] > now - seconds:
            return 429, wish
        granted.append(now)
        return WELL

    return rule


def calendar(requests: int, seconds: float) -> Rule:
    """Grant so many requests in each minute of the clock, say; wish that nobody comes before the next one."""
    granted: Counter[int] = Counter()

    def rule(now: float) -> Verdict:
        number = int(now // seconds)
        if granted[number] == requests:
            return 429, float(int((number + 1) * seconds - now) + 1)
        granted[number] += 1
        return WELL

    return rule


def bucket(per_second: float, burst: int, wish: float | None) -> Rule:
    """Grant what a token bucket grants, as nginx and most gateways do."""
    tokens, at = float(burst), 0.0

    def rule(now: float) -> Verdict:
        nonlocal tokens, at
        tokens, at = min(burst, tokens + (now - at) * per_second), now
        if tokens < 1:
            return 429, wish
        tokens -= 1
        return WELL

    return rule


def until(seconds: float, rule: Rule) -> Rule:
    """Throttle for a while only."""
    return lambda now: rule(now) if now < seconds else WELL


def first(verdict: Verdict, times: int) -> Rule:
    """Say the same to the first requests."""
    left = [verdict] * times
    return lambda now: left.pop() if left else WELL


@dataclass
class Response:
    """As much of an aiohttp.ClientResponse as is looked at."""

    status: int
    headers: dict[str, str]
    method: str = "GET"
    content_length: int = 0

    @property
    def content(self) -> Response:
        return self

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield b"fine"


@dataclass
class Session:
    """As much of an aiohttp.ClientSession as is used; keeps the server's log."""

    rule: Rule
    answer_s: float
    log: list[tuple[float, str, int]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    @asynccontextmanager
    async def request(self, method: str, url: object, **how: object) -> AsyncIterator[Response]:
        await asyncio.sleep(self.answer_s * self.chance.uniform(0.2, 0.8))
        at = asyncio.get_running_loop().time()
        status, wish = self.rule(at)
        self.log.append((at, str(url), status))
        await asyncio.sleep(self.answer_s * self.chance.uniform(0.2, 0.8))
        yield Response(status, {} if wish is None else {"Retry-After": f"{wish:g}"})


@dataclass(kw_only=True)
class Log:
    """What a server was asked, and what it said: second, path and status of each request."""

    log: list[tuple[float, str, int]] = field(default_factory=list)

    @property
    def times(self) -> list[float]:
        return [at for at, _, _ in self.log]

    def _since(self, after_s: float) -> list[tuple[float, str, int]]:
        return [line for line in self.log if line[0] >= self.log[0][0] + after_s]

    def refused(self, after_s: float = 0.0) -> int:
        """Return how many requests were refused, so long after the first one."""
        return sum(status != 200 for _, _, status in self._since(after_s))

    def most_in_a_row(self) -> int:
        """Return how often an address was refused before it was granted, at most."""
        refusals = Counter(path for _, path, status in self.log if status != 200)
        return max(refusals.values(), default=0)

    def per_second(self, after_s: float) -> float:
        """Return the rate at which requests were granted."""
        granted = [at for at, _, status in self._since(after_s) if status == 200]
        return (len(granted) - 1) / (granted[-1] - granted[0])


@dataclass(kw_only=True)
class Seen(Log):
    """What came of it, in the words of the server's log."""

    answers: list[Answer]
    state: HostState


def ask_all(
    monkeypatch: pytest.MonkeyPatch, rule: Rule, requests: int, concurrency: int = 4, per_second: float = 400,
    answer_s: float = 0.02,
) -> Seen:  # fmt: skip
    """Ask a server for so many addresses, four tries each; more of them wait at once than may go out."""
    manners = {"concurrency": concurrency, "per_second": per_second}
    options = HttpOptions.model_validate({"tries": 4, "default": manners, "allow_private_hosts": [HOST]})

    async def work() -> Seen:
        clock = asyncio.get_running_loop().time
        monkeypatch.setattr(lanes, "time", SimpleNamespace(time=clock, monotonic=clock))
        client, session = HttpClient(options, Lanes()), Session(rule, answer_s)
        as_session: Any = session
        ask = Ask(client, as_session)
        at_once = asyncio.Semaphore(4 * concurrency)

        async def one(number: int) -> Answer:
            async with at_once:
                return await ask(f"http://{HOST}/{number}")

        answers = await asyncio.gather(*(one(number) for number in range(requests)))
        return Seen(log=session.log, answers=answers, state=client.lanes.state(HOST))

    return run_at_once(work())
