"""shard: the images of a release once more, smaller or laid otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import watching


@click.command()
@click.argument("release", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder for it.")
@click.option("--size", "size_px", type=click.IntRange(min=16), help="Long side in pixels.  [default: as they are]")
@click.option(
    "--layout",
    type=click.Choice(["webdataset", "imagefolder", "competition"]),
    default="webdataset",
    show_default=True,
    help="Tars; a folder a class; or files as Herbarium 2022 had them.",
)
@click.option("--label", type=click.Choice(["json", "cls"]), default="json", show_default=True, help="In the tars.")
@click.option("--quality", type=click.IntRange(1, 100), default=92, show_default=True, help="Of the smaller JPEGs.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="That shrink at once.")
@json_option
def shard(release: Path, out: Path, as_json: bool, **options: object) -> None:
    """Lay the images of RELEASE out anew.

    RELEASE is a release folder, a tarball of one, or any part of a tarball in parts; it is read once, and never
    unpacked. OUT holds the images with a manifest and classes of its own, and can be trained on. The layout
    `competition` has no manifest, for that tells the test labels: it has the competition's own metadata.
    """
    from naflora_etl.imaging.smaller import shrink_jpeg
    from naflora_etl.publishing.parcel import refuse_inside
    from naflora_etl.publishing.variant import Variant, write_variant

    refuse_inside(out, release)
    variant = Variant(**options)  # type: ignore[arg-type]
    with watching(quiet=as_json) as progress:
        progress.begin("shard")
        facts = write_variant(release, out, variant, shrink_jpeg, progress)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    size = f", long side {variant.size_px} px at most" if variant.size_px else ""
    click.echo(f"{out}: {facts['images']:,} images{size}, {facts['size_bytes']:,} bytes.")
