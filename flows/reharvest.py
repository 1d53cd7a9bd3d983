"""reharvest: ask the aggregators what is new, and rebuild what it changes."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import State, flow
from prefect.states import Completed, Failed
from pydantic import Field

from flows.artifacts import describe_funnel, write_summary
from flows.builds import at_work, build_with_tasks
from flows.tasks import FAULTS, chosen_runner
from naflora_etl.engine.receipts import Receipt
from naflora_etl.recipe import Recipe

NAME = "reharvest"


@flow(name=NAME, task_runner=chosen_runner(), persist_result=False)
def reharvest(
    recipe: str = "recipes/demo.toml",
    work: str | None = None,
    slice_workers: Annotated[int, Field(ge=1)] = 1,
    accept_losses: bool = False,
) -> State[Any]:
    """Bring a built workspace up to date: only what may have changed is asked for, no image is fetched twice.

    Where nothing is new, nothing is done. The summary tells what was added, changed, moved or withdrawn, by name; the
    workspace keeps the same page under `changes/`, and its new state for the next build.

    Args:
        recipe: The recipe, a .toml file.
        work: Data folder, a path or an fsspec URL; work/<recipe's name> when left out.
        slice_workers: Slices of a stage at a time. One slice keeps all cores of a machine busy by itself.
        accept_losses: Let images go though a source lists far fewer of them, and their records still answer.
    """
    from naflora_etl.renewing.page import describe_outcome, keep_page, render_page
    from naflora_etl.renewing.run import reharvest as bring_up_to_date

    receipts: list[Receipt] = []
    try:
        with at_work(recipe, work) as (ready, workspace):

            def build(recipe: Recipe, until: str | None) -> list[Receipt]:
                receipts[:] = build_with_tasks(recipe, workspace, until=until, slice_workers=slice_workers, key=NAME)
                return receipts

            outcome = bring_up_to_date(ready, workspace, build=build, accept_losses=accept_losses)
            keep_page(outcome, ready.release.title, workspace)
            text = render_page(outcome, ready.release.title)
            if receipts:
                text += "\n" + describe_funnel(receipts, "The build").replace("# ", "## ")
            write_summary(text, f"{NAME}-summary")
    except FAULTS as fault:
        return Failed(message=str(fault))
    return Completed(message=" ".join(line.strip() for line in describe_outcome(outcome).splitlines()))
