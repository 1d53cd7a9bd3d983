"""One request in its host's lane, and what came of it: an answer, a failure that may pass, or one that will not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from json import dumps
from typing import Any, Protocol

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from naflora_etl.engine.addresses import AddressRefused, host_of
from naflora_etl.engine.answers import (
    REDIRECTS,
    THROTTLED,
    Asked,
    Stop,
    TryAgain,
    join_headers,
    judge_status,
    may_pass,
    opts_out,
    retry_after,
)
from naflora_etl.engine.bodies import CEILING_BYTES, Cut, Partial, is_whole, partial_of, read_body, unpack_body
from naflora_etl.engine.lanes import Lanes, Policy, Turn

CONNECT_S = 30.0
SILENCE_S = 60.0
"""Longest wait for a connection, and for the next byte."""
RANGE_REFUSED = frozenset({304, 400, 412, 416, 501})


class Timeouts(Protocol):
    """The deadlines of a recipe's section http."""

    @property
    def total_timeout_s(self) -> float: ...
    @property
    def deadline_s(self) -> float: ...
    @property
    def max_wait_s(self) -> float: ...


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    url: URL
    method: str = "GET"
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    max_bytes: int = CEILING_BYTES
    opt_outs: bool = False
    only_start: bool = False
    """Whether a body beyond `max_bytes` is cut there rather than refused."""
    is_first: bool = False
    """Whether nothing else is asked of the host before it was answered: then its failures are the whole host's."""

    @property
    def what(self) -> str | None:
        """What its failure is told of: a question, or (None) the host.

        Some services have one address for all questions; there the question tells them apart.
        """
        if self.is_first or self.json is None:
            return None if self.is_first else str(self.url)
        return f"{self.url} {dumps(self.json, sort_keys=True)}"

    def redirected(self, target: URL, status: int) -> Request:
        """Return the request that a redirect leads to; what was said to one origin is not told to another one."""
        is_home = target.origin() == self.url.origin()
        headers = self.headers if is_home else {}
        is_first = self.is_first and is_home
        if self.method == "HEAD" or status in (307, 308):
            if self.json is not None and not is_home:
                raise Stop("HTTP_ERROR", f"{host_of(self.url)} would pass the question on to {target.host}", status)
            return replace(self, url=target, headers=headers, is_first=is_first)
        return replace(self, url=target, headers=headers, is_first=is_first, method="GET", json=None)

    def says(self, *names: str) -> bool:
        """Return whether the caller sends one of these headers."""
        return any(name.lower() in names for name in self.headers)


@dataclass(frozen=True)
class Reply:
    """What one request brought; a redirect has no body."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Errand:
    """One call of Ask: the requests that it made, its time, and the beginning of a body that was cut."""

    limit_s: float
    asked: list[Asked] = field(default_factory=list)
    partial: Partial | None = None
    is_resumable: bool = True
    began: float = field(default_factory=time.monotonic)
    wants_new: bool = False
    """Whether a connection that was used again turned out to be closed: from then on each request opens its own."""
    waited_s: float = 0.0
    """For turns in lanes, which is not held against the host."""

    @property
    def left_s(self) -> float:
        """Seconds left."""
        return self.limit_s + self.waited_s - (time.monotonic() - self.began)

    def partial_for(self, url: URL) -> Partial | None:
        """Return the beginning of this address's body, when the rest of it is to be asked for."""
        return self.partial if self.partial is not None and self.partial.url == str(url) else None

    def start_anew(self) -> None:
        """Give up what there is of a body: the next try asks for the whole."""
        self.partial, self.is_resumable = None, False


_wants_new: ContextVar[bool] = ContextVar("wants_new", default=False)


class CleanConnector(aiohttp.TCPConnector):
    """Connections of which none is used again that brought more than it was asked for: an answer to no question.

    Nor is any used again by an errand that found one closed: some servers close behind every answer and do not say so.
    """

    async def _get(self, key: Any, traces: Any) -> Any:
        if _wants_new.get():
            return None
        kept: list[tuple[ResponseHandler, float]] = list(self._conns.get(key, ()))
        for protocol, _ in kept:
            if protocol.should_close:
                protocol.close()
        return await super()._get(key, traces)


