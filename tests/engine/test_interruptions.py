"""A request to end that waits until what is in hand is finished."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from naflora_etl.engine.interruptions import Interruptions


def test_the_block_goes_on_however_often_it_is_interrupted() -> None:
    before, done = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), Interruptions() as interruptions:
        assert not interruptions.heard
        for number in range(3):
            signal.raise_signal(signal.SIGINT)
            assert interruptions.heard
            done.append(number)
    assert done == [0, 1, 2] and signal.getsignal(signal.SIGINT) is before


def test_what_went_wrong_is_told_before_the_interruption() -> None:
    with pytest.raises(OSError, match="disk full"), Interruptions():
        signal.raise_signal(signal.SIGINT)
        raise OSError("disk full")


def test_a_job_that_was_told_to_ignore_it_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruptions() as interruptions:
            signal.raise_signal(signal.SIGINT)
        assert not interruptions.heard and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_that_hears_no_signals_may_use_it_all_the_same() -> None:
    def block() -> bool:
        assert threading.current_thread() is not threading.main_thread()
        with Interruptions() as interruptions:
            return interruptions.heard

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(block).result() is False
