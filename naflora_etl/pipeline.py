"""The path in order: what is given, the stages, and how a recipe is built along them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence

import pyarrow as pa

from naflora_etl.engine.blobs import Blobs
from naflora_etl.engine.build import Mapper, Site, build_stage, map_here
from naflora_etl.engine.faults import Fault
from naflora_etl.engine.notes import Notes
from naflora_etl.engine.receipts import Receipt, Receipts
from naflora_etl.engine.stage import Stage
from naflora_etl.engine.tables import parquet_bytes, read_parquet
from naflora_etl.engine.workspace import Workspace
from naflora_etl.publishing.checksums import NAME as SUMS
from naflora_etl.publishing.checksums import parse_sums
from naflora_etl.publishing.lock import Lock, check_files, check_stage
from naflora_etl.publishing.withdrawn import FACTS, list_published
from naflora_etl.recipe import Recipe
from naflora_etl.sources.renewal import check_judged, find_published, note_published, renew_recipe
from naflora_etl.stages import given, harvest, images, records, release, selection, shards, split, taxa

GIVEN: tuple[Stage, ...] = (given.CHECKLIST, given.WCVP)
STAGES: tuple[Stage, ...] = (
    taxa.STAGE,
    harvest.STAGE,
    records.STAGE,
    selection.STAGE,
    images.STAGE,
    split.STAGE,
    shards.STAGE,
    release.STAGE,
)
NAMES: tuple[str, ...] = tuple(stage.name for stage in (*GIVEN, *STAGES))
MANIFEST, RECIPE = "release/manifest.parquet", "release/recipe.json"
KEYS = ("checklist_key", "taxon_id", "page_key", "record_key", "specimen_key", "gathering_key", "image_key")


def stages_until(last: str | None) -> Sequence[Stage]:
    """Return the given tables and the stages up to `last`, which must be one of them; all when it is None."""
    path = (*GIVEN, *STAGES)
    if last is None:
        return path
    if last not in NAMES:
        raise Fault(f"there is no stage {last}; the path is {' -> '.join(stage.name for stage in STAGES)}.")
    return path[: NAMES.index(last) + 1]


def build_recipe(
    recipe: Recipe,
    workspace: Workspace,
    *,
    until: str | None = None,
    mapper: Mapper = map_here,
    tell: Callable[[Receipt, bool], None] = lambda receipt, unchanged: None,
    build: Callable[[Stage, Site], Receipt] = build_stage,
) -> list[Receipt]:
    """Bring every table up to `until` up to date; return their receipts.

    Raises Fault where a reharvest was interrupted and images would be chosen before its losses were judged.
    `mapper` runs the slices of long stages: here by default, or wherever a flow hands in. `build` is `build_stage`, or
    what a flow puts around it.
    """
    stages = stages_until(until)
    with workspace.locked():
        if selection.STAGE in stages:
            check_judged(recipe, Notes(workspace))
        recipe = renew_recipe(recipe, Notes(workspace))
        keep_released(recipe, workspace)
        site = Site(workspace, recipe, mapper, tell)
        return [build(stage, site) for stage in stages]


def building_locked(lock: Lock) -> Callable[[Stage, Site], Receipt]:
    """Return a `build` for build_recipe that raises Fault as soon as a table or file is not the one the lock names."""

    def build(stage: Stage, site: Site) -> Receipt:
        receipt = build_stage(stage, site)
        if stage.name == release.STAGE.name:
            check_files(lock, parse_sums(site.workspace.read(f"release/{SUMS}")))
        else:
            check_stage(lock, stage.name, Receipts(site.workspace).table(stage.name))
        return receipt

    return build


def list_released(workspace: Workspace) -> pa.Table:
    """Return the images of the release that stands, and of all that stood before it."""
    manifest, version = None, ""
    if _stands(workspace):
        with workspace.open(MANIFEST) as stream:
            manifest = read_parquet(stream, list(FACTS))
        version = json.loads(workspace.read(RECIPE))["release"]["version"]
    digest = find_published(Notes(workspace))
    earlier = read_parquet(io.BytesIO(Blobs(workspace).get(digest))) if digest else None
    return list_published(manifest, version, earlier)


def keep_released(recipe: Recipe, workspace: Workspace) -> None:
    """Note the list where the release that stands has another snapshot, lest what of it was withdrawn be forgotten."""
    if not _stands(workspace):
        return
    if json.loads(workspace.read(RECIPE))["harvest"]["snapshot"] != recipe.harvest.snapshot:
        note_published(Notes(workspace), Blobs(workspace).put(parquet_bytes(list_released(workspace))))


def _stands(workspace: Workspace) -> bool:
    is_built = Receipts(workspace).find("release") is not None
    return is_built and all(workspace.exists(name) for name in (MANIFEST, RECIPE))
