"""The parts of `naflora fetch` alone: the journal that survives kills, the window that bounds memory."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.fetching.asked import read_asked
from naflora_etl.fetching.journal import Journal
from naflora_etl.fetching.window import FIRST, Window
from tests.virtual_loop import run_at_once


def facts(key: str, image: bytes) -> dict[str, object]:
    return {"key": key, "issue": None, "sha256": hashlib.sha256(image).hexdigest()}


def filled(path: Path) -> Journal:
    journal = Journal(path)
    for key in "abc":
        journal.append(facts(key, key.encode() * 1000), key.encode() * 1000)
    journal.append({"key": "gone", "issue": "HTTP_GONE"}, b"")
    return journal


def test_a_journal_gives_back_what_was_put_in(tmp_path: Path) -> None:
    journal = filled(tmp_path / "j")
    found = list(journal.records())
    assert [record.facts["key"] for record in found] == ["a", "b", "c", "gone"]
    assert [journal.read(record) for record in found] == [b"a" * 1000, b"b" * 1000, b"c" * 1000, b""]


@pytest.mark.parametrize("cut", [1, 40, 200, 500, 1100, 1250])
def test_what_a_kill_left_half_written_is_cut_off_and_the_rest_kept(tmp_path: Path, cut: int) -> None:
    journal = filled(tmp_path / "j")
    ends = [record.offset + record.length for record in journal.records()]
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[: len(whole) - cut])
    kept = [end for end in ends if end <= len(whole) - cut]
    assert len(journal.mend()) == len(kept)
    assert journal.path.stat().st_size == max(kept)
    journal.append(facts("d", b"d" * 10), b"d" * 10)
    assert list(journal.records())[-1].facts["key"] == "d"


def test_what_a_power_cut_spoiled_is_told_by_its_digest(tmp_path: Path) -> None:
    journal = filled(tmp_path / "j")
    second = list(journal.records())[1]
    spoiled = bytearray(journal.path.read_bytes())
    spoiled[second.offset + 100 : second.offset + 200] = bytes(100)
    journal.path.write_bytes(bytes(spoiled))
    assert [record.facts["key"] for record in journal.mend()] == ["a"]


async def work(window: Window, images: int, *, answer_s: float, hand_s: float, size: int) -> tuple[int, int]:
    """Run `images` through; return the most that were in hand at once, and the most bodies."""
    hands = asyncio.Semaphore(window.hands)
    most = [0, 0]

    async def one() -> None:
        async with window.turn():
            most[0] = max(most[0], window.in_hand)
            await asyncio.sleep(answer_s)
            window.came(size)
            most[1] = max(most[1], window.piled)
            async with hands:
                await asyncio.sleep(hand_s)
            window.finished()

    await asyncio.gather(*(one() for _ in range(images)))
    assert window.in_hand == window.piled == 0
    return most[0], most[1]


def test_slow_servers_open_the_window() -> None:
    most, bodies = run_at_once(work(Window(2, 10**9), 400, answer_s=0.05, hand_s=0.0005, size=1000))
    assert most > 2 * FIRST and bodies < most


def test_slow_hands_close_it_to_a_few_bodies() -> None:
    window = Window(2, 10**9)
    most, _ = run_at_once(work(window, 150, answer_s=0.0005, hand_s=0.004, size=1000))
    assert most == FIRST and window.size <= 4 * window.hands


def test_large_bodies_keep_it_within_the_budget() -> None:
    window = Window(2, 100_000_000)
    run_at_once(work(window, 100, answer_s=0.001, hand_s=0.0, size=40_000_000))
    most, _ = run_at_once(work(window, 100, answer_s=0.01, hand_s=0.0, size=40_000_000))
    assert most <= 3


def test_one_who_stops_waiting_takes_no_turn_away() -> None:
    async def run() -> int:
        window = Window(1, 2_500_000)  # room for one
        async with window.turn():
            waiting = asyncio.create_task(work(window, 1, answer_s=0, hand_s=0, size=1))
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(1), window.turn():
            return window.in_hand

    assert run_at_once(run()) == 1


@pytest.mark.parametrize(
    ("names", "carried"),
    [
        (["sheet"], ["sheet"]),
        (["issue"], ["given_issue"]),
        (["issue", "given_issue"], ["given_given_issue", "given_issue"]),
    ],
)
def test_every_column_of_a_list_is_carried(tmp_path: Path, names: list[str], carried: list[str]) -> None:
    columns = {"key": ["a"], "url": ["http://a.org/1.jpg"]} | {name: [name] for name in names}
    pq.write_table(pa.table(columns), tmp_path / "urls.parquet")
    table = read_asked(tmp_path / "urls.parquet").table
    assert table.column_names == ["key", "url", *carried]
    assert [table[name][0].as_py() for name in carried] == names


def test_a_parquet_with_a_column_twice_is_told_in_a_sentence(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 3, names=["url", "x", "x"]), tmp_path / "urls.parquet")
    with pytest.raises(Fault, match='has the column "x" more than once; rename one of them'):
        read_asked(tmp_path / "urls.parquet")
