"""The sandbox as a running process: GBIF, iDigBio and every image server, each on its own loopback address."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from naflora_etl.engine.faults import Fault
from naflora_etl.recipe import SandboxOptions
from naflora_etl.sandbox.gbif import Gbif
from naflora_etl.sandbox.gbif_cache import ImageCache
from naflora_etl.sandbox.gbif_download import Downloads
from naflora_etl.sandbox.hosts import CUT, Gallery, ImageServer
from naflora_etl.sandbox.idigbio import Idigbio
from naflora_etl.sandbox.world import GBIF_ADDRESS, IDIGBIO_ADDRESS, World, build_world

LOG_LENGTH = 100_000
Announce = Callable[[str], Any]


class RequestLog:
    """The latest requests of all servers, for whoever wants to see how polite a client was."""

    def __init__(self) -> None:
        self.lines: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
        self.in_flight: dict[str, int] = {}

    def watching(self, host: str) -> Any:
        """Return the middleware that logs the requests to one host."""

        @web.middleware
        async def watch(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
            concurrent = self.in_flight[host] = self.in_flight.get(host, 0) + 1
            began, status = time.time(), 500
            try:
                response: web.StreamResponse = await handler(request)
                status = 0 if request.get(CUT) else response.status
                return response
            except web.HTTPException as answer:
                status = answer.status
                raise
            finally:
                self.in_flight[host] -= 1
                agent = request.headers.get("User-Agent", "")
                line = {"time": began, "seconds": round(time.time() - began, 4), "host": host, "method": request.method}
                line |= {"path": request.path_qs, "status": status, "user_agent": agent, "concurrent": concurrent}
                self.lines.append(line)

        return watch

    async def tell(self, request: web.Request) -> web.Response:
        """Answer with all lines."""
        return web.json_response(list(self.lines))


def run_sandbox(
    options: SandboxOptions, *, until_stdin_closes: bool = False, announce: Announce = lambda line: None
) -> None:
    """Run the sandbox until Ctrl-C, SIGTERM, or the end of stdin; raises Fault when its port is taken.

    `announce` is called with a line for the reader once everything answers.
    """
    asyncio.run(_serve(build_world(options), until_stdin_closes, announce))


async def _serve(world: World, until_stdin_closes: bool, announce: Announce) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    runners: list[web.AppRunner] = []
    try:
        for address, app in _applications(world).items():
            runners.append(await _listen(app, address, world.options.port))
        for line in _introduce(world):
            announce(line)
        if until_stdin_closes:
            threading.Thread(target=_await_end, args=(loop, stop), daemon=True).start()
        await stop.wait()
    finally:
        await asyncio.gather(*(runner.cleanup() for runner in runners))


def _applications(world: World) -> dict[str, web.Application]:
    log, gallery = RequestLog(), Gallery(world)

    async def identity(request: web.Request) -> web.Response:
        hosts = {host.name: host.manner for host in world.hosts}
        return web.json_response({"sandbox": world.digest, "options": world.options.model_dump(), "hosts": hosts})

    own = [web.get("/sandbox", identity), web.get("/sandbox/log", log.tell)]
    gbif = Gbif(world)
    gbif_routes = [*own, *gbif.routes(), *Downloads(world, gbif.find).routes(), *ImageCache(world, gallery).routes()]
    routes = {GBIF_ADDRESS: gbif_routes, IDIGBIO_ADDRESS: Idigbio(world).routes()}
    routes |= {host.address: ImageServer(world, host, gallery).routes() for host in world.hosts}
    apps = {}
    for address, table in routes.items():
        app = web.Application(middlewares=[log.watching(f"{address}:{world.options.port}")])
        app.add_routes(table)
        apps[address] = app
    return apps


async def _listen(app: web.Application, address: str, port: int) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
    except OSError as error:
        await runner.cleanup()
        if error.errno == errno.EADDRINUSE:
            raise Fault(f"{address}:{port} is in use; stop what listens there, or set sandbox.port.") from None
        raise Fault(
            f"{address}:{port} cannot be listened on ({error.strerror}); the sandbox needs all of 127.0.0.0/8, "
            f"which Linux has and other systems must be given (macOS: `sudo ifconfig lo0 alias {address}`)."
        ) from None
    return runner


def _introduce(world: World) -> Iterable[str]:
    yield f"The sandbox answers: {len(world.flora.species)} species, seed {world.options.seed}. Ctrl-C ends it."
    yield f"  GBIF      {world.gbif_api}/v1/occurrence/search?limit=1"
    yield f"  iDigBio   {world.idigbio_api}/v2/search/records?limit=1"
    for host in world.hosts:
        yield f"  images    http://{host.name}  ({host.manner.replace('_', ' ')})"


def _await_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Read until nobody holds the other end: whoever started the sandbox has gone."""
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)
