"""train, evaluate, score: from a release to a model."""

from __future__ import annotations

import json
import os
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
    if os.environ.get("RANK", "0") != "0":  # one of several processes that torchrun started: the first one tells
        return
    click.echo(json.dumps(result.as_dict(), indent=2) if as_json else str(result))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("release_folder", metavar="RELEASE", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for what is written.  [default: RUN]")
@click.option("--tta", default="none", show_default=True, metavar="LOOKS", help="five-crop, or rrc:100:top5.")
@click.option("--top", default=5, show_default=True, type=click.IntRange(min=1), help="Also: among so many likeliest.")
@click.option("--distances", default="taxonomy", show_default=True, help="CSV genus_a,genus_b,distance, or taxonomy.")
@click.option("--plots", is_flag=True, help="Draw the tables as figures besides.")
@json_option
def evaluate(
    run: Path, release_folder: Path, out: Path | None, tta: str, top: int, distances: str, plots: bool, as_json: bool
) -> None:
    """Score a trained model on the test part.

    RUN is the folder that `naflora train` wrote, or a file of predictions. Tells top-1 and macro-F1 of species, genus
    and family, calibration and an analysis of variance; writes evaluation.json, submission.csv, predictions.parquet
    and tables by species, family, training images and institution.
    """
    from naflora_etl.learning.evaluate import evaluate_predictions, evaluate_run
    from naflora_etl.learning.plots import plot_tables
    from naflora_etl.learning.predictions import read_predictions
    from naflora_etl.learning.releases import open_release

    target = out or (run if run.suffix != ".parquet" else run.with_suffix(""))
    if run.suffix == ".parquet":
        opened = open_release(release_folder, need_images=False)
        result = evaluate_predictions(read_predictions(run), opened, out=target, top_k=top, distances=distances)
    else:
        with watching(quiet=as_json) as progress:
            progress.begin("evaluate")
            result = evaluate_run(
                run, release_folder, out=target, top_k=top, tta=tta, distances=distances, progress=progress
            )
    drawn = plot_tables(target) if plots else []
    click.echo(json.dumps(result.as_dict(), indent=2) if as_json else str(result))
    if drawn and not as_json:
        click.echo(f"{target}: {', '.join(drawn)}")


@click.command()
@click.argument("submission", type=click.Path(path_type=Path))
@click.argument("release_folder", metavar="[RELEASE]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--truth", type=click.Path(path_type=Path), help="CSV or Parquet Id,Predicted,Usage, or a release folder."
)
@click.option("--seed", default=1, show_default=True, help="Of the halves, where the truth has no column Usage.")
@json_option
def score(submission: Path, release_folder: Path | None, truth: Path | None, seed: int, as_json: bool) -> None:
    """Score a CSV as the competition does.

    SUBMISSION has the columns Id and Predicted, as RELEASE/sample_submission.csv. It is held against the test part of
    RELEASE, or against a file of answers (--truth), as a whole and by its public and private halves.
    """
    from naflora_etl.learning.score import score_submission

    against = truth or release_folder
    if against is None:
        raise click.UsageError("give a RELEASE or a --truth to score against.")
    result = score_submission(submission, against, release=release_folder, seed=seed)
    click.echo(json.dumps(result.as_dict(), indent=2) if as_json else str(result))
