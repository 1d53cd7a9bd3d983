"""Slices as tasks: how many at a time, in what order, and what a failure stops."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.engine.promises import BrokenPromise


class Bench:
    """Runs jobs in threads and remembers which, and how many at a time."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(8)
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.begun: list[int] = []

    def submit(self, job: int) -> Future[str]:
        return self.pool.submit(self._work, job)

    def _work(self, job: int) -> str:
        with self.lock:
            self.begun.append(job)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02 if job % 2 else 0.001)  # later jobs overtake earlier ones
        with self.lock:
            self.now -= 1
        if job == 3:
            raise self.failure
        return f"part {job}"

    failure: Exception = RuntimeError("never raised")


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.pool.shutdown()


def run(bench: Bench, jobs: list[int], in_flight: int, told: list[int] | None = None) -> list[Any]:
    from flows.tasks import run_in_window

    return run_in_window(bench.submit, jobs, in_flight=in_flight, finished=([] if told is None else told).append)


@pytest.mark.parametrize("in_flight", [1, 2, 5, 100])
def test_results_come_in_order_and_no_more_than_asked_run_at_a_time(bench: Bench, in_flight: int) -> None:
    told: list[int] = []
    jobs = [10, 11, 12, 13, 14, 15, 16]
    assert run(bench, jobs, in_flight, told) == [f"part {job}" for job in jobs]
    assert bench.most <= in_flight
    assert in_flight == 1 or bench.most > 1
    assert told == [1, 2, 3, 4, 5, 6, 7]


def test_no_jobs_need_no_worker(bench: Bench) -> None:
    assert run(bench, [], 4) == []


def test_a_failed_slice_does_not_stop_the_others(bench: Bench) -> None:
    bench.failure = OSError("the network went away")
    told: list[int] = []
    with pytest.raises(OSError, match="the network went away"):
        run(bench, [1, 2, 3, 4, 5, 6], 2, told)
    assert sorted(bench.begun) == [1, 2, 3, 4, 5, 6]
    assert told == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("fault", [Fault("the disk is full."), BrokenPromise("a row is lost.")], ids=["fault", "lost"])
def test_what_would_meet_every_slice_stops_the_stage(bench: Bench, fault: Exception) -> None:
    bench.failure = fault
    with pytest.raises(type(fault), match=str(fault)):
        run(bench, [3, 4, 5, 6], 1)
    assert bench.begun == [3]


def test_slices_run_in_threads_unless_a_dask_scheduler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.task_runners import ThreadPoolTaskRunner

    from flows.tasks import chosen_runner

    assert isinstance(chosen_runner(), ThreadPoolTaskRunner)
    monkeypatch.setenv("NAFLORA_DASK_SCHEDULER", "tcp://127.0.0.1:8786")
    monkeypatch.setitem(sys.modules, "prefect_dask", None)
    with pytest.raises(Fault, match="prefect-dask is not installed; `pip install prefect-dask`, or unset it"):
        chosen_runner()
