"""The pace of a host that says there were too many requests: what its state makes of it, and what servers then see."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from virtual_server import Rule, Verdict, ask_all, bucket, calendar, first, until, window

from naflora_etl.engine.breaker import IDLE_S, RECOVERY_S, SLOWEST_GAP_S, HostState
from naflora_etl.engine.lane_files import FileLane, describe_states, folder_of, read_states

# the state alone


def play(state: HostState, now: float, granted: int, refused: int, gap_s: float, pause_s: float = 0.0) -> float:
    """Let requests go out as soon as they may, of which the last are refused at once. Return when the next may."""
    began = []
    for _ in range(granted + refused):
        now += state.turn_in(now)
        state.take_turn(now, gap_s)
        began.append(now)
    for moment in began[granted:]:
        state.note_refusal(moment)
    state.note_pause(now, pause_s)
    return now + max(state.turn_in(now), pause_s)


GRANTED: dict[str, tuple[list[tuple[int, int, float, float]], float | None]] = {
    # (granted, refused, seconds between them, Retry-After) in turn -> requests a second from then on
    "none was refused": ([(50, 0, 0.01, 0)], None),
    "four at once, and a second": ([(4, 1, 0, 1)], 0.9 * 4 / 1),
    "those in flight together count once": ([(4, 4, 0, 1)], 0.9 * 4 / 1),
    "a steady second": ([(9, 1, 0.1, 1)], 0.9 * 9 / 1),
    "a minute's worth": ([(49, 1, 1, 12)], 0.9 * 49 / 60),
    "no pause": ([(9, 1, 0.1, 0)], 0.9 * 9 / 1),
    "nothing, then nothing": ([(0, 1, 0.5, 1), (0, 1, 0.5, 1)], 0.9 * 0.9),
    "the last refusal is what counts": ([(100, 1, 0, 1), (3, 1, 0, 1)], 0.9 * 3 / 1),
    "however much is refused": ([(0, 1, 0, 600)] * 3, 1 / SLOWEST_GAP_S),
}


@pytest.mark.parametrize("name", GRANTED)
def test_the_pace_is_a_little_below_what_was_granted(name: str) -> None:
    cycles, expected = GRANTED[name]
    state, now = HostState(), 1000.0
    for cycle in cycles:
        now = play(state, now, *cycle)
    state.take_turn(now, 0.001)
    assert state.slowed_to == (expected and pytest.approx(expected))
    assert state.turn_in(now) == pytest.approx(1 / expected if expected else 0.001)


@pytest.mark.parametrize("pause_s", [0.0, 0.3, 1.0, 5.0, 60.0])
def test_a_host_is_asked_more_slowly_than_when_it_refused(pause_s: float) -> None:
    for granted in (0, 1, 3, 40):
        for wish_s in (0.05, 0.5, 2.0, 10.0):  # to start from
            state = HostState()
            now = play(state, 1000.0, 1, 1, 0.0, wish_s)
            state.take_turn(now, 0.01)
            now = play(state, now + state.turn_in(now), granted, 1, 0.01, pause_s)
            before = state.slow_gap_s  # it had recovered by then
            state.take_turn(now, 0.01)
            assert before < state.slow_gap_s <= SLOWEST_GAP_S


def slowed(gap_s: float = 0.01) -> tuple[HostState, float]:
    """Return the state of a host that is asked once a second, and the time."""
    state = HostState()
    now = play(state, 1000.0, 9, 1, 0.0, 8.1)
    state.take_turn(now, gap_s)
    assert state.slow_gap_s == pytest.approx(1)
    return state, now + state.turn_in(now)


def test_it_recovers_slowly_and_no_further_than_the_recipe() -> None:
    state, now = slowed(gap_s=0.5)
    began, times = now, []
    while state.slowed_to:
        state.take_turn(now, 0.5)
        now += state.turn_in(now)
        times.append((now - began, state.slowed_to or 2.0))
    assert len(times) == pytest.approx(RECOVERY_S, rel=0.01), "from 1 a second to 2"
    assert next(rate for seconds, rate in times if seconds > 60) == pytest.approx(1.1, rel=0.01)
    state.take_turn(now, 0.5)
    assert (state.turn_in(now), state.slowed_to) == (0.5, None)


def test_a_slower_recipe_or_robots_txt_is_kept_to_and_ends_nothing() -> None:
    state, now = slowed()
    state.take_turn(now, 5.0)
    assert (state.turn_in(now), state.slowed_to) == (5.0, None)
    state.take_turn(now + 5, 0.01)
    assert state.turn_in(now + 5) == pytest.approx(1, rel=0.01)


def test_what_was_in_flight_at_a_refusal_is_part_of_it() -> None:
    state, now = slowed()
    state.note_refusal(1000.0)  # it began with those, and its answer comes only now
    state.take_turn(now, 0.01)
    assert state.slow_gap_s == pytest.approx(1, rel=0.01)


def test_one_question_now_and_then_is_not_too_often() -> None:
    state, now = HostState(), 1000.0  # as of a service whose queue is full
    for _ in range(20):
        now = play(state, now, 0, 1, 0.5, 2.0) + 60
    assert state.slow_gap_s == 0


def test_time_in_which_nobody_wanted_to_ask_makes_no_host_slow() -> None:
    state = HostState()
    now = play(state, 1000.0, 100, 0, 0.1) + 86_400
    now = play(state, now, 4, 1, 0.0, 1.0) + 86_400
    state.take_turn(now, 0.01)
    assert state.slowed_to == pytest.approx(0.9 * 4)


@pytest.mark.parametrize("back_s", [IDLE_S / 2, 3 * IDLE_S, 1e6])
def test_a_clock_that_was_set_back_or_a_state_that_was_lost_slows_nobody_for_long(back_s: float) -> None:
    state, now = slowed()
    now = play(state, now - back_s, 4, 0, 0.01)
    state.note_refusal(now)
    state.take_turn(now, 0.01)
    assert state.slow_gap_s <= 1.5
    lost = HostState()
    lost.note_refusal(now)
    lost.take_turn(now, 0.01)
    assert lost.slow_gap_s == 0


def test_another_machines_turn_counts_as_nothing_asked_here() -> None:
    state = HostState()
    now = play(state, 1000.0, 4, 1, 0.0, 1.0)
    state.hold_off(now, 0.01)
    assert (state.turns, state.turn_in(now)) == (0, pytest.approx(1 / 3.6))


def test_it_outlives_the_process_and_is_told(tmp_path: Path) -> None:
    def slow(state: HostState) -> None:
        now = play(state, time.time() - 1, 3, 1, 0.0, 1.0)
        state.take_turn(now, 0.01)

    FileLane(folder_of(tmp_path, "h.org")).change(slow)
    [(host, state)] = read_states(tmp_path).items()
    assert state.as_dict(0.0)["slowed_to_per_second"] == 2.7
    assert list(describe_states({host: state}, time.time() + 9)) == [
        "h.org said that it was asked too often; now it is asked 2.7 times a second."
    ]
    assert HostState().as_dict(0.0)["slowed_to_per_second"] is None


# what a server sees: the whole client in virtual time

SERVERS: dict[str, tuple[Callable[[], Rule], float, float, int]] = {
    # rule, requests a second that it grants, least share of them that is used later on, most refusals in a row
    "1 in any second": (lambda: window(1, 1, 1), 1, 0.85, 2),
    "4 in any second": (lambda: window(4, 1, 1), 4, 0.85, 2),
    "20 in any second": (lambda: window(20, 1, 1), 20, 0.85, 2),
    "100 in any second": (lambda: window(100, 1, 1), 100, 0.85, 2),
    "60 in a minute of the clock": (lambda: calendar(60, 60), 1, 0.85, 2),
    "a bucket": (lambda: bucket(5, 20, 1), 5, 0.85, 2),
    "3 in any second, and no Retry-After": (lambda: window(3, 1, None), 3, 0.4, 2),
    "a bucket, and no Retry-After": (lambda: bucket(1, 1, None), 1, 0.4, 2),
    "a Retry-After that is too short": (lambda: window(2, 4, 1), 0.5, 0.7, 3),
}


@pytest.mark.parametrize("concurrency", [4, 16])
@pytest.mark.parametrize("name", SERVERS)
def test_a_server_refuses_hardly_anybody_after_the_first_seconds(
    name: str, concurrency: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, grants, least, in_a_row = SERVERS[name]
    seen = ask_all(monkeypatch, make(), max(100, int(8 * grants)), concurrency)
    assert {answer.issue for answer in seen.answers} == {None}
    assert seen.refused() <= concurrency + 0.06 * len(seen.log)
    assert seen.refused(after_s=3) <= 0.04 * len(seen.log)
    assert seen.most_in_a_row() <= in_a_row
    assert seen.per_second(after_s=3) >= least * grants


@pytest.mark.parametrize("name", SERVERS)
def test_a_host_that_is_never_asked_too_often_is_asked_as_the_recipe_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grants = SERVERS[name][1]
    seen = ask_all(monkeypatch, first((200, None), 0), 50, per_second=0.9 * grants, answer_s=0)
    assert [later - sooner for sooner, later in pairwise(seen.times)] == pytest.approx([1 / (0.9 * grants)] * 49)
    assert seen.state.slow_gap_s == 0


def test_a_server_that_throttles_for_a_while_is_asked_at_full_pace_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = ask_all(monkeypatch, until(20, window(2, 1, 1)), 1300, per_second=2.5, answer_s=0)
    assert {answer.issue for answer in seen.answers} == {None}
    gaps = [later - sooner for sooner, later in pairwise(seen.times)]
    assert min(gaps) >= 0.4 - 1e-6
    assert gaps[-300:] == pytest.approx([0.4] * 300) and seen.state.slowed_to is None
    assert seen.refused() <= 3


NEXT_TRY: dict[str, tuple[Verdict, float]] = {
    # what a server says three times -> seconds until the next try, when jitter would have it 5 s
    "429 with Retry-After": ((429, 1.5), 1.5),
    "420 with Retry-After": ((420, 1.5), 1.5),
    "429 without": ((429, None), 2.0),
    "429 with none to wait": ((429, 0.0), 5.0),
    "503 with Retry-After": ((503, 1.5), 5.0),
    "503 without": ((503, None), 5.0),
}


@pytest.mark.parametrize("name", NEXT_TRY)
def test_whoever_was_refused_waits_for_the_pause_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda least, most: 5.0)
    verdict, expected = NEXT_TRY[name]
    seen = ask_all(monkeypatch, first(verdict, 3), 1, answer_s=0)
    waits = [later - sooner for sooner, later in pairwise(seen.times)]
    assert len(waits) == 3 and seen.answers[0].issue is None
    assert waits[0] == pytest.approx(expected)
    assert all(wait >= (verdict[1] or 0.0) for wait in waits)
    if name == "429 without":
        assert math.isclose(waits[1], 4) and math.isclose(waits[2], 8)
