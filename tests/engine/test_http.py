"""The polite client against a real server on loopback, whose own log is the judge."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from aiohttp import web
from raw_server import note_turns
from yarl import URL

from naflora_etl.engine import http
from naflora_etl.engine.breaker import HostState
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.http import Answer, HttpClient
from naflora_etl.engine.lanes import PATIENCE, Lanes
from naflora_etl.recipe import HostPolicy, HttpOptions


@dataclass
class Server:
    """What a small server does, and what it saw."""

    port: int = 0
    trap_port: int = 0
    seen: list[tuple[str, float, str]] = field(default_factory=list)
    trapped: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def times(self, path: str) -> list[float]:
        return [when for seen, when, _ in self.seen if seen == path]

    async def answer(self, request: web.Request) -> web.StreamResponse:  # noqa: C901
        path = request.path
        self.seen.append((path, time.monotonic(), request.headers.get("User-Agent", "")))
        if path == "/robots.txt":
            return web.Response(text="User-agent: *\nDisallow: /secret/\n")
        if path == "/slow":
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await asyncio.sleep(0.05)
            self.at_once -= 1
            return web.Response(body=b"slow")
        if path == "/busy" and len(self.times(path)) == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        if path == "/throttled" and len(self.times(path)) <= 2:
            return web.Response(status=429)
        if path == "/sulky":
            return web.Response(status=503, headers={"Retry-After": "3600"})
        if path == "/unwell":
            return web.Response(status=500)
        if path == "/hops":
            return web.Response(status=302, headers={"Location": "/fine"})
        if path == "/round":
            return web.Response(status=302, headers={"Location": "/round"})
        if path == "/astray":
            return web.Response(status=302, headers={"Location": f"http://127.0.0.2:{self.trap_port}/trap"})
        if path == "/optout":
            return web.Response(body=b"x" * 100, headers={"X-Robots-Tag": "noindex, noai"})
        if path == "/reserved":
            return web.Response(body=b"x", headers={"tdm-reservation": "1"})
        if path == "/short":
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b"only this")
            assert request.transport is not None
            request.transport.abort()
            return response
        statuses = {"/gone": 404, "/withdrawn": 410, "/closed": 403, "/teapot": 418, "/login": 401}
        return web.Response(status=statuses.get(path, 200), body=b"fine" * 10)

    async def trap(self, request: web.Request) -> web.Response:
        self.trapped.append(request.path)
        return web.Response(body=b"you should not be here")


@pytest.fixture(scope="module")
def _running() -> Iterator[Server]:
    server, loop, ready = Server(), asyncio.new_event_loop(), threading.Event()

    async def start() -> web.AppRunner:
        for host, handler, name in (("127.0.0.1", server.answer, "port"), ("127.0.0.2", server.trap, "trap_port")):
            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", handler)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, host, 0)
            await site.start()
            setattr(server, name, site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
            runners.append(runner)
        ready.set()

    async def stop() -> None:
        for runner in runners:
            await runner.cleanup()

    runners: list[web.AppRunner] = []
    thread = threading.Thread(target=lambda: (loop.run_until_complete(start()), loop.run_forever()), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield server
    asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def server(_running: Server) -> Server:
    _running.seen.clear()
    _running.trapped.clear()
    _running.most_at_once = 0
    return _running


def client(server: Server, **knobs: object) -> HttpClient:
    settings = {"default": HostPolicy(concurrency=2, per_second=1000), "tries": 3, "max_wait_s": 5,
                "allow_private_hosts": (f"127.0.0.1:{server.port}",), **knobs}
    return HttpClient(HttpOptions.model_validate(settings), Lanes())


def ask(who: HttpClient, *urls: str, **how: object) -> list[Answer]:
    async def asking() -> list[Answer]:
        async with who.session() as ask_one:
            return list(await asyncio.gather(*(ask_one(url, **how) for url in urls)))  # type: ignore[arg-type]

    return who.run(asking())


@pytest.mark.parametrize(
    ("path", "issue", "status", "requests"),
    [
        ("/fine", None, 200, 1),
        ("/busy", None, 200, 2),
        ("/hops", None, 200, 1),
        ("/gone", "HTTP_GONE", 404, 1),
        ("/withdrawn", "HTTP_GONE", 410, 1),
        ("/closed", "HTTP_BLOCKED", 403, 1),
        ("/login", "HTTP_BLOCKED", 401, 1),
        ("/teapot", "HTTP_ERROR", 418, 1),
        ("/unwell", "HOST_TROUBLE", 500, 3),
        ("/sulky", "HOST_TROUBLE", 503, 1),
        ("/short", "HOST_TROUBLE", None, 3),
        ("/round", "HTTP_ERROR", 302, 6),
    ],
)
def test_every_answer_has_its_verdict(
    server: Server, path: str, issue: str | None, status: int | None, requests: int
) -> None:
    [answer] = ask(client(server), server.root + path)
    assert (answer.issue, answer.status, len(server.times(path))) == (issue, status, requests)
    assert bool(answer.body) == (issue is None)


def test_retry_after_is_waited_for(server: Server) -> None:
    ask(client(server), f"{server.root}/busy")
    first, second = server.times("/busy")
    assert second - first >= 1.0


def test_too_many_requests_pause_the_host_longer_each_time_though_it_names_no_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "FIRST_BACKOFF_S", 0.05)
    answers = ask(client(server, default=HostPolicy(concurrency=1, per_second=1000)),
                  f"{server.root}/throttled", f"{server.root}/fine")  # fmt: skip
    assert [answer.issue for answer in answers] == [None, None]
    first, second, third = server.times("/throttled")
    assert second - first >= 0.4 and third - second >= 0.8
    assert server.times("/fine")[0] - first >= 0.4, "whoever asks the host waits"


@pytest.mark.parametrize(("bodies", "most"), [(12, PATIENCE), (1, 12)], ids=["twelve questions", "one question"])
def test_a_service_with_one_address_for_all_questions_is_left_alone_when_they_fail(
    server: Server, bodies: int, most: int
) -> None:
    who = client(server, tries=1)

    async def ask_all() -> None:
        async with who.session() as ask_one:
            for number in range(12):
                await ask_one(f"{server.root}/unwell", method="POST", json={"genus": number % bodies})
                who.lanes._lane(f"127.0.0.1:{server.port}").change(rest_long)

    who.run(ask_all())
    assert len(server.times("/unwell")) == most


def rest_long(state: HostState) -> None:
    """Make a rest one that nobody waits for."""
    if state.rest_s:
        state.rest_s, state.rest_until = 600, time.time() + 600


def test_no_more_connections_and_no_faster_than_the_policy_says(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = note_turns(monkeypatch)
    who = client(server, default=HostPolicy(concurrency=2, per_second=20))
    answers = ask(who, *[f"{server.root}/slow"] * 8)
    assert {answer.issue for answer in answers} == {None}
    assert server.most_at_once <= 2
    assert len(turns) == len(server.times("/slow")) == 8
    assert min(second - first for first, second in pairwise(turns)) >= 1 / 20 - 1e-6


def test_two_clients_share_the_lanes_of_a_process(server: Server) -> None:
    who = client(server, default=HostPolicy(concurrency=1, per_second=1000))
    threads = [threading.Thread(target=ask, args=(who, *[f"{server.root}/slow"] * 3)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (server.most_at_once, len(server.times("/slow"))) == (1, 6)


def test_robots_and_opt_outs_are_obeyed_and_robots_is_read_once(server: Server) -> None:
    urls = [f"{server.root}{path}" for path in ("/secret/1.jpg", "/secret/2.jpg", "/fine", "/optout", "/reserved")]
    answers = ask(client(server), *urls, robots=True)
    disallowed = "ROBOTS_DISALLOWED"
    assert [answer.issue for answer in answers] == [disallowed, disallowed, None, disallowed, disallowed]
    assert (len(server.times("/robots.txt")), server.times("/secret/1.jpg")) == (1, [])
    [answer] = ask(client(server, obey_robots=False), urls[0], robots=True)
    assert answer.issue is None


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.2:{trap}/trap", "{root}/astray", "http://localhost:{trap}/trap", "http://[::ffff:127.0.0.2]:{trap}/"],
    ids=["straight", "by a redirect", "by a name", "mapped into IPv6"],
)
def test_a_forbidden_place_is_never_asked(server: Server, url: str) -> None:
    [answer] = ask(client(server), url.format(trap=server.trap_port, root=server.root))
    assert (answer.issue, server.trapped) == ("ADDRESS_REFUSED", [])


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/hosts", "no address at all"])
def test_only_http_is_spoken(server: Server, url: str) -> None:
    [answer] = ask(client(server), url)
    assert answer.issue == "ADDRESS_REFUSED"


def test_a_body_over_the_limit_is_refused(server: Server) -> None:
    [answer] = ask(client(server), f"{server.root}/fine", max_bytes=10)
    assert answer.issue == "IMAGE_TOO_LARGE"


def test_a_port_where_nobody_listens_is_trouble(server: Server) -> None:
    who = client(server, allow_private_hosts=("127.0.0.1",), tries=2)
    [answer] = ask(who, "http://127.0.0.1:1/")
    assert answer.issue == "HOST_TROUBLE"


def test_the_agent_says_who_asks(server: Server) -> None:
    ask(client(server, contact="someone@example.org"), f"{server.root}/fine")
    assert server.seen[0][2] == "naflora_etl/0.1.0 (+someone@example.org)"


def test_nobody_but_loopback_is_asked_without_a_contact(server: Server) -> None:
    with pytest.raises(Fault, match=r"http\.contact is empty"):
        client(server).check_contact(URL("http://herbarium.example.org/1.jpg"))
