"""A small host of images for the tests of `naflora fetch`, whose own log is the judge."""

from __future__ import annotations

import asyncio
import io
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from aiohttp import web
from PIL import Image


def sheet(number: int, *, width: int = 361, height: int = 520) -> bytes:
    """A small JPEG, another for each number; its sizes are odd, and it says so in EXIF that it lies on its side."""
    rng = np.random.default_rng(number)
    small = rng.integers(120, 255, (height // 20, width // 20, 3), np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6 if number % 5 == 4 else 1
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, exif=exif)
    return file.getvalue()


@dataclass
class Host:
    """What it saw, and how it is to behave: `/image/<n>.jpg` is an image, other paths are their names."""

    port: int = 0
    seen: list[str] = field(default_factory=list)
    sick: set[str] = field(default_factory=set)
    """Paths that answer 503 until they are taken out."""
    delay_s: float = 0.0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self) -> Counter[str]:
        """How often each path was asked for, robots.txt and tdmrep.json aside."""
        return Counter(path for path in self.seen if path not in ("/robots.txt", "/.well-known/tdmrep.json"))

    def urls(self, count: int) -> list[str]:
        return [f"{self.root}/image/{number}.jpg" for number in range(count)]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.seen.append(path)
        if path == "/robots.txt":
            return web.Response(text="User-agent: *\nDisallow: /secret/\n")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.delay_s)
            return self._picture(path)
        finally:
            self.at_once -= 1

    def _picture(self, path: str) -> web.Response:
        if path in self.sick:
            return web.Response(status=503)
        if path.startswith("/image/") or path.startswith("/secret/"):
            return web.Response(body=sheet(int(path.rsplit("/", 1)[1].removesuffix(".jpg"))), content_type="image/jpeg")
        if path.startswith("/iiif/"):  # /iiif/<n>/full/<size>/0/default.jpg; of odd numbers it gives the whole only
            number, size = int(path.split("/")[2]), path.split("/")[4]
            if size != "full" and number % 2:
                return web.Response(status=400)
            side = {} if size == "full" else {"width": 208, "height": 300}
            return web.Response(body=sheet(number, **side), content_type="image/jpeg")
        if path == "/optout.jpg":
            return web.Response(body=sheet(1), headers={"X-Robots-Tag": "noai"})
        if path == "/page.jpg":
            return web.Response(text="<!doctype html><p>Sorry", content_type="text/html")
        if path == "/cut.jpg":
            return web.Response(body=sheet(1)[:9000])
        if path == "/tiny.jpg":
            return web.Response(body=sheet(1, width=60, height=80))
        if path == "/closed.jpg":
            return web.Response(status=403)
        return web.Response(status=404)


@contextmanager
def running() -> Iterator[Host]:
    """Run a host on loopback while the block lasts."""
    host, loop, ready = Host(), asyncio.new_event_loop(), threading.Event()
    runners: list[web.AppRunner] = []

    async def start() -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", host.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        host.port = runner.addresses[0][1]
        ready.set()

    thread = threading.Thread(target=lambda: (loop.run_until_complete(start()), loop.run_forever()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield host
    finally:
        asyncio.run_coroutine_threadsafe(runners[0].cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
