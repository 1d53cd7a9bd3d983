"""What a flow run leaves to look at: the funnel, what changed, and a bar that asks little of the server."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from naflora_etl.engine.receipts import Receipt


def receipt(stage: str, given: int, rows: int, clean: int, **more: Any) -> Receipt:
    return Receipt(stage, "f", more.pop("parts", ("p:1",)), rows, clean, given=given, **more)


TAXA = receipt("taxa", 1200, 1200, 1100, issues={"NAME_NOT_FOUND": 90, "NAME_AMBIGUOUS": 10}, seconds=12.34)
HARVEST = receipt("harvest", 1100, 2500, 2500, seconds=1800.0)

FUNNEL = """\
# Demo

| stage | given | clean | set aside | seconds |
| --- | ---: | ---: | ---: | ---: |
| taxa | 1,200 | 1,100 | 100 | 12.3 |
| harvest | 1,100 | 2,500 | 0 | 1,800.0 |

## Set aside

| stage | issue | rows | meaning |
| --- | --- | ---: | --- |
| taxa | NAME_NOT_FOUND | 90 | No name of the backbone is like it. |
| taxa | NAME_AMBIGUOUS | 10 | Several names of the backbone fit and lead to different accepted taxa. |
"""


def test_the_funnel_as_markdown() -> None:
    from flows.artifacts import describe_funnel

    assert describe_funnel([TAXA, HARVEST], "Demo") == FUNNEL
    assert "Set aside" not in describe_funnel([HARVEST], "Demo")


def test_a_thousand_slices_move_the_bar_without_a_thousand_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import artifacts

    shown: list[tuple[float, str]] = []
    monkeypatch.setattr(artifacts, "create_progress_artifact", lambda *_, **__: "id")

    def update(artifact: str, percent: float, *, description: str) -> None:
        shown.append((percent, description))

    monkeypatch.setattr(artifacts, "update_progress_artifact", update)
    monkeypatch.setattr(artifacts, "get_run_logger", lambda: logging.getLogger("quiet"))
    progress = artifacts.BuildProgress(["taxa", "harvest"], "build")
    progress.stage_done(TAXA, True)
    for done in range(1, 1001):
        progress.slices_done("harvest", done, 1000)
    progress.stage_done(HARVEST, False)
    assert shown[0] == (50, "taxa unchanged, next: harvest")
    assert shown[-1] == (100, "harvest built, done")
    assert [at for at, _ in shown] == sorted(at for at, _ in shown)
    assert 50 <= len(shown) <= 53
