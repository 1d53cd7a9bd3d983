"""Lanes: what one host sees of all processes, threads and event loops together, told by its own log."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from raw_server import PATIENCE_S, Call, RawServer, ask, make_client, serving

from naflora_etl.engine import lane_files
from naflora_etl.engine.breaker import DAY_S, FIRST_REST_S, LONGEST_REST_S, HostState
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.lane_files import FileLane, folder_of, read_states, shared_folder
from naflora_etl.engine.lanes import PATIENCE, HostRests, Lanes, policy_for
from naflora_etl.recipe import HostPolicy, HttpOptions
from naflora_etl.recipe.manners import known_hosts

WORKER = Path(__file__).with_name("lane_worker.py")
QUICK = HostPolicy(concurrency=2, per_second=1000)


async def slowly(call: Call) -> None:
    await asyncio.sleep(0.03)
    await call.reply(200, b"fine")


async def hang(call: Call) -> None:
    await asyncio.sleep(60)


async def unwell(call: Call) -> None:
    await call.reply(500)


async def busy(call: Call) -> None:
    await call.reply(429 if call.number == 1 else 200, b"", Retry_After="1")


@pytest.fixture
def server() -> Iterator[RawServer]:
    made = RawServer({"/slowly": slowly, "/hang": hang, "/unwell": unwell, "/fine": slowly, "/busy": busy})
    with serving(made):
        yield made


def start(folder: Path, server: RawServer, path: str, requests: int, concurrency: int, per_second: float) -> Worker:
    command = [sys.executable, str(WORKER), str(folder), server.url(path), str(requests), str(concurrency),
               str(per_second)]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


Worker = subprocess.Popen[str]


def end(*workers: Worker) -> list[str]:
    return [told for told, _ in end_with_turns(*workers)]


def end_with_turns(*workers: Worker) -> list[tuple[str, list[float]]]:
    """Return what each worker tells, and the moments at which it took its turns."""
    told = [worker.communicate(timeout=PATIENCE_S)[0].partition("\n") for worker in workers]
    return [(counts, [float(turn) for turn in turns.split()]) for counts, _, turns in told]


def wait_until(is_so: Callable[[], bool]) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < patience
        time.sleep(0.005)


def await_calls(server: RawServer, count: int) -> None:
    wait_until(lambda: len(server.calls) >= count)


@pytest.mark.parametrize(("workers", "concurrency"), [(2, 1), (4, 3)])
def test_processes_together_keep_to_the_concurrency(
    tmp_path: Path, server: RawServer, workers: int, concurrency: int
) -> None:
    told = end(*[start(tmp_path, server, "/slowly", 10, concurrency, 1000) for _ in range(workers)])
    assert told == ["{'ok': 10}"] * workers
    assert len(server.calls) == 10 * workers
    assert server.most_open == concurrency


def test_processes_together_keep_to_the_rate(tmp_path: Path, server: RawServer) -> None:
    told = end_with_turns(*[start(tmp_path, server, "/fine", 10, 4, 20) for _ in range(4)])
    assert [counts for counts, _ in told] == ["{'ok': 10}"] * 4
    turns = sorted(turn for _, turns in told for turn in turns)
    assert len(turns) == len(server.calls) == 40
    # 20 a second: 50 ms between any two. The server's own clock would also tell how busy the machine was.
    assert min(second - first for first, second in pairwise(turns)) >= 1 / 20 - 1e-6


def test_a_killed_process_leaves_its_slots_to_the_others(tmp_path: Path, server: RawServer) -> None:
    hanging = start(tmp_path, server, "/hang", 2, 2, 1000)
    await_calls(server, 2)
    other = start(tmp_path, server, "/slowly", 8, 2, 1000)
    time.sleep(1.0)
    assert len(server.calls) == 2, "both slots are taken"
    os.kill(hanging.pid, signal.SIGKILL)
    end(hanging)
    assert end(other) == ["{'ok': 8}"]
    assert len(server.calls) == 10


def test_a_retry_after_pauses_every_process(tmp_path: Path, server: RawServer) -> None:
    ask_one = threading.Thread(target=ask, args=(client(server, tmp_path), server.url("/busy")))
    ask_one.start()
    wait_until(lambda: Lanes(tmp_path).state(server.host).pause_s > 0)
    assert end(start(tmp_path, server, "/fine", 3, 2, 1000)) == ["{'ok': 3}"]
    ask_one.join()
    first, *rest = [call.at for call in server.calls]
    assert min(rest) - first >= 0.99


def client(server: RawServer, folder: Path | None = None, **knobs: object):  # type: ignore[no-untyped-def]
    settings = {"tries": 2, "default": QUICK, "total_timeout_s": 5, "deadline_s": 30, **knobs}
    return make_client(server.host, lanes=Lanes(folder), **settings)


def test_threads_and_their_event_loops_share_a_lane(tmp_path: Path, server: RawServer) -> None:
    who = client(server, tmp_path)
    threads = [threading.Thread(target=ask, args=(who, *[server.url("/slowly")] * 6)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(server.calls), server.most_open) == (24, 2)


def test_a_cancelled_request_gives_its_slot_back(tmp_path: Path, server: RawServer) -> None:
    async def work() -> None:
        async with who.session() as ask_one:
            hanging = asyncio.gather(*(ask_one(server.url("/hang")) for _ in range(2)))
            await asyncio.sleep(0.2)
            hanging.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hanging
            assert (await ask_one(server.url("/fine"))).issue is None

    who = client(server, tmp_path)
    who.run(work())
    assert who.lanes.state(server.host).openings == 0


def test_a_child_of_a_fork_holds_nothing_of_its_parents(tmp_path: Path) -> None:
    lane = FileLane(folder_of(tmp_path, "h"))
    assert lane.take_slot(1) == 0
    child = os.fork()
    if child == 0:
        try:
            is_clean = not lane.slots and lane.take_slot(1) is None  # the parent's lock holds, and is not the child's
        except BaseException:
            is_clean = False
        os._exit(0 if is_clean else 1)
    assert os.waitpid(child, 0)[1] == 0
    lane.free_slot(0)
    assert FileLane(folder_of(tmp_path, "h")).take_slot(1) == 0


# the breaker


@pytest.mark.slow
def test_a_host_that_keeps_failing_is_left_alone_and_probed_by_one(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests = note_rests(monkeypatch)
    who = client(server, tries=5, deadline_s=PATIENCE_S)
    urls = [f"{server.url('/unwell')}?{number}" for number in range(60)]
    answers = ask(who, *urls)
    assert {answer.issue for answer in answers} == {"HOST_TROUBLE"}
    # unbroken it were 60 x 5; here the first failures, what was in flight, and the probes after 1, 2 and 4 seconds
    assert len(server.calls) <= 2 * PATIENCE + 4
    assert rests == [1, 2, 4, 8], "three are waited for; the fourth is too long, and fails whoever waits"
    probes = [call.at for call in server.calls[-3:]]
    assert all(second - first >= rest for (first, second), rest in zip(pairwise(probes), rests[1:], strict=False))
    assert sum(entry.opened for answer in answers for entry in answer.asked) >= 3


def test_an_answer_ends_the_rest(server: RawServer) -> None:
    who = client(server)
    ask(who, server.url("/fine"))
    who.lanes._lane(server.host).change(put_to_rest(0.3))
    before = len(server.calls)
    answers = ask(who, *[server.url("/fine")] * 6)
    assert {answer.issue for answer in answers} == {None}
    assert who.lanes.state(server.host).is_well
    probe, *rest = server.calls[before:]
    assert min(call.at for call in rest) >= probe.at + 0.03, "the others wait for what the probe brings"


def note_rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list to which the length of every rest is added that a host is put to."""
    rests: list[float] = []
    note_failure = HostState.note_failure

    def noted(state: HostState, *failure: Any) -> bool:
        if is_put_to_rest := note_failure(state, *failure):
            rests.append(state.rest_s)
        return is_put_to_rest

    monkeypatch.setattr(HostState, "note_failure", noted)
    return rests


