"""Real servers on loopback for the tests of the client: one that keeps to the protocol, one that sends raw bytes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from naflora_etl.engine.breaker import HostState
from naflora_etl.engine.http import Answer, HttpClient
from naflora_etl.engine.lanes import Lanes
from naflora_etl.recipe import HostPolicy, HttpOptions

PATIENCE_S = 300
"""Nothing here takes so long on whatever machine; what does, hangs."""

WISHES = ("/robots.txt", "/.well-known/tdmrep.json")
"""What each host is asked for first."""


@dataclass
class Call:
    """One request as the server saw it."""

    path: str
    headers: dict[str, str]
    writer: asyncio.StreamWriter
    number: int
    """How often this path was asked for, from 1."""
    server: RawServer
    at: float = field(default_factory=time.monotonic)

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Send a well-formed answer; underscores of header names become dashes."""
        named = {"Content-Length": str(len(body))} | {key.replace("_", "-"): text for key, text in headers.items()}
        head = "".join(f"{key}: {text}\r\n" for key, text in named.items() if text != "-")
        await self.send(f"HTTP/1.1 {status} So\r\n{head}\r\n".encode("utf-8", "surrogateescape") + body)

    async def reset(self) -> None:
        """Cut the connection."""
        transport: Any = self.writer.transport
        transport.abort()


Behaviour = Callable[[Call], Awaitable[None]]


class RawServer:
    """Answers each path by its behaviour, and keeps its own log."""

    def __init__(self, behaviours: dict[str, Behaviour], address: str = "127.0.0.1") -> None:
        self.behaviours = behaviours
        self.address = address
        self.port = 0
        self.calls: list[Call] = []
        self.open_now = 0
        self.most_open = 0
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def host(self) -> str:
        """Host and port."""
        return f"{self.address}:{self.port}"

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://{self.host}{path}"

    def asked(self, path: str) -> list[Call]:
        """Return the requests for a path."""
        return [call for call in self.calls if call.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                path = first.split(" ")[1]
                headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
                call = Call(path, headers, writer, len(self.asked(path)) + 1, self)
                self.calls.append(call)
                self.open_now += 1
                self.most_open = max(self.most_open, self.open_now)
                try:
                    await self.behaviours.get(path.partition("?")[0], not_found)(call)
                finally:
                    self.open_now -= 1
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()


async def not_found(call: Call) -> None:
    """Answer 404."""
    await call.reply(404)


@contextmanager
def serving(*servers: RawServer) -> Iterator[None]:
    """Run servers in a thread of their own while the block lasts."""
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def start() -> list[asyncio.Server]:
        made = []
        for server in servers:
            made.append(await asyncio.start_server(server.serve, server.address, server.port))
            server.port = made[-1].sockets[0].getsockname()[1]
        ready.set()
        return made

    async def stop() -> None:
        for server in running:
            server.close()
        tasks = [task for server in servers for task in server.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    running: list[asyncio.Server] = []
    thread = threading.Thread(
        target=lambda: (running.extend(loop.run_until_complete(start())), loop.run_forever()), daemon=True
    )
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def make_client(*hosts: str, lanes: Lanes | None = None, **knobs: object) -> HttpClient:
    """Return a client that may ask `hosts`, in no hurry to be slow."""
    settings = {"default": HostPolicy(concurrency=4, per_second=1000), "tries": 3, "max_wait_s": 2,
                "total_timeout_s": 0.5, "deadline_s": 3, "allow_private_hosts": hosts, **knobs}  # fmt: skip
    return HttpClient(HttpOptions.model_validate(settings), lanes or Lanes())


def ask(client: HttpClient, *urls: str, **how: Any) -> list[Answer]:
    """Return the answers to several questions, asked at the same time. TimeoutError when the client never gives up."""

    async def asking() -> list[Answer]:
        async with asyncio.timeout(PATIENCE_S), client.session() as ask_one:
            return list(await asyncio.gather(*(ask_one(url, **how) for url in urls)))

    work: Coroutine[Any, Any, list[Answer]] = asking()
    return client.run(work)


def note_turns(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list to which the moment of every turn in a lane is added from now on.

    The rate is kept in lanes; when a request then comes to a server also depends on how busy the machine is.
    """
    turns: list[float] = []
    take_turn = HostState.take_turn

    def noted(state: HostState, now: float, gap_s: float) -> None:
        turns.append(now)
        take_turn(state, now, gap_s)

    monkeypatch.setattr(HostState, "take_turn", noted)
    return turns
