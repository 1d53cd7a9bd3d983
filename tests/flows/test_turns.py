"""Turns: what a host sees of two machines that share no folder, only a Prefect server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Prefect

sys.path.append(str(Path(__file__).parents[1] / "engine"))
from raw_server import Call, RawServer, serving

WORKER = Path(__file__).with_name("turn_worker.py")


async def slowly(call: Call) -> None:
    await asyncio.sleep(0.08)
    await call.reply(200, b"fine")


@pytest.mark.slow
def test_two_machines_keep_to_a_hosts_limits_by_taking_turns(prefect: Prefect, tmp_path: Path) -> None:
    server = RawServer({"/slowly": slowly})
    with serving(server):
        command = [server.url("/slowly"), "50", "2", "20"]
        machines = [
            subprocess.Popen(
                [sys.executable, str(WORKER), str(tmp_path / name), *command],
                env=prefect.environment, stdout=subprocess.PIPE, text=True,
            )
            for name in ("one", "two")
        ]  # fmt: skip
        assert [machine.communicate(timeout=240)[0] for machine in machines] == ["{'ok': 50}"] * 2
    times = [call.at for call in server.calls]
    assert len(times) == 100
    assert server.most_open <= 2
    assert max(sum(begin <= at < begin + 1 for at in times) for begin in times) <= 22
    ports = [call.writer.get_extra_info("peername")[1] for call in server.calls]
    assert len(set(ports)) >= 2, "both were served"


def test_a_fresh_turn_begins_with_a_whole_gap() -> None:
    """Another machine may have asked a moment ago, which the lane here does not know."""
    from naflora_etl.engine.lanes import Lanes
    from naflora_etl.recipe import HostPolicy

    class OneTurn:
        @asynccontextmanager
        async def turn(self, host: str) -> Any:
            yield True

    async def enter() -> float:
        lanes, loop = Lanes(gate=OneTurn()), asyncio.get_running_loop()
        began = loop.time()
        async with lanes.enter("h", HostPolicy(per_second=5)):
            return loop.time() - began

    assert asyncio.run(enter()) >= 0.19


def test_turns_are_taken_only_where_machines_share_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.tasks import need_turns
    from naflora_etl.engine.build import SliceJob
    from naflora_etl.engine.stage import Stage
    from naflora_etl.recipe import HttpOptions, Recipe

    def job(lanes: str = "") -> SliceJob:
        return SliceJob(Stage("images", (), print), "x", Recipe(name="x", http=HttpOptions(lanes=lanes)), "", 0, 1)

    monkeypatch.delenv("NAFLORA_LANES", raising=False)
    monkeypatch.delenv("NAFLORA_DASK_SCHEDULER", raising=False)
    assert not need_turns(job())
    monkeypatch.setenv("NAFLORA_DASK_SCHEDULER", "tcp://127.0.0.1:1")
    assert need_turns(job())
    assert not need_turns(job("/shared/lanes"))
    monkeypatch.setenv("NAFLORA_LANES", "/shared/lanes")
    assert not need_turns(job())


def test_a_turn_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import flows.lanes
    from naflora_etl.engine.faults import Fault

    def no_client(**how: object) -> Any:
        raise ConnectionError("nobody answers there")

    monkeypatch.setattr(flows.lanes, "get_client", no_client)

    async def enter() -> None:
        async with flows.lanes.HostTurns().turn("h"):
            pass

    with pytest.raises(Fault, match="Prefect gives no turn at h: nobody answers there"):
        asyncio.run(enter())
    for thread in threading.enumerate():
        if thread.name.startswith("turn "):
            thread.join(5)
