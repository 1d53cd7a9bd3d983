"""audit: what a release should not tell, looked for by readers that had no part in it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from naflora_etl.commands.options import json_option
from naflora_etl.console import watching

SAMPLE = 100


@click.command()
@click.argument("release", type=click.Path(path_type=Path))
@click.option("--text", is_flag=True, help="Let Tesseract read the images: is any word of a label left?")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help=f"Images drawn by hash.  [default: {SAMPLE}]")
@click.option("--all", "whole", is_flag=True, help="Every image; about 2 CPU seconds each.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for pictures of the words that were read.")
@json_option
def audit(release: Path, text: bool, sample: int | None, whole: bool, out: Path | None, as_json: bool) -> None:
    """Audit a release: does anything of the test images leak into training?

    RELEASE is a release folder, a tarball of one, or any part of a tarball in parts. Told are exact, near, specimen and
    gathering duplicates across the parts, and the institutions of each; the command fails when an exact, specimen or
    gathering duplicate stands in both. With --text other readers look at the images instead, and the command fails
    when a word of a label's own species, genus, family, collector or place, or its catalogue number, can still be read.
    """
    if not text:
        if whole or sample is not None or out is not None:
            raise click.UsageError("--all, --sample and --out go with --text.")
        _audit_leaks(release, as_json)
        return
    if whole and sample is not None:
        raise click.UsageError("--all and --sample exclude each other.")
    _audit_text(release, None if whole else sample or SAMPLE, out, as_json)


def _audit_leaks(release: Path, as_json: bool) -> None:
    from naflora_etl.publishing.leaks import audit_leaks, describe_audit

    found = audit_leaks(release)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo(describe_audit(found, str(release)), nl=False)
    if not found.is_clean:
        straddling = ", ".join(f"{leak.groups:,} by {leak.kind}" for leak in found.leaks if leak.is_forbidden)
        raise click.ClickException(
            f"{release}: train and test are not apart ({straddling}); build it anew, the split keeps them apart."
        )


def _audit_text(release: Path, count: int | None, out: Path | None, as_json: bool) -> None:
    from naflora_etl.imaging.audit import audit_sheets
    from naflora_etl.publishing.samples import ReleaseImages, draw_rows

    with ReleaseImages(release) as images, watching(quiet=as_json) as progress:
        rows = draw_rows(images.manifest, count, purpose="audit")
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        progress.begin("audit")
        found = audit_sheets(
            images.read(rows),
            of=images.manifest.num_rows,
            crops=out,
            progress=lambda done, _, note: progress(done, len(rows), note),
        )
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        for sheet in found.sheets:
            if sheet.words or sheet.survivors:
                click.echo(str(sheet))
        click.echo(f"{found}.")
    if found.survivors:
        spoken = len({sheet.key for sheet in found.sheets if sheet.survivors})
        raise click.ClickException(
            f"{release}: on {spoken} of {len(found.sheets)} images a word of the label can still be read; "
            "cover more (images.grow, images.redact in the recipe) and build again, or leave those sheets out."
        )
