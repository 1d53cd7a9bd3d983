"""How often and how many at once a host is asked: one lane a host, shared by threads, event loops and processes."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from naflora_etl.engine.breaker import HostState
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.lane_files import Busy, FileLane, LaneStore, MemoryLane, folder_of, shared_folder

LOOK_AGAIN_S = 0.02
BUSY_S = 0.001
PATIENCE = 5
"""Failures in a row before a host rests."""
REST_WAITED_S = 5.0
"""A rest up to this long is waited for; a longer one fails what waits, and another build asks again."""


class Policy(Protocol):
    """Manners towards a host."""

    @property
    def concurrency(self) -> int:
        """Connections at a time."""

    @property
    def per_second(self) -> float:
        """Requests a second."""


class HostRests(Exception):
    """The host is not asked now: it kept failing, or asked for a longer pause than anybody here waits."""

    def __init__(self, host: str, seconds: float, why: str) -> None:
        super().__init__(f"{host} {why}; it is left alone for another {seconds:.0f} s")
        self.seconds = seconds


class Gate(Protocol):
    """Says which machine may ask a host, where machines share no folder."""

    def turn(self, host: str) -> AbstractAsyncContextManager[bool]:
        """Wait until this machine may ask `host`, for as long as the block; yield whether another one may just have."""


@dataclass
class Turn:
    """One request's stay in a lane: told how the request ended."""

    lane: LaneStore
    began: float
    waited_s: float
    opened: bool = False
    """Whether the failure that was told put the host to rest."""

    def well(self) -> None:
        """Tell that the host answered."""
        if not self.lane.peek().is_well:
            self.lane.change(HostState.note_success, must=True)

    def put_off(self, seconds: float, *, is_throttled: bool) -> None:
        """Tell that the host wished to be left alone for so long; `is_throttled`: because there were too many requests.

        In one change, so that nobody asks in between.
        """

        def note(state: HostState) -> None:
            if is_throttled:
                state.note_refusal(self.began)
            state.note_pause(time.time(), seconds)

        self.lane.change(note, must=True)

    def failed(self, url: str | None = None) -> None:
        """Tell that it failed: at this address, or (None) however it would be asked."""
        what = hashlib.blake2b(url.encode(), digest_size=8).digest() if url else b""

        def note(state: HostState) -> None:
            self.opened = state.note_failure(self.began, time.time(), what, PATIENCE)

        self.lane.change(note, must=True)


