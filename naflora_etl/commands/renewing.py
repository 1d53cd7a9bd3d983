"""reharvest: bring a built dataset up to date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from naflora_etl.commands.options import json_option, recipe_argument, work_option
from naflora_etl.console import at_work, say_nothing, tell, watching

if TYPE_CHECKING:
    from naflora_etl.engine.receipts import Receipt
    from naflora_etl.recipe import Recipe


@click.command()
@recipe_argument
@work_option
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), help="File to write the page (Markdown) into.")
@click.option("--accept-losses", is_flag=True, help="Let images go though a source lists far fewer of them.")
@json_option
def reharvest(recipe: Path, work: str | None, page: Path | None, accept_losses: bool, as_json: bool) -> None:
    """Ask the aggregators what is new, and rebuild what it changes.

    Only what may have changed is asked for again, and no image that is here is fetched again. Tells which images were
    added, changed, moved to another taxon or withdrawn. Where nothing is new, nothing is done. A source that suddenly
    lists far fewer images, while their records answer by key, keeps what it sent before (`reharvest.most_lost`).
    """
    from naflora_etl.pipeline import build_recipe
    from naflora_etl.renewing.page import describe_outcome, keep_page, outcome_values, render_page
    from naflora_etl.renewing.run import reharvest as bring_up_to_date

    with at_work(recipe, work) as (ready, workspace), watching(quiet=as_json):
        told: set[str] = set()

        def tell_once(receipt: Receipt, unchanged: bool) -> None:
            if not (unchanged and receipt.stage in told):
                tell(receipt, unchanged)
            told.add(receipt.stage)

        def build(recipe: Recipe, until: str | None) -> list[Receipt]:
            return build_recipe(recipe, workspace, until=until, tell=say_nothing if as_json else tell_once)

        outcome = bring_up_to_date(ready, workspace, build=build, accept_losses=accept_losses)
        place = keep_page(outcome, ready.release.title, workspace)
    if page is not None:
        page.write_text(render_page(outcome, ready.release.title), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(outcome_values(outcome), indent=2))
        return
    click.echo(("\n" if outcome.change else "") + describe_outcome(outcome))
    if place is not None:
        click.echo(f"\nRelease: {workspace.at('release')}\nChanges: {workspace.at(place)}")
