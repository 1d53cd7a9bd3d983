"""A run over what is wanted of a list: every host kept busy within its manners, every row accounted for."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from yarl import URL

from naflora_etl.engine.addresses import AddressRefused, check_url, is_loopback
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.http import Answer, Ask, HttpClient
from naflora_etl.engine.substitutes import ask_in_turn
from naflora_etl.engine.tables import read_parquet
from naflora_etl.fetching.asked import Asked, read_asked
from naflora_etl.fetching.options import FetchOptions, Summary
from naflora_etl.fetching.receipt import Receipt
from naflora_etl.fetching.store import Store
from naflora_etl.fetching.window import Window
from naflora_etl.imaging.faults import ImageFault
from naflora_etl.imaging.kinds import is_image
from naflora_etl.imaging.plain import finish_image
from naflora_etl.recipe import HttpOptions
from naflora_etl.sources.alternatives import smaller_form, wanted_px

MOST_AT_ONCE = 1024
"""Addresses that are asked or waited for at a time, over all hosts."""
BUDGET_BYTES = 96_000_000
BUDGET_A_HAND = 24_000_000
"""Memory that bodies may take, which grows with the cores that work on them."""


def run_list(
    path: Path, out: Path, *, options: FetchOptions, http: HttpOptions, receipt: Receipt, progress: Callable[..., None]
) -> Summary:
    """Fetch what of the list at `path` is not in `out`, and bring every shard, manifest and receipt up to date."""
    asked = read_asked(path, key_column=options.key_column, url_column=options.url_column)
    receipt.check_settings()
    _check_contact(asked, http)
    store = Store(out, asked, options)
    wanted = store.open()
    receipt.withdraw()
    work = Work(asked, store, options, HttpClient(http), progress)
    work.run(wanted)
    summary = _summarise(store, work)
    receipt.write(summary)
    return summary


class Work:
    """One run over the rows that are wanted."""

    def __init__(
        self, asked: Asked, store: Store, options: FetchOptions, http: HttpClient, progress: Callable[..., None]
    ) -> None:
        self.asked, self.store, self.options, self.http, self.progress = asked, store, options, http, progress
        self.hands = os.cpu_count() or 1
        self.window = Window(self.hands, BUDGET_BYTES + BUDGET_A_HAND * self.hands)
        self.detector: Any = None
        self.left: Counter[int] = Counter()
        """Rows still to be decided, by shard."""
        self.followers: dict[int, list[int]] = {}
        self.total = self.done = self.failed = self.asking = self.reduced = self.reduced_bytes = 0
        self.hosts: dict[str, dict[str, Any]] = defaultdict(lambda: {"asked": 0, "bytes": 0, "issues": Counter()})

    def run(self, wanted: list[int]) -> None:
        """Ask for the rows that are wanted, and finish every shard that is not whole."""
        if self.options.images.redact != "none" and wanted:
            from naflora_etl.imaging.prepare import open_detector

            self.detector = open_detector(self.options.images)
        self.left.update(map(self.store.shard_of, wanted))
        self.total = len(wanted)
        for number in self.store.open_shards():
            if not self.left[number]:
                self.store.finish(number)
        if wanted:
            with ThreadPoolExecutor(self.hands, thread_name_prefix="fetch") as pool:
                self.http.run(self._run(self._queues(wanted), pool))

    def _queues(self, wanted: list[int]) -> dict[str, deque[int]]:
        """Return the rows to ask by host, the host with most first; of rows with one URL the first stands for all."""
        queues: dict[str, deque[int]] = defaultdict(deque)
        open_rows = set(wanted)
        taken: set[int] = set()
        for leader, others in self.asked.followers.items():
            group = [row for row in (leader, *others) if row in open_rows]
            if len(group) > 1:
                self.followers[group[0]] = group[1:]
                taken.update(group[1:])
        for row in wanted:
            if row not in taken:
                queues[self.asked.hosts[row]].append(row)
        return dict(sorted(queues.items(), key=lambda item: (-len(item[1]), item[0])))

    async def _run(self, queues: dict[str, deque[int]], pool: ThreadPoolExecutor) -> None:
        lanes = deque(
            queue
            for host, queue in queues.items()
            for _ in range(min(len(queue), self.http.policy(host).concurrency))
        )
        async with self.http.session() as ask:
            runners = [asyncio.create_task(self._serve(lanes, ask, pool)) for _ in range(min(len(lanes), MOST_AT_ONCE))]
            try:
                await asyncio.gather(*runners)
            finally:
                for runner in runners:
                    runner.cancel()
                await asyncio.gather(*runners, return_exceptions=True)

    async def _serve(self, lanes: deque[deque[int]], ask: Ask, pool: ThreadPoolExecutor) -> None:
        """Work through a host's queue, and then through that of another, if one is waiting."""
        while lanes:
            queue = lanes.popleft()
            while queue:
                async with self.window.turn():
                    if queue:
                        await self._fetch(queue.popleft(), ask, pool)

    async def _fetch(self, row: int, ask: Ask, pool: ThreadPoolExecutor) -> None:
        """Ask for one address and finish its image. A function of its own, so that no body outlives it."""
        self.asking += 1
        try:
            answer = await self._ask(self.asked.url(row), ask)
        finally:
            self.asking -= 1
        self.window.came(len(answer.body))
        try:
            rows = [row, *self.followers.pop(row, [])]
            issues = await asyncio.get_running_loop().run_in_executor(pool, self._finish, rows, answer)
        finally:
            self.window.finished()
        await self._decided(rows, issues, answer)

    async def _ask(self, url: str, ask: Ask) -> Answer:
        """Ask for the image, of a IIIF service as small as is needed; the whole where it refuses."""
        images = self.options.images
        side_px = wanted_px(images)
        smaller = smaller_form(url, side_px) if side_px else None
        last = url

        async def ask_noted(url: str, *, max_bytes: int | None = None, robots: bool = False) -> Answer:
            nonlocal last
            last = url
            return await ask(url, max_bytes=max_bytes, robots=robots)

        answer = await ask_in_turn(
            ask_noted,
            url,
            before=[smaller] if smaller else (),
            is_wanted=is_image if smaller else bool,
            max_bytes=images.max_source_bytes,
        )
        if answer.issue is None and last == smaller:
            self.reduced += 1
            self.reduced_bytes += len(answer.body)
        return answer

    def _finish(self, rows: list[int], answer: Answer) -> list[str | None]:
        """Make and keep the image of each row that asked for this address; in a thread."""
        facts: dict[str, Any] = {
            "issue": answer.issue,
            "note": answer.note or None,
            "status": answer.status,
            "fetched_at": answer.fetched_at.isoformat(),
        }
        if answer.url != self.asked.url(rows[0]):
            facts["fetched_url"] = answer.url
        issues = []
        for row in rows:
            made, jpeg = facts, b""
            if answer.issue is None:
                try:
                    jpeg, found = self._make(row, answer.body)
                    made = facts | found
                except ImageFault as fault:
                    made = facts | {"issue": fault.issue, "note": str(fault)}
                except Exception as error:  # one image that nobody foresaw does not end a run of a million
                    made = facts | {"issue": "IMAGE_DAMAGED", "note": f"unforeseen: {error!r}"}
            self.store.keep(row, made, jpeg)
            issues.append(made["issue"])
        return issues

    def _make(self, row: int, body: bytes) -> tuple[bytes, dict[str, Any]]:
        if self.detector is None:
            return finish_image(body, self.options.images)
        from naflora_etl.imaging.prepare import prepare_image

        how, key = self.options.images, self.asked.key(row)
        made = prepare_image(body, options=how, detector=self.detector, seed_key=key, before=False)
        return made.jpeg, made.facts(body)

    async def _decided(self, rows: list[int], issues: list[str | None], answer: Answer) -> None:
        host = self.hosts[self.asked.hosts[rows[0]]]
        host["asked"] += answer.issue != "ADDRESS_REFUSED"
        host["bytes"] += len(answer.body)
        host["issues"].update(issue for issue in issues[:1] if issue is not None)
        for row, issue in zip(rows, issues, strict=True):
            self.done += 1
            self.failed += issue is not None
            number = self.store.shard_of(row)
            self.left[number] -= 1
            if not self.left[number]:
                await asyncio.to_thread(self.store.finish, number)
        note = f"{self.failed} failed, {self.asking} being asked, {self.window.piled} in hand"
        self.progress(self.done, self.total, f"{note}, {self.asked.hosts[rows[0]]}")