class Lanes:
    """The lanes of all hosts: of this process alone, or, with a folder, of every process that sees it.

    Not asyncio's own semaphores, which serve one event loop only. Where several recipes ask the same host with
    different manners, the host sees at most the laxer ones.
    """

    def __init__(self, folder: Path | None = None, gate: Gate | None = None) -> None:
        self.robots: dict[str, tuple[float, Any]] = {}
        self.reservations: dict[str, tuple[float, Any]] = {}
        """What each host's robots.txt and tdmrep.json say, and until when that holds (time.monotonic())."""
        self.folder = folder
        self.gate = gate
        self._lanes: dict[str, LaneStore] = {}
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._probed: set[str] = set()
        """Hosts whose rest a request from here is looking into at this moment."""

    @asynccontextmanager
    async def enter(self, host: str, policy: Policy, longest_pause_s: float = float("inf")) -> AsyncIterator[Turn]:
        """Wait for a turn at `host`, and leave the lane at the end of the block.

        Raises HostRests when the host is to be left alone for long: see REST_WAITED_S and `longest_pause_s`.
        """
        if self.gate is None:
            async with self._enter(host, policy, longest_pause_s) as turn:
                yield turn
        else:
            async with self.gate.turn(host) as is_fresh:
                if is_fresh:  # what another machine asked a moment ago is not known here
                    gap_s = 1 / policy.per_second
                    self._lane(host).change(lambda state: state.hold_off(time.time(), gap_s), must=True)
                async with self._enter(host, policy, longest_pause_s) as turn:
                    yield turn

    @asynccontextmanager
    async def _enter(self, host: str, policy: Policy, longest_pause_s: float) -> AsyncIterator[Turn]:
        lane, since = self._lane(host), time.monotonic()
        while True:
            slot, wait = self._try(lane, host, policy, longest_pause_s)
            if slot is not None:
                break
            await asyncio.sleep(wait)
        try:
            yield Turn(lane, time.time(), time.monotonic() - since)
        finally:
            self._probed.discard(host)
            lane.free_slot(slot)

    def pause(self, host: str, seconds: float) -> None:
        """Ask nothing of `host` for so long; for a day at most."""
        self._lane(host).change(lambda state: state.note_pause(time.time(), seconds), must=True)

    def state(self, host: str) -> HostState:
        """Return what is known of a host."""
        return self._lane(host).peek()

    def _lane(self, host: str) -> LaneStore:
        lane = self._lanes.get(host)
        if lane is None:
            with self._lock:
                made = MemoryLane() if self.folder is None else FileLane(folder_of(self.folder, host))
                lane = self._lanes.setdefault(host, made)
        return lane

    def _try(self, lane: LaneStore, host: str, policy: Policy, longest_pause_s: float) -> tuple[int | None, float]:
        """Take a slot and return it, or return the seconds after which to look again."""
        slot: int | None = None
        wait = 0.0

        def take(state: HostState) -> None:
            nonlocal slot, wait
            now = time.time()
            wait = self._held_back(state, now, host, longest_pause_s) or state.turn_in(now)
            if wait:
                return
            limit = 1 if state.rest_s else policy.concurrency
            slot = lane.take_slot(limit)
            wait = LOOK_AGAIN_S
            if slot is not None:
                state.take_turn(now, 1 / policy.per_second)
                state.limit = limit
                self._asked.add(host)
                if state.rest_s:
                    self._probed.add(host)

        try:
            lane.change(take)
        except Busy:
            return None, BUSY_S * random.uniform(1, 2)
        except OSError as error:
            if slot is not None:
                lane.free_slot(slot)
            raise Fault(f"{self.folder}, where processes share the lanes of hosts: {error.strerror}.") from error
        return slot, wait

    def _held_back(self, state: HostState, now: float, host: str, longest_pause_s: float) -> float:
        """Return the seconds that a pause or a rest still lasts; HostRests when that is too long to wait."""
        pause = state.pause_left(now)
        if pause > longest_pause_s:
            raise HostRests(host, pause, "asked to be left alone")
        rest = state.rest_left(now)
        if rest and host in self._asked:  # a process that has not asked yet may probe: a new build tries once
            if rest > REST_WAITED_S and host not in self._probed:
                raise HostRests(host, rest, f"failed {state.failures} times in a row")
            return max(pause, min(rest, LOOK_AGAIN_S if host in self._probed else rest))
        return pause


_in_force: Lanes | None = None


def lanes_in_force(wanted: str = "") -> Lanes:
    """Return the lanes that this process shares with all others; `wanted` is the folder that a recipe names."""
    return _in_force or _shared(shared_folder(wanted))


def use_lanes(lanes: Lanes | None) -> None:
    """Put other lanes in force for this process, as a flow does; None: its own again."""
    global _in_force
    _in_force = lanes


@lru_cache
def _shared(folder: Path) -> Lanes:
    return Lanes(folder)


def policy_for(host: str, default: Policy, *tables: Mapping[str, Policy]) -> Policy:
    """Return the manners towards a host: of the first table that names it, by itself or as `*.domain`."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    domains = name.split(".")
    patterns = (f"*.{'.'.join(domains[start:])}" for start in range(1, len(domains)))
    names = [host, name, f"*.{name}", *patterns]
    return next((table[key] for table in tables for key in names if key in table), default)
