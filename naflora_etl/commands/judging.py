"""predict, ensemble, compare, costs: what becomes of trained models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import watching
from naflora_etl.engine.faults import Fault

if TYPE_CHECKING:
    from naflora_etl.learning.releases import Rank

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("run", type=PATH)
@click.argument("release_folder", metavar="RELEASE", type=PATH)
@click.option("--out", type=PATH, required=True, help="File for the predictions, a .parquet.")
@click.option("--part", type=click.Choice(["train", "test"]), default="test", show_default=True, help="Which sheets.")
@click.option("--tta", default="none", show_default=True, metavar="LOOKS", help="five-crop, or rrc:100:top5.")
@click.option(
    "--rarity", type=click.FloatRange(min=0), default=0.0, help="Divide odds by training images to this power."
)
@click.option("--kept", type=click.IntRange(min=1), default=50, show_default=True, help="Classes kept a sheet.")
def predict(run: Path, release_folder: Path, out: Path, part: str, tta: str, rarity: float, kept: int) -> None:
    """Predict the sheets of a release with a trained model.

    Written are the likeliest classes of each sheet with the logarithms of their odds: what `naflora ensemble`,
    `compare` and `evaluate` read.
    """
    import numpy as np

    from naflora_etl.learning.ensemble import weigh_by_rarity
    from naflora_etl.learning.predict import predict_run
    from naflora_etl.learning.releases import open_release

    with watching() as progress:
        progress.begin("predict")
        predictions = predict_run(run, release_folder, part=part, tta=tta, kept=kept, progress=progress)  # type: ignore[arg-type]
    opened = open_release(release_folder, need_images=False)
    counts = np.bincount(opened.part("train").class_ids, minlength=len(opened.classes))
    weigh_by_rarity(predictions, counts, rarity).write(out)
    click.echo(f"{out}: {len(predictions)} sheets, {predictions.class_ids.shape[1]} classes kept of each.")


@click.command()
@click.argument("files", metavar="PREDICTIONS...", nargs=-1, required=True, type=PATH)
@click.option("--out", type=PATH, required=True, help="File for the joined predictions, a .parquet.")
@click.option(
    "--weight", "weights", type=float, multiple=True, help="Of each file in order, such as its validation F1."
)
@click.option("--mean", type=click.Choice(["odds", "log-odds"]), default="odds", show_default=True, help="Of what.")
def ensemble(files: tuple[Path, ...], out: Path, weights: tuple[float, ...], mean: str) -> None:
    """Join predictions of several models into one.

    All must be of the same sheets and classes. `naflora evaluate` takes the joined file as it takes a run.
    """
    from naflora_etl.learning.ensemble import join_predictions
    from naflora_etl.learning.predictions import read_predictions

    joined = join_predictions([read_predictions(path) for path in files], weights=weights, mean=mean)  # type: ignore[arg-type]
    joined.write(out)
    click.echo(f"{out}: {len(joined)} sheets, {len(files)} sets of predictions joined by the mean of their {mean}.")


@click.command()
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.argument("release_folder", metavar="RELEASE", type=PATH)
@click.option("--by", type=click.Choice(["species", "genus", "family"]), help="Gains by.  [default: species]")
@click.option(
    "--support", type=PATH, help="CSV taxon_name,images: what the pretraining saw.  [default: training images]"
)
@click.option("--scale-x", type=click.FloatRange(min=0, min_open=True), help="Of curves: B's classes times this.")
@click.option("--plot", type=PATH, help="Of curves: draw both as a .png.")
@click.option("--out", type=PATH, help="CSV for the gain of each group, or the points of both curves.")
@json_option
def compare(  # noqa: PLR0913  # a command has as many arguments as options
    a: Path, b: Path, release_folder: Path, by: Rank | None, support: Path | None, scale_x: float | None,
    plot: Path | None, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Tell what model B gains over model A.

    A and B are runs that were evaluated, or files of predictions, on the test part of the same RELEASE: macro-F1 and
    top-1 with paired bootstrap intervals, and the gain of each species, genus or family by its support. Or both are
    folders of runs: curves over the number of classes that each run was pretrained on.
    """
    from naflora_etl.learning import compare as pairs
    from naflora_etl.learning import curves
    from naflora_etl.learning.releases import open_release

    opened = open_release(release_folder, need_images=False)
    are_curves = [curves.is_curve(path) for path in (a, b)]
    if any(are_curves) != all(are_curves) or ((scale_x or plot) and not all(are_curves)):
        other = (a, b)[are_curves.index(False)]
        raise Fault(f"curves, which --scale-x and --plot draw, are two folders that hold runs; {other} holds none.")
    if all(are_curves):
        if by or support:
            raise Fault("--by and --support tell gains between two runs; these are folders of runs.")
        found = curves.compare_curves(a, b, opened, scale_x=scale_x or 1.0)
        if plot:
            from naflora_etl.learning.plots import plot_curves

            plot_curves(found, plot)
        if out:
            curves.write_curves(found, out)
        click.echo(json.dumps(found.as_dict(), indent=2) if as_json else str(found))
        return
    counts = pairs.read_support(support) if support else None
    result = pairs.compare_predictions(a, b, opened, by=by or "species", support=counts)
    if out:
        pairs.write_gains(result, out)
    click.echo(json.dumps(result.as_dict(), indent=2) if as_json else str(result))


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=PATH)
@json_option
def costs(runs: tuple[Path, ...], as_json: bool) -> None:
    """Set the scores of runs against what they cost.

    A row a run: parameters, minutes of training, images a second, device, and macro-F1 where it was evaluated.
    """
    from naflora_etl.learning.costs import cost_rows, cost_table

    rows = cost_rows(runs)
    click.echo(json.dumps(rows, indent=2) if as_json else cost_table(rows))
