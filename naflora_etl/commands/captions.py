"""captions, stats: the words for images, and how images are spread."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import watching
from naflora_etl.engine.faults import Fault

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("release", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="Captions as .csv, or with --pack a new folder of tars.")
@click.option("--template", help='"A photo of the {common_name} {supercategory} {taxon_name}."')
@click.option(
    "--columns", help='"auto": those that separate classes best; or names with commas. Instead of a template.'
)
@click.option("--text", "kind", help='One of BioTrove\'s ten texts, or "all" ten and a JSON.')
@click.option("--names", type=_PATH, help="CSV with taxon_name and more columns: common_name, class, order ...")
@click.option("--pack", is_flag=True, help="Write image-text tars, as WebDataset reads them.")
@click.option("--chunk", type=click.IntRange(min=1), default=1000, show_default=True, help="Pairs a tar, shuffled.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the shuffle.")
@json_option
def captions(  # noqa: PLR0913  # a command has as many arguments as options
    release: Path, out: Path, template: str | None, columns: str | None, kind: str | None, names: Path | None,
    pack: bool, chunk: int, seed: int, as_json: bool,
) -> None:  # fmt: skip
    """Write a caption for every image of a release, from its metadata.

    The default is LiT's template, without the common names that a release does not hold (give them with --names).
    """
    from naflora_etl.learning.caption_rows import caption_texts, read_names, with_names, write_captions
    from naflora_etl.learning.captions import LIT_TEMPLATE
    from naflora_etl.publishing.pairs import write_pairs
    from naflora_etl.publishing.samples import ReleaseImages
    from naflora_etl.selecting.subsets import Rule, choose_subset, chunk_keys

    if sum(map(bool, (template, columns, kind))) > 1:
        raise Fault("give one of --template, --columns and --text.")
    with ReleaseImages(release) as images, watching(quiet=as_json) as progress:
        manifest = with_names(images.manifest, read_names(names) if names else {})
        how, texts = caption_texts(manifest, template=template or LIT_TEMPLATE, columns=columns, kind=kind)
        by_key = {row["image_key"]: row for row in manifest}

        def of_row(row: Mapping[str, Any]) -> dict[str, str]:
            return texts(by_key[row["image_key"]])

        if pack:
            progress.begin("captions")
            everything = choose_subset(images.manifest, Rule(least_train=0, least_test=0))
            lists = chunk_keys(everything, chunk, seed)
            count = write_pairs(images, lists, of_row, out, progress=progress)
        else:
            count = write_captions(manifest, texts, out)
    first = next(iter(texts(manifest[0]).values()))
    told = {"out": str(out), "images": count, "text": how, "first": first}
    click.echo(
        json.dumps(told, indent=2, ensure_ascii=False) if as_json else f"{out}: {count:,} images, {how}: {first}"
    )


@click.command()
@click.argument("table", metavar="RELEASE_OR_MANIFEST", type=_PATH)
@click.option("--by", default="family", show_default=True, help="Column of groups; empty for none.")
@click.option("--class-column", help="Column of classes.  [default: taxon_name or its like]")
@click.option("--rare", type=click.IntRange(min=1), default=10, show_default=True, help="BioTrove's rare_threshold.")
@click.option("--cap", type=click.IntRange(min=1), default=1000, show_default=True, help="BioTrove's cap_threshold.")
@click.option("--plot", type=_PATH, help="Draw the long tail as a .png.")
@json_option
def stats(
    table: Path, by: str, class_column: str | None, rare: int, cap: int, plot: Path | None, as_json: bool
) -> None:
    """Tell how images are spread over classes and groups.

    RELEASE_OR_MANIFEST is a release folder, or a table with a row an image (.parquet, .csv), such as BioTrove's
    metadata. `naflora subset --rare --cap --chunk` then keeps, caps and shuffles, exactly and whatever the order.
    """
    from naflora_etl.publishing.distribution import describe, draw_distribution, read_rows

    found = describe(read_rows(table), by=by or None, rare=rare, cap=cap, class_column=class_column)
    if plot:
        draw_distribution(found, plot)
    click.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False) if as_json else str(found))
