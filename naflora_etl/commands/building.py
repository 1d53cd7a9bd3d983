"""build, plan, status, why, knobs: from a recipe along the path, and what came of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from naflora_etl.commands.options import built_option, json_option, recipe_argument, work_option
from naflora_etl.console import as_json_values, at_work, find_workspace, say, say_nothing, tell, watching
from naflora_etl.engine.faults import Fault

if TYPE_CHECKING:
    from naflora_etl.engine.ledger import Trace
    from naflora_etl.engine.receipts import Receipt
    from naflora_etl.engine.workspace import Workspace

ROWS_IN_FULL = 3
LONGEST_VALUE = 200


@click.command()
@recipe_argument
@click.option("--until", metavar="STAGE", help="Stop after this stage (taxa, harvest, records, ... release).")
@click.option("--locked", metavar="LOCK", type=click.Path(path_type=Path), help="Make the bytes of this release again.")
@work_option
@json_option
def build(recipe: Path, until: str | None, locked: Path | None, work: str | None, as_json: bool) -> None:
    """Build RECIPE, a .toml, along the whole path.

    What is up to date is left as it is; what was interrupted goes on where it stopped. LOCK is a release, its tarball
    or its lock.json: what differs from it is refused and named, before anybody is asked where that can be known.
    """
    from naflora_etl.engine.build import build_stage
    from naflora_etl.pipeline import build_recipe, building_locked, stages_until
    from naflora_etl.publishing.lock import check_ready, read_lock

    stages_until(until)
    receipts: list[Receipt] = []
    lock = read_lock(locked) if locked else None
    with at_work(recipe, work) as (ready, workspace), watching(quiet=as_json):
        if lock is not None:
            check_ready(lock, ready)
        how = building_locked(lock) if lock else build_stage
        receipts = build_recipe(ready, workspace, until=until, tell=say_nothing if as_json else tell, build=how)
    if as_json:
        click.echo(json.dumps([as_json_values(receipt) for receipt in receipts], indent=2))
        return
    for sentence in _silences(workspace) if any(receipt.stage == "harvest" for receipt in receipts) else ():
        click.echo(sentence)
    if until is None:
        place = workspace.at("release")
        click.echo(f"\nRelease: {place}\nReport:  {place}/report.html")


@click.command()
@recipe_argument
@work_option
@json_option
def plan(recipe: Path, work: str | None, as_json: bool) -> None:
    """Say what a build would ask of whom.

    Requests, bytes and time for each host at the polite rates of RECIPE, before any request. What is here already
    is not counted. Before the harvest nobody knows which images there will be: plan again after it.
    """
    from naflora_etl.plan import describe_plan, plan_recipe

    with at_work(recipe, work, serve=False) as (ready, workspace), watching(quiet=as_json):
        made = plan_recipe(ready, workspace)
    if as_json:
        click.echo(json.dumps(made.as_dict(), indent=2))
    else:
        say(describe_plan(made))


@click.command()
@built_option
@json_option
def status(work: str | None, as_json: bool) -> None:
    """Show the funnel, stage by stage.

    What each stage was given, what came out clean, what was set aside and why.
    """
    from naflora_etl.engine.ledger import read_funnel
    from naflora_etl.engine.receipts import Receipts
    from naflora_etl.issues import ISSUES
    from naflora_etl.names.backbone import describe_backbone
    from naflora_etl.pipeline import NAMES

    workspace = find_workspace(work)
    receipts = read_funnel(workspace, NAMES)
    backbone = describe_backbone(Receipts(workspace).metadata("wcvp"))
    if as_json:
        told = [as_json_values(receipt) for receipt in receipts]
        for values in told:
            if values["stage"] == "wcvp" and backbone:
                values["backbone"] = asdict(backbone)
        click.echo(json.dumps(told, indent=2))
        return
    if not receipts:
        raise Fault(f"{workspace.root} holds no built stage yet; run `naflora build RECIPE` first.")
    click.echo(f"{workspace.root}\n")
    for receipt in receipts:
        tell(receipt, unchanged=False, issues=False)
        if receipt.stage == "wcvp" and backbone:
            click.echo(f"    {backbone.as_sentence()}")
        for issue, count in receipt.issues.items():
            say(f"    {count:>9,}  {issue:<23}  {ISSUES[issue]}")
        for sentence in _silences(workspace) if receipt.stage == "harvest" else ():
            say(f"    {sentence}")


def _silences(workspace: Workspace) -> list[str]:
    """Return a sentence for each aggregator that did not answer about some taxa."""
    from naflora_etl.engine.receipts import Receipts
    from naflora_etl.publishing.silences import ANSWERED, COLUMNS, tell_silences

    receipts = Receipts(workspace)
    receipt = receipts.find("harvest")
    if receipt is None or set(receipt.issues).issubset(ANSWERED):
        return []
    return list(tell_silences(receipts.table("harvest", COLUMNS)))


@click.command()
@click.argument("key")
@built_option
@json_option
def why(key: str, work: str | None, as_json: bool) -> None:
    """Tell one key's life along the path.

    KEY is a checklist_key, taxon_id, page_key, record_key, specimen_key, gathering_key or image_key. Of a stage with
    many rows of it the first are told, the others counted; --json has them all.
    """
    from naflora_etl.engine.ledger import trace_key
    from naflora_etl.pipeline import KEYS, NAMES

    workspace = find_workspace(work)
    traces = trace_key(workspace, NAMES, KEYS, key) or _withdrawn(workspace, key)
    if as_json:
        click.echo(json.dumps([{"stage": t.stage, **t.row} for t in traces], indent=2, default=str))
        return
    if not traces:
        raise Fault(f"no table of {workspace.root} holds the key {key}; `naflora status` shows what is built.")
    for stage, found in groupby(traces, key=lambda trace: trace.stage):
        _tell_rows(stage, [trace.row for trace in found])
    if {trace.stage for trace in traces} <= {"checklist", "taxa"} and (taxon_id := traces[-1].row.get("taxon_id")):
        click.echo(f"Its species goes on: naflora why {taxon_id}")


def _withdrawn(workspace: Workspace, key: str) -> list[Trace]:
    """Return what the release tells of an image that an earlier one held; no table knows it any more."""
    from naflora_etl.engine.ledger import Trace
    from naflora_etl.publishing.withdrawn import NAME, find_named

    place = f"release/{NAME}"
    row = find_named(workspace.read(place), key) if workspace.exists(place) else None
    return [Trace(NAME, row | {"issue": row["reason"]})] if row else []


def _tell_rows(stage: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows of one stage; of many the first in full, the others counted by what became of them."""
    from naflora_etl.issues import ISSUES

    for row in rows if len(rows) <= ROWS_IN_FULL else rows[:1]:
        issue = row["issue"]
        say(f"{stage}: " + (f"{issue}: {ISSUES[issue]}" if issue else "clean"))
        for name, value in row.items():
            if value is not None and name != "issue":
                text = str(value)
                say(f"    {name:<25}  {text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + ' ...'}")
    if len(rows) > ROWS_IN_FULL:
        click.echo(f"{stage}: {len(rows):,} rows in all, of which the one above is the first")
        for issue, count in Counter(row["issue"] for row in rows).most_common():
            say(f"    {count:>9,}  {f'{issue:<23}  {ISSUES[issue]}' if issue else 'clean'}")


@click.command("knobs")
@click.option("--markdown", is_flag=True, help="Print docs/recipe.md.")
def list_knobs(markdown: bool) -> None:
    """List every knob of a recipe, with its reason."""
    from naflora_etl.knobs import describe_knobs, knobs
    from naflora_etl.recipe import Recipe

    if markdown:
        click.echo(describe_knobs(Recipe), nl=False)
        return
    for name, default, why in knobs(Recipe):
        click.echo(f"{name:<34} {default:<24} {why}")
