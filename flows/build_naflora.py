"""build-naflora: a recipe's whole way, every stage a task, its slices tasks underneath."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import State, flow
from prefect.states import Completed, Failed
from pydantic import Field

from flows.artifacts import describe_funnel, write_summary
from flows.builds import at_work, build_with_tasks, built_so_far
from flows.tasks import FAULTS, chosen_runner

NAME = "build-naflora"


@flow(name=NAME, task_runner=chosen_runner(), persist_result=False)
def build_naflora(
    recipe: str = "recipes/demo.toml",
    work: str | None = None,
    until: str | None = None,
    slice_workers: Annotated[int, Field(ge=1)] = 1,
) -> State[Any]:
    """Build a recipe; what is up to date is left as it is, what was interrupted goes on where it stopped.

    Args:
        recipe: The recipe, a .toml file.
        work: Data folder, a path or an fsspec URL; work/<recipe's name> when left out.
        until: Last stage to build; the whole way when left out.
        slice_workers: Slices of a stage at a time. One slice keeps all cores of a machine busy by itself.
    """
    try:
        with at_work(recipe, work) as (ready, workspace):
            try:
                receipts = build_with_tasks(ready, workspace, until=until, slice_workers=slice_workers, key=NAME)
            finally:
                write_summary(describe_funnel(built_so_far(workspace), ready.release.title), f"{NAME}-summary")
    except FAULTS as fault:
        return Failed(message=str(fault))
    last = receipts[-1]
    return Completed(message=f"{last.stage}: {last.clean:,} clean rows, in {workspace.root}")
