"""Hosts that grant so many requests in any second, on real sockets: their own logs tell what they refused."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from raw_server import Call, RawServer, ask, make_client, serving
from test_lanes import Worker, end_with_turns, start, wait_until
from virtual_server import Log, window

from naflora_etl.engine.http import Answer
from naflora_etl.engine.lanes import Lanes
from naflora_etl.recipe import HostPolicy


@dataclass(kw_only=True)
class Throttling(Log):
    """A host that grants `requests` in any second, as the sandbox's does."""

    requests: int

    def __post_init__(self) -> None:
        self.rule = window(self.requests, 1, 1)
        self.server = RawServer({"/sheet": self.answer})

    async def answer(self, call: Call) -> None:
        now = time.monotonic()
        status, _ = self.rule(now)
        self.log.append((now, call.path, status))
        await (call.reply(200, b"fine") if status == 200 else call.reply(429, Retry_After="1"))


CASES = {
    # granted in any second, concurrency, addresses
    "4 a second, 4 lanes": (4, 4, 40),
    "8 a second, 4 lanes": (8, 4, 64),
    "8 a second, 16 lanes": (8, 16, 64),
    "16 a second, 4 lanes": (16, 4, 100),
    "16 a second, 16 lanes": (16, 16, 100),
}


@pytest.fixture(scope="module")
def seen() -> dict[str, tuple[Throttling, list[Answer]]]:
    """Ask all of them at the same time, each in its own lane, as fast as the recipe of tests/test_survive.py does."""
    hosts = {name: Throttling(requests=granted) for name, (granted, _, _) in CASES.items()}
    with serving(*(host.server for host in hosts.values())):
        manners = {
            hosts[name].server.host: HostPolicy(concurrency=lanes, per_second=400)
            for name, (_, lanes, _) in CASES.items()
        }
        urls = [
            (name, f"{hosts[name].server.url('/sheet')}?{number}")
            for name, (_, _, addresses) in CASES.items() for number in range(addresses)
        ]  # fmt: skip
        client = make_client(*manners, hosts=manners, tries=4, deadline_s=60, total_timeout_s=20)
        answers = ask(client, *(url for _, url in urls))
    by_name: dict[str, list[Answer]] = {name: [] for name in CASES}
    for (name, _), answer in zip(urls, answers, strict=True):
        by_name[name].append(answer)
    return {name: (hosts[name], by_name[name]) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_everything_arrives_and_hardly_anybody_is_refused(
    seen: dict[str, tuple[Throttling, list[Answer]]], name: str
) -> None:
    (host, answers), (granted, lanes, addresses) = seen[name], CASES[name]
    assert [answer.issue for answer in answers] == [None] * addresses
    assert host.refused() <= lanes + 0.04 * addresses, "those of the first burst, and one or two"
    assert host.refused(after_s=2) <= 0.04 * addresses
    assert host.most_in_a_row() <= 2
    assert host.per_second(after_s=2) >= 0.8 * granted


@pytest.fixture
def host() -> Iterator[Throttling]:
    made = Throttling(requests=8)
    with serving(made.server):
        yield made


def ask_in_a_process(folder: Path, host: Throttling, requests: int) -> Worker:
    return start(folder, host.server, "/sheet", requests, 4, 400)


def test_processes_share_the_slowed_pace(tmp_path: Path, host: Throttling) -> None:
    told = end_with_turns(*[ask_in_a_process(tmp_path, host, 20) for _ in range(2)])
    assert [counts for counts, _ in told] == ["{'ok': 20}"] * 2
    turns = sorted(turn for _, turns in told for turn in turns)
    slowed = [turn for turn in turns if turn > turns[0] + 1]  # the pause of the first refusals is over
    assert min(later - sooner for sooner, later in pairwise(slowed)) >= 1 / 8
    assert host.refused() <= 4 + 2


def test_a_killed_process_leaves_the_pace_to_the_next(tmp_path: Path, host: Throttling) -> None:
    killed = ask_in_a_process(tmp_path, host, 500)
    wait_until(lambda: bool(Lanes(tmp_path).state(host.server.host).slowed_to))
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    before = len(host.log)
    [(counts, turns)] = end_with_turns(ask_in_a_process(tmp_path, host, 12))
    assert counts == "{'ok': 12}"
    assert min(later - sooner for sooner, later in pairwise(turns)) >= 1 / 8
    assert sum(status == 429 for _, _, status in host.log[before:]) <= 1
