"""Lanes across machines that share no folder: a host is one machine's at a time, for a turn of many requests.

A turn is the lease of the one slot of a Prefect global concurrency limit, named after the host. Inside its turn a
machine keeps to the host's lane by itself. A slot a request would be too dear: `prefect.concurrency` takes 0.2 s and
75 ms of CPU for one, and who waits for it sleeps for seconds (measured with Prefect 3.8.8); an image takes 47 ms in
all. Nor would it be safe: a limit that does not exist limits nothing there, unless one asks for `strict`.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from httpx import HTTPStatusError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectAlreadyExists

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.lanes import Lanes, use_lanes

LEASE_S = 60.0
"""Prefect's shortest: so long a killed machine's turn stays taken."""
LOCKED = 423


@dataclass(frozen=True)
class Pace:
    """How long a turn lasts, in seconds."""

    longest_s: float = 30.0
    """A turn ends after this, so that other machines come to it, too."""
    idle_s: float = 1.0
    """It ends sooner when nobody here asks."""
    rest_s: float = 3.0
    """After a whole turn the others get so long to take theirs."""
    ask_again_s: float = 1.0
    look_s: float = 0.02


class HostTurns:
    """The turns of one process at all hosts."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.pace = pace or Pace()
        self._turns: dict[str, HostTurn] = {}
        self._lock = threading.Lock()

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[bool]:
        """Wait until this process may ask `host`; yield whether it has only just got its turn.

        Raises Fault when Prefect cannot be asked for one.
        """
        with self._lock:
            held = self._turns.setdefault(host, HostTurn(host, self.pace))
        while not held.enter():
            await asyncio.sleep(self.pace.look_s)
        try:
            yield held.is_first()
        finally:
            held.leave()


class HostTurn:
    """One host's turn, held by a thread of its own from the first request to the last."""

    def __init__(self, host: str, pace: Pace) -> None:
        self.host, self.pace = host, pace
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.is_open = False
        self.is_fresh = False
        self.inside = 0
        self.left_at = 0.0
        self.not_before = 0.0
        self.trouble = ""

    def enter(self) -> bool:
        """Go in when the turn is ours; else ask for it, unless that was done."""
        with self.lock:
            if self.trouble:
                told, self.trouble = self.trouble, ""
                raise Fault(f"Prefect gives no turn at {self.host}: {told}")
            if self.is_open:
                self.inside += 1
            elif self.thread is None and time.monotonic() >= self.not_before:
                # in this context, because it holds the settings of the flow run: which server to ask;
                # no daemon, so that a process that ends gives its turns back
                run = contextvars.copy_context().run
                self.thread = threading.Thread(target=run, args=(self._hold,), name=f"turn {self.host}")
                self.thread.start()
            return self.is_open

    def is_first(self) -> bool:
        """Return whether nobody asked in this turn before."""
        with self.lock:
            first, self.is_fresh = self.is_fresh, False
            return first

    def leave(self) -> None:
        """Go out."""
        with self.lock:
            self.inside -= 1
            self.left_at = time.monotonic()

    def _hold(self) -> None:
        try:
            with get_client(sync_client=True) as client:
                lease = self._ask_for_it(client)
                try:
                    was_whole = self._wait_for_the_end(client, lease)
                finally:
                    client.release_concurrency_slots_with_lease(lease)
            self.not_before = time.monotonic() + self.pace.rest_s * was_whole
        except Exception as error:
            with self.lock:
                self.trouble = str(error) or type(error).__name__
        finally:
            with self.lock:
                self.is_open, self.thread = False, None

    def _ask_for_it(self, client: SyncPrefectClient) -> UUID:
        """Return the lease of the host's slot, once it is ours."""
        name = f"naflora host {self.host}".replace("/", "_")
        while True:
            try:
                answer = client.increment_concurrency_slots_with_lease([name], 1, "concurrency", LEASE_S)
                if answer.json()["limits"]:  # none: there is no such limit, so none was kept
                    return UUID(answer.json()["lease_id"])
                with suppress(ObjectAlreadyExists):
                    client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
            except HTTPStatusError as error:
                if error.response.status_code != LOCKED:
                    raise
                time.sleep(self.pace.ask_again_s * random.uniform(0.5, 1.5))

    def _wait_for_the_end(self, client: SyncPrefectClient, lease: UUID) -> bool:
        """Return when the turn is over and nobody is inside: whether it lasted as long as a turn may."""
        began = renewed = time.monotonic()
        with self.lock:
            self.is_open = self.is_fresh = True
            self.left_at = began
        while True:
            time.sleep(self.pace.look_s)
            now = time.monotonic()
            if now - renewed > LEASE_S / 3:
                client.renew_concurrency_lease(lease, LEASE_S)
                renewed = now
            with self.lock:
                is_over = now - began > self.pace.longest_s
                is_idle = not self.inside and now - self.left_at > self.pace.idle_s
                self.is_open = not (is_over or is_idle)
                if not self.is_open and not self.inside:
                    return is_over


@lru_cache
def lanes_with_turns(folder: Path) -> Lanes:
    """Return this process's lanes, of which a host's is open in its turn only."""
    return Lanes(folder, HostTurns())


def take_turns(folder: Path) -> None:
    """From now on, let this process ask a host in its turn only."""
    use_lanes(lanes_with_turns(folder))
