"""reharvest: ask the aggregators anew, and rebuild what their answers change."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import State, flow
from prefect.states import Completed, Failed
from pydantic import Field

from flows.artifacts import describe_change, describe_funnel, is_same, write_summary
from flows.builds import at_work, build_with_tasks, built_so_far
from flows.tasks import FAULTS, chosen_runner
from naflora_etl.engine.clock import now

NAME = "reharvest"


@flow(name=NAME, task_runner=chosen_runner(), persist_result=False)
def reharvest(
    recipe: str = "recipes/demo.toml",
    work: str | None = None,
    snapshot: str | None = None,
    slice_workers: Annotated[int, Field(ge=1)] = 1,
) -> State[Any]:
    """Build a recipe under a new `harvest.snapshot`; images that are already packed are not fetched again.

    The label is not written into the recipe: write it there to keep what this run brought, else the next plain build
    asks everything once more.

    Args:
        recipe: The recipe, a .toml file.
        work: Data folder, a path or an fsspec URL; work/<recipe's name> when left out.
        snapshot: Label of the new harvest; today's date when left out.
        slice_workers: Slices of a stage at a time. One slice keeps all cores of a machine busy by itself.
    """
    label = snapshot or now().date().isoformat()
    try:
        with at_work(recipe, work) as (ready, workspace):
            before = {receipt.stage: receipt for receipt in built_so_far(workspace)}
            anew = ready.model_copy(
                update={
                    "harvest": ready.harvest.model_copy(update={"snapshot": label}),
                    "images": ready.images.model_copy(update={"snapshot": label}),
                }
            )
            receipts = build_with_tasks(anew, workspace, slice_workers=slice_workers, key=NAME)
            title = f"{ready.release.title}, harvested anew: {label}"
            text = describe_funnel(receipts, title) + "\n" + describe_change(before, receipts)
            write_summary(text, f"{NAME}-summary")
    except FAULTS as fault:
        return Failed(message=str(fault))
    changed = [receipt.stage for receipt in receipts if not is_same(before.get(receipt.stage), receipt)]
    return Completed(message=f'snapshot = "{label}"; changed: {", ".join(changed) or "nothing"}')
