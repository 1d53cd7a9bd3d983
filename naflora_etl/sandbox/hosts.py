"""The image servers and their manners: quick, throttling, slow, with dead links, lying, flaky, closed, small."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable
from hashlib import sha1

import cv2
from aiohttp import web

from naflora_etl.sandbox.gatherings import Picture, Specimen
from naflora_etl.sandbox.herbaria import Host
from naflora_etl.sandbox.sheet import draw_sheet, encode_jpeg, encode_png
from naflora_etl.sandbox.world import World

THROTTLE_PER_SECOND = 4
SLOW_S = (0.3, 0.5)
FLAKY_ONE_IN = 4  # of the pictures fail when first asked for
KEPT_BYTES = 64_000_000
MOST_AT_WORK = 8
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="400"><text x="40" y="200">No image</text></svg>'
HTML = "<!doctype html><title>Image viewer</title><p>Please enable JavaScript to see this specimen.</p>"
CUT = "cut"
"""Key of a request whose connection was cut, for the log."""
Reply = tuple[bytes, str]  # body, content type


class Gallery:
    """Draws pictures when they are asked for, away from the event loop, and keeps the latest."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kept: OrderedDict[tuple[str, int], asyncio.Future[Reply]] = OrderedDict()
        self.at_work = asyncio.Semaphore(max(2, min(MOST_AT_WORK, os.cpu_count() or 2)))
        cv2.setNumThreads(1)  # a sheet is drawn on one core, several sheets on several

    async def show(self, specimen: Specimen, picture: Picture) -> Reply:
        """Return the body and the content type that come for a picture; equal requests share one drawing."""
        key = specimen.barcode, picture.number
        if key not in self.kept:
            self.kept[key] = asyncio.ensure_future(self._draw(specimen, picture))
            self._forget_oldest()
        self.kept.move_to_end(key)
        try:
            return await asyncio.shield(self.kept[key])
        except Exception:
            self.kept.pop(key, None)  # what failed is drawn anew the next time
            raise

    async def _draw(self, specimen: Specimen, picture: Picture) -> Reply:
        async with self.at_work:
            return await asyncio.to_thread(draw_reply, self.world, specimen, picture)

    def _forget_oldest(self) -> None:
        done = {key: len(future.result()[0]) for key, future in self.kept.items() if _is_drawn(future)}
        size = sum(done.values())
        for key, bytes_here in done.items():
            if size <= KEPT_BYTES:
                break
            del self.kept[key]
            size -= bytes_here


def _is_drawn(future: asyncio.Future[Reply]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def draw_reply(world: World, specimen: Specimen, picture: Picture) -> Reply:
    """Return what really comes for a picture: an image as promised, or what its trouble makes of it."""
    if picture.trouble == "html":
        return HTML.encode(), "text/html"
    if picture.trouble == "svg":
        return SVG.encode(), "image/svg+xml"
    sheet = draw_sheet(world, specimen, picture.number)
    if picture.trouble == "png":  # at half its size, since PNGs of paper are vast
        half = cv2.resize(sheet.pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return encode_png(half), "image/jpeg"  # type: ignore[arg-type]
    body = encode_jpeg(sheet.pixels)
    if picture.trouble == "cut_short":
        return body[: len(body) * 2 // 5], "image/jpeg"
    return body, "text/plain" if picture.trouble == "as_text" else "image/jpeg"


class ImageServer:
    """One host: serves its own pictures, in its own manner."""

    def __init__(self, world: World, host: Host, gallery: Gallery) -> None:
        self.world, self.host, self.gallery = world, host, gallery
        self.recent: deque[float] = deque()
        self.asked: set[str] = set()
        self.requests: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.get("/robots.txt", self.robots),
            web.get("/sheets/{file}", self.picture),
            web.get("/about/{rest:.*}", self.page),
        ]

    async def robots(self, request: web.Request) -> web.Response:
        """Answer which machines may come: none on a closed host; the small one has never thought about it."""
        if self.host.manner == "small":
            raise web.HTTPNotFound
        shut = "/" if self.host.manner == "closed" else "/admin/"
        return web.Response(text=f"User-agent: *\nDisallow: {shut}\n")

    async def page(self, request: web.Request) -> web.Response:
        """Answer with the web page about a specimen, which is no image."""
        return web.Response(text=HTML, content_type="text/html")

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """Answer with a picture, after this host's fashion."""
        manner = _MANNERS.get(self.host.manner)
        refusal = await manner(self, request.path) if manner else None
        if refusal is not None:
            return refusal
        found = self._find(request.match_info["file"])
        if found is None or found[1].trouble == "not_found":
            return web.Response(status=404, text="Not found")
        if found[1].trouble == "gone":
            return web.Response(status=410, text="This image was withdrawn")
        body, kind = await self.gallery.show(*found)
        headers = {"ETag": f'"{sha1(body).hexdigest()}"', "Content-Type": kind}
        if self._is_cut(request.path):
            return await cut_connection(request, body, headers)
        return web.Response(body=body, headers=headers)

    def _is_cut(self, path: str) -> bool:
        """Return whether this request is one whose connection is cut; the same ones in every run of the sandbox."""
        options, self.requests[path] = self.world.options, self.requests[path] + 1
        if self.host.manner == "steady" and 0 < options.dies_after < self.requests.total():
            return True
        return _share(f"{path} {self.requests[path]}") < options.drop_share

    def _find(self, file: str) -> tuple[Specimen, Picture] | None:
        barcode, _, number = file.removesuffix(".jpg").rpartition("_")
        specimen = self.world.find_barcode(barcode)
        for picture in specimen.pictures if specimen else ():
            if str(picture.number) == number and picture.host == self.host:
                return specimen, picture  # type: ignore[return-value]
        return None

    async def throttle(self, path: str) -> web.Response | None:
        """Refuse who asks more than THROTTLE_PER_SECOND times a second."""
        now = time.monotonic()
        while self.recent and self.recent[0] < now - 1:
            self.recent.popleft()
        if len(self.recent) >= THROTTLE_PER_SECOND:
            return web.Response(status=429, headers={"Retry-After": "1"}, text="Too many requests")
        self.recent.append(now)
        return None

    async def dawdle(self, path: str) -> web.Response | None:
        """Let everybody wait."""
        await asyncio.sleep(SLOW_S[0] + (SLOW_S[1] - SLOW_S[0]) * _share(path))
        return None

    async def falter(self, path: str) -> web.Response | None:
        """Fail for some pictures when they are first asked for; the next time all is well."""
        first = path not in self.asked
        self.asked.add(path)
        if first and _share(path) < 1 / FLAKY_ONE_IN:
            return web.Response(status=503, text="Service temporarily unavailable")
        return None


async def cut_connection(request: web.Request, body: bytes, headers: dict[str, str]) -> web.StreamResponse:
    """Break the connection off, for every second path after half of the body."""
    request[CUT] = True
    response = web.StreamResponse(headers=headers)
    if _share(f"half {request.path}") < 0.5:
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


_MANNERS: dict[str, Callable[[ImageServer, str], Awaitable[web.Response | None]]] = {
    "throttling": ImageServer.throttle,
    "slow": ImageServer.dawdle,
    "flaky": ImageServer.falter,
}


def _share(path: str) -> float:
    """Return a number from 0 to 1 that is the path's own."""
    return int(sha1(path.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
