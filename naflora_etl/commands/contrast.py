"""clip, zeroshot: towers of images and words."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import watching
from naflora_etl.engine.faults import Fault

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("release", type=_PATH)
@click.option(
    "--recipe", "name", default="clip-tiny", show_default=True, help="A file, or a name in recipes/learn/contrast/."
)
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Change one knob; may be repeated.")
@click.option("--out", type=_PATH, required=True, help="Run folder.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in the run folder.")
@json_option
def clip(release: Path, name: str, overrides: tuple[str, ...], out: Path, resume: bool, as_json: bool) -> None:
    """Tune towers of images and words on a release: CLIP, or LiT with a locked image tower.

    Needs the extra `clip` (open_clip). The recipe lit-inat is LiT's, biotrove-o BioTrove's.
    """
    from naflora_etl.learning.contrast.recipe import read_contrast_recipe
    from naflora_etl.learning.contrast.tune import tune

    recipe = read_contrast_recipe(name, list(overrides))
    with watching(quiet=as_json) as progress:
        progress.begin("clip")
        tuned = tune(release, recipe=recipe, out=out, resume=resume, progress=progress)
    if os.environ.get("RANK", "0") != "0":  # one of several processes that torchrun started: the first one tells
        return
    click.echo(json.dumps(tuned.as_dict(), indent=2) if as_json else str(tuned))


@click.command()
@click.argument("model", metavar="RUN_OR_MODEL")
@click.argument("release", type=_PATH, required=False)
@click.option("--prompts", default="plain", show_default=True, help="plain, clip80, taxonomic, or a template.")
@click.option("--benchmark", type=_PATH, help="CSV with path, ranks and a class, instead of a release.")
@click.option("--taxon", help="Of a benchmark: only rows of this taxon, at any rank.")
@click.option(
    "--class-column", default="scientificName", show_default=True, help="Of a benchmark; several with commas."
)
@click.option("--weights", default="none", show_default=True, help="Of a MODEL by open_clip's name: a tag, or a file.")
@click.option("--names", default="none", help="CSV with taxon_name, common_name ... for the prompts.")
@json_option
def zeroshot(  # noqa: PLR0913  # a command has as many arguments as options
    model: str, release: Path | None, prompts: str, benchmark: Path | None, taxon: str | None, class_column: str,
    weights: str, names: str, as_json: bool,
) -> None:  # fmt: skip
    """Name sheets by words alone.

    RUN_OR_MODEL is a run of `naflora clip`, or a model of open_clip by its name (ViT-B-16, with --weights openai).
    Tells top-1 and top-5 on the test part of RELEASE, or on a benchmark's table.
    """
    from naflora_etl.learning.contrast.recipe import ContrastRecipe, TowerOptions
    from naflora_etl.learning.contrast.towers import known_towers, make_towers
    from naflora_etl.learning.contrast.tune import open_towers
    from naflora_etl.learning.contrast.zeroshot import zeroshot_release, zeroshot_table
    from naflora_etl.learning.devices import device_for_answers
    from naflora_etl.learning.options import LoopOptions

    if (release is None) == (benchmark is None):
        raise Fault("give a release, or a table with --benchmark.")
    if Path(model).is_dir():
        recipe, towers = open_towers(Path(model))
    else:
        if Path(model).name != model and model not in known_towers():
            raise Fault(f"{model}: no such run; `naflora clip` makes one, or give a model of open_clip by its name.")
        recipe = ContrastRecipe(name="zeroshot")
        towers = make_towers(TowerOptions(arch=model, weights=weights))
    loop = recipe.loop
    towers = towers.to(device_for_answers(LoopOptions(device=loop.device)))
    with watching(quiet=as_json) as progress:
        progress.begin("zeroshot")
        if benchmark:
            found = zeroshot_table(
                towers,
                recipe.data,
                benchmark,
                prompts=prompts,
                taxon=taxon,
                class_column=class_column,
                progress=progress,
            )
        else:
            assert release is not None
            found = zeroshot_release(
                towers, recipe.data, release, prompts=prompts, names=names, workers=loop.workers, progress=progress
            )
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else str(found))
