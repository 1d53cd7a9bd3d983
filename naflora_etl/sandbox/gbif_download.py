"""The GBIF look-alike's download API: requests with a login, a queue of three, a while to prepare, a zip with ranges.

Any user name is known here, but no e-mail address in its place, and with every password but an empty one and `wrong`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from aiohttp import web

from naflora_etl.sandbox.gatherings import Specimen
from naflora_etl.sandbox.gbif_archive import write_archive
from naflora_etl.sandbox.world import World

MOST_AT_ONCE = 3
MOST_VALUES = 100_000
QUEUE_FULL = 420
PARAMETERS = {
    "TAXON_KEY": "taxonKey",
    "BASIS_OF_RECORD": "basisOfRecord",
    "MEDIA_TYPE": "mediaType",
    "COUNTRY": "country",
    "DATASET_KEY": "datasetKey",
    "INSTITUTION_CODE": "institutionCode",
}
Find = Callable[[dict[str, list[str]], str], Iterator[Specimen]]


@dataclass
class Job:
    """One download."""

    key: str
    user: str
    asked: dict[str, Any]
    began: float = field(default_factory=time.monotonic)
    ended: str | None = None
    """The state in which it was ended by somebody."""
    path: Path | None = None
    records: int = 0
    datasets: int = 0


class Downloads:
    """Answers for one world; `find` yields what a search with these parameters and checklist finds."""

    def __init__(self, world: World, find: Find) -> None:
        self.world = world
        self.find = find
        self.jobs: dict[str, Job] = {}
        self.numbers = count(1)
        self.folder = tempfile.TemporaryDirectory(prefix="sandbox-downloads-")

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        root = "/v1/occurrence/download"
        return [
            web.post(f"{root}/request", self.post),
            web.get(f"{root}/request/{{file}}", self.redirect),
            web.delete(f"{root}/request/{{key}}", self.cancel),
            web.get(f"{root}/user/{{user}}", self.of_user),
            web.get(f"{root}/{{key}}", self.tell),
            web.get("/downloads/{file}", self.file),
        ]

    async def post(self, request: web.Request) -> web.Response:
        """Take a request; 201 and its key, as plain text."""
        user = _user_of(request)
        if user is None:
            return web.Response(status=401)
        if sum(self._state(job) in ("PREPARING", "RUNNING") and job.user == user for job in self.jobs.values()) >= (
            MOST_AT_ONCE
        ):
            return web.Response(status=QUEUE_FULL, text="A user can have 3 simultaneous downloads")
        try:
            asked = await request.json()
            query, checklist = _query_of(asked["predicate"]), asked["checklistKey"]
        except (ValueError, KeyError, TypeError) as error:
            return web.Response(status=400, text=f"the request cannot be understood: {error}")
        if asked.get("format") != "DWCA" or asked.get("creator") not in (user, None):
            return web.Response(status=400, text="the sandbox prepares DWCA alone, for whoever logs in")
        if sum(map(len, query.values())) > MOST_VALUES:
            return web.Response(status=413, text="the predicate is too complex")
        job = Job(f"{next(self.numbers):07d}-261123214500000", user, asked)
        self.jobs[job.key] = job
        await asyncio.to_thread(self._prepare, job, query, checklist)
        job.began = time.monotonic()
        return web.Response(status=201, text=job.key)

    def _prepare(self, job: Job, query: dict[str, list[str]], checklist: str) -> None:
        specimens = list(self.find(query, checklist))
        path = Path(self.folder.name, f"{job.key}.zip")
        write_archive(self.world, specimens, checklist, path, _doi(job.key))
        job.path, job.records = path, len(specimens)
        job.datasets = len({specimen.institution.dataset_key for specimen in specimens})

    def _state(self, job: Job) -> str:
        if job.ended:
            return job.ended
        gone, whole = time.monotonic() - job.began, self.world.options.download_s
        if job.path is None or gone < whole / 2:
            return "PREPARING"
        return "RUNNING" if gone < whole else "SUCCEEDED"

    async def tell(self, request: web.Request) -> web.Response:
        """Answer how a download stands."""
        job = self.jobs.get(request.match_info["key"])
        return web.json_response(self._told(job)) if job else web.Response(status=404)

    async def of_user(self, request: web.Request) -> web.Response:
        """Answer with a user's own downloads, the latest first."""
        user = _user_of(request)
        if user is None or user != request.match_info["user"]:
            return web.Response(status=401 if user is None else 403)
        own = [self._told(job) for job in reversed(self.jobs.values()) if job.user == user]
        return web.json_response({"offset": 0, "limit": 100, "endOfRecords": True, "count": len(own), "results": own})

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a download of one's own."""
        user, job = _user_of(request), self.jobs.get(request.match_info["key"])
        if user is None or job is None or job.user != user:
            return web.Response(status=401 if user is None else 404)
        job.ended = "CANCELLED"
        return web.Response(status=204)

    async def redirect(self, request: web.Request) -> web.Response:
        """Redirect to the zip, as GBIF does to its house of downloads."""
        job = self.jobs.get(request.match_info["file"].removesuffix(".zip"))
        if job is None or self._state(job) != "SUCCEEDED":
            return web.Response(status=410 if job and job.ended == "FILE_ERASED" else 404)
        raise web.HTTPFound(f"{self.world.gbif_api}/downloads/{job.key}.zip")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Answer with the zip, or a range of it."""
        job = self.jobs.get(request.match_info["file"].removesuffix(".zip"))
        if job is None or job.path is None or self._state(job) != "SUCCEEDED":
            return web.Response(status=404)
        return web.FileResponse(job.path)

    def _told(self, job: Job) -> dict[str, Any]:
        state = self._state(job)
        told: dict[str, Any] = {"key": job.key, "doi": _doi(job.key), "status": state, "request": job.asked}
        told |= {"license": "http://creativecommons.org/licenses/by-nc/4.0/legalcode"}
        told |= {"created": "2026-11-02T10:15:30.000+00:00", "modified": "2026-11-02T10:21:30.000+00:00"}
        told |= {"downloadLink": f"{self.world.gbif_api}/v1/occurrence/download/request/{job.key}.zip"}
        if state == "SUCCEEDED" and job.path is not None:
            told |= {"size": job.path.stat().st_size, "totalRecords": job.records, "numberDatasets": job.datasets}
        return told


def _doi(key: str) -> str:
    return f"10.15468/dl.sand{key[3:7]}"


def _user_of(request: web.Request) -> str | None:
    """Return who asks; None without a login, or with one that is not known."""
    scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(pair, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    known = scheme == "Basic" and user and "@" not in user and password not in ("", "wrong")
    return user if known else None


def _query_of(predicate: dict[str, Any]) -> dict[str, list[str]]:
    """Return the parameters of a search that asks the same; raises ValueError for what no search can ask."""
    kind = predicate["type"]
    if kind == "and":
        query: dict[str, list[str]] = {}
        for part in predicate["predicates"]:
            query |= _query_of(part)
        return query
    if kind not in ("in", "equals") or predicate["key"] not in PARAMETERS:
        raise ValueError(f"the sandbox does not know the predicate {kind} {predicate.get('key')}")
    values = predicate["values"] if kind == "in" else [predicate["value"]]
    return {PARAMETERS[predicate["key"]]: [str(value) for value in values]}
