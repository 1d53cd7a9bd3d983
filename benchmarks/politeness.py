"""What politeness costs: CPU microseconds of a lane, CPU milliseconds of a whole request beside bare aiohttp.

    python benchmarks/politeness.py [rounds]

The server is a process of its own on loopback and is not counted. Figures are medians of interleaved rounds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from aiohttp import web

from naflora_etl.engine.http import HttpClient
from naflora_etl.engine.lanes import Lanes
from naflora_etl.recipe import HostPolicy, HttpOptions

SIZES = {"1 kB": (1_000, 400), "2.35 MB, a median sheet": (2_350_000, 150)}
AT_ONCE = 16
QUICK = HostPolicy(concurrency=AT_ONCE, per_second=1e6)


def serve(port: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bytes(int(request.match_info["size"])))

    app = web.Application()
    app.router.add_get("/{size:[0-9]+}", answer)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


async def lane_us(lanes: Lanes, entries: int = 3000) -> float:
    began = time.process_time()
    for _ in range(entries):
        async with lanes.enter("h", QUICK) as turn:
            turn.well()
    return (time.process_time() - began) / entries * 1e6


async def each(get: Callable[[str], Awaitable[object]], url: str, requests: int) -> float:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await get(f"{url}?{number}")

    await asyncio.gather(*(one(number) for number in range(AT_ONCE)))
    began = time.process_time()
    await asyncio.gather(*(one(number) for number in range(requests)))
    return (time.process_time() - began) / requests * 1e3


async def bare(url: str, requests: int) -> float:
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def get(place: str) -> object:
            async with session.get(place) as response:
                return await response.read()

        return await each(get, url, requests)


async def polite(lanes: Lanes, url: str, requests: int) -> float:
    options = HttpOptions(default=QUICK, allow_private_hosts=(url.split("/")[2],))
    async with HttpClient(options, lanes).session() as ask:

        async def get(place: str) -> object:
            answer = await ask(place, robots=True, max_bytes=200_000_000)
            assert answer.issue is None, answer.note
            return answer

        return await each(get, url, requests)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_there(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main(rounds: int) -> None:
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(port := free_port(),), daemon=True)
    server.start()
    while not is_there(port):
        time.sleep(0.1)
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            found.setdefault("lane in memory, us", []).append(asyncio.run(lane_us(Lanes())))
            found.setdefault("lane in files, us", []).append(asyncio.run(lane_us(Lanes(Path(folder)))))
            for name, (size, requests) in SIZES.items():
                url = f"http://127.0.0.1:{port}/{size}"
                found.setdefault(f"{name}: bare aiohttp, ms", []).append(asyncio.run(bare(url, requests)))
                polite_ms = asyncio.run(polite(Lanes(Path(folder)), url, requests))
                found.setdefault(f"{name}: naflora_etl, ms", []).append(polite_ms)
    server.terminate()
    for name, values in found.items():
        sys.stdout.write(f"{name:<44} {statistics.median(values):>8.2f}   ({min(values):.2f} - {max(values):.2f})\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
