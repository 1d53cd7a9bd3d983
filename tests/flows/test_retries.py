"""Stages as tasks on a real server: what is tried again, what is not, and what is left of a failure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel

from naflora_etl.engine import build, promises
from naflora_etl.engine.build import Site
from naflora_etl.engine.contracts import Contract
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.receipts import Receipts
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.workspace import Workspace

pytestmark = pytest.mark.slow

FIELDS = tuple(
    {"name": name, "type": kind, "constraints": {}}
    for name, kind in (("key", "integer"), ("group", "string"), ("issue", "string"))
)
RAN: list[int] = []
FAILURES: list[Exception] = []


class Options(BaseModel):
    rows: int = 2


class Toy(BaseModel):
    numbers: Options = Options()
    copies: Options = Options()


def make_numbers(*, options: Options) -> pa.Table:
    groups = ["a", "a", "b", "b", "c", "c"]
    return pa.table({"key": range(6), "group": groups, "issue": pa.nulls(6, pa.string())})


def copy_numbers(numbers: pa.Table, *, options: Options, **effects: Any) -> pa.Table:
    RAN.append(numbers["key"][0].as_py())
    if RAN[-1] == 2 and FAILURES:
        raise FAILURES.pop()
    return numbers


def copies(*uses: str) -> Stage:
    return Stage("copies", ("numbers",), copy_numbers, uses=uses, slice_by="group", rows_per_slice="rows")


@pytest.fixture
def api(prefect: Any) -> Iterator[str]:
    from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

    with temporary_settings({PREFECT_API_URL: prefect.api, PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield prefect.api


def run(stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from prefect import flow

    from flows import tasks

    RAN.clear()
    for module in (build, promises):
        monkeypatch.setattr(module, "read_contract", lambda name: Contract(name, "", FIELDS, ("key",), "1"))
    monkeypatch.setattr(tasks, "RETRY_DELAYS_S", [0.1, 0.1])

    @flow(name="toy")
    def build_toy() -> int:
        mapper = tasks.slices_as_tasks(1, lambda *_: None)
        site = Site(Workspace(str(folder)), Toy(), mapper)
        for one in (Stage("numbers", (), make_numbers), stage):
            tasks.build_as_task(one, site)
        return int(Receipts(site.workspace).table("copies").num_rows)

    return build_toy(return_state=True)


def test_a_stage_with_effects_is_tried_again_and_runs_only_what_is_missing(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FAILURES[:] = [OSError("once"), OSError("twice")]
    assert run(copies("progress"), tmp_path, monkeypatch).result() == 6
    assert RAN == [0, 2, 4, 2, 2]


def test_a_third_failure_is_told_as_it_is(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FAILURES[:] = [OSError("the wire is cut")] * 3
    state = run(copies("progress"), tmp_path, monkeypatch)
    assert state.is_failed() and "the wire is cut" in state.message
    assert RAN == [0, 2, 4, 2, 2]


@pytest.mark.parametrize(
    ("uses", "failure", "ran"),
    [
        pytest.param((), OSError("once"), [0, 2, 4], id="a pure stage would fail the same way"),
        pytest.param(("progress",), Fault("the disk is full."), [0, 2], id="a fault waits for its user"),
    ],
)
def test_what_is_not_tried_again(
    uses: tuple[str, ...], failure: Exception, ran: list[int], api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FAILURES[:] = [failure]
    state = run(copies(*uses), tmp_path, monkeypatch)
    assert state.is_failed() and str(failure) in state.message
    assert ran == RAN
