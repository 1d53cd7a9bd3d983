"""The polite client: a lane a host, retries as servers wish them, robots, no forbidden address, never an exception.

Every answer is a value. What a server did wrong is an issue in it, so that the caller sets the row aside and goes on.
By hand, because tenacity knows no Retry-After that pauses a whole host, and aiolimiter serves one event loop only.
"""

from __future__ import annotations

import asyncio
import email.utils
import random
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import aiohttp
from protego import Protego
from yarl import URL

from naflora_etl import __version__
from naflora_etl.engine.addresses import AddressRefused, GuardedResolver, check_url, host_of, is_loopback
from naflora_etl.engine.clock import now
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.lanes import LANES, Lanes, Policy

T = TypeVar("T")
TRY_AGAIN = frozenset({408, 420, 425, 429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
ISSUE_OF_STATUS = {401: "HTTP_BLOCKED", 403: "HTTP_BLOCKED", 451: "HTTP_BLOCKED", 404: "HTTP_GONE", 410: "HTTP_GONE"}
MAX_REDIRECTS = 5
LONGEST_BACKOFF_S = 30.0
ROBOTS_HOLD_S = 86_400
"""RFC 9309, 2.4: a robots.txt may be kept for a day."""


class HttpSettings(Protocol):
    """What the client needs to know; the section `http` of a recipe has it."""

    @property
    def contact(self) -> str: ...
    @property
    def default(self) -> Policy: ...
    @property
    def hosts(self) -> Mapping[str, Policy]: ...
    @property
    def allow_private_hosts(self) -> tuple[str, ...]: ...
    @property
    def tries(self) -> int: ...
    @property
    def total_timeout_s(self) -> float: ...
    @property
    def max_wait_s(self) -> float: ...
    @property
    def obey_robots(self) -> bool: ...


@dataclass(frozen=True)
class Answer:
    """What came back: with `issue` null a 2xx with its whole body."""

    url: str
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    issue: str | None
    fetched_at: datetime
    note: str = ""


class _TryAgain(Exception):
    """A failure that may pass; `after_s` is the server's own wish, None when it has none."""

    def __init__(self, what: str, status: int | None = None, after_s: float | None = None) -> None:
        super().__init__(what)
        self.status = status
        self.after_s = after_s


class _Stop(Exception):
    """A failure that will not pass."""

    def __init__(self, issue: str, note: str, status: int | None = None) -> None:
        super().__init__(note)
        self.issue = issue
        self.status = status


class HttpClient:
    """Asks servers under one recipe's manners."""

    def __init__(self, settings: HttpSettings, lanes: Lanes = LANES) -> None:
        self.settings = settings
        self.lanes = lanes
        self.agent = f"naflora_etl/{__version__} (+{settings.contact or 'no contact given'})"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run asynchronous work to its end, from a stage that is a plain function."""
        return asyncio.run(work)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Ask]:
        """Open connections for a block of work."""
        connector = aiohttp.TCPConnector(
            limit=0, resolver=GuardedResolver(self.settings.allow_private_hosts), ttl_dns_cache=600
        )
        timeout = aiohttp.ClientTimeout(total=self.settings.total_timeout_s, connect=30, sock_read=60)
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            headers={"User-Agent": self.agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        ) as session:
            yield Ask(self, session)

    def policy(self, host: str) -> Policy:
        """Return the manners towards a host."""
        name = host.split(":")[0]
        return self.settings.hosts.get(host) or self.settings.hosts.get(name) or self.settings.default

    def check_contact(self, host: str) -> None:
        """Raise Fault when a stranger would be asked without saying who asks."""
        if not self.settings.contact and not is_loopback(host.split(":")[0]):
            raise Fault(f"http.contact is empty; write your e-mail or web page into the recipe before {host} is asked.")


@dataclass(frozen=True)
class Ask:
    """`answer = await ask(url)`: one request with all its tries; raises nothing that a server did."""

    client: HttpClient
    session: aiohttp.ClientSession
    robots_locks: dict[str, asyncio.Lock] = field(default_factory=dict)

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
    ) -> Answer:
        try:
            target = URL(url)
            target = target.update_query(params) if params else target
        except (ValueError, TypeError) as error:
            return _failed(url, "URL_UNUSABLE", str(error))
        request = _Request(target, method, json, headers or {}, max_bytes, robots and self.client.settings.obey_robots)
        trouble = _TryAgain("not asked")
        for attempt in range(self.client.settings.tries):
            try:
                if request.opt_outs:
                    await self._obey_robots(target)
                return await self._follow(request)
            except _Stop as stop:
                return _failed(str(target), stop.issue, str(stop), stop.status)
            except AddressRefused as error:
                return _failed(str(target), "ADDRESS_REFUSED", str(error))
            except _TryAgain as again:
                trouble = again
                if not await self._wait(target, attempt, again):
                    break
        return _failed(str(target), "HOST_TROUBLE", str(trouble), trouble.status)

    async def _wait(self, url: URL, attempt: int, trouble: _TryAgain) -> bool:
        settings, host = self.client.settings, host_of(url)
        if trouble.after_s is not None:
            if trouble.after_s > settings.max_wait_s:
                return False
            self.client.lanes.pause(host, trouble.after_s)
            return True
        if attempt + 1 < settings.tries:
            await asyncio.sleep(random.uniform(0, min(LONGEST_BACKOFF_S, 0.25 * 2**attempt)))
        return True

    async def _follow(self, request: _Request) -> Answer:
        url, seen = request.url, 0
        while True:
            answer = await self._once(request, url)
            if answer.status not in REDIRECTS:
                return _judged(answer)
            seen += 1
            location = answer.headers.get("location")
            if seen > MAX_REDIRECTS or not location:
                raise _Stop("HTTP_ERROR", f"{seen} redirects lead nowhere", answer.status)
            try:
                url = url.join(URL(location))
            except ValueError:
                raise _Stop("HTTP_ERROR", f"redirected to {location!r}, no address", answer.status) from None

    async def _once(self, request: _Request, url: URL) -> Answer:
        client, host = self.client, host_of(url)
        check_url(url, client.settings.allow_private_hosts)
        client.check_contact(host)
        async with client.lanes.enter(host, client.policy(host)):
            try:
                async with self.session.request(
                    request.method, url, json=request.json, headers=request.headers, allow_redirects=False
                ) as response:
                    headers = {name.lower(): value for name, value in response.headers.items()}
                    if response.status in TRY_AGAIN:
                        raise _TryAgain(f"HTTP {response.status}", response.status, _retry_after(headers))
                    if request.opt_outs and _opted_out(headers):
                        raise _Stop("ROBOTS_DISALLOWED", "the answer's headers opt out of machine use", response.status)
                    body = await _read(response, request.max_bytes) if response.status < 300 else b""
                    return Answer(str(url), response.status, headers, body, None, now())
            except AddressRefused:
                raise
            except aiohttp.ClientConnectorError as error:
                if isinstance(error.__cause__ or error.os_error, AddressRefused):
                    raise AddressRefused(str(error)) from None
                raise _TryAgain(str(error)) from None
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                raise _TryAgain(str(error) or type(error).__name__) from None
            except ValueError as error:
                raise _Stop("HTTP_ERROR", str(error)) from None

    async def _obey_robots(self, url: URL) -> None:
        """Raise _Stop when the host's robots.txt asks us to stay away; RFC 9309: 4xx allows, 5xx forbids for now."""
        host = host_of(url)
        async with self.robots_locks.setdefault(host, asyncio.Lock()):
            known = self.client.lanes.robots
            if host not in known or known[host][0] < time.monotonic() - ROBOTS_HOLD_S:
                known[host] = time.monotonic(), Protego.parse(await self._read_robots(url))
        if not known[host][1].can_fetch(str(url), self.client.agent):
            raise _Stop("ROBOTS_DISALLOWED", f"{host}/robots.txt disallows {url.path}")

    async def _read_robots(self, url: URL) -> str:
        try:
            answer = await self._follow(_Request(url.origin() / "robots.txt", "GET", None, {}, 500_000, False))
        except _Stop:
            return ""
        return answer.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class _Request:
    url: URL
    method: str
    json: Any
    headers: Mapping[str, str]
    max_bytes: int | None
    opt_outs: bool


def _judged(answer: Answer) -> Answer:
    status = answer.status or 0
    if 200 <= status < 300:
        return answer
    raise _Stop(ISSUE_OF_STATUS.get(status, "HTTP_ERROR"), f"HTTP {status}", status)


def _opted_out(headers: Mapping[str, str]) -> bool:
    wishes = {wish.strip().lower() for wish in headers.get("x-robots-tag", "").replace(":", ",").split(",")}
    return bool(wishes & {"noai", "noimageai", "noml"}) or headers.get("tdm-reservation", "").strip() == "1"


async def _read(response: aiohttp.ClientResponse, max_bytes: int | None) -> bytes:
    if max_bytes is not None and (response.content_length or 0) > max_bytes:
        raise _Stop("IMAGE_TOO_LARGE", f"the body has {response.content_length} bytes", response.status)
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if max_bytes is not None and len(body) > max_bytes:
            raise _Stop("IMAGE_TOO_LARGE", f"the body has over {max_bytes} bytes", response.status)
    return bytes(body)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After asks for, given as seconds or as an HTTP date (RFC 9110, 10.2.3)."""
    wish = headers.get("retry-after", "").strip()
    if wish.isdigit():
        return float(wish)
    try:
        when = email.utils.parsedate_to_datetime(wish)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _failed(url: str, issue: str, note: str, status: int | None = None) -> Answer:
    return Answer(url, status, {}, b"", issue, now(), note)