def _summarise(store: Store, work: Work) -> Summary:
    shards = store.close()
    issues = read_parquet(store.out / "manifest.parquet", ["issue"])["issue"]
    counts = {row["values"]: row["counts"] for row in pc.drop_null(issues).value_counts().to_pylist()}
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    hosts = {host: told | {"issues": dict(told["issues"])} for host, told in sorted(work.hosts.items())}
    asked = sum(told["asked"] for told in hosts.values())
    images = store.asked.rows - sum(counts.values())
    told = Summary(store.asked.rows, images, ordered, shards, asked, store.asked.auto_keys, hosts)
    told.reduced, told.reduced_bytes = work.reduced, work.reduced_bytes
    return told


def _is_stranger(host: str, allowed: Collection[str]) -> bool:
    """Return whether a host is another machine that would be asked."""
    try:
        url = URL(f"http://{host}/")
        check_url(url, allowed)
    except (AddressRefused, ValueError):
        return False
    return not is_loopback(url.host or "")


def _check_contact(asked: Asked, http: HttpOptions) -> None:
    if http.contact:
        return
    strangers = sorted(host for host in {*asked.hosts} - {""} if _is_stranger(host, http.allow_private_hosts))
    if strangers:
        raise Fault(
            f"{strangers[0]} would be asked without a word of who asks; give your e-mail or web page with --contact."
        )
