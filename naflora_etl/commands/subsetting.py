"""subset: a part of a release by rule."""

from __future__ import annotations

import json
from pathlib import Path

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import watching

AT_LEAST_ONE = click.IntRange(min=1)


@click.command()
@click.argument("release", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder for the subset.")
@click.option("--like", type=click.Choice(["mini"]), help="NAFlora-mini's shape; other options change it.")
@click.option("--family", "families", multiple=True, metavar="NAME", help="Only this family; may be repeated.")
@click.option("--genus", "genera", multiple=True, metavar="NAME", help="Only this genus; may be repeated.")
@click.option(
    "--hold-out", multiple=True, metavar="CODE", help="Test on this institution alone, train on the others; repeatable."
)
@click.option("--min-per-class", "--rare", "rare", type=AT_LEAST_ONE, help="Leave out classes with fewer images.")
@click.option("--min-train", "least_train", type=AT_LEAST_ONE, help="... with fewer training images.  [default: 1]")
@click.option("--min-test", "least_test", type=click.IntRange(min=0), help="... with fewer test images.  [default: 1]")
@click.option("--classes", type=AT_LEAST_ONE, metavar="N", help="N classes, drawn by the seed.")
@click.option("--cap", type=click.IntRange(min=2), help="Images a class at most, train and test in their old shares.")
@click.option("--cap-train", type=AT_LEAST_ONE, help="Training images a class at most, validation among them.")
@click.option("--cap-test", type=AT_LEAST_ONE, help="Test images a class at most.")
@click.option("--validation", type=click.IntRange(min=0), help="Training images a class to list for validation.")
@click.option("--chunk", type=AT_LEAST_ONE, metavar="SIZE", help="Shuffled lists of so many keys.")
@click.option("--folds", type=click.IntRange(min=2), metavar="K", help="Deal the training keys into K lists besides.")
@click.option("--seed", type=int, help="Of every draw.  [default: 1]")
@click.option("--pack", is_flag=True, help="Write the images too, a tar a list.")
@json_option
def subset(release: Path, out: Path, like: str | None, chunk: int | None, folds: int | None, pack: bool,
           as_json: bool, **asked: object) -> None:  # fmt: skip
    """Take a part of a release by rule.

    RELEASE is a release folder, a tarball of one, or any part of a tarball in parts. Written are manifest.parquet and
    classes.parquet, numbered anew, and lists of keys. No image changes between train and test, and neither the order
    of rows nor the machine has a say. Conditions apply in the order of the options.
    """
    from dataclasses import asdict, replace

    from naflora_etl.publishing.parcel import refuse_inside
    from naflora_etl.publishing.samples import ReleaseImages
    from naflora_etl.publishing.subset import write_subset
    from naflora_etl.selecting.subsets import LIKE_MINI, Rule, choose_subset, chunk_keys, fold_keys

    refuse_inside(out, release)
    given = {name: value for name, value in asked.items() if value not in (None, ())}
    rule = replace(LIKE_MINI if like == "mini" else Rule(), **given)  # type: ignore[arg-type]
    with ReleaseImages(release) as images, watching(quiet=as_json) as progress:
        progress.begin("subset")
        rows = choose_subset(images.manifest, rule)
        lists = chunk_keys(rows, chunk, rule.seed)
        more = fold_keys(rows, folds, rule.seed) if folds else {}
        told = {"rule": asdict(rule) | {"chunk": chunk, "folds": folds}}
        facts = write_subset(images, rows, lists, out, told=told, more_lists=more, pack=pack, progress=progress)
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    counts = ", ".join(f"{count:,} to {use}" for use, count in facts["images"].items() if count)
    counts = counts.replace("to validation", "to validate")
    click.echo(f"{out}: {facts['classes']:,} class{'es'[: 2 * (facts['classes'] != 1)]}; images: {counts}.")
