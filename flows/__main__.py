"""python -m flows: serve the deployments of prefect.yaml from this checkout, with neither work pool nor worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import yaml
from prefect import Flow, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron

ROOT = Path(__file__).parents[1]


def make_deployments() -> list[RunnerDeployment]:
    """Return the deployments that prefect.yaml describes, to be served from here."""
    return [_make_deployment(entry) for entry in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]]


def _make_deployment(entry: dict[str, Any]) -> RunnerDeployment:
    # from a source, because serving a flow that was deployed before would leave the deployment without a folder
    flow = cast("Flow[..., Any]", Flow.from_source(source=str(ROOT), entrypoint=entry["entrypoint"]))
    made = flow.to_deployment(
        entry["name"],
        description=entry["description"],
        parameters=entry["parameters"],
        concurrency_limit=ConcurrencyLimitConfig(**entry["concurrency_limit"]),
        schedules=[Cron(s["cron"], timezone=s["timezone"], active=s["active"]) for s in entry.get("schedules", [])],
    )
    return cast(RunnerDeployment, made)  # a coroutine only where one is awaited


if __name__ == "__main__":
    serve(*make_deployments())