def put_to_rest(seconds: float) -> Callable[[HostState], None]:
    def change(state: HostState) -> None:
        state.rest_s = seconds
        state.rest_until = time.time() + seconds

    return change


@pytest.mark.slow
def test_a_port_where_nobody_listens_is_soon_left_alone() -> None:
    who = make_client("127.0.0.1", tries=5, deadline_s=60)
    answers = ask(who, *[f"http://127.0.0.1:1/{number}" for number in range(40)])
    assert {answer.issue for answer in answers} == {"HOST_TROUBLE"}
    assert sum(len(answer.asked) for answer in answers) <= 4 * PATIENCE + 4


def test_another_process_learns_of_the_rest_and_probes_once(tmp_path: Path, server: RawServer) -> None:
    FileLane(folder_of(tmp_path, server.host)).change(put_to_rest(600))
    assert end(start(tmp_path, server, "/unwell", 10, 2, 1000)) == ["{'HOST_TROUBLE': 10}"]
    assert len(server.calls) == 1
    assert end(start(tmp_path, server, "/fine", 10, 2, 1000)) == ["{'ok': 10}"]


TOLD: dict[str, tuple[list[tuple[float, float, bytes]], int]] = {
    # (began, ended, address) of failures -> how many count
    "one after the other": ([(1, 2, b"a"), (2, 3, b"b"), (3, 4, b"c")], 3),
    "in flight together": ([(1, 2, b"a"), (1, 3, b"b"), (1, 4, b"c")], 1),
    "the same page again": ([(1, 2, b"a"), (2, 3, b"a"), (3, 4, b"a")], 1),
    "nobody listens": ([(1, 2, b""), (2, 3, b""), (3, 4, b"")], 3),
    "two pages in turn": ([(1, 2, b"a"), (2, 3, b"b"), (3, 4, b"a")], 3),
}


@pytest.mark.parametrize("name", TOLD)
def test_which_failures_count(name: str) -> None:
    failures, expected = TOLD[name]
    state = HostState()
    for began, ended, what in failures:
        assert state.note_failure(began, ended, what, patience=99) is False
    assert state.failures == expected


