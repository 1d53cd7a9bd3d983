"""The iDigBio look-alike's bulk downloads: a request, a status to ask for, a zip with records and their media."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha1
from typing import Any

from aiohttp import web

from naflora_etl.sandbox.world import World

LOOKS_BEFORE_READY = 2
EPOCH = (2026, 11, 2, 10, 15, 30)
SPACES = {
    "dwc": "http://rs.tdwg.org/dwc/terms/",
    "dcterms": "http://purl.org/dc/terms/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "ac": "http://rs.tdwg.org/ac/terms/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "idigbio": "http://portal.idigbio.org/terms/",
}
Item = dict[str, Any]


class Downloads:
    """Answers for one world; `find` returns the records and the media that a query finds."""

    def __init__(self, world: World, find: Callable[[Item], tuple[list[Item], list[Item]]]) -> None:
        self.world = world
        self.find = find
        self.asked: dict[str, Item] = {}
        self.looks: dict[str, int] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.post("/v2/download", self.post),
            web.get("/v2/download/{key}", self.tell),
            web.get("/downloads/{key}.zip", self.file),
        ]

    async def post(self, request: web.Request) -> web.Response:
        """Take a request; the same question has the same key."""
        asked = await request.json()
        if (asked.get("form"), asked.get("core_source")) != ("dwca-csv", "raw") or "rq" not in asked:
            return web.json_response({"error": "the sandbox knows dwca-csv of raw records alone"}, status=400)
        key = sha1(repr(sorted(asked["rq"].items())).encode()).hexdigest()
        self.asked[key] = asked["rq"]
        return web.json_response(self._told(key))

    async def tell(self, request: web.Request) -> web.Response:
        """Answer how a download stands; it is ready when it was looked at twice."""
        key = request.match_info["key"]
        if key not in self.asked:
            return web.json_response({"error": "Not Found"}, status=404)
        self.looks[key] = self.looks.get(key, 0) + 1
        return web.json_response(self._told(key))

    def _told(self, key: str) -> Item:
        is_ready = self.looks.get(key, 0) >= LOOKS_BEFORE_READY
        told = {"complete": is_ready, "task_status": "SUCCESS" if is_ready else "PENDING", "hash": key}
        told["status_url"] = f"{self.world.idigbio_api}/v2/download/{key}"
        return told | ({"download_url": f"{self.world.idigbio_api}/downloads/{key}.zip"} if is_ready else {})

    async def file(self, request: web.Request) -> web.Response:
        """Answer with the zip."""
        found = self.asked.get(request.match_info["key"])
        if found is None:
            return web.Response(status=404)
        return web.Response(body=pack(*self.find(found)), content_type="application/zip")


def pack(records: Iterable[Item], media: Iterable[Item]) -> bytes:
    """Return the zip of some items of /v2/search; the same ones give the same bytes."""
    core = [_plain(item["data"], id=item["uuid"], recordset=item["indexTerms"]["recordset"]) for item in records]
    views = [
        _plain(item["data"], id=item["indexTerms"]["records"][0])
        for item in sorted(media, key=lambda item: str(item["uuid"]))
    ]
    fields = [sorted({name for row in rows for name in row} - {"id"}) for rows in (core, views)]
    texts = {
        "occurrence_raw.csv": _csv(core, fields[0]),
        "multimedia_raw.csv": _csv(views, fields[1]),
        "meta.xml": _meta(fields[0], fields[1]),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _plain(data: Item, **more: str) -> dict[str, str]:
    row = {name: str(value) for name, value in data.items() if name.split(":")[0] in SPACES}
    own = {name if name == "id" else f"idigbio:{name}": value for name, value in more.items()}
    return row | own


def _csv(rows: Sequence[dict[str, str]], fields: Sequence[str]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["id", *fields], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _meta(core: Sequence[str], media: Sequence[str]) -> str:
    head = 'encoding="UTF-8" fieldsTerminatedBy="," linesTerminatedBy="\\n" fieldsEnclosedBy="&quot;"'
    head += ' ignoreHeaderLines="1"'

    def part(tag: str, key: str, kind: str, place: str, fields: Sequence[str]) -> str:
        said = "".join(f'<field index="{at}" term="{_address(name)}"/>' for at, name in enumerate(fields, 1))
        files = f"<files><location>{place}</location></files>"
        return f'<{tag} {head} rowType="{kind}">{files}<{key} index="0"/>{said}</{tag}>'

    occurrence = part("core", "id", f"{SPACES['dwc']}Occurrence", "occurrence_raw.csv", core)
    multimedia = part("extension", "coreid", f"{SPACES['ac']}Multimedia", "multimedia_raw.csv", media)
    return f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{occurrence}{multimedia}</archive>'


def _address(name: str) -> str:
    space, _, term = name.partition(":")
    return SPACES[space] + term
