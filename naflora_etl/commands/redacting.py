"""redact: images on disk, outside any build."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import watching
from naflora_etl.engine.faults import Fault

SMALLEST_PX = 32
"""Less than this on a side is no picture; a build's recipe asks for more."""


@click.command()
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the redacted images.")
@click.option("--boxes", type=click.Path(path_type=Path), help="Write the blanked boxes to this JSON file.")
@click.option(
    "--detector", "redact", metavar="NAME",
    help="Who looks for text: craft, ppocr, union (both), easyocr or none. [default: union]",
)  # fmt: skip
@click.option("--size", "size_px", metavar="PX", type=int, help="Long side; 0 keeps the size. [default: 1000]")
@click.option("--quality", "jpeg_quality", type=int, help="JPEG quality. [default: 92]")
@click.option("--grow", type=float, help="Share of its short side by which a box grows. [default: 0.15]")
@click.option("--fill", metavar="noise|paper", help="What is laid over text. [default: noise]")
@json_option
def redact(images: tuple[str, ...], out: Path, boxes: Path | None, as_json: bool, **knobs: Any) -> None:
    """Cover the text on images, outside any build.

    IMAGE is a file, a folder or a pattern. Each becomes an upright JPEG of that name in --out, in sRGB, without any
    metadata. An image that cannot be used is told of, the others are done, and the command ends with 1.
    """
    from naflora_etl.imaging.files import check_boxes, find_images, redact_files, write_boxes
    from naflora_etl.recipe import make_recipe

    chosen = {name: value for name, value in knobs.items() if value is not None} | {"min_side_px": SMALLEST_PX}
    options = make_recipe({"name": "redact", "images": chosen}, folder=Path(), where="naflora redact").images
    files = find_images(images)
    if boxes is not None:
        with _naming("--boxes"):
            check_boxes(boxes, files, out)
    try:
        with watching(quiet=as_json) as progress, _naming("--out"):
            progress.begin("redact")
            results = redact_files(files, out, options, progress)
    except KeyboardInterrupt:
        click.echo(f"Stopped. What is finished is in {out}; the same command redacts every image again.", err=True)
        raise click.exceptions.Exit(130) from None
    if boxes is not None:
        with _naming("--boxes"):
            write_boxes(boxes, results)
    failed = [result for result in results if result.made is None]
    if as_json:
        click.echo(json.dumps([result.as_dict() for result in results], indent=2))
    else:
        for result in failed:
            click.echo(result.sentence, err=True)
        found = sum(result.made.text_boxes for result in results if result.made is not None)
        done = len(results) - len(failed)
        click.echo(f"{done:,} of {len(results):,} images redacted into {out}, {found:,} pieces of text covered.")
    if failed:
        raise click.exceptions.Exit(1)


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """Let a Fault about a place name the option that chose it; a build would say --work."""
    try:
        yield
    except Fault as fault:
        raise Fault(str(fault).replace("--work", option)) from fault
