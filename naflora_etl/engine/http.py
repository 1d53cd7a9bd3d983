"""The polite client: a lane a host, retries as servers wish them, robots, no forbidden address, never an exception.

Every answer is a value. What a server did wrong is an issue in it, so that the caller sets the row aside and goes on.
By hand, because tenacity knows no Retry-After that pauses a whole host, and aiolimiter serves one event loop only.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import aiohttp
from yarl import URL

from naflora_etl import __version__
from naflora_etl.engine import reservations
from naflora_etl.engine.addresses import (
    AddressRefused,
    GuardedResolver,
    check_url,
    host_of,
    is_loopback,
    without_login,
)
from naflora_etl.engine.answers import REDIRECTS, THROTTLED, Answer, Stop, TryAgain, failed
from naflora_etl.engine.bodies import CEILING_BYTES
from naflora_etl.engine.clock import now
from naflora_etl.engine.exchange import CleanConnector, Errand, Exchange, Request, Timeouts, judged
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.lanes import HostRests, Lanes, Policy, lanes_in_force, policy_for
from naflora_etl.engine.reservations import Reservations
from naflora_etl.engine.robots import LONGEST_BYTES, Once, Robots

__all__ = ["Answer", "Ask", "HttpClient", "HttpSettings"]

T = TypeVar("T")
MAX_REDIRECTS = 5
FIRST_BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 30.0
THROTTLED_LONGER = 8
"""So many times the back-off pauses a host that has too many requests and does not say for how long: 2 s, 4, 8."""
KEEP_ALIVE_S = 4.0
"""Idle connections are closed before the servers close them: Apache does after 5 seconds."""


class HttpSettings(Timeouts, Protocol):
    """What the client needs to know; the section `http` of a recipe has it."""

    @property
    def contact(self) -> str: ...
    @property
    def default(self) -> Policy: ...
    @property
    def hosts(self) -> Mapping[str, Policy]: ...
    @property
    def known_hosts(self) -> Mapping[str, Policy]: ...
    @property
    def lanes(self) -> str: ...
    @property
    def allow_private_hosts(self) -> tuple[str, ...]: ...
    @property
    def tries(self) -> int: ...
    @property
    def obey_robots(self) -> bool: ...


class HttpClient:
    """Asks servers under one recipe's manners."""

    def __init__(self, settings: HttpSettings, lanes: Lanes | None = None) -> None:
        self.settings = settings
        self._lanes = lanes
        self.agent = f"naflora_etl/{__version__} (+{settings.contact or 'no contact given'})"

    @property
    def lanes(self) -> Lanes:
        """The lanes of all hosts: those handed in, or those that all processes share."""
        if self._lanes is None:
            self._lanes = lanes_in_force(self.settings.lanes)
        return self._lanes

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run asynchronous work to its end, from a stage that is a plain function."""
        return asyncio.run(work)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Ask]:
        """Open connections for a block of work."""
        connector = CleanConnector(
            limit=0,
            resolver=GuardedResolver(self.settings.allow_private_hosts),
            ttl_dns_cache=600,
            keepalive_timeout=KEEP_ALIVE_S,
        )
        async with aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": self.agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        ) as session:
            session._retry_connection = False  # else aiohttp asks once more by itself, outside the host's lane
            yield Ask(self, session)

    def policy(self, host: str) -> Policy:
        """Return the manners towards a host: the recipe's, else those that travel with the package."""
        settings = self.settings
        return policy_for(host, settings.default, settings.hosts, settings.known_hosts)

    def needs_contact(self, url: URL) -> bool:
        """Return whether a stranger would be asked without saying who asks."""
        return not self.settings.contact and not is_loopback(url.host or "")

    def check_contact(self, url: URL) -> None:
        """Raise Fault when a stranger would be asked without saying who asks."""
        if self.needs_contact(url):
            told = f"write your e-mail or web page into the recipe before {host_of(url)} is asked"
            raise Fault(f"http.contact is empty; {told}.")


@dataclass(frozen=True)
class _Spaced:
    """Manners, made slower by what a robots.txt asks for."""

    concurrency: int
    per_second: float


