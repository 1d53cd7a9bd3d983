"""The GBIF look-alike's image cache: a smaller copy of a picture, by record and the md5 of its address."""

from __future__ import annotations

import asyncio
import hashlib

import cv2
from aiohttp import web

from naflora_etl.sandbox.gatherings import Picture, Specimen
from naflora_etl.sandbox.hosts import Gallery
from naflora_etl.sandbox.sheet import draw_sheet, encode_jpeg
from naflora_etl.sandbox.world import World

MOST_PX = 1200
BROKEN = ("html", "svg", "cut_short", "not_found")
"""Pictures that the cache never got whole either; those that their server withdrew it still has."""


class ImageCache:
    """Copies of the pictures of one world."""

    def __init__(self, world: World, gallery: Gallery) -> None:
        self.world = world
        self.gallery = gallery

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [web.get("/v1/image/cache/{size}/occurrence/{key}/media/{md5}", self.copy)]

    async def copy(self, request: web.Request) -> web.Response:
        """Answer with a copy of at most MOST_PX; 404 for what was never cached."""
        found = self._find(request.match_info["key"], request.match_info["md5"])
        if found is None or found[1].trouble in BROKEN:
            return web.Response(status=404, text="Not found")
        async with self.gallery.at_work:
            body = await asyncio.to_thread(_small_copy, self.world, *found)
        return web.Response(body=body, content_type="image/jpeg")

    def _find(self, key: str, md5: str) -> tuple[Specimen, Picture] | None:
        specimen = self.world.find_gbif(key)
        for picture in specimen.pictures if specimen and specimen.in_gbif else ():
            if hashlib.md5(picture.url.encode(), usedforsecurity=False).hexdigest() == md5:
                return specimen, picture  # type: ignore[return-value]
        return None


def _small_copy(world: World, specimen: Specimen, picture: Picture) -> bytes:
    pixels = draw_sheet(world, specimen, picture.number).pixels
    scale = min(1.0, MOST_PX / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return encode_jpeg(small)  # type: ignore[arg-type]