@dataclass(frozen=True)
class Exchange:
    """Makes requests over one session's connections."""

    session: aiohttp.ClientSession
    lanes: Lanes
    timeouts: Timeouts

    async def once(self, request: Request, policy: Policy, errand: Errand) -> Reply:
        """Make one request, in its turn; raises TryAgain, Stop, AddressRefused or HostRests."""
        host = host_of(request.url)
        async with self.lanes.enter(host, policy, self.timeouts.max_wait_s) as turn:
            errand.waited_s += turn.waited_s
            if errand.left_s <= 0:
                raise TryAgain(f"no answer within {self.timeouts.deadline_s:g} s, all tries together", host=host)
            began, status, size, was_sent = time.monotonic(), None, 0, True
            _wants_new.set(errand.wants_new)
            try:
                async with self._send(request, errand) as response:
                    status, headers = response.status, join_headers(response.headers.items())
                    _heed(request, status, headers, turn)
                    if status in RANGE_REFUSED and errand.partial_for(request.url):
                        errand.start_anew()
                        raise TryAgain(f"HTTP {status} to a question for the rest", status, host=host)
                    if status in REDIRECTS or status == 304 or status >= 400:
                        return Reply(status, headers, b"")
                    body = await read_body(response, request.max_bytes, only_start=request.only_start)
                    size = len(body)
                    turn.well()
                return _settled(Reply(status, headers, body), request, errand)
            except Cut as cut:
                size = len(cut.body)
                assert status is not None  # a body is cut after its head
                _keep_start(Reply(status, headers, cut.body), request, errand)
                if request.is_first:
                    turn.failed()
                raise TryAgain(f"cut after {size} bytes: {cut}", host=host) from None
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                trouble = _trouble(error, request, turn)
                errand.wants_new |= status is None
                was_sent = not isinstance(trouble, AddressRefused)
                raise trouble from None
            except ValueError as error:
                raise Stop("URL_UNUSABLE", str(error)) from None
            finally:
                if was_sent:
                    seconds = round(time.monotonic() - began, 4)
                    errand.asked.append(Asked(host, status, size, seconds, turn.opened))

    def _send(self, request: Request, errand: Errand) -> Any:
        partial = errand.partial_for(request.url)
        is_as_stored = request.opt_outs or request.only_start  # images do not pack, and no packed body is resumed
        headers = {"Accept-Encoding": "identity" if is_as_stored else "gzip, deflate", **request.headers}
        total = min(self.timeouts.total_timeout_s, errand.left_s)
        return self.session.request(
            request.method,
            request.url,
            json=request.json,
            headers=headers | (partial.headers() if partial else {}),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=total, connect=min(CONNECT_S, total), sock_read=min(SILENCE_S, total)),
        )


def _heed(request: Request, status: int, headers: Mapping[str, str], turn: Turn) -> None:
    """Tell the lane how its host is; raise what the head of an answer calls for before any of its body is read."""
    host = host_of(request.url)
    if may_pass(status):
        wish, is_throttled = retry_after(headers), status in THROTTLED
        if wish or is_throttled:
            turn.put_off(wish or 0.0, is_throttled=is_throttled)
        if wish is None or status >= 500:
            turn.failed(request.what)
        raise TryAgain(f"HTTP {status}", status, after_s=wish, host=host)
    if not request.is_first or status >= 300:
        turn.well()
    if request.opt_outs and opts_out(headers):
        raise Stop("ROBOTS_DISALLOWED", "the answer's headers opt out of machine use", status)


def _settled(reply: Reply, request: Request, errand: Errand) -> Reply:
    """Return the reply with its body whole and unpacked; raise what is the matter with it."""
    partial = errand.partial_for(request.url)
    if partial is not None and reply.status == 206:
        body = partial.join(reply.body, reply.headers, request.max_bytes)
        errand.start_anew()
        if body is None:
            raise TryAgain("what came as the rest of a body that was cut is not its rest", 206)
        return replace(reply, status=200, body=body)
    if reply.status == 206 and not request.says("range"):
        if not is_whole(reply.headers, reply.body):
            raise Stop("HTTP_ERROR", "a part of the body came though the whole was asked for", 206)
        reply = replace(reply, status=200)
    try:
        return replace(reply, body=unpack_body(reply.body, reply.headers, request.max_bytes))
    except Stop:
        if request.only_start:
            return reply
        raise


def _keep_start(reply: Reply, request: Request, errand: Errand) -> None:
    """Keep what came of a body that was cut, so that the next try may ask for the rest."""
    partial = errand.partial_for(request.url)
    if partial is not None and reply.status == 206:
        longer = partial.extended(reply.body, reply.headers)
        if longer is None:
            errand.start_anew()
        errand.partial = longer
    elif errand.is_resumable and request.method == "GET" and not request.only_start and not request.says("range"):
        errand.partial = partial_of(str(request.url), reply.status, reply.headers, reply.body)


def _trouble(error: Exception, request: Request, turn: Turn) -> Exception:
    """Return what an error of the connection means, and tell the lane of it."""
    told, host = str(error) or type(error).__name__, host_of(request.url)
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(cause := error.__cause__ or error.os_error, AddressRefused):
            return cause
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return Stop("HTTP_ERROR", told)
    if isinstance(error, aiohttp.InvalidURL):
        return Stop("URL_UNUSABLE", told)
    if isinstance(error, aiohttp.ClientResponseError):  # a head that is no HTTP
        if request.is_first:
            turn.failed()
        else:
            turn.well()
        return TryAgain(f"the answer is no HTTP: {error.message}", host=host, issue="HTTP_ERROR")
    is_host_down = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    turn.failed(None if is_host_down else request.what)
    return TryAgain(told, host=host)


def judged(reply: Reply, request: Request) -> Reply:
    """Return the reply when it is a success; raise Stop when it is not."""
    judge_status(reply.status, conditional=request.says("if-none-match", "if-modified-since"))
    return reply
