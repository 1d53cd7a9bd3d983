"""images: fetch each chosen image, cover its text, resize it, and put it into a pack.

reads   selection
writes  images         one row per image

Spares of a species are fetched only for as many as fail, in order of rank, so the outcome does not depend on which
server answered first. Originals stream through; the recipe may keep them, or masters, to redo an image from.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from naflora_etl.engine.bill import write_asked
from naflora_etl.engine.contracts import read_contract
from naflora_etl.engine.http import Answer, Ask, HttpClient
from naflora_etl.engine.packs import Kept, Packs
from naflora_etl.engine.receipts import digest_of
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.substitutes import ask_in_turn
from naflora_etl.imaging.audit import count_readable
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.kinds import is_image
from naflora_etl.imaging.masters import LIMITED, Masters, Source, limits_of, still_holds
from naflora_etl.imaging.prepare import SHEET_MEASURES, open_detector, prepare_image, shaping
from naflora_etl.imaging.tesseract import tesseract_version
from naflora_etl.issues import TRANSIENT
from naflora_etl.recipe import ImagesOptions
from naflora_etl.sources.alternatives import copies_from, smaller_form, wanted_px

KEYS = ("image_key", "taxon_id", "specimen_key", "gathering_key", "host", "role", "rank")
MEASURES = ("looks", "sharpness", *SHEET_MEASURES)
BEFORE_A_SLICE = 12
LASTING = frozenset({"HTTP_GONE", "HTTP_ERROR", "NOT_AN_IMAGE", "IMAGE_DAMAGED"}) | LIMITED
"""Failures that are kept as an image is, so that a later build does not ask in vain; some only for the same limits."""


def fetch_images(
    selection: pa.Table, *, options: ImagesOptions, http: HttpClient, packs: Packs, progress: Callable[..., None]
) -> pa.Table:
    """Return a row per selected image: its facts and its place in a pack, or why it is set aside."""
    rows = selection.to_pylist()
    work = SliceWork(rows, options, packs, progress)
    with ThreadPoolExecutor(work.hands, thread_name_prefix="images") as pool:
        http.run(work.run(http, pool))
    if work.masters is not None:
        work.masters.pack(row["image_key"] for row in rows)
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
        if options.audit == "gate":
            tesseract_version()  # a Fault now rather than after the first image
        made_by = digest_of([shaping(options), self.detector.name if self.detector else None])[:16]
        self.packs = packs.under(made_by, [name for row in rows for name in self.names_of(row["image_key"])])
        keys = [row["image_key"] for row in rows]
        self.masters = None if options.keep == "none" else Masters(packs, options, keys)
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
            lanes = Lanes(http, ask, pool, self.hands, wanted_px(self.options), self.options.fallback)
            self.redoing = asyncio.Semaphore(self.hands + 1)
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
        """Return what an earlier slice or build found out about an image, if it did.

        Where the recipe keeps something to redo images from, one without it is not finished.
        """
        known = (self.packs.find(name) for name in self.names_of(key))
        facts = next((facts for facts in known if facts is not None and still_holds(facts, self.options)), None)
        return facts if facts is None or self.masters is None or self.masters.has(key) else None

    def is_here(self, key: str, benched: Collection[str]) -> bool:
        """Return whether nobody need be asked for an image; `benched` are the names of files on benches."""
        if self.find_finished(key) is not None or (self.masters is not None and self.masters.has(key)):
            return True
        return any(f"{name}.json" in benched for name in self.names_of(key))

    def _find_on_bench(self, key: str) -> Kept | None:
        if self.masters is not None and not self.masters.has(key):
            return None
        benched = (self.packs.take_from_bench(name) for name in self.names_of(key))
        return next((kept for kept in benched if kept and still_holds(kept.facts, self.options)), None)

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
                kept = await self._redo(key, lanes)
                kept = kept or await lanes.make(row, self._prepare, self.options.max_source_bytes)
                if kept.facts["issue"] not in TRANSIENT:
                    await asyncio.to_thread(self.packs.put_on_bench, kept)
            facts = kept.facts
            if facts["issue"] is None or facts["issue"] in LASTING:
                self.lasting.add(kept.key)
        if issue := self._beyond_limits(facts):
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
        if facts["source_size_bytes"] > options.max_source_bytes or width * height > options.max_source_pixels:
            return "IMAGE_TOO_LARGE"
        if facts.get("readable_words", 0) > options.audit_words:
            return "TEXT_SURVIVES"
        return "NOT_A_SHEET" if options.only_sheets and facts["looks"] != "sheet" else None

    def _prepare(self, row: dict[str, Any], answer: Answer) -> Kept:
        key, failure = self.names_of(row["image_key"])
        facts: dict[str, Any] = {"issue": answer.issue, "status": answer.status}
        facts["fetched_at"] = answer.fetched_at.isoformat()
        facts["asked"] = write_asked(answer.asked)
        if answer.url != row["image_url"]:
            facts["fetched_url"] = answer.url
        try:
            if answer.issue is None:
                source = self.masters.make(facts, answer.body) if self.masters else Source(facts, answer.body, None)
                kept = self._make(key, source)
                if self.masters is not None:
                    self.masters.keep(key, source)
                return kept
        except ImageFault as fault:
            facts = facts | {"issue": fault.issue}
        facts |= limits_of(facts["issue"], self.options)
        if self.masters is not None and facts["issue"] not in TRANSIENT:
            self.masters.keep_failure(key, facts)
        return Kept(failure, facts, {})

    def _make(self, key: str, source: Source) -> Kept:
        """Make the finished image. Raises ImageFault."""
        assert source.body is not None
        made = prepare_image(
            source.body,
            options=self.options,
            detector=self.detector,
            seed_key=key,
            source_px=source.source_px,
            before=key in self.before,
        )
        files = {"jpg": made.jpeg} | ({"before": made.before_jpeg} if made.before_jpeg else {})
        read = {"readable_words": count_readable(made.jpeg)} if self.options.audit == "gate" else {}
        return Kept(key, made.facts(source.body) | source.facts | read, files)

    async def _redo(self, key: str, lanes: Lanes) -> Kept | None:
        """Make an image from what was kept of it; None when its server must be asked."""
        if self.masters is None:
            return None
        async with self.redoing:
            return await asyncio.get_running_loop().run_in_executor(lanes.pool, self._remake, key)

    def _remake(self, key: str) -> Kept | None:
        assert self.masters is not None
        source = self.masters.find(key)
        if source is None:
            return None
        return self._make(key, source) if source.body is not None else Kept(self.names_of(key)[1], source.facts, {})

    def row_of(self, row: dict[str, Any], packed: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Return the image's row: its keys, and its facts where it has any."""
        keys = {name: row[name] for name in KEYS}
        if row["image_key"] not in self.facts:
            return keys | {"issue": "SPARE_NOT_NEEDED"}
        facts = packed.get(row["image_key"], {}) | self.facts[row["image_key"]]
        if facts["issue"] is not None:
            measures = MEASURES if facts["issue"] == "NOT_A_SHEET" else ()
            return keys | {name: facts.get(name) for name in ("issue", "status", "asked", *measures)}
        named = {
            "fetched_at": pa.scalar(facts["fetched_at"]).cast(pa.timestamp("us", "UTC")).as_py(),
            "offset": facts["jpg_offset"],
            "size_bytes": facts["jpg_length_bytes"],
        }
        return keys | {name: value for name, value in facts.items() if name in COLUMNS} | named


COLUMNS = frozenset(read_contract("images").arrow_schema.names)


class Lanes:
    """Bounds what is in memory: a host's lane stays taken until its body has found hands to work on it."""

    def __init__(
        self,
        http: HttpClient,
        ask: Ask,
        pool: ThreadPoolExecutor,
        hands: int,
        long_side_px: int | None = None,
        fallback: Sequence[str] = (),
    ) -> None:
        self.long_side_px = long_side_px
        self.fallback = fallback
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
            url = row["image_url"]
            smaller = smaller_form(url, self.long_side_px) if self.long_side_px else None
            answer = await ask_in_turn(
                self.ask,
                url,
                before=[smaller] if smaller else (),
                after=copies_from(row.get("copy_urls"), self.fallback),
                is_wanted=is_image,
                max_bytes=max_bytes,
            )
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
