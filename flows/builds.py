"""What the flows share: a recipe at work, and its build with stages and slices as tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.artifacts import BuildProgress
from flows.tasks import build_as_task, slices_as_tasks
from naflora_etl.engine.ledger import read_funnel
from naflora_etl.engine.receipts import Receipt
from naflora_etl.engine.workspace import Workspace
from naflora_etl.recipe import Recipe, read_recipe


@contextmanager
def at_work(path: str, work: str | None) -> Iterator[tuple[Recipe, Workspace]]:
    """Give the recipe and its workspace; a recipe with a sandbox gets one, running while the block lasts."""
    from naflora_etl.sandbox.embedded import sandbox_for

    recipe = read_recipe(Path(path))
    workspace = Workspace(work or f"work/{recipe.name}")
    with sandbox_for(recipe, workspace, serve=True) as ready:
        yield ready, workspace


def build_with_tasks(
    recipe: Recipe, workspace: Workspace, *, until: str | None = None, slice_workers: int = 1, key: str
) -> list[Receipt]:
    """Build inside a flow run, and return the receipts; the progress artifact is called `<key>-progress`."""
    from naflora_etl.pipeline import build_recipe, stages_until

    progress = BuildProgress([stage.name for stage in stages_until(until)], f"{key}-progress")
    return build_recipe(
        recipe,
        workspace,
        until=until,
        mapper=slices_as_tasks(slice_workers, progress.slices_done),
        tell=progress.stage_done,
        build=build_as_task,
    )


def built_so_far(workspace: Workspace) -> list[Receipt]:
    """Return the receipts of all stages that are built."""
    from naflora_etl.pipeline import NAMES

    return read_funnel(workspace, NAMES)