def test_a_rest_grows_with_every_failed_probe_and_has_an_end() -> None:
    state, now, rests = HostState(), 1000.0, []
    for _ in range(PATIENCE + 15):
        if state.note_failure(now, now + 0.1, b"", PATIENCE):
            rests.append(state.rest_s)
        now += state.rest_left(now) + 1
    assert rests[:4] == [FIRST_REST_S, 2, 4, 8]
    assert max(rests) == LONGEST_REST_S
    state.note_success()
    assert state.is_well and state.rest_left(now) == 0


# the state


def test_the_state_survives_its_packing_and_damage_makes_a_fresh_one() -> None:
    state = HostState(1.5, 0.5, 3.5, 2.0, 5.5, 1.0, 6.5, b"abc", 3, 9, 2, 0.25, 7.5, 8, 4)
    assert HostState.unpack(state.pack()) == state
    of_old = b"NFL1" + state.pack()[4:80]  # from before hosts were slowed
    for damaged in (b"", b"x", state.pack()[:-1], b"XXXX" + state.pack()[4:], of_old, b"NFL1" + state.pack()[4:]):
        assert HostState.unpack(damaged) == HostState()


def test_a_clock_that_was_set_back_stops_nobody() -> None:
    state = HostState()
    state.take_turn(10_000.0, 0.5)
    state.note_pause(10_000.0, 3.0)
    assert state.turn_in(5_000.0) == 0.5
    assert state.pause_left(5_000.0) == 3.0


@pytest.mark.parametrize(("wish", "kept"), [(5.0, 5.0), (1e12, DAY_S), (float("inf"), DAY_S), (0.0, 0.0)])
def test_a_pause_lasts_a_day_at_most(wish: float, kept: float) -> None:
    state = HostState()
    state.note_pause(100.0, wish)
    assert state.pause_left(100.0) == kept


def test_a_long_pause_is_told_at_once() -> None:
    lanes = Lanes()
    lanes.pause("h", 500)

    async def enter() -> None:
        async with lanes.enter("h", QUICK, 120):
            pass

    with pytest.raises(HostRests, match="asked to be left alone"):
        asyncio.run(enter())


def test_the_states_can_be_looked_at(tmp_path: Path) -> None:
    Lanes(tmp_path).pause("h.example.org:81", 50)
    [(host, state)] = read_states(tmp_path).items()
    assert (host, state.pause_s) == ("h.example.org:81", 50) and 0 < state.pause_left(time.time()) <= 50


# where


def test_the_folder_is_the_environments_or_the_recipes_or_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_files.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv(lane_files.FOLDER_VARIABLE, raising=False)
    own = shared_folder()
    assert own == tmp_path / f"naflora_etl-{os.getuid()}" / "lanes"
    assert own.parent.stat().st_mode & 0o777 == 0o700
    assert shared_folder(str(tmp_path / "recipe")) == tmp_path / "recipe"
    monkeypatch.setenv(lane_files.FOLDER_VARIABLE, str(tmp_path / "said"))
    assert shared_folder(str(tmp_path / "recipe")) == tmp_path / "said"


def test_a_folder_that_cannot_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(lane_files.FOLDER_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(Fault, match=r"cannot be written; name another folder in NAFLORA_LANES or http\.lanes"):
        shared_folder()


def test_a_folder_that_is_swept_away_is_made_again(tmp_path: Path) -> None:
    lanes = Lanes(tmp_path / "lanes")
    lanes.pause("h", 5)
    for path in (tmp_path / "lanes" / "h").iterdir():
        path.unlink()
    (tmp_path / "lanes" / "h").rmdir()
    (tmp_path / "lanes").rmdir()
    lanes.pause("h", 5)
    assert lanes.state("h").pause_s == 5


# which manners

HOSTS = {"a.org": 1, "a.org:8080": 2, "*.b.org": 3, "*.c.b.org": 4}


@pytest.mark.parametrize(
    ("host", "expected"),
    [("a.org", 1), ("a.org:8080", 2), ("a.org:81", 1), ("x.a.org", 9), ("b.org", 3), ("x.b.org:81", 3),
     ("x.c.b.org", 4), ("c.b.org", 4), ("xb.org", 9), ("org", 9)],
)  # fmt: skip
def test_manners_by_name_and_by_domain(host: str, expected: int) -> None:
    table = {name: HostPolicy(concurrency=number) for name, number in HOSTS.items()}
    assert policy_for(host, HostPolicy(concurrency=9), table).concurrency == expected


def test_the_known_slow_lanes_are_shipped_and_a_recipe_overrides_them() -> None:
    hosts = known_hosts()
    for name in ("www.tropicos.org", "web.corral.tacc.utexas.edu", "data.huh.harvard.edu", "*.jacq.org", "ph.ansp.org"):
        assert hosts[name].concurrency == 1
        assert hosts[name].per_second <= 0.5
    who = make_client(hosts={"*.jacq.org": HostPolicy(concurrency=5)})
    assert who.policy("w.jacq.org").concurrency == 5
    assert who.policy("www.tropicos.org").per_second == 0.2
    assert HttpOptions().hosts == {}
