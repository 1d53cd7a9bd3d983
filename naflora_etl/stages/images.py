"""images: fetch each chosen image, cover its text, resize it, and put it into a pack.

reads   selection
writes  images         one row per image

Spares of a species are fetched only for as many as fail, in order of rank, so the outcome does not depend on which
server answered first. Originals stream through and are not kept.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.http import Answer, Ask, HttpClient
from naflora_etl.engine.packs import Kept, Packs
from naflora_etl.engine.receipts import digest_of
from naflora_etl.engine.stage import Stage
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.prepare import open_detector, prepare_image
from naflora_etl.issues import TRANSIENT
from naflora_etl.recipe import ImagesOptions

KEYS = ("image_key", "taxon_id", "specimen_key", "gathering_key", "host", "role", "rank")
SHAPING = ("size_px", "jpeg_quality", "redact", "detect_px", "coarse_px", "grow", "noise_seed")
BEFORE_A_SLICE = 12
LASTING = frozenset({"HTTP_GONE", "HTTP_ERROR", "NOT_AN_IMAGE", "IMAGE_DAMAGED"})
"""Failures that no knob changes: kept as an image is, so that a later build does not ask in vain again."""


def fetch_images(
    selection: pa.Table, *, options: ImagesOptions, http: HttpClient, packs: Packs, progress: Callable[..., None]
) -> pa.Table:
    """Return a row per selected image: its facts and its place in a pack, or why it is set aside."""
    rows = selection.to_pylist()
    work = SliceWork(rows, options, packs, progress)
    with ThreadPoolExecutor(work.hands, thread_name_prefix="images") as pool:
        http.run(work.run(http, pool))
    packed = work.packs.pack_bench(work.finished())
    made = [work.row_of(row, packed) for row in rows]
    return pa.Table.from_pylist(made, read_contract("images").arrow_schema)


class SliceWork:
    """The fetching of one slice: what is known of each image so far."""

    def __init__(
        self, rows: list[dict[str, Any]], options: ImagesOptions, packs: Packs, progress: Callable[..., None]
    ) -> None:
        self.rows = rows
        self.options = options
        self.progress = progress
        self.detector = open_detector(options)
        shaping = {name: getattr(options, name) for name in SHAPING}
        made_by = digest_of([shaping, self.detector.name if self.detector else None])[:16]
        self.packs = packs.under(made_by, [name for row in rows for name in self.names_of(row["image_key"])])
        self.facts: dict[str, dict[str, Any]] = {}
        self.lasting: set[str] = set()
        """What this slice finished and later builds shall find."""
        self.hands = os.cpu_count() or 1
        # a few thumbnails from before the redaction, for the report; which ones, the keys decide
        self.before = set(sorted(row["image_key"] for row in rows if row["role"] == "chosen")[:BEFORE_A_SLICE])
        self.chosen = [row for row in rows if row["role"] == "chosen"]
        self.set_aside = 0

    async def run(self, http: HttpClient, pool: ThreadPoolExecutor) -> None:
        """Fetch every chosen image, and spares for those that fail."""
        species: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in sorted(self.rows, key=lambda row: (row["taxon_id"], row["rank"])):
            species[row["taxon_id"]].append(row)
        async with http.session() as ask:
            lanes = Lanes(http, ask, pool, self.hands)
            await asyncio.gather(*(self._fill(rows, lanes) for rows in species.values()))

    async def _fill(self, rows: list[dict[str, Any]], lanes: Lanes) -> None:
        wanted = [row for row in rows if row["role"] == "chosen"]
        spares = [row for row in rows if row["role"] == "spare"]
        while wanted:
            done = await asyncio.gather(*(self._finish(row, lanes) for row in wanted))
            failures = done.count(False)
            wanted, spares = spares[:failures], spares[failures:]

    def names_of(self, key: str) -> tuple[str, str]:
        """Return the names under which an image and its failure are kept; a failure holds for this snapshot alone."""
        return key, f"{key}@{self.options.snapshot}"

    def find_finished(self, key: str) -> dict[str, Any] | None:
        """Return what an earlier slice or build found out about an image, if it did."""
        return next((facts for name in self.names_of(key) if (facts := self.packs.find(name)) is not None), None)

    def _find_on_bench(self, key: str) -> Kept | None:
        return next((kept for name in self.names_of(key) if (kept := self.packs.take_from_bench(name))), None)

    def finished(self) -> Iterator[str]:
        """Yield the names under which this slice's work is packed, in planned order."""
        for row in self.rows:
            yield from (name for name in self.names_of(row["image_key"]) if name in self.lasting)

    async def _finish(self, row: dict[str, Any], lanes: Lanes) -> bool:
        key = row["image_key"]
        facts = self.find_finished(key)
        if facts is None:
            kept = self._find_on_bench(key)
            if kept is None:
                kept = await lanes.make(row, self._prepare, self.options.max_source_bytes)
                if kept.facts["issue"] not in TRANSIENT:
                    await asyncio.to_thread(self.packs.put_on_bench, kept)
            facts = kept.facts
            if facts["issue"] is None or facts["issue"] in LASTING:
                self.lasting.add(kept.key)
        elif issue := self._beyond_limits(facts):
            facts = facts | {"issue": issue}
        self.facts[key] = facts
        self.set_aside += facts["issue"] is not None
        self.progress(len(self.facts), len(self.chosen) + self.set_aside, f"{self.set_aside} set aside, {row['host']}")
        return facts["issue"] is None

    def _beyond_limits(self, facts: dict[str, Any]) -> str | None:
        """Return what the recipe's limits, which may have changed, say against an image of an earlier build."""
        if facts["issue"] is not None:
            return None
        width, height, options = facts["source_width_px"], facts["source_height_px"], self.options
        if min(width, height) < options.min_side_px:
            return "IMAGE_TOO_SMALL"
        too_large = facts["source_size_bytes"] > options.max_source_bytes or width * height > options.max_source_pixels
        return "IMAGE_TOO_LARGE" if too_large else None

    def _prepare(self, row: dict[str, Any], answer: Answer) -> Kept:
        key, failure = self.names_of(row["image_key"])
        facts: dict[str, Any] = {"issue": answer.issue, "status": answer.status}
        facts["fetched_at"] = answer.fetched_at.isoformat()
        if answer.issue is not None:
            return Kept(failure, facts, {})
        try:
            made = prepare_image(answer.body, options=self.options, detector=self.detector, seed_key=key)
        except ImageFault as fault:
            return Kept(failure, facts | {"issue": fault.issue}, {})
        files = {"jpg": made.jpeg} | ({"before": made.before_jpeg} if key in self.before else {})
        return Kept(key, facts | made.facts(answer.body), files)

    def row_of(self, row: dict[str, Any], packed: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Return the image's row: its keys, and its facts where it has any."""
        keys = {name: row[name] for name in KEYS}
        if row["image_key"] not in self.facts:
            return keys | {"issue": "SPARE_NOT_NEEDED"}
        facts = packed.get(row["image_key"]) or self.facts[row["image_key"]]
        if facts["issue"] is not None:
            return keys | {"issue": facts["issue"], "status": facts["status"]}
        named = {
            "fetched_at": pa.scalar(facts["fetched_at"]).cast(pa.timestamp("us", "UTC")).as_py(),
            "offset": facts["jpg_offset"],
            "size_bytes": facts["jpg_length_bytes"],
        }
        return keys | {name: value for name, value in facts.items() if name in COLUMNS} | named


COLUMNS = frozenset(read_contract("images").arrow_schema.names)


class Lanes:
    """Bounds what is in memory: a host's lane stays taken until its body has found hands to work on it."""

    def __init__(self, http: HttpClient, ask: Ask, pool: ThreadPoolExecutor, hands: int) -> None:
        self.http = http
        self.ask = ask
        self.pool = pool
        self.hands = asyncio.Semaphore(hands + 1)
        self.hosts: dict[str, asyncio.Semaphore] = {}

    async def make(
        self, row: dict[str, Any], prepare: Callable[[dict[str, Any], Answer], Kept], max_bytes: int
    ) -> Kept:
        """Fetch one image and prepare it in the pool."""
        host = row["host"]
        lane = self.hosts.setdefault(host, asyncio.Semaphore(self.http.policy(host).concurrency))
        async with lane:
            answer = await self.ask(row["image_url"], max_bytes=max_bytes, robots=True)
            await self.hands.acquire()
        try:
            return await asyncio.get_running_loop().run_in_executor(self.pool, prepare, row, answer)
        finally:
            self.hands.release()


STAGE = Stage(
    "images",
    reads=("selection",),
    run=fetch_images,
    uses=("http", "packs", "progress"),
    slice_by="taxon_id",
    rows_per_slice="images_per_slice",
    accounts_for="image_key",
    transient=TRANSIENT,
)
