"""Large images wait for each other; small ones for nobody."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from naflora_etl.imaging.room import Room


def most_at_once(room: Room, needs: list[int], least: int) -> int:
    """Let a thread for each of `needs` take its room; return the most bytes that were held at one time.

    Those who hold it let go once `least` bytes were held together, however long the threads take to get there.
    """
    held, most, lock, enough = 0, 0, threading.Lock(), threading.Event()

    def work(need: int) -> None:
        nonlocal held, most
        with room.take(need):
            with lock:
                held += need
                most = max(most, held)
            if held >= least:
                enough.set()
            enough.wait(10)
            time.sleep(0.01)
            with lock:
                held -= need

    with ThreadPoolExecutor(len(needs)) as pool:
        list(pool.map(work, needs))
    assert room.taken_bytes == 0
    return most


@pytest.mark.parametrize(
    ("needs", "least", "most"),
    [([60] * 12, 60, 100), ([30] * 12, 60, 100), ([250, 60, 250, 60], 250, 250), ([10] * 12, 60, 120)],
    ids=["one at a time", "three at a time", "too large: alone", "small: all at once"],
)
def test_no_more_is_held_than_there_is_room_for(needs: list[int], least: int, most: int) -> None:
    assert least <= most_at_once(Room(100, 10), needs, least) <= most


def test_room_is_given_back_when_the_work_fails() -> None:
    room = Room(100, 10)
    with pytest.raises(ValueError), room.take(90):
        raise ValueError
    assert room.taken_bytes == 0
