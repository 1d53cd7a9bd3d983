"""How aggregators are asked, by their own log: most questions at a time, the rate, who asks, and back-off.

    python benchmarks/harvest_manners.py [species]

The sandbox's GBIF and iDigBio keep the log; the recipe asks for 5 questions a second. A third server answers every
other question with 429 and `Retry-After: 1`.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
import tempfile
import time
from pathlib import Path

import requests
from aiohttp import web

from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.workspace import Workspace
from naflora_etl.pipeline import build_recipe
from naflora_etl.recipe import HttpOptions, SandboxOptions, make_recipe
from naflora_etl.sandbox.embedded import point_recipe, sandbox_running
from naflora_etl.sandbox.world import GBIF_ADDRESS, IDIGBIO_ADDRESS

PER_SECOND = 5.0
CONTACT = "tess@herb.example"


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def ask_aggregators(species: int, folder: Path) -> None:
    options = SandboxOptions(species=species, specimens_per_species=12, port=free_port(GBIF_ADDRESS))
    given = {"name": "manners", "sandbox": options.model_dump(), "harvest": {"page_size": 20}}
    given["http"] = {"contact": CONTACT, "default": {"concurrency": 2, "per_second": PER_SECOND}}
    workspace = Workspace(str(folder / "work"))
    workspace.make()
    with sandbox_running(options):
        build_recipe(point_recipe(make_recipe(given, folder=folder), folder), workspace, until="harvest")
        lines = requests.get(f"http://{GBIF_ADDRESS}:{options.port}/sandbox/log", timeout=20).json()
    for name, address in (("GBIF", GBIF_ADDRESS), ("iDigBio", IDIGBIO_ADDRESS)):
        own = [line for line in lines if line["host"].startswith(address) and not line["path"].startswith("/sandbox")]
        agents = {line["user_agent"] for line in own}
        times = [line["time"] for line in own]
        sys.stdout.write(
            f"{name:<8} {len(own):>4} questions, most at a time {max(line['concurrent'] for line in own)}, "
            f"{(len(times) - 1) / (times[-1] - times[0]):.2f} a second (recipe: {PER_SECOND:.0f}), asked by {agents}\n"
        )


async def ask_throttler() -> None:
    times: list[tuple[float, int]] = []

    async def answer(request: web.Request) -> web.Response:
        status = 429 if len(times) % 2 == 0 else 200
        times.append((time.monotonic(), status))
        return web.Response(status=status, headers={"Retry-After": "1"} if status == 429 else {})

    app = web.Application()
    app.router.add_get("/{number}", answer)
    runner, port = web.AppRunner(app, access_log=None), free_port("127.0.0.1")
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    client = HttpClient(HttpOptions(contact=CONTACT, allow_private_hosts=(f"127.0.0.1:{port}",)))
    async with client.session() as ask:
        for number in range(5):
            await ask(f"http://127.0.0.1:{port}/{number}")
    await runner.cleanup()
    pairs = itertools.pairwise(times)
    gaps = [later - sooner for (sooner, status), (later, _) in pairs if status == 429]
    told = f"the next question comes {min(gaps):.2f} to {max(gaps):.2f} s later"
    sys.stdout.write(f"after 429 with Retry-After: 1, {told}\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        ask_aggregators(int(sys.argv[1]) if len(sys.argv) > 1 else 12, Path(place))
    asyncio.run(ask_throttler())
