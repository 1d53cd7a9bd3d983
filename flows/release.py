"""release: build a recipe to its end and write the tarballs with their checksums."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import State, flow
from prefect.states import Completed, Failed
from pydantic import Field

from flows.artifacts import describe_funnel, write_summary
from flows.builds import at_work, build_with_tasks
from flows.tasks import FAULTS, chosen_runner

NAME = "release"


@flow(name=NAME, task_runner=chosen_runner(), persist_result=False)
def release(
    recipe: str = "recipes/demo.toml",
    work: str | None = None,
    out: str = "dist",
    part_size: str | None = None,
    slice_workers: Annotated[int, Field(ge=1)] = 1,
) -> State[Any]:
    """Build a recipe to its end and write the release's tarballs.

    Args:
        recipe: The recipe, a .toml file.
        work: Data folder, a path or an fsspec URL; work/<recipe's name> when left out.
        out: Folder for the tarballs and their checksums.
        part_size: Cut the tarball into parts of this size (2GB, 500MB); one file when left out.
        slice_workers: Slices of a stage at a time. One slice keeps all cores of a machine busy by itself.
    """
    from naflora_etl.publishing.bundle import parse_size, write_tarballs

    try:
        part_size_bytes = parse_size(part_size) if part_size else None
        with at_work(recipe, work) as (ready, workspace):
            receipts = build_with_tasks(ready, workspace, slice_workers=slice_workers, key=NAME)
            name = f"{ready.name}-{ready.release.version}"
            paths = write_tarballs(workspace.local("release"), Path(out), name=name, part_size_bytes=part_size_bytes)
    except FAULTS as fault:
        return Failed(message=str(fault))
    files = "\n".join(f"- `{path}`" for path in paths)
    text = describe_funnel(receipts, ready.release.title) + f"\n## Files\n\n{files}\n"
    write_summary(text, f"{NAME}-summary")
    return Completed(message=f"{len(paths)} files in {out}")
