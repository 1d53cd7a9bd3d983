"""Stages and slices as Prefect tasks. Receipts are the cache and the ledger; Prefect only watches and tries again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar, cast

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.states import Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from flows.lanes import take_turns
from naflora_etl.engine.build import Mapper, Site, SliceJob, build_stage
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.lane_files import FOLDER_VARIABLE, shared_folder
from naflora_etl.engine.promises import BrokenPromise
from naflora_etl.engine.receipts import Receipt
from naflora_etl.engine.stage import Stage

FAULTS = (Fault, BrokenPromise)  # trying again mends neither
SCHEDULER_VARIABLE = "NAFLORA_DASK_SCHEDULER"
RETRY_DELAYS_S = [10.0, 60.0]

J = TypeVar("J", contravariant=True)


class Future(Protocol):
    """What is asked of a future; those of Prefect and of concurrent.futures have it."""

    def result(self) -> Any:
        """Return the result, or raise what the work raised."""

    def add_done_callback(self, fn: Callable[[Any], None], /) -> None:
        """Call `fn` when the work has ended."""


def build_as_task(stage: Stage, site: Site) -> Receipt:
    """Build a stage as a task of the flow run in which this is called; return its receipt.

    A stage with effects is tried again, and then runs only the slices that are still missing. A pure one would fail
    the same way again.
    """

    def worth_another_try(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
        return bool(stage.uses) and not isinstance(state.data, FAULTS)

    state = _stage.with_options(
        task_run_name=stage.name,
        retries=len(RETRY_DELAYS_S),
        retry_delay_seconds=RETRY_DELAYS_S,
        retry_condition_fn=worth_another_try,
    )(stage, site, return_state=True)
    return cast(Receipt, state.result())


def slices_as_tasks(in_flight: int, tell: Callable[[str, int, int], None]) -> Mapper:
    """Return a mapper that runs slices as tasks on the flow's task runner, at most `in_flight` at a time.

    `tell(stage, done, of)` is called, in the flow's own thread, whenever a slice has ended.
    """

    def run_slices(run: Callable[[SliceJob], str], jobs: Sequence[SliceJob]) -> Iterable[str]:
        def submit(job: SliceJob) -> Future:
            name = f"{job.stage.name} slice {job.number + 1} of {job.of}"
            return _slice.with_options(task_run_name=name).submit(run, job, need_turns(job))

        def finished(count: int) -> None:
            of = jobs[0].of
            tell(jobs[0].stage.name, of - len(jobs) + count, of)

        return run_in_window(submit, jobs, in_flight=in_flight, finished=finished)

    return run_slices


def run_in_window(
    submit: Callable[[J], Future], jobs: Sequence[J], *, in_flight: int, finished: Callable[[int], None]
) -> list[Any]:
    """Return the results of all jobs, in their order, with at most `in_flight` submitted at a time.

    A job that fails does not stop the others, so that a retry finds as little as possible to do; only after a Fault,
    which would meet them too, nothing more is submitted. The first failure is raised when all in flight have ended.
    """
    ended: SimpleQueue[int] = SimpleQueue()
    running: dict[int, Future] = {}
    results: dict[int, Any] = {}
    failures: list[Exception] = []
    waiting = list(enumerate(jobs))[::-1]
    while waiting or running:
        while waiting and len(running) < in_flight:
            number, job = waiting.pop()
            running[number] = submit(job)
            running[number].add_done_callback(partial(_put, ended, number))
        number = ended.get()
        try:
            results[number] = running.pop(number).result()
            finished(len(results))
        except FAULTS as fault:
            failures.insert(0, fault)
            waiting.clear()
        except Exception as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(jobs))]


def need_turns(job: SliceJob) -> bool:
    """Return whether slices may run on several machines that share no folder for the lanes of hosts."""
    shared = os.environ.get(FOLDER_VARIABLE) or getattr(job.recipe, "http").lanes  # noqa: B009 - of no recipe class
    return bool(os.environ.get(SCHEDULER_VARIABLE)) and not shared


def chosen_runner() -> TaskRunner[Any]:
    """Return where slices run: threads here, or the Dask cluster whose scheduler NAFLORA_DASK_SCHEDULER names."""
    scheduler = os.environ.get(SCHEDULER_VARIABLE)
    if not scheduler:
        return ThreadPoolTaskRunner()
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise Fault(
            "NAFLORA_DASK_SCHEDULER is set, but prefect-dask is not installed; `pip install prefect-dask`, or unset it."
        ) from None
    return DaskTaskRunner(address=scheduler)


def _put(ended: SimpleQueue[int], number: int, future: Future) -> None:
    ended.put(number)


@task(name="stage", cache_policy=NO_CACHE, persist_result=False)
def _stage(stage: Stage, site: Site) -> Receipt | State[Any]:
    # a state, not an exception, where a sentence says all: Prefect would print a traceback around it
    try:
        return build_stage(stage, site)
    except FAULTS as fault:
        return Failed(message=str(fault), data=fault)


def _never(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    return False


# retries that never come: a task without any would be logged with an empty traceback beside the sentence
@task(name="slice", cache_policy=NO_CACHE, persist_result=False, retries=1, retry_condition_fn=_never)
def _slice(run: Callable[[SliceJob], str], job: SliceJob, in_turns: bool = False) -> str | State[Any]:
    try:
        if in_turns:
            take_turns(shared_folder())
        return run(job)
    except FAULTS as fault:
        return Failed(message=str(fault), data=fault)