class Ask:
    """`answer = await ask(url)`: one request with all its tries; raises nothing that a server did."""

    def __init__(self, client: HttpClient, session: aiohttp.ClientSession) -> None:
        self.client = client
        self.exchange = Exchange(session, client.lanes, client.settings)
        self.robots, self.reservations = Once(client.lanes.robots), Once(client.lanes.reservations)

    async def __call__(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | list[tuple[str, Any]] | None = None,
        method: str = "GET",
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        robots: bool = False,
        tries: int | None = None,
    ) -> Answer:
        """Return the answer to a question, or what became of it.

        `headers` may make it conditional (If-None-Match, If-Modified-Since): a 304 is then an answer, without a body.
        They go to the origin of `url` alone. With `robots` the host's robots.txt and opt-outs are kept to.
        `tries`: fewer than the recipe's, for what must not be done twice.
        """
        settings = self.client.settings
        try:
            target = without_login(URL(url))
            target = target.update_query(params) if params else target
        except (ValueError, TypeError) as error:
            return failed(url, "URL_UNUSABLE", str(error))
        request = Request(
            target, method, json, headers or {}, min(max_bytes or CEILING_BYTES, CEILING_BYTES),
            robots and settings.obey_robots,
        )  # fmt: skip
        errand = Errand(settings.deadline_s)
        answer = await self._try(request, errand, tries or settings.tries)
        return replace(answer, asked=tuple(errand.asked))

    async def _try(self, request: Request, errand: Errand, tries: int) -> Answer:
        url = str(request.url)
        trouble = TryAgain("not asked")
        for attempt in range(tries):
            try:
                return await self._follow(request, errand)
            except Stop as stop:
                return failed(url, stop.issue, str(stop), stop.status)
            except AddressRefused as error:
                return failed(url, "ADDRESS_REFUSED", str(error))
            except HostRests as rests:
                return failed(url, "HOST_TROUBLE", str(rests), trouble.status)
            except TryAgain as again:
                trouble = again
                if not await self._wait(attempt, again, errand):
                    break
        return failed(url, trouble.issue, str(trouble), trouble.status)

    async def _wait(self, attempt: int, trouble: TryAgain, errand: Errand) -> bool:
        """Wait before another try, as the server wishes and at least as back-off has it; false when none is worth it.

        Exponential back-off with full jitter; a Retry-After pauses the whole host, for whoever asks it, and so does
        an answer that there were too many requests. After such a one the pause is all: with a back-off besides,
        whoever was refused most often would come last after it, and be refused again.
        """
        settings = self.client.settings
        longest = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2**attempt)
        wish_s = trouble.after_s
        if wish_s is None and trouble.status in THROTTLED:
            wish_s = min(LONGEST_BACKOFF_S, THROTTLED_LONGER * longest, settings.max_wait_s)
            self.client.lanes.pause(trouble.host, wish_s)
        if wish_s and wish_s > min(settings.max_wait_s, errand.left_s):
            return False
        is_paused = wish_s and trouble.status in THROTTLED
        if not is_paused and attempt + 1 < settings.tries:
            await asyncio.sleep(min(random.uniform(0, longest), max(0.0, errand.left_s)))
        return errand.left_s > 0

    async def _follow(self, request: Request, errand: Errand) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            reply = await self._once(request, errand)
            if reply.status not in REDIRECTS:
                judged(reply, request)
                return Answer(str(request.url), reply.status, reply.headers, reply.body, None, now())
            location = reply.headers.get("location", "").strip()
            try:
                target = without_login(request.url.join(URL(location))) if location else None
            except ValueError:
                raise Stop("HTTP_ERROR", f"redirected to {location!r}, no address", reply.status) from None
            if target is None:
                break
            check_url(target, self.client.settings.allow_private_hosts)
            if self.client.needs_contact(target):
                raise AddressRefused(f"redirected to {host_of(target)}, which is not asked without http.contact")
            request = request.redirected(target, reply.status)
        raise Stop("HTTP_ERROR", "redirects lead nowhere", reply.status)

    async def _once(self, request: Request, errand: Errand) -> Any:
        client, host = self.client, host_of(request.url)
        check_url(request.url, client.settings.allow_private_hosts)
        client.check_contact(request.url)
        policy = client.policy(host)
        if request.opt_outs:
            delay_s = await self._obey(request.url, errand)
            policy = _Spaced(policy.concurrency, min(policy.per_second, 1 / delay_s)) if delay_s else policy
        return await self.exchange.once(request, policy, errand)

    async def _obey(self, url: URL, errand: Errand) -> float:
        """Raise Stop when the host's robots.txt or tdmrep.json keeps us away; return the seconds between requests that
        it asks for, at most max_wait_s."""

        async def read(place: URL) -> bytes:
            request = Request(place, max_bytes=LONGEST_BYTES, only_start=True, is_first=True)
            return (await self._follow(request, errand)).body

        async def read_beside(place: URL) -> bytes:
            if not await robots.allows(place):
                return b""
            began, own = time.monotonic(), Errand(min(reservations.PATIENCE_S, errand.left_s), errand.asked)
            try:
                request = Request(place, max_bytes=reservations.LONGEST_BYTES, only_start=True)
                return (await self._follow(request, own)).body
            finally:
                errand.waited_s += time.monotonic() - began  # the image's own time begins after it

        robots = Robots(self.robots, self.client.agent, read)
        delay_s = await robots.obey(url)
        await Reservations(self.reservations, read_beside).obey(url)
        return min(delay_s, self.client.settings.max_wait_s)
