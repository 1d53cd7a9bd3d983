"""train, evaluate, score: from a release to a model."""

from __future__ import annotations

import json
from pathlib import Path

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import watching


@click.command()
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


@click.command()
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


@click.command()
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
